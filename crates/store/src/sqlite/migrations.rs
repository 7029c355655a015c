//! The schema, step by step. Steps are appended, never changed.

use rusqlite::{Connection, TransactionBehavior};
use rusqlite_migration::{M, Migrations};

const STEPS: &[M<'static>] = &[M::up(include_str!(
    "../../migrations/sqlite/0001_start.sql"
))];

const MIGRATIONS: Migrations<'static> = Migrations::from_slice(STEPS);

/// What became of the schema.
#[derive(Debug)]
pub(super) enum Migrated {
    /// It is as this program wants it.
    Done,
    /// A newer program has been here; what it did can't be known.
    TooNew,
}

/// Brings the schema up to date. The caller keeps others from doing so at the same time: how far
/// the schema is has been read before the transaction begins.
pub(super) fn migrate(conn: &mut Connection) -> Result<Migrated, rusqlite_migration::Error> {
    if MIGRATIONS.pending_migrations(conn)? < 0 {
        return Ok(Migrated::TooNew);
    }
    conn.set_transaction_behavior(TransactionBehavior::Immediate);
    MIGRATIONS.to_latest(conn)?;
    conn.set_transaction_behavior(TransactionBehavior::Deferred);
    Ok(Migrated::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrating_twice_changes_nothing_and_a_newer_schema_is_left_alone() {
        let mut db = Connection::open_in_memory().unwrap();
        assert!(matches!(migrate(&mut db), Ok(Migrated::Done)));
        assert!(matches!(migrate(&mut db), Ok(Migrated::Done)));
        db.pragma_update(None, "user_version", 1_000).unwrap();
        assert!(matches!(migrate(&mut db), Ok(Migrated::TooNew)));
    }
}
