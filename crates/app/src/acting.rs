//! What a member for whom a key is used may do to checklists. The one place where roles and assignments are looked at; that
//! a role includes a right at all is seen where it is found out who asks ([`crate::Caller`]).

use domain::{Acting, Actor, Checklist, Role};
use store::{Doing, ReadTx};

use crate::AppError;

/// What is done to a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Work {
    /// It is completed, reopened or excused.
    Status,
    /// What is in it is filled in.
    Content,
}

/// Whether whoever asks may make a checklist.
pub(crate) fn may_create(actor: &Actor) -> Result<(), AppError> {
    unless_guest(actor, "makes no checklists")
}

/// Whether whoever asks may say to whom tasks are assigned.
pub(crate) fn may_assign(actor: &Actor) -> Result<(), AppError> {
    unless_guest(actor, "assigns no tasks")
}

/// Whether whoever asks may say when tasks are due.
pub(crate) fn may_date(actor: &Actor) -> Result<(), AppError> {
    unless_guest(actor, "sets no due dates")
}

fn unless_guest(actor: &Actor, what: &'static str) -> Result<(), AppError> {
    match actor.member {
        Some(Acting { role, .. }) if role == Role::Guest => {
            Err(AppError::RoleForbids { role, what })
        }
        _ => Ok(()),
    }
}

/// Whether whoever asks may do this to the task at `index` of `list`.
///
/// The key itself may: it is the team's, and who holds it answers for whom it lets do what.
pub(crate) async fn may_work<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    (list, index): (&Checklist, usize),
    work: Work,
) -> Result<(), AppError> {
    let Some(Acting { id, role }) = actor.member else {
        return Ok(());
    };
    let assigned = list.assigned.get(&index);
    let only_theirs = role == Role::Guest;
    let exclusive = work == Work::Status && assigned.is_some_and(|assigned| assigned.exclusively);
    if !only_theirs && !exclusive {
        return Ok(());
    }
    let theirs = match assigned {
        None => false,
        Some(assigned) if assigned.has_groups() => {
            let groups = tx.member_groups(id).await;
            let groups = groups.doing::<AppError>("looking up the groups of a member")?;
            assigned.includes(id, &groups)
        }
        Some(assigned) => assigned.includes(id, &[]),
    };
    if theirs {
        Ok(())
    } else if only_theirs {
        let what = "works only on tasks that are assigned to them";
        Err(AppError::RoleForbids { role, what })
    } else {
        Err(AppError::AssignedToOthers)
    }
}
