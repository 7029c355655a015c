//! A database in a folder of its own.

use async_trait::async_trait;
use domain::Source;
use store::{DATABASE_FILE, MasterKey, SqliteOptions, Store, open_sqlite};
use tempfile::TempDir;
use testkit::Fixture;

/// A folder with a database in it, gone when the test is over.
pub(crate) struct SqliteFolder(TempDir);

impl SqliteFolder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a temporary folder"))
    }
}

#[async_trait]
impl Fixture for SqliteFolder {
    async fn open(&self, source: Source) -> Store {
        let key =
            MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
        let options = SqliteOptions::new(self.0.path(), key, source);
        open_sqlite(options).expect("a database")
    }

    fn tamper(&self, statement: &str) {
        let conn = rusqlite::Connection::open(self.0.path().join(DATABASE_FILE));
        let conn = conn.expect("the database is there");
        conn.execute_batch(statement).expect("a statement");
    }
}
