//! Who is to do which task.

use async_trait::async_trait;
use domain::{Assigned, AssigneeId, TaskId, TeamId};
use rusqlite::{Row, params};

use super::{
    fault::Fault,
    tx::{Change, Tx},
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
            SELECT json_group_array(json_array(a.place, a.member_id, a.group_id, coalesce(m.name, g.name)))
            FROM task_assignee a LEFT JOIN member m ON m.id = a.member_id
                LEFT JOIN team_group g ON g.id = a.group_id
            WHERE a.task_id = t.id) END"
    };
}

/// The states of tasks, with whom they are assigned to.
pub(super) const TASK_STATES: &str = concat!(
    "SELECT t.id, t.status, t.done_at, t.done_by, t.done_email, t.completions, t.assigned, ",
    who!(),
    ", t.due_at FROM checklist_task t WHERE t.id >= ?1 AND t.id < ?2"
);

/// What is assigned to somebody: along the index of one column, newest first.
macro_rules! of {
    ($column:literal) => {
        concat!(
            "SELECT t.id, t.assigned, ",
            who!(),
            " FROM task_assignee f CROSS JOIN checklist_task t ON t.id = f.task_id
                CROSS JOIN checklist c ON c.id = t.id / 1024
            WHERE f.",
            $column,
            " = ?1 AND c.team_id = ?2 AND c.archived_at IS NULL AND (?3 OR t.status = 'Incomplete')
            ORDER BY f.task_id DESC LIMIT ?4"
        )
    };
}

/// To whom a task is assigned, by the columns `at` and the one after it.
pub(super) fn assigned_in(row: &Row<'_>, at: usize) -> Result<Option<Assigned>, Fault> {
    let text: Option<String> = row.get(at + 1)?;
    Ok(assigned(row.get(at)?, text.as_deref())?)
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
        let bound = params![query.to.number(), team.get(), query.with_done, query.limit];
        let found = self.all(sql, bound, |row| {
            Ok((TaskId::new(row.get(0)?), assigned_in(row, 1)?))
        })?;
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
        self.run(sql::TASK_ASSIGNEES_REMOVE, [id.get()])?;
        let to = assigned.map_or(&[][..], |assigned| &assigned.to);
        for (place, assignee) in (0_i64..).zip(to) {
            let (member, group) = numbers(assignee.id);
            let bound = params![id.get(), place, member, group];
            self.run(sql::TASK_ASSIGNEE_INSERT, bound)?;
        }
        self.run(sql::TASK_ASSIGNED_PUT, [mark(assigned), id.get()])?;
        Ok(())
    }
}
