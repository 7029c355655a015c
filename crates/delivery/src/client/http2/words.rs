//! What goes wrong with HTTP/2, in plain sentences for the log that people read.

use std::time::Duration;

use domain::Outcome;
use h2::Reason;

use crate::{client::ANSWER_HEAD_BYTES_MAX, failure::Failure};

/// What an error of one request means, once it may have been looked at.
pub(super) fn of_stream(error: &h2::Error) -> Failure {
    let code = error.reason().map_or("?", name);
    let sentence = if error.is_remote() && error.reason() == Some(Reason::HTTP_1_1_REQUIRED) {
        "the receiver wants HTTP/1.1 for this (HTTP_1_1_REQUIRED): set httpVersion to 1.1"
            .to_owned()
    } else if error.is_remote() {
        format!("the receiver broke off its answer ({code})")
    } else if error.reason() == Some(Reason::ENHANCE_YOUR_CALM) {
        format!("the receiver sent more around its answers than is taken: {error}")
    } else if error.is_go_away() {
        format!("what came back is not HTTP/2: {error}")
    } else {
        format!(
            "the answer breaks the rules of HTTP/2, or its head is larger than {} KiB ({code})",
            ANSWER_HEAD_BYTES_MAX / 1024
        )
    };
    Failure::new(Outcome::Broken, sentence, true)
}

/// What an error means before anything could be sent; `lost` is what happened to the connection, if it is known.
pub(super) fn of_opening(error: &h2::Error, lost: Option<&Failure>) -> Failure {
    let mut failure = match lost {
        Some(lost) if error.is_io() => lost.clone(),
        _ if error.is_io() => closed_at_once(),
        _ if error.is_remote() => {
            let code = error.reason().map_or("?", name);
            let sentence =
                format!("the receiver took no requests on its HTTP/2 connection ({code})");
            Failure::new(Outcome::Broken, sentence, false)
        }
        _ => of_stream(error),
    };
    failure.sent = false;
    failure
}

/// The receiver went away before there was anything to send on.
pub(super) fn closed_at_once() -> Failure {
    let sentence = "the receiver closed the connection before HTTP/2 could be spoken on it";
    Failure::new(Outcome::Broken, sentence, false)
}

/// The receiver agreed on HTTP/2 and then did not begin with it.
pub(super) fn mute(within: Duration) -> Failure {
    let sentence =
        format!("no connection within {within:?}: the receiver did not begin with HTTP/2");
    Failure::new(Outcome::TimedOut, sentence, false)
}

/// The receiver allows no requests.
pub(super) fn takes_none() -> Failure {
    let sentence =
        "the receiver takes no requests on its HTTP/2 connection (MAX_CONCURRENT_STREAMS is 0)";
    Failure::new(Outcome::Broken, sentence, false)
}

/// The receiver does not even answer whether it is there.
pub(super) fn silent(within: Duration) -> Failure {
    let sentence =
        format!("the connection was lost: the receiver did not answer a PING within {within:?}");
    Failure::new(Outcome::Broken, sentence, true)
}

/// No place on a connection came free.
pub(in super::super) fn no_room(within: Duration) -> Failure {
    let sentence = format!("no HTTP/2 connection had room for the request within {within:?}");
    Failure::new(Outcome::TimedOut, sentence, false)
}

/// The connection was not opened after all.
pub(super) fn given_up() -> Failure {
    Failure::new(
        Outcome::Broken,
        "the connection was given up while it was opened",
        false,
    )
}

/// The headers can't be written, which were judged when they were set.
pub(super) fn unwritable(error: &h2::Error) -> Failure {
    let sentence = format!("the request could not be written: {error}");
    Failure::new(Outcome::Broken, sentence, false)
}

/// The name of a code (RFC 9113, section 7).
const fn name(reason: Reason) -> &'static str {
    match reason {
        Reason::NO_ERROR => "NO_ERROR",
        Reason::PROTOCOL_ERROR => "PROTOCOL_ERROR",
        Reason::INTERNAL_ERROR => "INTERNAL_ERROR",
        Reason::FLOW_CONTROL_ERROR => "FLOW_CONTROL_ERROR",
        Reason::SETTINGS_TIMEOUT => "SETTINGS_TIMEOUT",
        Reason::STREAM_CLOSED => "STREAM_CLOSED",
        Reason::FRAME_SIZE_ERROR => "FRAME_SIZE_ERROR",
        Reason::REFUSED_STREAM => "REFUSED_STREAM",
        Reason::CANCEL => "CANCEL",
        Reason::COMPRESSION_ERROR => "COMPRESSION_ERROR",
        Reason::CONNECT_ERROR => "CONNECT_ERROR",
        Reason::ENHANCE_YOUR_CALM => "ENHANCE_YOUR_CALM",
        Reason::INADEQUATE_SECURITY => "INADEQUATE_SECURITY",
        Reason::HTTP_1_1_REQUIRED => "HTTP_1_1_REQUIRED",
        _ => "an unknown code",
    }
}
