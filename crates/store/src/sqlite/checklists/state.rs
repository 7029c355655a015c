//! Reading a checklist's head, the state of its tasks, and what its controls hold.

use std::{collections::BTreeMap, ops::Range};

use domain::{
    Assigned, ChecklistHead, ChecklistId, ChecklistKey, FieldId, FieldState, FileKey, StoredFile,
    TaskId, TaskState, TaskStatus, TeamId, VersionId,
};
use rusqlite::Row;

use super::super::{
    assignments::{TASK_STATES, assigned_in},
    fault::Fault,
    tx::Tx,
    values::Cells as _,
};
use crate::{StoreError, place::Place, sql};

const STATUS: Place = Place {
    table: "checklist_task",
    column: "status",
};
const FILE_SIZE: Place = Place {
    table: "file",
    column: "size",
};

impl<G> Tx<'_, G> {
    /// The states of a checklist's `count` tasks, and to whom they are assigned; headings have no row and stay as they
    /// began.
    pub(super) fn task_states(
        &self,
        id: ChecklistId,
        count: usize,
    ) -> Result<(Vec<TaskState>, BTreeMap<usize, Assigned>), StoreError> {
        let mut states = vec![TaskState::default(); count];
        let mut assigned = BTreeMap::new();
        let sql = TASK_STATES;
        let (first, end) = (TaskId::of(id, 0).get(), TaskId::of(id, count).get());
        let rows = self.all(sql, [first, end], |row| {
            let stands = row.word(1, STATUS)?;
            let done = (stands != TaskStatus::Incomplete)
                .then(|| row.done(2))
                .transpose()?;
            Ok((
                TaskId::new(row.get(0)?),
                TaskState {
                    status: stands,
                    done,
                    completions: row.get(5)?,
                    due_at: row.time_opt(8)?,
                },
                assigned_in(row, 6)?,
            ))
        })?;
        for (task, state, to) in rows {
            if let Some(place) = states.get_mut(task.index()) {
                *place = state;
                assigned.extend(to.map(|to| (task.index(), to)));
            }
        }
        Ok((states, assigned))
    }

    /// What the controls at `places` hold.
    pub(super) fn field_states(
        &self,
        id: ChecklistId,
        places: Range<usize>,
    ) -> Result<BTreeMap<usize, FieldState>, StoreError> {
        let mut fields: BTreeMap<usize, FieldState> = BTreeMap::new();
        if places.is_empty() {
            return Ok(fields);
        }
        let range = [
            FieldId::of(id, places.start).get(),
            FieldId::of(id, places.end).get(),
        ];
        let sql = sql::FIELD_VALUES;
        for (field, value) in self.all(sql, range, |row| {
            Ok((FieldId::new(row.get(0)?), row.get::<_, String>(1)?))
        })? {
            fields.entry(field.index()).or_default().value = value;
        }
        let sql = sql::FIELD_FILES;
        for file in self.all(sql, range, stored_file)? {
            fields
                .entry(file.field.index())
                .or_default()
                .files
                .push(file);
        }
        Ok(fields)
    }
}

pub(super) fn head(row: &Row<'_>, team: TeamId) -> Result<ChecklistHead, Fault> {
    Ok(ChecklistHead {
        id: ChecklistId::new(row.get(0)?),
        key: ChecklistKey::new(row.guid(1)?),
        team,
        version: VersionId::new(row.guid(2)?),
        name: row.get(3)?,
        created: row.done(4)?,
        scheduled_at: row.time_opt(7)?,
        started_at: row.time_opt(8)?,
        ended_at: row.time_opt(9)?,
        archived_at: row.time_opt(10)?,
    })
}

pub(super) fn stored_file(row: &Row<'_>) -> Result<StoredFile, Fault> {
    let key = FileKey::new(row.guid(0)?);
    let size: i64 = row.get(3)?;
    Ok(StoredFile {
        key,
        field: FieldId::new(row.get(1)?),
        name: row.get(2)?,
        size: u64::try_from(size).map_err(|_| FILE_SIZE.corrupt(key))?,
        media_type: row.get(4)?,
        sha256: row.get(5)?,
        uploaded: row.done(6)?,
    })
}
