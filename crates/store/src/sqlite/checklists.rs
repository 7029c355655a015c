//! Checklists, the state of their tasks, what their controls hold, and their files.

mod page;
mod state;

use async_trait::async_trait;
use domain::{
    Checklist, ChecklistId, ControlKey, FieldId, FileKey, ParameterValues, StoredFile, TaskId,
    TaskKey, TaskState, TaskStatus, TeamId, Timestamp,
};
use rusqlite::{Row, params, params_from_iter};

use super::{
    tx::{Change, Tx},
    values::millis,
};
use crate::{
    ChecklistQuery, Fields, Page, ReadChecklists, StoreError, WriteChecklists,
    names::folded,
    parameters::{parameters_read, parameters_text},
    sql,
};
use page::page_statement;
use state::{head, stored_file};

#[async_trait]
impl<G: Send> ReadChecklists for Tx<'_, G> {
    async fn checklist_get(
        &mut self,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError> {
        let sql = sql::CHECKLIST_HEAD;
        let head = self.first(sql, params![id.get(), team.get()], |row| head(row, team))?;
        let Some(head) = head else {
            return Ok(None);
        };
        let template = self.edition(head.version)?;
        let (tasks, assigned) = self.task_states(id, template.tasks.len())?;
        let fields = self.field_states(id, fields.places(&template))?;
        Ok(Some(Checklist {
            head,
            template,
            tasks,
            fields,
            assigned,
        }))
    }

    async fn checklist_parameters(
        &mut self,
        team: TeamId,
        id: ChecklistId,
    ) -> Result<ParameterValues, StoreError> {
        let bound = params![id.get(), team.get()];
        let text: Option<Option<String>> =
            self.first(sql::CHECKLIST_PARAMETERS, bound, |row| Ok(row.get(0)?))?;
        parameters_read(id, text.flatten().as_deref())
    }

    async fn checklist_page(
        &mut self,
        query: &ChecklistQuery,
    ) -> Result<Vec<ChecklistId>, StoreError> {
        let (sql, bound) = page_statement(query);
        self.all(&sql, params_from_iter(bound), |row| {
            Ok(ChecklistId::new(row.get(0)?))
        })
    }

    async fn task_page(
        &mut self,
        team: TeamId,
        key: Option<TaskKey>,
        status: Option<TaskStatus>,
        page: Page,
    ) -> Result<Vec<TaskId>, StoreError> {
        let status = status.map(TaskStatus::word);
        let read = |row: &Row<'_>| Ok(TaskId::new(row.get(0)?));
        if let Some(key) = key {
            let sql = "SELECT t.id
                FROM checklist_task t CROSS JOIN checklist c ON c.id = t.id / 1024
                WHERE t.key = ?2 AND (?3 IS NULL OR t.status = ?3)
                    AND c.team_id = ?1 AND c.archived_at IS NULL
                ORDER BY t.id DESC LIMIT ?4 OFFSET ?5";
            let bound = params![team.get(), key.uuid(), status, page.size, page.offset()];
            return self.all(sql, bound, read);
        }
        let sql = "SELECT t.id
            FROM checklist c CROSS JOIN checklist_task t
                ON t.id BETWEEN c.id * 1024 AND c.id * 1024 + 1023
            WHERE c.team_id = ?1 AND c.archived_at IS NULL AND (?2 IS NULL OR t.status = ?2)
            ORDER BY c.id DESC, t.id LIMIT ?3 OFFSET ?4";
        self.all(
            sql,
            params![team.get(), status, page.size, page.offset()],
            read,
        )
    }

    async fn file_page(
        &mut self,
        team: TeamId,
        control: ControlKey,
        page: Page,
    ) -> Result<Vec<StoredFile>, StoreError> {
        let sql = sql::FILE_PAGE;
        let bound = params![team.get(), control.uuid(), page.size, page.offset()];
        self.all(sql, bound, stored_file)
    }

    async fn file_get(
        &mut self,
        team: TeamId,
        key: FileKey,
    ) -> Result<Option<StoredFile>, StoreError> {
        let sql = sql::FILE_GET;
        self.first(sql, params![key.uuid(), team.get()], stored_file)
    }

    async fn file_orphans(&mut self, keys: &[FileKey]) -> Result<Vec<FileKey>, StoreError> {
        let sql = "SELECT 1 FROM file WHERE key = ?1";
        let mut orphans = Vec::new();
        for key in keys {
            if self.first(sql, [key.uuid()], |_| Ok(()))?.is_none() {
                orphans.push(*key);
            }
        }
        Ok(orphans)
    }

    async fn file_newest(&mut self, count: u32) -> Result<Vec<FileKey>, StoreError> {
        // All have a greater number: said so that the plan tells that it goes along the index.
        let sql = "SELECT key FROM file WHERE number > 0 ORDER BY number DESC LIMIT ?1";
        self.all(sql, [count], |row| Ok(FileKey::new(row.get(0)?)))
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
        // There is one writer, and this is it.
        self.checklist_get(team, id, fields).await
    }

    async fn checklist_insert(&mut self, list: &Checklist) -> Result<ChecklistId, StoreError> {
        let sql = "INSERT INTO checklist (key, team_id, template_key, version, name, name_folded,
                created_at, created_by, created_email, scheduled_at, started_at, ended_at,
                archived_at)
            VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13)";
        let head = &list.head;
        self.run(
            sql,
            params![
                head.key.uuid(),
                head.team.get(),
                list.template.key.uuid(),
                head.version.uuid(),
                head.name,
                folded(&head.name),
                head.created.at.as_millis(),
                head.created.by.name,
                head.created.by.email,
                millis(head.scheduled_at),
                millis(head.started_at),
                millis(head.ended_at),
                millis(head.archived_at),
            ],
        )?;
        let id = ChecklistId::new(self.last_number());
        let sql = "INSERT INTO checklist_task (id, key, status, completions)
            VALUES (?1, ?2, 'Incomplete', 0)";
        for (index, task) in list.template.tasks.iter().enumerate() {
            if !task.heading {
                self.run(sql, params![TaskId::of(id, index).get(), task.key.uuid()])?;
            }
        }
        Ok(id)
    }

    async fn checklist_parameters_put(
        &mut self,
        id: ChecklistId,
        values: &ParameterValues,
    ) -> Result<(), StoreError> {
        let bound = params![parameters_text(values), id.get()];
        self.run(sql::CHECKLIST_PARAMETERS_PUT, bound)?;
        Ok(())
    }

    async fn task_put(&mut self, id: TaskId, state: &TaskState) -> Result<(), StoreError> {
        let sql = sql::TASK_PUT;
        let done = state.done.as_ref();
        let changed = self.run(
            sql,
            params![
                state.status.word(),
                done.map(|done| done.at.as_millis()),
                done.map(|done| &done.by.name),
                done.and_then(|done| done.by.email.as_ref()),
                state.completions,
                id.get(),
            ],
        )?;
        if changed == 0 {
            return Err(StoreError::Failed("there is no such task to store".into()));
        }
        Ok(())
    }

    async fn task_due_put(
        &mut self,
        id: TaskId,
        due_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        match self.run(sql::TASK_DUE_PUT, params![millis(due_at), id.get()])? {
            0 => Err(StoreError::Failed("there is no such task to store".into())),
            _ => Ok(()),
        }
    }

    async fn checklist_end_put(
        &mut self,
        id: ChecklistId,
        ended_at: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.run(sql::CHECKLIST_END_PUT, params![millis(ended_at), id.get()])?;
        Ok(())
    }

    async fn field_put(&mut self, id: FieldId, value: &str) -> Result<(), StoreError> {
        if value.is_empty() {
            self.run(sql::FIELD_REMOVE, [id.get()])?;
            return Ok(());
        }
        let sql = sql::FIELD_PUT;
        self.run(sql, params![id.get(), value])?;
        Ok(())
    }

    async fn file_insert(
        &mut self,
        team: TeamId,
        control: ControlKey,
        file: &StoredFile,
    ) -> Result<(), StoreError> {
        let sql = sql::FILE_INSERT;
        let size = i64::try_from(file.size).map_err(|error| StoreError::Failed(error.into()))?;
        self.run(
            sql,
            params![
                file.key.uuid(),
                team.get(),
                control.uuid(),
                file.field.get(),
                file.name,
                size,
                file.media_type,
                file.sha256,
                file.uploaded.at.as_millis(),
                file.uploaded.by.name,
                file.uploaded.by.email,
            ],
        )?;
        Ok(())
    }
}
