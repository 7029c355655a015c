//! Units of work written where they are used, so that a test reads from top to bottom.

use std::{fmt, pin::Pin};

use store::{Read, ReadTx, StoreError, Write, WriteTx};

/// A unit's future.
pub type Work<'a, T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send + 'a>>;

type Writing<C, T, E> = for<'a> fn(&'a C, &'a mut dyn WriteTx) -> Work<'a, T, E>;
type Reading<C, T> = for<'a> fn(&'a C, &'a mut dyn ReadTx) -> Work<'a, T, StoreError>;

/// A [`Write`] made of a function and what it works with; see [`crate::writing!`].
pub struct Unit<C, T, E> {
    with: C,
    work: Writing<C, T, E>,
}

impl<C, T, E> Unit<C, T, E> {
    /// Does `work` with `with`.
    pub fn new(with: C, work: Writing<C, T, E>) -> Self {
        Self { with, work }
    }
}

impl<C, T, E> fmt::Debug for Unit<C, T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Unit").finish_non_exhaustive()
    }
}

impl<C, T, E> Write for Unit<C, T, E>
where
    C: Send + Sync + 'static,
    T: Send + 'static,
    E: From<StoreError> + Send + 'static,
{
    type Done = T;
    type Error = E;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<T, E> {
        (self.work)(&self.with, tx).await
    }
}

/// A [`Read`] made of a function and what it works with; see [`crate::reading!`].
pub struct Look<C, T> {
    with: C,
    work: Reading<C, T>,
}

impl<C, T> Look<C, T> {
    /// Does `work` with `with`.
    pub fn new(with: C, work: Reading<C, T>) -> Self {
        Self { with, work }
    }
}

impl<C, T> fmt::Debug for Look<C, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Look").finish_non_exhaustive()
    }
}

impl<C, T> Read for Look<C, T>
where
    C: Send + Sync + 'static,
    T: Send + 'static,
{
    type Done = T;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<T, StoreError> {
        (self.work)(&self.with, tx).await
    }
}

/// A unit of work that changes something: `writing!([team, at] tx => tx.team_get(*team).await)`.
///
/// The names in brackets are cloned into the unit, which sees them by reference.
#[macro_export]
macro_rules! writing {
    ([$($name:ident),*] $tx:ident => $body:expr) => {
        $crate::Unit::new(
            ($(Clone::clone(&$name),)*),
            |($($name,)*), $tx| Box::pin(async move { $body }),
        )
    };
}

/// A unit of work that only reads; written like [`writing!`].
#[macro_export]
macro_rules! reading {
    ([$($name:ident),*] $tx:ident => $body:expr) => {
        $crate::Look::new(
            ($(Clone::clone(&$name),)*),
            |($($name,)*), $tx| Box::pin(async move { $body }),
        )
    };
}

/// The error of a unit that refuses, as use cases do.
#[derive(Debug)]
pub enum Refused {
    /// It refused, and says why.
    Because(&'static str),
    /// The store failed.
    Store(StoreError),
}

impl From<StoreError> for Refused {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}
