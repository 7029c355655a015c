//! The schema, step by step. Steps are appended, never changed.

use std::path::Path;

use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{Error, M, Migrations, SchemaVersion};

use super::open::{DATABASE_FILE, OpenError, connection_open, open_lock, refused};
use crate::{
    Outstanding, SchemaSteps,
    schema::{Step, steps_of},
};

const STEPS: &[Step] = &[
    (
        "0001_start",
        include_str!("../../migrations/sqlite/0001_start.sql"),
    ),
    (
        "0002_subscription_settings",
        include_str!("../../migrations/sqlite/0002_subscription_settings.sql"),
    ),
    (
        "0003_order",
        include_str!("../../migrations/sqlite/0003_order.sql"),
    ),
];

/// How far the schema of the database in `folder` is, brought up to date if it is to be.
pub(crate) fn schema(folder: &Path, outstanding: Outstanding) -> Result<SchemaSteps, OpenError> {
    let path = folder.join(DATABASE_FILE);
    let apply = outstanding == Outstanding::Done;
    let _opening = apply.then(|| open_lock(folder)).transpose()?;
    let conn = connection_open(folder, !apply);
    let mut conn = conn.map_err(|error| refused(&path, &error))?;
    let found = if apply {
        migrate(&mut conn)
    } else {
        look(&conn)
    };
    found
        .map_err(|error| failed(&path, error))?
        .ok_or(OpenError::NewerSchema(path))
}

/// How far the schema is, without changing anything; none if a newer program has been here.
pub(super) fn look(conn: &Connection) -> Result<Option<SchemaSteps>, Error> {
    let before = match migrations().current_version(conn)? {
        SchemaVersion::NoneSet => 0,
        SchemaVersion::Inside(done) | SchemaVersion::Outside(done) => done.get(),
    };
    Ok(steps_of(STEPS, before))
}

/// Brings the schema up to date. Where a newer program has been, it is left alone and there is no answer: what
/// that did can't be known. The caller keeps others from doing so at the same time: how far the schema is has
/// been read before the transaction begins.
pub(super) fn migrate(conn: &mut Connection) -> Result<Option<SchemaSteps>, Error> {
    let Some(found) = look(conn)? else {
        return Ok(None);
    };
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    migrations().to_latest(conn)?;
    conn.set_transaction_behavior(TransactionBehavior::Deferred);
    Ok(Some(found.all_made()))
}

fn migrations() -> Migrations<'static> {
    STEPS.iter().map(|(_, step)| M::up(step)).collect()
}

/// What an error of a migration of `path` means to the operator.
pub(super) fn failed(path: &Path, error: Error) -> OpenError {
    match error {
        Error::RusqliteError { err, .. } => refused(path, &err),
        error => OpenError::Failed {
            path: path.to_owned(),
            message: error.to_string(),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_and_a_newer_schema_is_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        let all = STEPS.len();
        assert_eq!(look(&db).unwrap().unwrap().outstanding.len(), all);
        assert_eq!(migrate(&mut db).unwrap().unwrap().made.len(), all);
        let again = migrate(&mut db).unwrap().unwrap();
        assert_eq!((again.before, again.made.len()), (all, 0));
        db.pragma_update(None, "user_version", 1_000).unwrap();
        assert_eq!(look(&db).unwrap(), None);
        assert_eq!(migrate(&mut db).unwrap(), None);
    }
}
