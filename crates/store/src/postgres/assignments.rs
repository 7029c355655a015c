//! Who is to do which task.

use async_trait::async_trait;
use domain::{Assigned, AssigneeId, TaskId, TeamId};
use tokio_postgres::Row;

use super::{
    fault::Fault,
    tx::{Change, Tx, owned},
    values::Cells as _,
};
use crate::{
    AssignmentQuery, ReadAssignments, StoreError, WriteAssignments,
    assignments::{assigned, mark, numbers},
    sql,
};

/// To whom the task `t` is assigned, as one text.
macro_rules! who {
    () => {
        "CASE WHEN t.assigned > 0 THEN (
            SELECT json_agg(json_build_array(a.place, a.member_id, a.group_id, coalesce(m.name, g.name)))::text
            FROM task_assignee a LEFT JOIN member m ON m.id = a.member_id
                LEFT JOIN team_group g ON g.id = a.group_id
            WHERE a.task_id = t.id) END"
    };
}

/// The states of tasks, with whom they are assigned to.
pub(super) const TASK_STATES: &str = concat!(
    "SELECT t.id, t.status, t.done_at, t.done_by, t.done_email, t.completions, t.assigned, ",
    who!(),
    ", t.due_at FROM checklist_task t WHERE t.id >= $1 AND t.id < $2"
);

/// What is assigned to somebody: along the index of one column, newest first.
macro_rules! of {
    ($column:literal) => {
        concat!(
            "SELECT t.id, t.assigned, ",
            who!(),
            " FROM task_assignee f JOIN checklist_task t ON t.id = f.task_id
                JOIN checklist c ON c.id = t.id / 1024
            WHERE f.",
            $column,
            " = $1 AND c.team_id = $2 AND c.archived_at IS NULL AND ($3 OR t.status = 'Incomplete')
            ORDER BY f.task_id DESC LIMIT $4"
        )
    };
}

/// To whom a task is assigned, by the columns `at` and the one after it.
pub(super) fn assigned_in(row: &Row, at: usize) -> Result<Option<Assigned>, Fault> {
    Ok(assigned(row.cell(at)?, row.cell(at + 1)?)?)
}

#[async_trait]
impl<G: Send> ReadAssignments for Tx<'_, G> {
    async fn assignment_list(
        &mut self,
        team: TeamId,
        query: &AssignmentQuery,
    ) -> Result<Vec<(TaskId, Assigned)>, StoreError> {
        let sql = match query.to {
            AssigneeId::Member(_) => of!("member_id"),
            AssigneeId::Group(_) => of!("group_id"),
        };
        let found = self
            .all(
                sql,
                &[
                    &query.to.number(),
                    &team.get(),
                    &query.with_done,
                    &i64::from(query.limit),
                ],
                |row| Ok((TaskId::new(row.cell(0)?), assigned_in(row, 1)?)),
            )
            .await?;
        let there = found.into_iter();
        Ok(there
            .filter_map(|(task, assigned)| Some((task, assigned?)))
            .collect())
    }
}

#[async_trait]
impl WriteAssignments for Change<'_> {
    async fn task_assign(
        &mut self,
        id: TaskId,
        assigned: Option<&Assigned>,
    ) -> Result<(), StoreError> {
        self.later(sql::TASK_ASSIGNEES_REMOVE, owned![id.get()])
            .await?;
        let to = assigned.map_or(&[][..], |assigned| &assigned.to);
        for (place, assignee) in (0_i64..).zip(to) {
            let (member, group) = numbers(assignee.id);
            let row = owned![id.get(), place, member, group];
            self.later(sql::TASK_ASSIGNEE_INSERT, row).await?;
        }
        let row = owned![mark(assigned), id.get()];
        self.later_one(sql::TASK_ASSIGNED_PUT, row).await
    }
}
