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
    (
        "0004_health",
        include_str!("../../migrations/sqlite/0004_health.sql"),
    ),
    (
        "0005_replay",
        include_str!("../../migrations/sqlite/0005_replay.sql"),
    ),
    (
        "0006_secrets",
        include_str!("../../migrations/sqlite/0006_secrets.sql"),
    ),
    (
        "0007_credentials",
        include_str!("../../migrations/sqlite/0007_credentials.sql"),
    ),
    (
        "0008_resumed",
        include_str!("../../migrations/sqlite/0008_resumed.sql"),
    ),
    (
        "0009_rights",
        include_str!("../../migrations/sqlite/0009_rights.sql"),
    ),
    (
        "0010_answers",
        include_str!("../../migrations/sqlite/0010_answers.sql"),
    ),
    (
        "0011_people",
        include_str!("../../migrations/sqlite/0011_people.sql"),
    ),
    (
        "0012_acting",
        include_str!("../../migrations/sqlite/0012_acting.sql"),
    ),
    (
        "0013_assignments",
        include_str!("../../migrations/sqlite/0013_assignments.sql"),
    ),
    (
        "0014_due",
        include_str!("../../migrations/sqlite/0014_due.sql"),
    ),
    (
        "0015_parameters",
        include_str!("../../migrations/sqlite/0015_parameters.sql"),
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
    fn the_secret_that_a_subscription_had_is_still_its_own_and_only_one() {
        let mut db = Connection::open_in_memory().unwrap();
        let before = STEPS.iter().position(|(name, _)| *name == "0006_secrets");
        migrations().to_version(&mut db, before.unwrap()).unwrap();
        db.execute_batch(
            "INSERT INTO team (id, name, created_at) VALUES (1, 'Blue', 1);
            INSERT INTO subscription (id, team_id, source, event_type, scope, scope_key, target_url,
                revision, secret, state, state_reason, state_since, state_by, created_at)
            VALUES (zeroblob(16), 1, 'a', 'task_completed', 'team', zeroblob(16), 'https://a.example',
                1, x'0102', 'gone', '', 1, 'Ann', 7);",
        )
        .unwrap();
        migrate(&mut db).unwrap().unwrap();
        let sql = "SELECT s.id = k.id AND s.id = k.subscription_id AND k.team_id = 1
                AND k.kind = 'hmac' AND k.sealed = x'0102' AND k.public_key IS NULL
                AND k.created_at = 7 AND k.valid_until IS NULL
            FROM subscription s JOIN subscription_secret k";
        let moved: bool = db.query_row(sql, (), |row| row.get(0)).unwrap();
        assert!(moved);
        assert!(db.prepare("SELECT secret FROM subscription").is_err());
    }

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

    /// The database as the first step left it, with rows in what later ones change.
    fn of_the_first_step() -> Connection {
        let db = Connection::open_in_memory().unwrap();
        db.pragma_update(None, "foreign_keys", true).unwrap();
        db.execute_batch(STEPS[0].1).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        db.execute_batch(
            "INSERT INTO team (id, name, created_at) VALUES (1, 'Blue', 0);
            INSERT INTO subscription (id, team_id, source, event_type, scope, scope_key, target_url,
                revision, secret, state, state_reason, state_since, state_by, created_at)
            SELECT unhex(printf('%032x', n)), 1, 's', 'task_completed', 'team', zeroblob(16),
                'http://x/' || n, 1, x'00', state, '', 70 + n, by, 0
            FROM (SELECT 1 AS n, 'active' AS state, 'Ann' AS by UNION VALUES (2, 'failing', 'system'),
                (3, 'paused', 'Ann'), (4, 'gone', 'Ann'), (5, 'gone', 'system'));
            INSERT INTO subscription_sequence SELECT id, 1 FROM subscription;
            INSERT INTO event (id, team_id, type, at, checklist_id, template_key, task_key,
                control_key, first_delivery, last_delivery, body)
            VALUES (zeroblob(16), 1, 'task_completed', 0, 1, x'00', x'00', x'00', zeroblob(16),
                zeroblob(16), CAST('body' AS BLOB));
            INSERT INTO delivery (id, team_id, subscription_id, event, sequence, state, reason,
                attempts, due_at)
            SELECT zeroblob(16), 1, id, 1, 1, 'waiting', '', 0, 5 FROM subscription LIMIT 1;",
        )
        .unwrap();
        db
    }

    #[test]
    fn a_database_of_the_first_step_keeps_its_rows_and_takes_what_is_new() {
        let mut db = of_the_first_step();
        migrate(&mut db).unwrap().unwrap();
        let text = |sql: &str| -> Vec<String> {
            let mut asked = db.prepare(sql).unwrap();
            let rows = asked.query_map((), |row| row.get(0)).unwrap();
            rows.map(Result::unwrap).collect()
        };
        assert_eq!(
            text("SELECT state_code || ' ' || coalesce(failing_since, '-') FROM subscription"),
            [
                "active -",
                "failing 72",
                "paused_by_person -",
                "unsubscribed -",
                "receiver_gone -"
            ]
        );
        assert_eq!(
            text("SELECT CAST(body AS TEXT) FROM event JOIN delivery ON number = event"),
            ["body"]
        );
        for table in ["subscription", "event"] {
            let column = if table == "event" {
                "type"
            } else {
                "event_type"
            };
            let put = |word: &str| db.execute(&format!("UPDATE {table} SET {column} = ?1"), [word]);
            for kind in domain::EventType::ALL {
                put(kind.word()).unwrap();
            }
            assert!(put("what_is_this").is_err(), "{table} still checks");
        }
        assert_eq!(text("PRAGMA integrity_check"), ["ok"]);
        assert!(text("SELECT \"table\" FROM pragma_foreign_key_check").is_empty());
    }

    #[test]
    fn a_connection_that_was_open_before_sees_what_is_new() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(DATABASE_FILE);
        let mut db = Connection::open(&path).unwrap();
        db.execute_batch(STEPS[0].1).unwrap();
        db.pragma_update(None, "user_version", 1).unwrap();
        let other = Connection::open(&path).unwrap();
        let sql = "UPDATE event SET type = 'subscription_paused'";
        other.execute(sql, ()).unwrap();
        migrate(&mut db).unwrap().unwrap();
        db.execute(
            "INSERT INTO event (id, team_id, type, at, checklist_id, template_key, task_key,
                control_key, body)
            VALUES (zeroblob(16), 1, 'task_completed', 0, 1, x'00', x'00', x'00', x'00')",
            (),
        )
        .unwrap();
        assert_eq!(other.execute(sql, ()).unwrap(), 1);
    }
}
