//! What the tests inside this crate share.

use std::future::Future;

use domain::Source;
use futures_util::FutureExt;

/// Time that stands still, and randomness that counts.
pub(crate) fn source() -> Source {
    testkit::test_source().0
}

/// The outcome of a future that has nothing to wait for.
pub(crate) fn now<F: Future>(future: F) -> F::Output {
    future.now_or_never().expect("it has nothing to wait for")
}
