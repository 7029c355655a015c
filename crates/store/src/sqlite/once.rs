//! Polling the future of a unit of work, once: the database answers on the spot, so there is
//! nothing it could wait for.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    task::{Context, Poll, Waker},
};

use crate::StoreError;

/// The unit's answer; an error when it panicked, or awaits something other than its transaction.
/// That is a mistake of its author, and panics where there are debug assertions.
pub(super) fn poll_once<T>(future: impl Future<Output = T>) -> Result<T, StoreError> {
    let polled = catch_unwind(AssertUnwindSafe(|| {
        let mut future = pin!(future);
        match future
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop()))
        {
            Poll::Ready(answer) => Some(answer),
            Poll::Pending => {
                debug_assert!(false, "{WAITS}");
                None
            }
        }
    }));
    match polled {
        Ok(Some(answer)) => Ok(answer),
        Ok(None) => Err(StoreError::Failed(WAITS.into())),
        // The panic hook has logged where and why.
        Err(_) => Err(StoreError::Panicked),
    }
}

const WAITS: &str = "a unit of work awaits something other than its transaction";
