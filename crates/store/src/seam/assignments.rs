//! Who is to do which task. To whom the tasks of a checklist are assigned is loaded with it.

use async_trait::async_trait;
use domain::{Assigned, AssigneeId, TaskId, TeamId};

use crate::StoreError;

/// Which tasks are looked for.
#[derive(Clone, Copy, Debug)]
pub struct AssignmentQuery {
    /// Assigned to whom.
    pub to: AssigneeId,
    /// Whether those count that are complete or not applicable.
    pub with_done: bool,
    /// Most of them.
    pub limit: u32,
}

/// Looking for what is assigned to somebody.
#[async_trait]
pub trait ReadAssignments: Send {
    /// Tasks of the team's checklists that are not archived, with whom they are assigned to; those of the newest
    /// checklist first.
    async fn assignment_list(
        &mut self,
        team: TeamId,
        query: &AssignmentQuery,
    ) -> Result<Vec<(TaskId, Assigned)>, StoreError>;
}

/// Assigning.
#[async_trait]
pub trait WriteAssignments: Send {
    /// Has a task, whose checklist is held, be assigned to these and to nobody else; to nobody, if to none. Their names
    /// are passed over.
    async fn task_assign(
        &mut self,
        id: TaskId,
        assigned: Option<&Assigned>,
    ) -> Result<(), StoreError>;
}
