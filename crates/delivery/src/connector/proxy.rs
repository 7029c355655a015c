//! A tunnel through a proxy, to an address that the rule allowed.
//!
//! The proxy is given the address, never the name: it would look the name up itself, and nobody would have judged what
//! it finds. Names that the receiver needs to know, in TLS and in `host`, are inside of the tunnel.

use std::{io, net::SocketAddr};

use domain::{Proxy, RequestStyle, Secret, TargetUrl, basic_authorization};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

/// Most bytes of a proxy's answer.
const ANSWER_BYTES_MAX: usize = 8 * 1024;

/// A proxy, and what it is told of who is there.
#[derive(Clone, Debug)]
pub(crate) struct Via {
    pub(crate) url: TargetUrl,
    authorization: Option<Secret>,
}

impl Via {
    /// That of a subscription; none if it is sent without.
    pub(crate) fn of(style: &RequestStyle) -> Option<Self> {
        let Proxy { url, user } = style.settings.proxy.as_ref()?;
        let password = style.credentials.proxy.as_ref();
        let authorization = user.as_ref().zip(password);
        Some(Self {
            url: url.clone(),
            authorization: authorization
                .map(|(user, password)| basic_authorization(user, password.reveal())),
        })
    }

    /// Asks the proxy at the other end of `stream` for a tunnel to `address`.
    pub(super) async fn tunnel(
        &self,
        mut stream: TcpStream,
        address: SocketAddr,
    ) -> Result<TcpStream, TunnelError> {
        let mut head = format!("CONNECT {address} HTTP/1.1\r\nhost: {address}\r\n");
        if let Some(authorization) = &self.authorization {
            head.push_str("proxy-authorization: ");
            head.push_str(authorization.reveal());
            head.push_str("\r\n");
        }
        head.push_str("\r\n");
        stream.write_all(head.as_bytes()).await?;
        let mut answer = Vec::with_capacity(512);
        let mut read = 0;
        loop {
            let Some(end) = answer.windows(4).position(|part| part == b"\r\n\r\n") else {
                if read > ANSWER_BYTES_MAX {
                    return Err(TunnelError::TooLong);
                }
                let more = stream.read_buf(&mut answer).await?;
                if more == 0 {
                    return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
                }
                read += more;
                continue;
            };
            let end = end + 4;
            return match status(&answer).ok_or(TunnelError::NotHttp)? {
                // Another answer follows (RFC 9110, section 15.2), save behind 101, which ends HTTP.
                100 | 102..=199 => {
                    answer.drain(..end);
                    continue;
                }
                // Where the head ends the tunnel begins, whatever length it names (section 9.3.6). What is in it
                // before anything was asked of the receiver is not the receiver's.
                200..=299 if answer.len() > end => Err(TunnelError::Early),
                200..=299 => Ok(stream),
                407 if self.authorization.is_none() => Err(TunnelError::WhoIsThere),
                407 => Err(TunnelError::NotKnown),
                status => Err(TunnelError::Status(status)),
            };
        }
    }
}

fn status(answer: &[u8]) -> Option<u16> {
    let line = answer.split(|byte| *byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok()?;
    let rest = line.strip_prefix("HTTP/1.")?.get(1..)?;
    rest.trim_start().get(..3)?.parse().ok()
}

/// Why there is no tunnel.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TunnelError {
    /// The connection to the proxy failed.
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// What the proxy answered is not HTTP.
    #[error("what the proxy answered to CONNECT is not HTTP")]
    NotHttp,
    /// The proxy answered more than is read of it.
    #[error("the proxy answered more than {} KiB to CONNECT", ANSWER_BYTES_MAX / 1024)]
    TooLong,
    /// The proxy sent something where the tunnel begins.
    #[error(
        "the proxy sent a body with its answer to CONNECT, where the tunnel to the receiver should begin"
    )]
    Early,
    /// The proxy said nothing in time.
    #[error("the proxy did not answer CONNECT in time")]
    Silent,
    /// The proxy wants to know who is there.
    #[error(
        "the proxy answered 407 to CONNECT: it wants to know who is there; give proxy.user and proxy.password"
    )]
    WhoIsThere,
    /// The proxy was told who is there, and does not take it.
    #[error(
        "the proxy answered 407 to CONNECT: it does not take proxy.user and proxy.password; give others"
    )]
    NotKnown,
    /// The proxy does not want to.
    #[error("the proxy answered {0} to CONNECT")]
    Status(u16),
}
