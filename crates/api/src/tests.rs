//! What the tests inside this crate share.

use std::{
    future::Future,
    io::{self, Write},
    sync::{Arc, Mutex},
};

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

/// What the thread logs while it does `work`, as text.
pub(crate) fn logged(work: impl FnOnce()) -> String {
    let lines = Lines::default();
    let writer = lines.clone();
    let subscriber = tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(move || writer.clone())
        .finish();
    tracing::subscriber::with_default(subscriber, work);
    let bytes = lines.0.lock().unwrap().clone();
    String::from_utf8(bytes).unwrap()
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
