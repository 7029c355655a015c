//! PostgreSQL keeps every promise of the seam, and the suite that says so notices when one is broken.

use async_trait::async_trait;
use domain::Source;
use store::{LeaseClock, MasterKey, PostgresOptions, Store, open_postgres};
use testkit::{Fault, Fixture, PostgresDatabase, PostgresServer};

/// A database of its own on a server of the tests' own.
struct OnPostgres(PostgresDatabase);

impl OnPostgres {
    fn new() -> Self {
        Self(PostgresServer::of_this_process().database())
    }
}

#[async_trait]
impl Fixture for OnPostgres {
    async fn open(&self, source: Source) -> Store {
        let key =
            MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
        let mut options = PostgresOptions::new(self.0.url(), key, source);
        options.limits.connections = 8;
        options.lease_clock = LeaseClock::Own;
        open_postgres(options).await.expect("a database")
    }
}

testkit::conformance_tests!(OnPostgres::new());

#[test]
fn a_lease_that_is_ignored_is_noticed() {
    Fault::LeaseIgnored.check_is_noticed(OnPostgres::new);
}

#[test]
fn an_event_without_its_deliveries_is_noticed() {
    Fault::EventWithoutDeliveries.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_rollback_that_is_lost_is_noticed() {
    Fault::RollbackLost.check_is_noticed(OnPostgres::new);
}

#[test]
fn a_hand_over_before_the_commit_is_noticed() {
    Fault::HandOverBeforeCommit.check_is_noticed(OnPostgres::new);
}
