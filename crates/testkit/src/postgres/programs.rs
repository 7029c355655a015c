//! PostgreSQL's programs: where they are, and who runs them.

use std::{
    env, fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
};

/// Where Debian puts the programs, which are not on the `PATH`: in a folder for each version.
const DEBIAN: &str = "/usr/lib/postgresql";
/// Who runs the server where we are root, which PostgreSQL does not run as.
const UNPRIVILEGED: &str = "postgres";

/// Runs a server until its input ends, which it does when the test process is gone, however that came to
/// be; then stops it and removes the folder.
const GUARD: &str = r#"
    "$@" </dev/null >"$FOLDER/log" 2>&1 &
    read -r _
    kill -"$SIGNAL" $! 2>/dev/null
    wait $!
    rm -rf "$FOLDER"
"#;

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
pub(super) fn hand_over(path: &Path) {
    if is_root() {
        run(Command::new("chown").arg(UNPRIVILEGED).arg(path));
    }
}

/// Starts `server`, which lives as long as what is answered, and its folder with it. `signal` ends it at once.
pub(crate) fn guarded(server: &Command, folder: &Path, signal: &str) -> (Child, ChildStdin) {
    let mut guard = watching(GUARD, server, folder);
    guard.env("SIGNAL", signal);
    begun(guard)
}

/// A shell that runs `script` with the words of `command`.
pub(super) fn watching(script: &str, command: &Command, folder: &Path) -> Command {
    let mut guard = Command::new("sh");
    guard.args(["-c", script, "sh"]).arg(command.get_program());
    guard.args(command.get_args()).env("FOLDER", folder);
    guard
}

/// Starts a guard; answers it with the input that ends it.
pub(super) fn begun(mut guard: Command) -> (Child, ChildStdin) {
    let mut guard = guard
        .stdin(Stdio::piped())
        .spawn()
        .expect("a shell to watch over the server");
    let alive = guard.stdin.take().expect("its input is a pipe");
    (guard, alive)
}

/// A program of PostgreSQL's, to be run by whoever may run it.
pub(super) fn program(name: &str) -> Command {
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
pub(super) fn found(name: &str) -> PathBuf {
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
pub(super) fn run(command: &mut Command) -> String {
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
