//! Marks of what belongs to the database.

use async_trait::async_trait;

use super::{
    tx::{Change, Tx},
    values::Cells as _,
};
use crate::{ReadMarks, StoreError, WriteMarks, sql};

#[async_trait]
impl<G: Send> ReadMarks for Tx<'_, G> {
    async fn mark_get(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.first(sql::MARK_GET, &[&name], |row| row.cell(0)).await
    }
}

#[async_trait]
impl WriteMarks for Change<'_> {
    async fn mark_make(&mut self, name: &str, mark: &[u8]) -> Result<Vec<u8>, StoreError> {
        // Waits for another node that is making it, whose mark is then seen.
        self.run(sql::MARK_MAKE, &[&name, &mark]).await?;
        self.one(sql::MARK_GET, &[&name], |row| row.cell(0)).await
    }

    async fn mark_replace(&mut self, name: &str, mark: &[u8]) -> Result<(), StoreError> {
        let changed = self.run(sql::MARK_REPLACE, &[&mark, &name]).await;
        changed.map(|_| ())
    }
}
