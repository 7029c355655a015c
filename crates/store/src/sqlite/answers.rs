//! What was answered to requests that carry an `Idempotency-Key`.

use async_trait::async_trait;
use domain::Timestamp;
use rusqlite::params;

use super::tx::{Change, Tx};
use crate::{
    AnswerId, KeptAnswer, ReadAnswers, StoreError, WriteAnswers, place::Place,
    secrets::answer_cell, sql,
};

const ANSWER: Place = Place {
    table: "kept_answer",
    column: "answer",
};

#[async_trait]
impl<G: Send> ReadAnswers for Tx<'_, G> {
    async fn answer_get(&mut self, id: AnswerId) -> Result<Option<KeptAnswer>, StoreError> {
        let found = self.first(sql::ANSWER_GET, [id.0], |row| {
            Ok((row.get(0)?, row.get::<_, Vec<u8>>(1)?))
        })?;
        let Some((request, sealed)) = found else {
            return Ok(None);
        };
        let answer = self.core.key.open(answer_cell(&id.0), &sealed);
        let answer = answer.map_err(|_| ANSWER.corrupt("of an answer"))?;
        Ok(Some(KeptAnswer { request, answer }))
    }
}

#[async_trait]
impl WriteAnswers for Change<'_> {
    async fn answer_put(
        &mut self,
        id: AnswerId,
        kept: &KeptAnswer,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let core = &self.core;
        let sealed = core
            .key
            .seal(&core.source, answer_cell(&id.0), &kept.answer);
        let bound = params![id.0, at.as_millis(), kept.request, sealed];
        self.run(sql::ANSWER_PUT, bound)?;
        Ok(())
    }

    async fn answer_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        Ok(self.run(sql::ANSWER_FORGET, params![before.as_millis(), limit])? as u64)
    }
}
