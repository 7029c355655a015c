//! Tasks of checklists: looking at them, and completing them.

use domain::{
    Actor, Checklist, ChecklistId, Done, Right, StatusChange, TaskHit, TaskId, TaskKey, TaskRow,
    TaskStatus, Timestamp,
};
use store::{Doing, Fields, Page, ReadTx, WriteTx};

use crate::{
    App, AppError, Change, Missing, Query,
    acting::{Work, may_date, may_work},
    emit::{Happened, audit, emit},
};

/// `PUT task/status`: completes, reopens or excuses a task.
pub struct SetTaskStatus {
    /// Which task.
    pub task: TaskId,
    /// What it becomes.
    pub status: TaskStatus,
}

impl Change for SetTaskStatus {
    const NEEDS: Right = Right::Run;

    type Answer = TaskRow;

    fn about(&self) -> Option<ChecklistId> {
        Some(self.task.checklist())
    }

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<TaskRow, AppError> {
        const DOING: &str = "setting the status of a task";
        let (id, index) = (self.task.checklist(), self.task.index());
        let mut list = hold_task(tx, actor, self.task, DOING).await?;
        may_work(tx, actor, (&list, index), Work::Status).await?;
        let ended_at = list.head.ended_at;
        let now = app.source().now();
        let done = Done {
            at: now,
            by: actor.person.clone(),
        };
        let change = list.set_status(index, self.status, done)?;
        if change == StatusChange::None {
            return Ok(TaskRow::of(&list, index, app.public_url()));
        }
        tx.task_put(self.task, &list.tasks[index])
            .await
            .doing::<AppError>(DOING)?;
        if list.head.ended_at != ended_at {
            tx.checklist_end_put(id, list.head.ended_at)
                .await
                .doing::<AppError>(DOING)?;
        }
        let hit = TaskHit::of(&list, index, app.public_url());
        if change == StatusChange::Completed {
            emit(app, tx, &list, now, Happened::TaskCompleted(&hit)).await?;
        }
        let action = match self.status {
            TaskStatus::Complete => "task.complete",
            TaskStatus::Incomplete => "task.reopen",
            TaskStatus::NotApplicable => "task.not_applicable",
        };
        audit(
            tx,
            actor,
            now,
            (action, self.task.to_string()),
            String::new(),
        )
        .await?;
        Ok(hit.task)
    }
}

/// `PUT` and `DELETE task/due-date`: says by hand when a task is due, or leaves it to its rule.
pub struct SetTaskDue {
    /// Which task.
    pub task: TaskId,
    /// When; none for what the template's rule says.
    pub due: Option<Timestamp>,
}

impl Change for SetTaskDue {
    const NEEDS: Right = Right::Run;

    type Answer = TaskRow;

    fn about(&self) -> Option<ChecklistId> {
        Some(self.task.checklist())
    }

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<TaskRow, AppError> {
        const DOING: &str = "setting when a task is due";
        let index = self.task.index();
        let mut list = hold_task(tx, actor, self.task, DOING).await?;
        may_date(actor)?;
        if list.set_due(index, self.due)? {
            tx.task_due_put(self.task, self.due)
                .await
                .doing::<AppError>(DOING)?;
            let due = self
                .due
                .map_or_else(|| "by its rule".to_owned(), |due| due.to_string());
            let subject = ("task.due", self.task.to_string());
            audit(tx, actor, app.source().now(), subject, due).await?;
        }
        Ok(TaskRow::of(&list, index, app.public_url()))
    }
}

/// The checklist of a task, with what is in the task.
async fn load_task<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    task: TaskId,
) -> Result<Checklist, AppError> {
    let fields = Fields::OfTask(task.index());
    let list = tx.checklist_get(actor.team, task.checklist(), fields).await;
    with_task(list.doing::<AppError>("loading a checklist")?, task)
}

/// The same, for a change, whose `doing` a failure tells of.
pub(crate) async fn hold_task(
    tx: &mut dyn WriteTx,
    actor: &Actor,
    task: TaskId,
    doing: &'static str,
) -> Result<Checklist, AppError> {
    let fields = Fields::OfTask(task.index());
    let list = tx.checklist_hold(actor.team, task.checklist(), fields);
    with_task(list.await.doing::<AppError>(doing)?, task)
}

/// The checklist that was looked for, if it is there and has the task.
fn with_task(list: Option<Checklist>, task: TaskId) -> Result<Checklist, AppError> {
    let list = list.filter(|list| task.index() < list.tasks.len());
    Ok(list.ok_or(Missing::Task(task))?)
}

/// `GET task/details`: one task of a checklist, with what its controls show.
pub struct GetTask {
    /// Of which checklist.
    pub checklist: ChecklistId,
    /// Which task.
    pub task: TaskKey,
}

impl Query for GetTask {
    const NEEDS: Right = Right::Read;

    type Answer = TaskRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<TaskRow, AppError> {
        let list = tx
            .checklist_get(actor.team, self.checklist, Fields::All)
            .await;
        let list = list.doing::<AppError>("loading a checklist")?;
        let list = list.ok_or(Missing::Checklist(self.checklist))?;
        let index = list.template.task_index(self.task);
        let index = index.ok_or(Missing::TaskOf(self.checklist, self.task))?;
        let values = tx.checklist_parameters(actor.team, self.checklist).await;
        let values = values.doing::<AppError>("loading a checklist")?;
        Ok(TaskRow::with_shown(&list, index, &values, app.public_url()))
    }
}

/// `GET checklist/tasks`: tasks in whichever checklist.
pub struct ListTasks {
    /// With this key.
    pub task: Option<TaskKey>,
    /// That stand so.
    pub status: Option<TaskStatus>,
    /// Which part of the list.
    pub page: Page,
}

impl Query for ListTasks {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<TaskHit>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<TaskHit>, AppError> {
        let ids = tx
            .task_page(actor.team, self.task, self.status, self.page)
            .await;
        let ids = ids.doing::<AppError>("listing tasks")?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let list = load_task(tx, actor, id).await?;
            rows.push(TaskHit::of(&list, id.index(), app.public_url()));
        }
        Ok(rows)
    }
}
