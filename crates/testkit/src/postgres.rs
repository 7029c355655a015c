//! A PostgreSQL of the tests' own: one server for each test process, in a temporary folder, on a free port of
//! loopback, with everything that makes its commits durable left on.
//!
//! The programs are Debian's (`postgresql`), or those in the folder that `POSTGRES_BIN` names. Nothing of a
//! server that is installed or running is touched.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::PermissionsExt as _,
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
    kill -"$SIGNAL" $! 2>/dev/null
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

/// What a server has that the usual one has not.
#[derive(Clone, Debug, Default)]
pub struct PostgresSetup {
    /// Settings, each as `name=value`.
    pub settings: Vec<&'static str>,
    /// Files in its data folder, in place of those that are there.
    pub files: Vec<(&'static str, String)>,
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
        SERVER.get_or_init(|| Self::start(&PostgresSetup::default()))
    }

    /// Its port, on loopback.
    pub const fn port(&self) -> u16 {
        self.port
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

    /// A server of its own, for as long as the process lives.
    pub fn start_with(setup: &PostgresSetup) -> &'static Self {
        Box::leak(Box::new(Self::start(setup)))
    }

    fn start(setup: &PostgresSetup) -> Self {
        let folder = folder("checkflow-postgres-");
        let data = folder.join("data");
        let options = [
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
        ];
        run(program("initdb").args(options).arg("-D").arg(&data));
        for (name, text) in &setup.files {
            let path = data.join(name);
            fs::write(&path, text).expect("a file in the folder");
            // PostgreSQL takes no key that others may read.
            fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("it is ours");
            hand_over(&path);
        }
        let port = free_port();
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        let usual = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
        ];
        for setting in usual.into_iter().chain(setup.settings.iter().copied()) {
            server.args(["-c", setting]);
        }
        let (guard, alive) = guarded(&server, &folder, "QUIT");
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
    /// The port of its server.
    pub const fn port(&self) -> u16 {
        self.server.port
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

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

/// An empty folder for a server, which removes it at its end.
pub(crate) fn folder(prefix: &str) -> PathBuf {
    let folder = tempfile::Builder::new()
        .prefix(prefix)
        .tempdir()
        .expect("a temporary folder")
        .keep();
    hand_over(&folder);
    folder
}

/// Makes it belong to whoever runs the server.
fn hand_over(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg(UNPRIVILEGED).arg(path));
    }
}

/// Starts `server`, which lives as long as what is answered, and its folder with it. `signal` ends it at once.
pub(crate) fn guarded(server: &Command, folder: &Path, signal: &str) -> (Child, ChildStdin) {
    let mut guard = Command::new("sh");
    guard.args(["-c", GUARD, "sh"]).arg(server.get_program());
    guard.args(server.get_args());
    guard.env("FOLDER", folder).env("SIGNAL", signal);
    let mut guard = guard
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell to watch over the server");
    let alive = guard.stdin.take().expect("its input is a pipe");
    (guard, alive)
}

/// A program of PostgreSQL's, to be run by whoever may run it.
fn program(name: &str) -> Command {
    unprivileged(&found(name))
}

/// A program that does not run as root, to be run by whoever may run it.
pub(crate) fn unprivileged(program: &Path) -> Command {
    if !is_root() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    let user = [
        format!("--reuid={UNPRIVILEGED}"),
        format!("--regid={UNPRIVILEGED}"),
        "--clear-groups".to_owned(),
    ];
    command.args(user).arg(program);
    command
}

/// In the folder that is named, else in that of the newest version, else on the `PATH`.
fn found(name: &str) -> PathBuf {
    let named = env::var_os("POSTGRES_BIN").map(PathBuf::from);
    named.or_else(newest).unwrap_or_default().join(name)
}

/// The programs of the newest version.
fn newest() -> Option<PathBuf> {
    let versions = fs::read_dir(DEBIAN).ok()?.flatten();
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

pub(crate) fn free_port() -> u16 {
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
    let log = fs::read_to_string(folder.join("log")).unwrap_or_default();
    panic!("PostgreSQL did not start: {log}");
}
