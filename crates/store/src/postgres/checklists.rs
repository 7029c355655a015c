//! Checklists, the state of their tasks, what their controls hold, and their files.

mod page;
mod state;

use std::sync::LazyLock;

use async_trait::async_trait;
use domain::{
    Checklist, ChecklistId, ControlKey, FieldId, FileKey, ParameterValues, StoredFile, TaskId,
    TaskKey, TaskState, TaskStatus, TeamId, Timestamp,
};
use tokio_postgres::{Row, types::ToSql};
use uuid::Uuid;

use super::{
    fault::Fault,
    tx::{Change, Tx, owned},
    values::{Cells as _, Moment, moment},
};
use crate::{
    ChecklistQuery, Fields, Page, ReadChecklists, StoreError, WriteChecklists,
    names::folded,
    parameters::{parameters_read, parameters_text},
    sql,
};
use page::page_statement;
use state::stored_file;

/// The same as [`sql::CHECKLIST_HEAD`], with a lock on the row.
static HEAD_HELD: LazyLock<String> =
    LazyLock::new(|| format!("{} FOR NO KEY UPDATE", sql::CHECKLIST_HEAD));

#[async_trait]
impl<G: Send> ReadChecklists for Tx<'_, G> {
    async fn checklist_get(
        &mut self,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError> {
        self.checklist(sql::CHECKLIST_HEAD, team, id, fields).await
    }

    async fn checklist_parameters(
        &mut self,
        team: TeamId,
        id: ChecklistId,
    ) -> Result<ParameterValues, StoreError> {
        let bound: [&(dyn ToSql + Sync); 2] = [&id.get(), &team.get()];
        let text: Option<Option<String>> = self
            .first(sql::CHECKLIST_PARAMETERS, &bound, |row| row.cell(0))
            .await?;
        parameters_read(id, text.flatten().as_deref())
    }

    async fn checklist_page(
        &mut self,
        query: &ChecklistQuery,
    ) -> Result<Vec<ChecklistId>, StoreError> {
        let (sql, bound) = page_statement(query);
        let bound: Vec<_> = bound
            .iter()
            .map(|value| &**value as &(dyn ToSql + Sync))
            .collect();
        self.all(&sql, &bound, |row| Ok(ChecklistId::new(row.cell(0)?)))
            .await
    }

    async fn task_page(
        &mut self,
        team: TeamId,
        key: Option<TaskKey>,
        status: Option<TaskStatus>,
        page: Page,
    ) -> Result<Vec<TaskId>, StoreError> {
        let status = status.map(TaskStatus::word);
        let (team, size, offset) = (team.get(), i64::from(page.size), page.offset());
        let read = |row: &Row| Ok::<_, Fault>(TaskId::new(row.cell(0)?));
        if let Some(key) = key {
            let sql = "SELECT t.id FROM checklist_task t JOIN checklist c ON c.id = t.id / 1024
                WHERE t.key = $2 AND ($3::text IS NULL OR t.status = $3)
                    AND c.team_id = $1 AND c.archived_at IS NULL
                ORDER BY t.id DESC LIMIT $4 OFFSET $5";
            let bound: [&(dyn ToSql + Sync); 5] = [&team, &key.uuid(), &status, &size, &offset];
            return self.all(sql, &bound, read).await;
        }
        // By checklist, so that a page reads no more of them than it passes.
        let sql = "SELECT t.id FROM checklist c CROSS JOIN LATERAL (
                SELECT id FROM checklist_task
                WHERE id BETWEEN c.id * 1024 AND c.id * 1024 + 1023
                    AND ($2::text IS NULL OR status = $2)
                ORDER BY id) t
            WHERE c.team_id = $1 AND c.archived_at IS NULL
            ORDER BY c.id DESC, t.id LIMIT $3 OFFSET $4";
        self.all(sql, &[&team, &status, &size, &offset], read).await
    }

    async fn file_page(
        &mut self,
        team: TeamId,
        control: ControlKey,
        page: Page,
    ) -> Result<Vec<StoredFile>, StoreError> {
        let (size, offset) = (i64::from(page.size), page.offset());
        let bound: [&(dyn ToSql + Sync); 4] = [&team.get(), &control.uuid(), &size, &offset];
        self.all(sql::FILE_PAGE, &bound, stored_file).await
    }

    async fn file_get(
        &mut self,
        team: TeamId,
        key: FileKey,
    ) -> Result<Option<StoredFile>, StoreError> {
        let bound: [&(dyn ToSql + Sync); 2] = [&key.uuid(), &team.get()];
        self.first(sql::FILE_GET, &bound, stored_file).await
    }

    async fn file_orphans(&mut self, keys: &[FileKey]) -> Result<Vec<FileKey>, StoreError> {
        let sql = "SELECT given.key FROM unnest($1::uuid[]) WITH ORDINALITY AS given (key, place)
            WHERE NOT EXISTS (SELECT 1 FROM file WHERE file.key = given.key)
            ORDER BY given.place";
        let keys: Vec<Uuid> = keys.iter().map(|key| key.uuid()).collect();
        self.all(sql, &[&keys], |row| Ok(FileKey::new(row.guid(0)?)))
            .await
    }

    async fn file_newest(&mut self, count: u32) -> Result<Vec<FileKey>, StoreError> {
        // All have a greater number: said so that the plan tells that it goes along the index.
        let sql = "SELECT key FROM file WHERE number > 0 ORDER BY number DESC LIMIT $1";
        let count = i64::from(count);
        self.all(sql, &[&count], |row| Ok(FileKey::new(row.guid(0)?)))
            .await
    }
}

#[async_trait]
impl WriteChecklists for Change<'_> {
    async fn checklist_hold(
        &mut self,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError> {
        // What is asked behind the head sees what is there once the lock is ours.
        self.checklist(&HEAD_HELD, team, id, fields).await
    }

    async fn checklist_insert(&mut self, list: &Checklist) -> Result<ChecklistId, StoreError> {
        let sql = "INSERT INTO checklist (key, team_id, template_key, version, name, name_folded,
                created_at, created_by, created_email, scheduled_at, started_at, ended_at,
                archived_at)
            VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) RETURNING id";
        let head = &list.head;
        let row: [&(dyn ToSql + Sync); 13] = [
            &head.key.uuid(),
            &head.team.get(),
            &list.template.key.uuid(),
            &head.version.uuid(),
            &head.name,
            &folded(&head.name),
            &Moment(head.created.at),
            &head.created.by.name,
            &head.created.by.email,
            &moment(head.scheduled_at),
            &moment(head.started_at),
            &moment(head.ended_at),
            &moment(head.archived_at),
        ];
        let id = self
            .one(sql, &row, |row| Ok(ChecklistId::new(row.cell(0)?)))
            .await?;
        let tasks = || {
            let tasks = list.template.tasks.iter().enumerate();
            tasks.filter(|(_, task)| !task.heading)
        };
        let ids: Vec<i64> = tasks()
            .map(|(index, _)| TaskId::of(id, index).get())
            .collect();
        let keys: Vec<Uuid> = tasks().map(|(_, task)| task.key.uuid()).collect();
        let sql = "INSERT INTO checklist_task (id, key, status, completions)
            SELECT id, key, 'Incomplete', 0
                FROM unnest($1::bigint[], $2::uuid[]) AS given (id, key)";
        self.later(sql, owned![ids, keys]).await?;
        Ok(id)
    }

    async fn checklist_parameters_put(
        &mut self,
        id: ChecklistId,
        values: &ParameterValues,
    ) -> Result<(), StoreError> {
        let row = owned![parameters_text(values), id.get()];
        self.later_one(sql::CHECKLIST_PARAMETERS_PUT, row).await
    }

    async fn task_put(&mut self, id: TaskId, state: &TaskState) -> Result<(), StoreError> {
        let sql = sql::TASK_PUT;
        let done = state.done.as_ref();
        let row = owned![
            state.status.word().to_owned(),
            done.map(|done| Moment(done.at)),
            done.map(|done| done.by.name.clone()),
            done.and_then(|done| done.by.email.clone()),
            i64::from(state.completions),
            id.get(),
        ];
        self.later_one(sql, row).await
    }

    async fn task_due_put(
        &mut self,
        id: TaskId,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let row = owned![moment(due_at), id.get()];
        self.later_one(sql::TASK_DUE_PUT, row).await
    }

    async fn checklist_end_put(
        &mut self,
        id: ChecklistId,
        ended_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        let row = owned![moment(ended_at), id.get()];
        self.later_one(sql::CHECKLIST_END_PUT, row).await
    }

    async fn field_put(&mut self, id: FieldId, value: &str) -> Result<(), StoreError> {
        if value.is_empty() {
            return self.later(sql::FIELD_REMOVE, owned![id.get()]).await;
        }
        let sql = sql::FIELD_PUT;
        self.later(sql, owned![id.get(), value.to_owned()]).await
    }

    async fn file_insert(
        &mut self,
        team: TeamId,
        control: ControlKey,
        file: &StoredFile,
    ) -> Result<(), StoreError> {
        let sql = sql::FILE_INSERT;
        let size = i64::try_from(file.size).map_err(|error| StoreError::Failed(error.into()))?;
        let row = owned![
            file.key.uuid(),
            team.get(),
            control.uuid(),
            file.field.get(),
            file.name.clone(),
            size,
            file.media_type.clone(),
            file.sha256.to_vec(),
            Moment(file.uploaded.at),
            file.uploaded.by.name.clone(),
            file.uploaded.by.email.clone(),
        ];
        self.later(sql, row).await
    }
}
