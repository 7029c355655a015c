//! What was answered to requests that carry an `Idempotency-Key`, so that one that is sent again is answered the same.

use async_trait::async_trait;
use domain::Timestamp;

use crate::StoreError;

/// Names a request: who asks for what, under which key. A hash, so that the key itself is nowhere.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct AnswerId(pub [u8; 32]);

/// What was answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeptAnswer {
    /// A hash of what was asked: the same name for something else is a mistake of whoever asks.
    pub request: [u8; 32],
    /// The body of the answer. It may show a secret, and is encrypted.
    pub answer: Vec<u8>,
}

/// Looking for an answer.
#[async_trait]
pub trait ReadAnswers: Send {
    /// What was answered to the request, if it is still kept.
    async fn answer_get(&mut self, id: AnswerId) -> Result<Option<KeptAnswer>, StoreError>;
}

/// Keeping answers.
#[async_trait]
pub trait WriteAnswers: Send {
    /// Keeps what is answered, with the change that it is the answer of. Of two at once under one name one fails, and is
    /// run again.
    async fn answer_put(
        &mut self,
        id: AnswerId,
        kept: &KeptAnswer,
        at: Timestamp,
    ) -> Result<(), StoreError>;

    /// Removes at most `limit` that were given before then; answers how many.
    async fn answer_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError>;
}
