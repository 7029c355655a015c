//! Marks of what belongs to the database.

use async_trait::async_trait;
use rusqlite::params;

use super::tx::{Change, Tx};
use crate::{ReadMarks, StoreError, WriteMarks, sql};

#[async_trait]
impl<G: Send> ReadMarks for Tx<'_, G> {
    async fn mark_get(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.first(sql::MARK_GET, [name], |row| Ok(row.get(0)?))
    }
}

#[async_trait]
impl WriteMarks for Change<'_> {
    async fn mark_make(&mut self, name: &str, mark: &[u8]) -> Result<Vec<u8>, StoreError> {
        self.run(sql::MARK_MAKE, params![name, mark])?;
        self.one(sql::MARK_GET, [name], |row| Ok(row.get(0)?))
    }

    async fn mark_replace(&mut self, name: &str, mark: &[u8]) -> Result<(), StoreError> {
        self.run(sql::MARK_REPLACE, params![mark, name]).map(|_| ())
    }
}
