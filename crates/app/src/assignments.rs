//! Who is to do which task: setting it, and looking for what is somebody's.

use std::{cmp::Reverse, collections::BTreeMap};

use domain::{
    ASSIGNEES_MAX, Actor, Assigned, Assignee, AssigneeId, AssigneeRow, Checklist, ChecklistId,
    Right, TaskId, TaskRow,
};
use serde::Serialize;
use store::{AssignmentQuery, Doing, ReadTx, WriteTx};
use utoipa::ToSchema;

use crate::{
    App, AppError, Change, Query,
    acting::may_assign,
    emit::audit,
    people::{People, same},
    tasks::hold_task,
};

/// Most tasks that are answered of somebody.
pub const ASSIGNMENTS_MAX: u32 = 1_000;

const DOING: &str = "assigning a task";

/// Everybody whom a task can be assigned to.
fn assignable(people: People) -> impl Iterator<Item = Assignee> {
    let active = people.members.into_iter().filter(domain::Member::is_active);
    let members = active.map(|member| Assignee {
        id: AssigneeId::Member(member.id),
        name: member.name,
    });
    let groups = people.groups.into_iter().map(|group| Assignee {
        id: AssigneeId::Group(group.id),
        name: group.name,
    });
    members.chain(groups)
}

/// The checklist of a task that may be assigned by whoever asks.
async fn held(tx: &mut dyn WriteTx, actor: &Actor, task: TaskId) -> Result<Checklist, AppError> {
    let list = hold_task(tx, actor, task, DOING).await?;
    may_assign(actor)?;
    list.may_assign(task.index())?;
    Ok(list)
}

/// Stores to whom a task is assigned, if that is another than before.
async fn assign(
    app: &App,
    actor: &Actor,
    tx: &mut dyn WriteTx,
    (mut list, task): (Checklist, TaskId),
    assigned: Assigned,
) -> Result<TaskRow, AppError> {
    let index = task.index();
    let assigned = Some(assigned).filter(|assigned| !assigned.to.is_empty());
    let as_ids = |assigned: Option<&Assigned>| {
        assigned.map(|assigned| {
            let ids = assigned.to.iter().map(|assignee| assignee.id);
            (assigned.exclusively, ids.collect::<Vec<_>>())
        })
    };
    if as_ids(list.assigned.get(&index)) != as_ids(assigned.as_ref()) {
        let stored = tx.task_assign(task, assigned.as_ref()).await;
        stored.doing::<AppError>(DOING)?;
        let (action, detail) = match &assigned {
            None => ("task.unassign", String::new()),
            Some(assigned) => ("task.assign", said(assigned)),
        };
        let subject = (action, task.to_string());
        audit(tx, actor, app.source().now(), subject, detail).await?;
        list.assigned.remove(&index);
        list.assigned
            .extend(assigned.map(|assigned| (index, assigned)));
    }
    Ok(TaskRow::of(&list, index, app.public_url()))
}

/// Numbers, not names: those can change.
fn said(assigned: &Assigned) -> String {
    let ids = assigned.to.iter().map(|assignee| assignee.id.to_string());
    let mut said = ids.collect::<Vec<_>>().join(", ");
    if assigned.exclusively {
        said += ", exclusively";
    }
    said
}

fn few_enough(named: &'static str, count: usize) -> Result<(), AppError> {
    if count <= ASSIGNEES_MAX {
        return Ok(());
    }
    let message = format!("must be at most {ASSIGNEES_MAX} members and groups, but are {count}");
    Err(AppError::invalid(named, message))
}

/// `PUT task/assignments`: a task is assigned to these and to nobody else.
#[derive(Clone, Debug)]
pub struct SetAssignees {
    /// Which task.
    pub task: TaskId,
    /// To whom; to nobody, if to none.
    pub to: Vec<AssigneeId>,
    /// Whether nobody else may complete it.
    pub exclusively: bool,
}

impl Change for SetAssignees {
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
        few_enough("assignees", self.to.len())?;
        let list = held(tx, actor, self.task).await?;
        let mut to: Vec<Assignee> = Vec::new();
        if !self.to.is_empty() {
            let people: Vec<_> = assignable(People::of(tx, actor.team).await?).collect();
            let before = list.assigned.get(&self.task.index());
            let before = before.map_or(&[][..], |assigned| &assigned.to);
            for id in &self.to {
                if to.iter().any(|assignee| assignee.id == *id) {
                    continue;
                }
                // Who is no longer active, or there, may stay where they were.
                let mut known = people.iter().chain(before);
                let found = known.find(|assignee| assignee.id == *id);
                let found = found.ok_or_else(|| {
                    let message = format!(
                        "{id} is not there, or no longer active; GET /api/team/members-and-groups lists those who are"
                    );
                    AppError::invalid("assignees", message)
                })?;
                to.push(found.clone());
            }
        }
        let exclusively = self.exclusively;
        let assigned = Assigned { exclusively, to };
        assign(app, actor, tx, (list, self.task), assigned).await
    }
}

/// `POST task/assign-by-name`: a task is assigned to whoever is called so.
#[derive(Clone, Debug)]
pub struct AssignByName {
    /// Which task.
    pub task: TaskId,
    /// Names of members and groups, whatever their case.
    pub names: Vec<String>,
    /// Whether nobody else may complete it.
    pub exclusively: bool,
    /// Whether those to whom it is assigned already stay.
    pub keep: bool,
}

impl Change for AssignByName {
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
        few_enough("assigneeNames", self.names.len())?;
        let list = held(tx, actor, self.task).await?;
        let people: Vec<_> = assignable(People::of(tx, actor.team).await?).collect();
        let before = list.assigned.get(&self.task.index()).cloned();
        let mut to = before
            .filter(|_| self.keep)
            .map_or(Vec::new(), |was| was.to);
        let (mut unknown, mut several) = (Vec::new(), Vec::new());
        for name in &self.names {
            let is_called = |assignee: &&Assignee| same(&assignee.name, name.trim());
            let found: Vec<_> = people.iter().filter(is_called).collect();
            match found[..] {
                [] => unknown.push(name),
                [one] if to.iter().any(|assignee| assignee.id == one.id) => {}
                [one] => to.push(one.clone()),
                _ => several.push(name),
            }
        }
        let mut said = Vec::new();
        if !unknown.is_empty() {
            said.push(format!(
                "{} is the name of no active member and of no group; GET /api/team/members-and-groups lists them",
                listed(&unknown)
            ));
        }
        if !several.is_empty() {
            said.push(format!(
                "{} is the name of more than one; PUT /api/task/assignments takes numbers",
                listed(&several)
            ));
        }
        if !said.is_empty() {
            return Err(AppError::invalid("assigneeNames", said.join(". ")));
        }
        few_enough("assigneeNames", to.len())?;
        let exclusively = self.exclusively;
        let assigned = Assigned { exclusively, to };
        assign(app, actor, tx, (list, self.task), assigned).await
    }
}

/// Names in quotation marks with commas between.
fn listed(names: &[&String]) -> String {
    let quoted = names.iter().map(|name| format!("{name:?}"));
    quoted.collect::<Vec<_>>().join(", ")
}

/// A task, with whom it is assigned to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AssignmentRow {
    /// The task's number.
    pub task_id: TaskId,
    /// Whether nobody else may complete it.
    pub is_assigned_exclusively: bool,
    /// To whom.
    pub assignees: Vec<AssigneeRow>,
}

/// `GET task/assignments`: what is assigned to somebody, in checklists that are not archived; the newest
/// [`ASSIGNMENTS_MAX`].
#[derive(Clone, Copy, Debug)]
pub struct ListAssignments {
    /// To whom.
    pub to: AssigneeId,
    /// Whether tasks of groups count which the member is in.
    pub with_groups: bool,
    /// Whether those count that are complete or not applicable.
    pub with_done: bool,
}

impl Query for ListAssignments {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<AssignmentRow>;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<AssignmentRow>, AppError> {
        const DOING: &str = "listing assignments";
        let mut of = vec![self.to];
        if let (true, AssigneeId::Member(member)) = (self.with_groups, self.to) {
            let groups = tx.member_groups(member).await.doing::<AppError>(DOING)?;
            of.extend(groups.into_iter().map(AssigneeId::Group));
        }
        // Newest first, and each once, however many of its assignees are looked for.
        let mut found = BTreeMap::new();
        for to in of {
            let query = AssignmentQuery {
                to,
                with_done: self.with_done,
                limit: ASSIGNMENTS_MAX,
            };
            let rows = tx.assignment_list(actor.team, &query).await;
            let rows = rows.doing::<AppError>(DOING)?.into_iter();
            found.extend(rows.map(|(task, assigned)| (Reverse(task), assigned)));
        }
        let row = |(Reverse(task_id), assigned): (Reverse<TaskId>, Assigned)| AssignmentRow {
            task_id,
            is_assigned_exclusively: assigned.exclusively,
            assignees: AssigneeRow::all(Some(&assigned)),
        };
        let newest = found.into_iter().take(ASSIGNMENTS_MAX as usize);
        Ok(newest.map(row).collect())
    }
}
