//! What was answered to requests that carry an `Idempotency-Key`.

use async_trait::async_trait;
use domain::Timestamp;

use super::{
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment},
};
use crate::{
    AnswerId, KeptAnswer, ReadAnswers, StoreError, WriteAnswers, place::Place,
    secrets::answer_cell, sql,
};

const ANSWER: Place = Place {
    table: "kept_answer",
    column: "answer",
};
const REQUEST: Place = Place {
    table: "kept_answer",
    column: "request",
};

#[async_trait]
impl<G: Send> ReadAnswers for Tx<'_, G> {
    async fn answer_get(&mut self, id: AnswerId) -> Result<Option<KeptAnswer>, StoreError> {
        let found = self
            .first(sql::ANSWER_GET, &[&&id.0[..]], |row| {
                Ok((row.cell::<Vec<u8>>(0)?, row.cell::<Vec<u8>>(1)?))
            })
            .await?;
        let Some((request, sealed)) = found else {
            return Ok(None);
        };
        let answer = self.core.key.open(answer_cell(&id.0), &sealed);
        Ok(Some(KeptAnswer {
            request: request
                .try_into()
                .map_err(|_| REQUEST.corrupt("of an answer"))?,
            answer: answer.map_err(|_| ANSWER.corrupt("of an answer"))?,
        }))
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
        let row = owned![id.0.to_vec(), Moment(at), kept.request.to_vec(), sealed];
        self.later(sql::ANSWER_PUT, row).await
    }

    async fn answer_forget(&mut self, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
        let limit = i64::from(limit);
        self.run(sql::ANSWER_FORGET, &[&Moment(before), &limit])
            .await
    }
}
