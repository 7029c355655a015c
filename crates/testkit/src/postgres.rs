//! A PostgreSQL of the tests' own, in a temporary folder, on a free port of loopback, with everything that makes
//! its commits durable left on: one for each test process, or one that a test may stop and start.
//!
//! The programs are Debian's (`postgresql`), or those in the folder that `POSTGRES_BIN` names. Nothing of a
//! server that is installed or running is touched.

mod programs;
mod standby;

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    sync::{
        Mutex, OnceLock, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use self::programs::{begun, found, hand_over, program, run, watching};
pub(crate) use self::programs::{folder, free_port, guarded, unprivileged};
use crate::PATIENCE;

/// Waits for the end of its input, which comes when the test process is gone, however that came to be; then
/// stops the server and removes the folder.
const GUARD: &str = r#"
    read -r _
    "$@" >/dev/null 2>&1
    rm -rf "$FOLDER"
"#;

/// A server, running or stopped.
#[derive(Debug)]
pub struct PostgresServer {
    port: u16,
    folder: PathBuf,
    /// Its input's end is the end of the server.
    guard: Mutex<Option<(Child, ChildStdin)>>,
}

/// What a server has that the usual one has not.
#[derive(Clone, Debug, Default)]
pub struct PostgresSetup {
    /// Settings, each as `name=value`.
    pub settings: Vec<&'static str>,
    /// Files in its data folder, in place of those that are there.
    pub files: Vec<(&'static str, String)>,
}

/// How a server is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PostgresStop {
    /// In good order: connections are ended, and what is in memory is written down.
    Fast,
    /// As in a crash: all its processes end at once, and the next start begins with a recovery.
    Immediate,
}

impl PostgresStop {
    const fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Immediate => "immediate",
        }
    }
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
        SERVER.get_or_init(Self::start_own)
    }

    /// A server of its own, for as long as the process lives.
    pub fn start_with(setup: &PostgresSetup) -> &'static Self {
        Box::leak(Box::new(Self::set_up(setup)))
    }

    /// A server of the caller's own, which may be stopped, started and restarted.
    pub fn start_own() -> Self {
        Self::set_up(&PostgresSetup::default())
    }

    fn set_up(setup: &PostgresSetup) -> Self {
        let server = Self::in_folder();
        let data = server.data();
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
        let usual = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=300",
            "shared_buffers=64MB",
        ];
        let settings: Vec<_> = usual
            .into_iter()
            .chain(setup.settings.iter().copied())
            .collect();
        server.set(&settings);
        server.start();
        server
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

    /// Its port of loopback.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// The address of the database that every server has, as `--database` takes it.
    pub fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }

    /// What a statement answers in that database, a line for each row, columns separated by `|`.
    pub fn ask(&self, statement: &str) -> Vec<String> {
        let answer = self.sql("postgres", statement);
        answer.lines().map(str::to_owned).collect()
    }

    fn sql(&self, database: &str, statements: &str) -> String {
        let args = [
            "--no-psqlrc",
            "-qAt",
            "-v",
            "ON_ERROR_STOP=1",
            "-d",
            database,
        ];
        self.tool("psql", &[&args[..], &["-c", statements]].concat())
    }

    /// Starts it, and waits until it lets clients in.
    pub fn start(&self) {
        let options = format!("-p {}", self.port);
        self.control(&["start", "-o", &options]);
        self.await_ready();
    }

    /// Stops it, and waits until it has stopped.
    pub fn stop(&self, how: PostgresStop) {
        self.control(&["stop", "-m", how.word()]);
    }

    /// Stops it and starts it again.
    pub fn restart(&self, how: PostgresStop) {
        self.stop(how);
        self.start();
    }

    /// A folder with a guard and nothing in it.
    fn in_folder() -> Self {
        let folder = folder("checkflow-postgres-");
        let end = control(&folder, &["stop", "-m", PostgresStop::Immediate.word()]);
        let guard = begun(watching(GUARD, &end, &folder));
        Self {
            port: free_port(),
            folder,
            guard: Mutex::new(Some(guard)),
        }
    }

    fn data(&self) -> PathBuf {
        data(&self.folder)
    }

    /// Adds settings, each as `name=value`, to its configuration, which the next start reads.
    fn set(&self, settings: &[&str]) {
        let path = self.data().join("postgresql.conf");
        let mut text = fs::read_to_string(&path).expect("initdb has made it");
        for setting in settings {
            let (name, value) = setting.split_once('=').expect("a name and a value");
            text.extend(["\n", name, " = '", value, "'\n"]);
        }
        // Written over, so that it stays its owner's.
        fs::write(&path, text).expect("room for it");
    }

    fn control(&self, args: &[&str]) {
        let output = control(&self.folder, args).status();
        let well = output.is_ok_and(|status| status.success());
        assert!(well, "pg_ctl {args:?}: {}", self.log());
    }

    fn tool(&self, name: &str, args: &[&str]) -> String {
        let port = self.port.to_string();
        let to = ["-h", "127.0.0.1", "-p", &port, "-U", "postgres"];
        run(Command::new(found(name)).args(to).args(args))
    }

    fn log(&self) -> String {
        fs::read_to_string(self.folder.join("log")).unwrap_or_default()
    }

    fn await_ready(&self) {
        let mut asked = Command::new(found("pg_isready"));
        asked.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
        let lets_in = await_true(|| asked.status().is_ok_and(|status| status.success()));
        assert!(lets_in, "PostgreSQL did not start: {}", self.log());
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        let guard = self.guard.get_mut().unwrap_or_else(PoisonError::into_inner);
        if let Some((mut guard, alive)) = guard.take() {
            drop(alive);
            let _ = guard.wait();
        }
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
        self.server.sql(&self.name, statements)
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if !thread::panicking() {
            self.server.tool("dropdb", &["--force", &self.name]);
        }
    }
}

fn data(folder: &Path) -> PathBuf {
    folder.join("data")
}

/// What starts, stops and promotes the server of a folder. It waits until that is done.
fn control(folder: &Path, args: &[&str]) -> Command {
    let mut command = program("pg_ctl");
    command.args(["-w", "-s", "-D"]).arg(data(folder));
    command.arg("-l").arg(folder.join("log")).args(args);
    // The server keeps what it is given; a pipe of ours would never come to its end.
    command.stdin(Stdio::null());
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// Asks again and again until it is so, or until it is too late; whether it is.
fn await_true(mut is: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + PATIENCE;
    while Instant::now() < until {
        if is() {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}
