//! Marks: what a database keeps to know again what belongs to it, a few bytes by name.

use async_trait::async_trait;

use crate::StoreError;

/// Reading marks.
#[async_trait]
pub trait ReadMarks: Send {
    /// The mark of this name.
    async fn mark_get(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError>;
}

/// Making marks.
#[async_trait]
pub trait WriteMarks: Send {
    /// Makes the mark, unless there is one of this name. Answers the one that there is: of several nodes
    /// that make it at once all get the same.
    async fn mark_make(&mut self, name: &str, mark: &[u8]) -> Result<Vec<u8>, StoreError>;

    /// Puts the mark in the place of the one that is there.
    async fn mark_replace(&mut self, name: &str, mark: &[u8]) -> Result<(), StoreError>;
}
