//! A change that is asked for twice under one `Idempotency-Key` is made once, and answered the same.
//!
//! The answer is kept in the commit of the change, so that there is never the one without the other. Refusals are not
//! kept: nothing was done, and the next time it may be.

use std::{sync::Arc, time::Duration};

use domain::{Right, TeamId, Timestamp};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use store::{AnswerId, Doing, KeptAnswer, Read, ReadTx, Store, StoreError, Write, WriteTx};

use crate::{App, AppError, Caller};

/// How long answers are kept.
pub const ANSWERS_KEPT: Duration = Duration::from_hours(24);

/// Answers removed in one transaction.
const FORGOTTEN_AT_ONCE: u32 = 200;

/// A name that a caller gives a request, so that it can be sent again safely.
#[derive(Clone, Debug)]
pub struct Once {
    operation: String,
    key: String,
    /// A hash of what is asked.
    request: [u8; 32],
}

impl Once {
    /// The request `key` to `operation`, which asks for `parts`.
    pub fn new<'a>(
        operation: &str,
        key: &str,
        parts: impl IntoIterator<Item = &'a [u8]>,
    ) -> Arc<Self> {
        Arc::new(Self {
            operation: operation.to_owned(),
            key: key.to_owned(),
            request: hash(parts),
        })
    }

    fn id(&self, team: TeamId) -> AnswerId {
        let team = team.get().to_be_bytes();
        AnswerId(hash([
            &team[..],
            self.operation.as_bytes(),
            self.key.as_bytes(),
        ]))
    }

    /// What is asked, with what is only known once it has been read.
    fn request(&self, more: Option<&[u8]>) -> [u8; 32] {
        more.map_or(self.request, |more| hash([&self.request[..], more]))
    }

    /// What was answered before, if it is the same that is asked.
    pub(crate) async fn find<T: ReadTx + ?Sized>(
        &self,
        tx: &mut T,
        team: TeamId,
        more: Option<&[u8]>,
    ) -> Result<(), AppError> {
        let found = tx.answer_get(self.id(team)).await;
        let found = found.doing::<AppError>("looking for an earlier answer")?;
        match found {
            None => Ok(()),
            Some(kept) if kept.request == self.request(more) => {
                Err(AppError::Answered(kept.answer))
            }
            Some(_) => Err(AppError::KeyReused),
        }
    }

    /// Keeps what is answered.
    pub(crate) async fn keep<A: Serialize>(
        &self,
        tx: &mut dyn WriteTx,
        (team, at): (TeamId, Timestamp),
        more: Option<&[u8]>,
        answer: &A,
    ) -> Result<(), AppError> {
        let answer = serde_json::to_vec(answer);
        let answer = answer.map_err(|error| StoreError::Failed(error.into()));
        let kept = KeptAnswer {
            request: self.request(more),
            answer: answer.doing::<AppError>("writing an answer")?,
        };
        let put = tx.answer_put(self.id(team), &kept, at).await;
        put.doing("keeping an answer")
    }
}

/// Each part with its length before it, so that no two lists are the same.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

impl App {
    /// Whether the caller, who may do what takes `right`, has been answered before: then that is the error. For a door that
    /// has more to do before a change.
    ///
    /// # Errors
    /// There is an answer ([`AppError::Answered`]), or one to something else under the same key; the caller may not ask;
    /// or the store failed.
    pub async fn answered(&self, caller: &Caller, right: Right) -> Result<(), AppError> {
        let Some(once) = caller.once() else {
            return Ok(());
        };
        let look = Look {
            app: self.clone(),
            caller: caller.clone(),
            once: once.clone(),
            right,
        };
        self.parts().store.read(look).await
    }
}

struct Look {
    app: App,
    caller: Caller,
    once: Arc<Once>,
    right: Right,
}

impl Read for Look {
    type Done = ();
    type Error = AppError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<(), AppError> {
        let now = self.app.source().now();
        let (actor, _) = self.caller.authenticate(tx, now, self.right).await?;
        self.once.find(tx, actor.team, None).await
    }
}

/// Removes answers that have been kept long enough, slice for slice; answers how many.
///
/// # Errors
/// The store failed; what was removed stays so.
pub async fn forget_answers(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    let mut sum = 0;
    loop {
        let some = store.write(Forget(now.before(ANSWERS_KEPT))).await?;
        sum += some;
        if some < u64::from(FORGOTTEN_AT_ONCE) {
            return Ok(sum);
        }
        tokio::task::yield_now().await;
    }
}

struct Forget(Timestamp);

impl Write for Forget {
    type Done = u64;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<u64, StoreError> {
        tx.answer_forget(self.0, FORGOTTEN_AT_ONCE).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn where_a_part_ends_makes_a_difference() {
        let one = Once::new("op", "key", [&b"ab"[..], b"c"]);
        let other = Once::new("op", "key", [&b"a"[..], b"bc"]);
        assert_ne!(one.request(None), other.request(None));
        assert_ne!(one.request(None), one.request(Some(b"")));
        let team = TeamId::new(1);
        assert_eq!(one.id(team), other.id(team));
        assert_ne!(one.id(team), one.id(TeamId::new(2)));
        let another = Once::new("opk", "ey", [&b"ab"[..], b"c"]);
        assert_ne!(one.id(team), another.id(team));
    }
}
