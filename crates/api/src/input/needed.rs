//! What an operation can't do without: gathered one by one, opened together, so that the answer to
//! a request that lacks several says all of them.

/// Something that an operation can't do without; `Input::all` opens it.
#[derive(Debug)]
pub(crate) struct Needed<T>(pub(super) Option<T>);

/// Several [`Needed`] at once.
pub(crate) trait AllNeeded {
    /// What is in them.
    type All;

    /// What is in them, if all are there.
    fn open(self) -> Option<Self::All>;
}

impl<A> AllNeeded for Needed<A> {
    type All = A;

    fn open(self) -> Option<A> {
        self.0
    }
}

impl<A, B> AllNeeded for (Needed<A>, Needed<B>) {
    type All = (A, B);

    fn open(self) -> Option<(A, B)> {
        Some((self.0.0?, self.1.0?))
    }
}

impl<A, B, C, D> AllNeeded for (Needed<A>, Needed<B>, Needed<C>, Needed<D>) {
    type All = (A, B, C, D);

    fn open(self) -> Option<(A, B, C, D)> {
        Some((self.0.0?, self.1.0?, self.2.0?, self.3.0?))
    }
}

impl<A, B, C> AllNeeded for (Needed<A>, Needed<B>, Needed<C>) {
    type All = (A, B, C);

    fn open(self) -> Option<(A, B, C)> {
        Some((self.0.0?, self.1.0?, self.2.0?))
    }
}
