//! What a member for whom a key is used may do to checklists. The one place where roles and assignments are looked at; that
//! a role includes a right at all is seen where it is found out who asks ([`crate::Caller`]).

use domain::{Actor, Role};

use crate::AppError;

/// Whether whoever asks may make a checklist.
pub(crate) fn may_create(actor: &Actor) -> Result<(), AppError> {
    match actor.member {
        Some(member) if member.role == Role::Guest => Err(AppError::RoleForbids {
            role: member.role,
            what: "makes no checklists",
        }),
        _ => Ok(()),
    }
}

/// Whether whoever asks may work on a task.
pub(crate) fn may_work(actor: &Actor) -> Result<(), AppError> {
    match actor.member {
        Some(member) if member.role == Role::Guest => Err(AppError::RoleForbids {
            role: member.role,
            what: "works only on tasks that are assigned to them",
        }),
        _ => Ok(()),
    }
}
