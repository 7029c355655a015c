//! PostgreSQL keeps every promise of the seam, and the suites that say so notice when one is broken.

mod conformance;
mod groups;
mod model;
mod moving;
mod nodes;
mod pooled;
mod reaching;
mod ways;

use std::path::Path;

use async_trait::async_trait;
use domain::Source;
use store::{
    LeaseClock, MasterKey, PostgresAccess, PostgresOptions, SqliteOptions, Store, open_postgres,
    open_sqlite,
};
use testkit::{Fixture, PostgresDatabase, PostgresServer};

/// How many connections a store has for units of work.
const CONNECTIONS: usize = 8;

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

impl OnPostgres {
    /// Opens it for a node that does not hear the others.
    async fn open_deaf(&self, source: Source) -> Store {
        let mut options = options(self.database.url(), self.lease_clock, source);
        options.access = PostgresAccess { pooler: true };
        open_postgres(options).await.expect("a database")
    }
}

#[async_trait]
impl Fixture for OnPostgres {
    async fn open(&self, source: Source) -> Store {
        on_server(self.database.url(), self.lease_clock, source).await
    }

    fn tamper(&self, statement: &str) {
        self.database.sql(statement);
    }

    fn is_one_line(&self) -> bool {
        false
    }
}

fn key() -> MasterKey {
    MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").expect("a key")
}

fn options(url: String, lease_clock: LeaseClock, source: Source) -> PostgresOptions {
    let mut options = PostgresOptions::new(url, key(), source);
    options.limits.connections = CONNECTIONS;
    options.lease_clock = lease_clock;
    options
}

async fn on_server(url: String, lease_clock: LeaseClock, source: Source) -> Store {
    let options = options(url, lease_clock, source);
    open_postgres(options).await.expect("a database")
}

fn on_folder(folder: &Path, source: Source) -> Store {
    open_sqlite(SqliteOptions::new(folder, key(), source)).expect("a database")
}
