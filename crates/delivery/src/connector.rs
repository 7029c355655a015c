//! Connecting to a receiver: the one place where a socket to the outside is opened.
//!
//! The address rule is asked here, on the addresses that are then connected to. The HTTP client
//! calls this for every new connection and has no other way to get one, so there is no path to an
//! address that was not judged: not by a redirect, a proxy or a name that changed meanwhile.

mod proxy;

use std::{
    future::Future,
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use domain::{AddressPolicy, Resolver, TargetRefusal, TargetUrl, UrlOf, check_target, judge_proxy};
use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::{
    net::TcpStream,
    time::{self, Instant},
};
use tower_service::Service;

use crate::bounded::{Bounded, Meter};

pub(crate) use proxy::{TunnelError, Via};

type BoxError = Box<dyn std::error::Error + Send + Sync>;
type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// Why no connection came about. TLS has errors of its own.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The rule refuses the target.
    #[error(transparent)]
    Refused(#[from] TargetRefusal),
    /// No address of the name took the connection; the last one's reason.
    #[error("the connection to {address} failed")]
    Socket {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// The rule refuses the proxy.
    #[error("{}", .0.about(UrlOf::Proxy))]
    ProxyRefused(TargetRefusal),
    /// No address of the proxy took the connection; the last one's reason.
    #[error("the connection to the proxy at {address} failed")]
    Proxy {
        /// The last address that was tried.
        address: SocketAddr,
        /// What the system said.
        #[source]
        error: io::Error,
    },
    /// No tunnel through the proxy came about; the last reason.
    #[error("the proxy at {proxy} made no connection to {address}")]
    Tunnel {
        /// The address of the proxy.
        proxy: SocketAddr,
        /// The address behind it.
        address: SocketAddr,
        /// Why not.
        #[source]
        error: TunnelError,
    },
    /// The connection was there in time, and not secured. What comes before has words of its own.
    #[error(
        "no connection within {0:?}: the receiver took it, and did not finish the TLS handshake"
    )]
    TimedOut(Duration),
}

/// Opens sockets to addresses that the rule allows.
#[derive(Clone)]
pub(crate) struct CheckedConnector {
    policy: AddressPolicy,
    resolver: Arc<dyn Resolver>,
    time_max: Duration,
    via: Option<Via>,
    meter: Option<Arc<Meter>>,
}

impl CheckedConnector {
    /// `time_max` is for all until there is a connection. It is shared out among the addresses of a name, so that one
    /// which swallows what is sent to it leaves time for the next.
    pub(crate) fn new(
        policy: AddressPolicy,
        resolver: Arc<dyn Resolver>,
        time_max: Duration,
    ) -> Self {
        Self {
            policy,
            resolver,
            time_max,
            via: None,
            meter: None,
        }
    }

    /// The same, through a proxy.
    pub(crate) fn via(mut self, via: Option<Via>) -> Self {
        self.via = via;
        self
    }

    /// The same, for one connection that many requests share.
    pub(crate) fn metered(mut self, meter: Arc<Meter>) -> Self {
        self.meter = Some(meter);
        self
    }

    async fn connect(
        self,
        uri: Uri,
        until: Instant,
    ) -> Result<TokioIo<Bounded<TcpStream>>, ConnectError> {
        let target = TargetUrl::parse(&uri.to_string())?;
        // Looked up once: what was judged is what is connected to.
        let checked = check_target(&self.policy, &*self.resolver, &target);
        let checked = time::timeout_at(until, checked).await;
        let checked = checked.unwrap_or_else(|_| Err(self.unanswered(&target)))?;
        let stream = match &self.via {
            None => match open_first(checked.addresses(), until).await {
                Ok((stream, _)) => stream,
                Err((address, error)) => return Err(ConnectError::Socket { address, error }),
            },
            Some(via) => self.open_via(via, checked.addresses(), until).await?,
        };
        Ok(TokioIo::new(Bounded::new(stream, self.meter)))
    }

    /// A tunnel to the first of these addresses that the proxy reaches. The proxy's own address is judged like any
    /// other.
    async fn open_via(
        &self,
        via: &Via,
        addresses: &[SocketAddr],
        until: Instant,
    ) -> Result<TcpStream, ConnectError> {
        let judged = judge_proxy(&self.policy, &*self.resolver, &via.url);
        let proxy = match time::timeout_at(until, judged).await {
            Ok(judged) => judged.decision,
            Err(_) => Err(self.unanswered(&via.url)),
        };
        let proxy = proxy.map_err(ConnectError::ProxyRefused)?;
        let mut failed = None;
        for (index, &address) in addresses.iter().enumerate() {
            let until = share(until, addresses.len() - index);
            let opened = open_first(proxy.addresses(), until).await;
            let (stream, at) =
                opened.map_err(|(address, error)| ConnectError::Proxy { address, error })?;
            let asked = time::timeout_at(until, via.tunnel(stream, address)).await;
            match asked.unwrap_or(Err(TunnelError::Silent)) {
                Ok(stream) => return Ok(stream),
                Err(error) => {
                    failed = Some(ConnectError::Tunnel {
                        proxy: at,
                        address,
                        error,
                    });
                }
            }
        }
        Err(failed.expect("a target that was checked has an address"))
    }

    /// The name was not looked up in time.
    fn unanswered(&self, target: &TargetUrl) -> TargetRefusal {
        TargetRefusal::Unresolvable {
            host: target.host_name().unwrap_or_default().to_owned(),
            why: format!("no answer within {:?}", self.time_max),
        }
    }
}

/// A connection and where it leads, or the last address and why it did not take one.
type Opened = Result<(TcpStream, SocketAddr), (SocketAddr, io::Error)>;

/// Connects to the first of these addresses, of which there is one at least, that takes the connection.
async fn open_first(addresses: &[SocketAddr], until: Instant) -> Opened {
    let mut failed = None;
    for (index, &address) in addresses.iter().enumerate() {
        let until = share(until, addresses.len() - index);
        let opening = time::timeout_at(until, open(address)).await;
        match opening.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => return Ok((stream, address)),
            Err(error) => failed = Some((address, error)),
        }
    }
    Err(failed.expect("a target that was checked has an address"))
}

/// Until when the first of so many has its share of the time.
fn share(until: Instant, among: usize) -> Instant {
    let now = Instant::now();
    let left = until.saturating_duration_since(now);
    // The last one ends exactly then, so that it is told of in its own words and not as the whole.
    now + left / u32::try_from(among).unwrap_or(1).max(1)
}

async fn open(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    // A webhook is one small request; waiting for more to send would only delay it.
    stream.set_nodelay(true)?;
    Ok(stream)
}

impl Service<Uri> for CheckedConnector {
    type Response = TokioIo<Bounded<TcpStream>>;
    type Error = ConnectError;
    type Future = Connecting<Self::Response, ConnectError>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ConnectError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        // From now on, and not from the first look at what is returned: whoever bounds the whole begins later.
        let until = Instant::now() + self.time_max;
        Box::pin(self.clone().connect(uri, until))
    }
}

/// Ends a connector's work after a time, its TLS handshake included.
#[derive(Clone)]
pub(crate) struct TimedConnector<C> {
    inner: C,
    time_max: Duration,
}

impl<C> TimedConnector<C> {
    pub(crate) const fn new(inner: C, time_max: Duration) -> Self {
        Self { inner, time_max }
    }
}

impl<C> Service<Uri> for TimedConnector<C>
where
    C: Service<Uri>,
    C::Error: Into<BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<Self::Response, BoxError>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let connecting = self.inner.call(uri);
        let time_max = self.time_max;
        Box::pin(async move {
            match time::timeout(time_max, connecting).await {
                Ok(connected) => connected.map_err(Into::into),
                Err(_) => Err(ConnectError::TimedOut(time_max).into()),
            }
        })
    }
}
