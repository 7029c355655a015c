//! Why a request came to nothing, as an outcome and a plain sentence for the log that people read.

use std::{error::Error, io};

use domain::{Outcome, TargetRefusal, UrlOf};
use rustls::CertificateError;

use crate::{
    bounded::TooMuch,
    client::{ANSWER_HEAD_BYTES_MAX, ANSWER_HEADERS_MAX},
    connector::{ConnectError, TunnelError},
};

/// Most characters of a sentence that is kept.
const SENTENCE_CHARS_MAX: usize = 400;

/// Errors that are followed from one to its source at most.
const CHAIN_MAX: usize = 16;

/// What went wrong, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) outcome: Outcome,
    pub(crate) sentence: String,
    /// Whether bytes of the request can have left; signatures are kept only of what was sent.
    pub(crate) sent: bool,
}

impl Failure {
    pub(crate) fn new(outcome: Outcome, sentence: impl Into<String>, sent: bool) -> Self {
        let mut sentence = sentence.into();
        if let Some((end, _)) = sentence.char_indices().nth(SENTENCE_CHARS_MAX) {
            sentence.truncate(end);
        }
        Self {
            outcome,
            sentence,
            sent,
        }
    }
}

/// What an error of the HTTP client means.
pub(crate) fn of_request(error: &hyper_util::client::legacy::Error) -> Failure {
    if error.is_connect() || find::<ConnectError>(error).is_some() {
        return of_connecting(error);
    }
    of_exchange(error)
}

/// [`of_request`], of a request to a token server.
pub(crate) fn of_token_request(error: &hyper_util::client::legacy::Error) -> Failure {
    match find::<ConnectError>(error) {
        Some(ConnectError::Refused(refusal)) => of_refusal(refusal, UrlOf::TokenServer),
        _ => of_request(error),
    }
}

fn of_refusal(refusal: &TargetRefusal, url: UrlOf) -> Failure {
    Failure::new(refusal.outcome(), refusal.about(url), false)
}

/// What an error means before there was a connection to send on.
pub(crate) fn of_connecting(error: &(dyn Error + 'static)) -> Failure {
    if let Some(found) = find::<ConnectError>(error) {
        return of_connect(found);
    }
    if let Some(failure) = of_wire(error, false) {
        return failure;
    }
    // What is around it only says that it is another's.
    let io = chain(error).filter_map(|error| error.downcast_ref::<io::Error>());
    let why = io.last().map_or_else(|| last(error), io_words);
    let sentence = format!("the connection could not be secured: {why}");
    Failure::new(Outcome::TlsFailed, sentence, false)
}

/// What an error of the bytes themselves means, whatever is spoken in them.
fn of_wire(error: &(dyn Error + 'static), sent: bool) -> Option<Failure> {
    if let Some(too_much) = find::<TooMuch>(error) {
        let sentence = too_much.to_string();
        return Some(Failure::new(Outcome::Broken, sentence, sent));
    }
    let tls = find::<rustls::Error>(error)?;
    Some(Failure::new(Outcome::TlsFailed, tls_sentence(tls), sent))
}

/// What an error of a connection for many requests means to each of them.
pub(crate) fn of_connection(error: &io::Error) -> Failure {
    of_wire(error, true).unwrap_or_else(|| match error.kind() {
        io::ErrorKind::UnexpectedEof | io::ErrorKind::BrokenPipe => closed(),
        _ => {
            let sentence = format!("the connection was lost: {}", io_words(error));
            Failure::new(Outcome::Broken, sentence, true)
        }
    })
}

/// What an end without an answer means.
pub(crate) fn closed() -> Failure {
    let sentence = "the receiver closed the connection before its answer was whole";
    Failure::new(Outcome::Broken, sentence, true)
}

/// What an error on the way means, once there was a connection.
pub(crate) fn of_exchange(error: &(dyn Error + 'static)) -> Failure {
    let broken = |sentence: String| Failure::new(Outcome::Broken, sentence, true);
    if let Some(failure) = of_wire(error, true) {
        return failure;
    }
    let Some(http) = find::<hyper::Error>(error) else {
        return broken(format!("the request failed: {}", last(error)));
    };
    if http.is_parse_too_large() {
        return broken(format!(
            "the head of the answer is larger than is taken: at most {ANSWER_HEADERS_MAX} headers, and {} KiB",
            ANSWER_HEAD_BYTES_MAX / 1024
        ));
    }
    if http.is_parse() {
        return broken(format!("what came back is not HTTP: {}", last(error)));
    }
    let io = find::<io::Error>(error);
    let ended_early = http.is_incomplete_message() || http.is_canceled() || http.is_closed();
    if ended_early || io.is_some_and(|io| io.kind() == io::ErrorKind::UnexpectedEof) {
        return closed();
    }
    if let Some(io) = io {
        return broken(match io.kind() {
            // Hyper's words for chunks and trailers that are none.
            io::ErrorKind::InvalidInput | io::ErrorKind::InvalidData => {
                format!("the body of the answer is not HTTP: {io}")
            }
            _ => format!("the connection was lost: {}", io_words(io)),
        });
    }
    broken(format!("the request failed: {}", last(error)))
}

fn of_connect(error: &ConnectError) -> Failure {
    match error {
        ConnectError::Refused(refusal) => of_refusal(refusal, UrlOf::Target),
        ConnectError::ProxyRefused(refusal) => of_refusal(refusal, UrlOf::Proxy),
        ConnectError::Tunnel { error: tunnel, .. } => {
            let (outcome, why) = match tunnel {
                TunnelError::Silent => (Outcome::TimedOut, tunnel.to_string()),
                TunnelError::Socket(io) => (Outcome::ConnectFailed, proxy_words(io)),
                _ => (Outcome::ConnectFailed, tunnel.to_string()),
            };
            Failure::new(outcome, format!("{error}: {why}"), false)
        }
        ConnectError::Proxy { address, error } if error.kind() == io::ErrorKind::TimedOut => {
            let sentence = format!("the proxy at {address} did not take the connection in time");
            Failure::new(Outcome::TimedOut, sentence, false)
        }
        ConnectError::Proxy { error: io, .. } => {
            let sentence = format!("{error}: {}", proxy_words(io));
            Failure::new(Outcome::ConnectFailed, sentence, false)
        }
        // As slow as a receiver that takes the connection and then says nothing, so told the same.
        ConnectError::TimedOut(_) => Failure::new(Outcome::TimedOut, error.to_string(), false),
        ConnectError::Socket { address, error } if error.kind() == io::ErrorKind::TimedOut => {
            let sentence = format!("{address} did not take the connection in time");
            Failure::new(Outcome::TimedOut, sentence, false)
        }
        ConnectError::Socket { address, error } => {
            let sentence = format!("the connection to {address} failed: {}", io_words(error));
            Failure::new(Outcome::ConnectFailed, sentence, false)
        }
    }
}

/// [`io_words`] of a connection to a proxy.
fn proxy_words(error: &io::Error) -> String {
    io_words(error).replace("the receiver", "the proxy")
}

fn io_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused".to_owned(),
        io::ErrorKind::ConnectionReset => "the receiver reset it".to_owned(),
        io::ErrorKind::ConnectionAborted => "it was aborted".to_owned(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::UnexpectedEof => {
            "the receiver closed it".to_owned()
        }
        io::ErrorKind::HostUnreachable => "no way to the host".to_owned(),
        io::ErrorKind::NetworkUnreachable => "no way to its network".to_owned(),
        io::ErrorKind::TimedOut => "it timed out".to_owned(),
        _ => error.to_string(),
    }
}

fn tls_sentence(error: &rustls::Error) -> String {
    match error {
        rustls::Error::InvalidCertificate(certificate) => certificate_sentence(certificate),
        rustls::Error::AlertReceived(alert) => {
            format!("the receiver refused the TLS handshake ({alert:?})")
        }
        rustls::Error::InvalidMessage(_) => "the receiver does not speak TLS on this port".into(),
        rustls::Error::PeerIncompatible(why) => {
            format!(
                "the receiver offers no TLS that is safe to use ({why:?}): TLS 1.2 is the least"
            )
        }
        other => format!("TLS failed: {other}"),
    }
}

fn certificate_sentence(error: &CertificateError) -> String {
    match error {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "the receiver's certificate has expired".to_owned()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "the receiver's certificate is not valid yet".to_owned()
        }
        CertificateError::UnknownIssuer => {
            "the receiver's certificate is from an issuer that this server does not trust, or its chain is incomplete".to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "the receiver's certificate is for another name".to_owned()
        }
        CertificateError::Revoked => "the receiver's certificate was revoked".to_owned(),
        other => format!("the receiver's certificate is not valid: {other}"),
    }
}

/// The first error of this type among `error` and its sources.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    chain(error).find_map(|error| error.downcast_ref())
}

/// The innermost error in words: what is around it only says that a request failed.
fn last(error: &(dyn Error + 'static)) -> String {
    chain(error)
        .last()
        .map_or_else(String::new, ToString::to_string)
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| inner(*error)).take(CHAIN_MAX)
}

fn inner<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    // `source` of an `io::Error` skips the very error that it carries.
    if let Some(carried) = error
        .downcast_ref::<io::Error>()
        .and_then(io::Error::get_ref)
    {
        return Some(carried);
    }
    error.source()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_found_however_deep_io_errors_carry_it() {
        let tls = rustls::Error::InvalidCertificate(CertificateError::Expired);
        let carried = io::Error::other(io::Error::new(io::ErrorKind::InvalidData, tls));
        let failure = of_exchange(&carried);
        assert_eq!(failure.outcome, Outcome::TlsFailed);
        assert_eq!(failure.sentence, "the receiver's certificate has expired");
    }

    #[test]
    fn certificates_are_refused_in_words() {
        for (error, expected) in [
            (CertificateError::NotValidYet, "not valid yet"),
            (
                CertificateError::UnknownIssuer,
                "issuer that this server does not trust",
            ),
            (CertificateError::NotValidForName, "for another name"),
            (CertificateError::Revoked, "was revoked"),
            (CertificateError::BadSignature, "is not valid"),
        ] {
            let sentence = tls_sentence(&rustls::Error::InvalidCertificate(error));
            assert!(sentence.contains(expected), "{sentence}");
        }
    }

    #[test]
    fn a_sentence_is_cut_between_characters() {
        let failure = Failure::new(Outcome::Broken, "ü".repeat(1_000), true);
        assert_eq!(failure.sentence.chars().count(), SENTENCE_CHARS_MAX);
    }
}
