//! Reading a checklist whole: its head, the state of its tasks, and what its controls hold.

use std::{collections::BTreeMap, ops::Range};

use domain::{
    Assigned, Checklist, ChecklistHead, ChecklistId, ChecklistKey, FieldId, FieldState, FileKey,
    StoredFile, TaskId, TaskState, TaskStatus, TeamId, VersionId,
};
use tokio_postgres::Row;

use super::super::{
    assignments::{TASK_STATES, assigned_in},
    fault::Fault,
    tx::{Asking, Tx},
    values::Cells as _,
};
use crate::{Fields, StoreError, place::Place, sql};

const STATUS: Place = Place {
    table: "checklist_task",
    column: "status",
};
const COMPLETIONS: Place = Place {
    table: "checklist_task",
    column: "completions",
};
const FILE_SIZE: Place = Place {
    table: "file",
    column: "size",
};
const FILE_HASH: Place = Place {
    table: "file",
    column: "sha256",
};

impl<G: Send> Tx<'_, G> {
    /// A checklist with its tasks and as much of its fields as is wanted. In one round trip, if it is known
    /// from which edition it was made, and so where the fields lie: that never changes.
    pub(super) async fn checklist(
        &mut self,
        head: &'static str,
        team: TeamId,
        id: ChecklistId,
        fields: Fields,
    ) -> Result<Option<Checklist>, StoreError> {
        let version = self.core.versions.get(&id);
        let edition = version.and_then(|version| self.core.editions.get(&version));
        let guess = edition.map(|template| fields.places(&template));
        let range = |places: Range<usize>| {
            let at = |place| FieldId::of(id, place).get();
            (at(places.start), at(places.end))
        };
        let (first, end) = range(guess.clone().unwrap_or(0..0));
        // The last number stays unused: a checklist has fewer tasks than places for them.
        let (first_task, end_task) = TaskId::bounds(id);
        let (id_is, team_is) = (id.get(), team.get());
        let (from, to) = (first_task.get(), end_task.get());
        let of_head: Asking<'_> = (head, &[&id_is, &team_is]);
        let of_tasks: Asking<'_> = (TASK_STATES, &[&from, &to]);
        let (heads, tasks, mut values, mut stored);
        if first == end {
            [heads, tasks] = self.rows_of([of_head, of_tasks]).await?;
            (values, stored) = (Vec::new(), Vec::new());
        } else {
            let of_values: Asking<'_> = (sql::FIELD_VALUES, &[&first, &end]);
            let of_files: Asking<'_> = (sql::FIELD_FILES, &[&first, &end]);
            let asked = [of_head, of_tasks, of_values, of_files];
            [heads, tasks, values, stored] = self.rows_of(asked).await?;
        }
        let Some(head) = heads.first() else {
            return Ok(None);
        };
        let head = head_read(head, team)?;
        let template = self.edition(head.version).await?;
        self.core.versions.put(id, head.version.into());
        let places = fields.places(&template);
        if guess.is_none() && !places.is_empty() {
            let (first, end) = range(places);
            [values, stored] = self
                .rows_of([
                    (sql::FIELD_VALUES, &[&first, &end]),
                    (sql::FIELD_FILES, &[&first, &end]),
                ])
                .await?;
        }
        let (tasks, assigned) = task_states(&tasks, template.tasks.len())?;
        let fields = field_states(&values, &stored)?;
        Ok(Some(Checklist {
            head,
            template,
            tasks,
            fields,
            assigned,
        }))
    }
}

/// The states of a checklist's `count` tasks, and to whom they are assigned; headings have no row and stay as they began.
fn task_states(
    rows: &[Row],
    count: usize,
) -> Result<(Vec<TaskState>, BTreeMap<usize, Assigned>), Fault> {
    let mut assigned = BTreeMap::new();
    let mut states = vec![TaskState::default(); count];
    for row in rows {
        let stands = row.word(1, STATUS)?;
        let done = (stands != TaskStatus::Incomplete)
            .then(|| row.done(2))
            .transpose()?;
        let state = TaskState {
            status: stands,
            done,
            completions: row.number(5, COMPLETIONS)?,
            due_at: row.time_opt(8)?,
        };
        let index = TaskId::new(row.cell(0)?).index();
        if let Some(place) = states.get_mut(index) {
            *place = state;
            assigned.extend(assigned_in(row, 6)?.map(|to| (index, to)));
        }
    }
    Ok((states, assigned))
}

/// What the controls hold.
fn field_states(values: &[Row], files: &[Row]) -> Result<BTreeMap<usize, FieldState>, Fault> {
    let mut fields: BTreeMap<usize, FieldState> = BTreeMap::new();
    for row in values {
        let field = FieldId::new(row.cell(0)?);
        fields.entry(field.index()).or_default().value = row.cell(1)?;
    }
    for row in files {
        let file = stored_file(row)?;
        let field = fields.entry(file.field.index()).or_default();
        field.files.push(file);
    }
    Ok(fields)
}

fn head_read(row: &Row, team: TeamId) -> Result<ChecklistHead, Fault> {
    Ok(ChecklistHead {
        id: ChecklistId::new(row.cell(0)?),
        key: ChecklistKey::new(row.guid(1)?),
        team,
        version: VersionId::new(row.guid(2)?),
        name: row.cell(3)?,
        created: row.done(4)?,
        scheduled_at: row.time_opt(7)?,
        started_at: row.time_opt(8)?,
        ended_at: row.time_opt(9)?,
        archived_at: row.time_opt(10)?,
    })
}

pub(super) fn stored_file(row: &Row) -> Result<StoredFile, Fault> {
    let key = FileKey::new(row.guid(0)?);
    let hash: &[u8] = row.cell(5)?;
    Ok(StoredFile {
        key,
        field: FieldId::new(row.cell(1)?),
        name: row.cell(2)?,
        size: row.number(3, FILE_SIZE)?,
        media_type: row.cell(4)?,
        sha256: hash.try_into().map_err(|_| FILE_HASH.corrupt(key))?,
        uploaded: row.done(6)?,
    })
}
