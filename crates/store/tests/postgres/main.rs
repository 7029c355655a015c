//! PostgreSQL keeps every promise of the seam, and the suites that say so notice when one is broken.

mod conformance;
mod model;
mod nodes;
mod pooled;

use async_trait::async_trait;
use domain::Source;
use store::{LeaseClock, MasterKey, PostgresOptions, Store, open_postgres};
use testkit::{Fixture, PostgresDatabase, PostgresServer};

/// A database of its own, on the server that all tests here share.
struct OnPostgres {
    database: PostgresDatabase,
    lease_clock: LeaseClock,
}

impl OnPostgres {
    fn new() -> Self {
        Self {
            database: PostgresServer::of_this_process().database(),
            lease_clock: LeaseClock::Own,
        }
    }

    /// The same, with leases that lapse by the database's clock.
    fn by_its_clock() -> Self {
        Self {
            lease_clock: LeaseClock::Database,
            ..Self::new()
        }
    }
}

#[async_trait]
impl Fixture for OnPostgres {
    async fn open(&self, source: Source) -> Store {
        let key =
            MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key");
        let mut options = PostgresOptions::new(self.database.url(), key, source);
        options.limits.connections = 8;
        options.lease_clock = self.lease_clock;
        open_postgres(options).await.expect("a database")
    }

    fn is_one_line(&self) -> bool {
        false
    }
}
