//! Opening, and what is in the files.

use std::{fs, io, os::unix::fs::PermissionsExt as _, path::Path};

use rusqlite::ffi;

use super::{
    super::*,
    bench::{Bench, scene, secrets},
};
use crate::{Read, ReadTx, testing::source};

fn options(folder: &Path) -> SqliteOptions {
    let key = MasterKey::load_or_create(folder, &source()).unwrap();
    SqliteOptions::new(folder, key, source())
}

fn opened(options: SqliteOptions) -> Result<Sqlite, OpenError> {
    open(options, || panic!("no sync was lost"))
}

fn refusal(options: SqliteOptions) -> (OpenError, String) {
    let error = opened(options).err().expect("a refusal");
    let line = error.to_string();
    assert!(!line.contains('\n'), "{line:?} is one line");
    (error, line)
}

#[tokio::test]
async fn a_folder_has_one_server_and_room_for_tools_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let server = opened(options(folder.path())).unwrap();
    let (error, line) = refusal(options(folder.path()));
    assert!(matches!(error, OpenError::InUse(_)));
    assert!(line.contains(folder.path().to_str().unwrap()), "{line}");
    let tool = SqliteOptions {
        exclusive: false,
        ..options(folder.path())
    };
    opened(tool).unwrap().stop().await;
    server.stop().await;
    opened(options(folder.path())).unwrap().stop().await;
}

#[tokio::test]
async fn another_master_key_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    opened(options(folder.path())).unwrap().stop().await;
    let other = tempfile::tempdir().unwrap();
    let other = MasterKey::load_or_create(other.path(), &crate::testing::source_from(9)).unwrap();
    let (error, _) = refusal(SqliteOptions {
        key: other,
        ..options(folder.path())
    });
    assert!(matches!(error, OpenError::OtherKey(_)), "{error}");
}

#[tokio::test]
async fn a_newer_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    opened(options.clone()).unwrap().stop().await;
    let db = rusqlite::Connection::open(folder.path().join(DATABASE_FILE)).unwrap();
    db.pragma_update(None, "user_version", 1_000).unwrap();
    assert!(matches!(refusal(options).0, OpenError::NewerSchema(_)));
}

#[test]
fn what_is_no_database_or_no_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let options = options(folder.path());
    fs::write(
        folder.path().join(DATABASE_FILE),
        "not a database, ".repeat(100),
    )
    .unwrap();
    assert!(matches!(refusal(options.clone()).0, OpenError::Damaged(_)));
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for path in [file.clone(), file.join("below")] {
        let (error, line) = refusal(SqliteOptions {
            folder: path,
            ..options.clone()
        });
        assert!(matches!(error, OpenError::NotAFolder(_)), "{line}");
    }
    // No permissions keep root from writing, but /proc does.
    let (error, line) = refusal(SqliteOptions {
        folder: "/proc/checkflow".into(),
        ..options
    });
    assert!(matches!(error, OpenError::NotWritable { .. }), "{line}");
}

#[test]
fn a_full_disk_is_told_from_a_folder_that_may_not_be_written() {
    let file = Path::new("/data/checkflow.db");
    let by_sqlite = |extended| {
        let error = rusqlite::Error::SqliteFailure(ffi::Error::new(extended), None);
        refused(file, &error)
    };
    let by_system = |kind: io::ErrorKind| not_writable(Path::new("/data"), kind.into());
    for full in [
        by_sqlite(ffi::SQLITE_FULL),
        by_sqlite(ffi::SQLITE_IOERR_WRITE),
        by_sqlite(ffi::SQLITE_IOERR_SHMSIZE),
        by_system(io::ErrorKind::StorageFull),
        by_system(io::ErrorKind::QuotaExceeded),
    ] {
        let line = full.to_string();
        assert!(matches!(full, OpenError::Full { .. }), "{line}");
        assert!(
            line.starts_with("the disk of the data folder /data takes no more ("),
            "{line}"
        );
    }
    for other in [
        by_sqlite(ffi::SQLITE_READONLY),
        by_sqlite(ffi::SQLITE_CANTOPEN),
        by_system(io::ErrorKind::PermissionDenied),
    ] {
        assert!(matches!(other, OpenError::NotWritable { .. }), "{other}");
    }
}

#[test]
fn only_the_owner_can_read_the_files_and_nobody_a_secret_in_them() {
    let mut bench = Bench::new();
    bench.keep(scene());
    let [secret] = secrets(21);
    let secret = secret.secret;
    let mut files = 0;
    for file in fs::read_dir(bench.folder.path()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(
            fs::metadata(&path).unwrap().permissions().mode() & 0o077,
            0,
            "{path:?}"
        );
        let bytes = fs::read(&path).unwrap();
        let found = bytes
            .windows(secret.bytes().len())
            .any(|part| part == secret.bytes());
        assert!(!found, "the secret is in {path:?}");
        files += 1;
    }
    assert!(
        files >= 4,
        "the database, its WAL and shared memory, the master key"
    );
    // It is stored, though: whoever has the key can read it back.
    let sql = "SELECT length(sealed) FROM subscription_secret";
    let length: usize = bench
        .look()
        .query_row(sql, (), |row| row.get::<_, u32>(0))
        .unwrap() as usize;
    assert_eq!(length, 24 + secret.bytes().len() + 16);
}

/// A read of one statement.
struct Look;

impl Read for Look {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<(), StoreError> {
        tx.team_get(domain::TeamId::new(1)).await.map(|_| ())
    }
}

#[tokio::test]
async fn a_read_that_takes_too_long_is_ended_and_statements_are_counted() {
    let folder = tempfile::tempdir().unwrap();
    let hasty = SqliteLimits {
        read_time: Duration::ZERO,
        readers: 1,
        ..SqliteLimits::default()
    };
    let store = open_sqlite(SqliteOptions {
        limits: hasty,
        ..options(folder.path())
    })
    .unwrap();
    assert!(matches!(
        store.read(Look).await,
        Err(StoreError::Unavailable(Some(_)))
    ));
    store.stop().await;
    let options = options(folder.path());
    let statements = options.statements.clone();
    let store = open_sqlite(options).unwrap();
    store.read(Look).await.unwrap();
    store.read(Look).await.unwrap();
    assert_eq!(statements.get(), 2);
    store.stop().await;
}

#[tokio::test]
async fn a_stopped_store_takes_nothing_and_a_full_queue_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let store = open_sqlite(options(folder.path())).unwrap();
    store.read(Look).await.unwrap();
    store.stop().await;
    assert!(matches!(
        store.read(Look).await,
        Err(StoreError::Unavailable(_))
    ));
    // The last connection has brought the WAL home.
    assert!(!folder.path().join("checkflow.db-wal").exists());
    let none = SqliteLimits {
        reads_waiting_max: 0,
        ..SqliteLimits::default()
    };
    let store = open_sqlite(SqliteOptions {
        limits: none,
        ..options(folder.path())
    })
    .unwrap();
    assert!(matches!(
        store.read(Look).await,
        Err(StoreError::Unavailable(_))
    ));
    store.stop().await;
}

#[test]
fn the_database_is_built_as_it_was_measured() {
    let bench = Bench::new();
    let look = bench.look();
    let mut options = look.prepare("PRAGMA compile_options").unwrap();
    let options = options
        .query_map((), |row| row.get::<_, String>(0))
        .unwrap();
    let options: Vec<String> = options.map(Result::unwrap).collect();
    let has = |option: &str| options.iter().any(|one| one == option);
    assert!(has("DEFAULT_LOOKASIDE=1200,100"), "{options:?}");
    assert!(has("DEFAULT_MEMSTATUS=0"), "{options:?}");
    assert!(!has("ENABLE_MEMORY_MANAGEMENT"), "{options:?}");
}

#[test]
fn a_checkpoint_syncs_the_log_before_the_database() {
    let bench = Bench::new();
    for read_only in [false, true] {
        let conn = connection_open(bench.folder.path(), read_only).unwrap();
        let synchronous: i64 = conn
            .pragma_query_value(None, "synchronous", |row| row.get(0))
            .unwrap();
        assert_eq!(
            synchronous, 1,
            "NORMAL; with OFF a power cut could damage it"
        );
    }
}

#[tokio::test]
async fn what_a_killed_server_left_in_the_log_is_taken_up_at_the_start() {
    let mut bench = Bench::new();
    bench.keep(scene());
    // As a kill leaves it: the log has everything, the database nothing.
    let killed = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(bench.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        fs::copy(&path, killed.path().join(path.file_name().unwrap())).unwrap();
    }
    let size = |name: &str| fs::metadata(killed.path().join(name)).unwrap().len();
    let before = size("checkflow.db");
    assert!(size("checkflow.db-wal") > 0);
    let server = opened(options(killed.path())).unwrap();
    assert_eq!(size("checkflow.db-wal"), 0, "it begins anew");
    assert!(
        size("checkflow.db") > before,
        "what was in it is in the database"
    );
    server.stop().await;
}

#[tokio::test]
async fn a_large_log_is_brought_home_while_the_server_runs() {
    const MUCH: usize = 20 * 1024 * 1024;
    struct Name;
    impl crate::Write for Name {
        type Done = domain::TeamId;
        type Error = StoreError;

        async fn run(&self, tx: &mut dyn crate::WriteTx) -> Result<domain::TeamId, StoreError> {
            tx.team_insert(&"x".repeat(MUCH), domain::Timestamp::default())
                .await
        }
    }
    let folder = tempfile::tempdir().unwrap();
    let store = Store::new(opened(options(folder.path())).unwrap());
    store.write(Name).await.unwrap();
    let database = folder.path().join("checkflow.db");
    let home = async {
        while fs::metadata(&database).unwrap().len() < MUCH as u64 {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    let waited = tokio::time::timeout(Duration::from_secs(20), home).await;
    assert!(waited.is_ok(), "nobody brought it into the database");
    store.stop().await;
}
