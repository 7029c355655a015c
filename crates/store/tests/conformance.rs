//! SQLite keeps every promise of the seam, and the suite that says so notices when one is broken.

use async_trait::async_trait;
use domain::Source;
use store::{MasterKey, SqliteOptions, Store, open_sqlite};
use tempfile::TempDir;
use testkit::{Fault, Fixture};

/// A folder with a database in it, gone when the test is over.
struct SqliteFolder(TempDir);

impl SqliteFolder {
    fn new() -> Self {
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
}

testkit::conformance_tests!(SqliteFolder::new());

#[test]
fn a_lease_that_is_ignored_is_noticed() {
    Fault::LeaseIgnored.check_is_noticed(SqliteFolder::new);
}

#[test]
fn an_event_without_its_deliveries_is_noticed() {
    Fault::EventWithoutDeliveries.check_is_noticed(SqliteFolder::new);
}

#[test]
fn a_rollback_that_is_lost_is_noticed() {
    Fault::RollbackLost.check_is_noticed(SqliteFolder::new);
}

#[test]
fn a_hand_over_before_the_commit_is_noticed() {
    Fault::HandOverBeforeCommit.check_is_noticed(SqliteFolder::new);
}
