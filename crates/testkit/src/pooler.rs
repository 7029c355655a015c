//! A pooler before a database of the tests' own: `PgBouncer`, which gives a connection to a client for one
//! transaction only, and has fewer of them than there are clients.
//!
//! The program is Debian's (`pgbouncer`), or the one that `PGBOUNCER` names.

use std::{
    env,
    net::TcpStream,
    path::Path,
    process::{Child, ChildStdin},
    sync::Mutex,
    thread,
    time::{Duration, Instant},
};

use crate::{
    PATIENCE, PostgresDatabase,
    postgres::{folder, free_port, guarded, unprivileged},
};

/// Where Debian puts the program, which is on the `PATH` of few.
const DEBIAN: &str = "/usr/sbin/pgbouncer";
/// Connections that all clients share: few, so that they change hands.
const CONNECTIONS: usize = 3;

/// A running pooler.
#[derive(Debug)]
pub struct PostgresPooler {
    port: u16,
    database: PostgresDatabase,
    // Its end is the end of the pooler.
    _alive: Mutex<ChildStdin>,
    _guard: Child,
}

impl PostgresPooler {
    /// Starts one before `database`.
    pub fn before(database: PostgresDatabase) -> Self {
        let (folder, port) = (folder("checkflow-pooler-"), free_port());
        let config = format!(
            "[databases]\npooled = host=127.0.0.1 port={} dbname={} user=postgres\n\
             [pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nunix_socket_dir =\n\
             auth_type = any\npool_mode = transaction\ndefault_pool_size = {CONNECTIONS}\n\
             max_client_conn = 500\n",
            database.port(),
            database.name(),
        );
        let file = folder.join("pgbouncer.ini");
        std::fs::write(&file, config).expect("a file in the folder");
        let mut command = unprivileged(&program());
        command.arg(&file);
        let (guard, alive) = guarded(&command, &folder, "TERM");
        await_open(port, &folder);
        Self {
            port,
            database,
            _alive: Mutex::new(alive),
            _guard: guard,
        }
    }

    /// Its address, as `--database` takes it.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/pooled", self.port)
    }

    /// The database behind it.
    pub const fn database(&self) -> &PostgresDatabase {
        &self.database
    }
}

fn program() -> std::path::PathBuf {
    let named = env::var_os("PGBOUNCER").map(std::path::PathBuf::from);
    named.unwrap_or_else(|| {
        let debian = Path::new(DEBIAN);
        if debian.exists() {
            debian
        } else {
            Path::new("pgbouncer")
        }
        .to_owned()
    })
}

fn await_open(port: u16, folder: &Path) {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if TcpStream::connect(("127.0.0.1", port)).is_ok() {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("the pooler did not start; install pgbouncer, or put its path into PGBOUNCER: {log}");
}
