//! A PostgreSQL of the tests' own: one server for each test process, in a temporary folder, on a free port of
//! loopback, with everything that makes its commits durable left on.
//!
//! The programs are Debian's (`postgresql`), or those in the folder that `POSTGRES_BIN` names. Nothing of a
//! server that is installed or running is touched.

use std::{
    env,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::PATIENCE;

/// Where Debian puts the programs, which are not on the `PATH`: in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Who runs the server where we are root, which PostgreSQL does not run as.
const UNPRIVILEGED: &str = "postgres";

/// Runs the server until its input ends, which it does when the test process is gone, however that came to
/// be; then stops it and removes the folder.
const GUARD: &str = r#"
    "$@" </dev/null >"$FOLDER/log" 2>&1 &
    read -r _
    kill -QUIT $! 2>/dev/null
    wait $!
    rm -rf "$FOLDER"
"#;

/// A running server.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    // Its end is the end of the server.
    _alive: Mutex<ChildStdin>,
    _guard: Child,
}

/// A database of its own for one test, gone when it is dropped.
#[derive(Debug)]
pub struct PostgresDatabase {
    name: String,
    server: &'static PostgresServer,
}

impl PostgresServer {
    /// The server of this process, started when it is first asked for.
    pub fn of_this_process() -> &'static Self {
        static SERVER: OnceLock<PostgresServer> = OnceLock::new();
        SERVER.get_or_init(Self::start)
    }

    /// Makes an empty database.
    pub fn database(&'static self) -> PostgresDatabase {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let name = format!("test_{}", NUMBER.fetch_add(1, Ordering::Relaxed));
        self.tool(
            "createdb",
            &["--template=template0", "--encoding=UTF8", &name],
        );
        PostgresDatabase { name, server: self }
    }

    fn start() -> Self {
        let folder = tempfile::Builder::new()
            .prefix("checkflow-postgres-")
            .tempdir()
            .expect("a temporary folder")
            .keep();
        if is_root() {
            run(Command::new("chown").arg(UNPRIVILEGED).arg(&folder));
        }
        let data = folder.join("data");
        let options = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
        ];
        run(program("initdb").args(options).arg("-D").arg(&data));
        let port = free_port();
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
        ] {
            server.args(["-c", setting]);
        }
        let mut guard = Command::new("sh");
        guard.args(["-c", GUARD, "sh"]).arg(server.get_program());
        guard.args(server.get_args()).env("FOLDER", &folder);
        let mut guard = guard
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell to watch over the server");
        let alive = guard.stdin.take().expect("its input is a pipe");
        await_ready(port, &folder);
        Self {
            port,
            _alive: Mutex::new(alive),
            _guard: guard,
        }
    }

    fn tool(&self, name: &str, args: &[&str]) -> String {
        let port = self.port.to_string();
        let to = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        run(Command::new(found(name)).args(to).args(args))
    }
}

impl PostgresDatabase {
    /// Its address, as `--database` takes it.
    pub fn url(&self) -> String {
        let port = self.server.port;
        format!("postgres://postgres@127.0.0.1:{port}/{}", self.name)
    }

    /// Runs statements; answers the rows of the last, a line for each, its columns separated by `|`.
    pub fn sql(&self, statements: &str) -> String {
        let args = [
            "--no-psqlrc",
            "-qAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            &self.name,
        ];
        self.server
            .tool("psql", &[&args[..], &["-c", statements]].concat())
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.server.tool("dropdb", &["--force", &self.name]);
        }
    }
}

/// A program of PostgreSQL's, to be run by whoever may run it.
fn program(name: &str) -> Command {
    if !is_root() {
        return Command::new(found(name));
    }
    let mut command = Command::new("setpriv");
    let user = [
        format!("--reuid={UNPRIVILEGED}"),
        format!("--regid={UNPRIVILEGED}"),
        "--clear-groups".to_owned(),
    ];
    command.args(user).arg(found(name));
    command
}

/// In the folder that is named, else in that of the newest version, else on the `PATH`.
fn found(name: &str) -> PathBuf {
    let named = env::var_os("POSTGRES_BIN").map(PathBuf::from);
    named.or_else(newest).unwrap_or_default().join(name)
}

/// The programs of the newest version.
fn newest() -> Option<PathBuf> {
    let versions = std::fs::read_dir(DEBIAN).ok()?.flatten();
    let numbered = versions.filter_map(|entry| {
        let version: u32 = entry.file_name().to_str()?.parse().ok()?;
        Some((version, entry.path().join("bin")))
    });
    numbered.max().map(|(_, folder)| folder)
}

fn is_root() -> bool {
    let output = Command::new("id").arg("-u").output();
    output.is_ok_and(|output| output.stdout == b"0\n")
}

/// Runs it to its end, which must be a good one; answers what it printed, without the last line's end.
fn run(command: &mut Command) -> String {
    let output = command.output();
    let output = output.unwrap_or_else(|error| {
        panic!(
            "{command:?}: {error}; install PostgreSQL's server (`cargo xtask test` does), or put the folder \
             of its programs into POSTGRES_BIN"
        )
    });
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout)
        .trim_end()
        .to_owned()
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
    listener.local_addr().expect("its address").port()
}

/// Waits until the server lets clients in.
fn await_ready(port: u16, folder: &Path) {
    let until = Instant::now() + PATIENCE;
    let mut asked = Command::new(found("pg_isready"));
    asked.args(["-q", "-h", "127.0.0.1", "-p", &port.to_string()]);
    while Instant::now() < until {
        if asked.status().is_ok_and(|status| status.success()) {
            return;
        }
        thread::sleep(Duration::from_millis(10));
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("PostgreSQL did not start: {log}");
}
