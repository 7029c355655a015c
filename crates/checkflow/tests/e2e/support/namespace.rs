//! A view of the file system of a process' own: a small disk, or another `/etc/hosts`, that nobody
//! else on this machine gets to see.

use std::{
    path::{Path, PathBuf},
    process::Stdio,
};

use testkit::PATIENCE;
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, BufReader},
    process::{Child, Command},
    time::timeout,
};

/// Said by the script of a namespace when everything is in place.
const READY: &str = "ready";

/// Ways to get a mount namespace: as root, and as anybody where the system lets users have their own.
const WAYS: [&[&str]; 2] = [&["--mount"], &["--user", "--map-root-user", "--mount"]];

/// A mount namespace for the length of a test.
pub(crate) struct Namespace {
    /// Holds it open; ends when its standard input does.
    holder: Child,
    user: bool,
}

impl Namespace {
    /// Makes one and mounts in it what `script`, for `sh` with these arguments, says.
    ///
    /// Fails the test where that can't be: what it is about would otherwise pass untested.
    pub(crate) async fn new(script: &str, args: &[&Path]) -> Self {
        let mut refusals = Vec::new();
        for way in WAYS {
            match Self::by(way, script, args).await {
                Ok(made) => return made,
                Err(why) => refusals.push(format!("unshare {}: {why}", way.join(" "))),
            }
        }
        panic!(
            "this test needs a mount namespace of its own: unshare, nsenter and mount (util-linux), and \
             either root with CAP_SYS_ADMIN or a system that lets users make namespaces \
             (sysctl user.max_user_namespaces, kernel.apparmor_restrict_unprivileged_userns=0): {}",
            refusals.join("; ")
        );
    }

    async fn by(way: &[&str], script: &str, args: &[&Path]) -> Result<Self, String> {
        let script = format!("set -e\n{script}\necho {READY}\nexec cat");
        let spawned = Command::new("unshare")
            .args(way)
            .args(["sh", "-c", &script, "sh"])
            .args(args)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn();
        let mut holder = spawned.map_err(|error| error.to_string())?;
        let mut line = String::new();
        let mut out = BufReader::new(holder.stdout.take().unwrap());
        let read = timeout(PATIENCE, out.read_line(&mut line)).await;
        read.expect("the namespace is made").unwrap();
        if line.trim_end() == READY {
            let user = way.contains(&"--user");
            return Ok(Self { holder, user });
        }
        let mut error = String::new();
        let mut stderr = holder.stderr.take().unwrap();
        stderr.read_to_string(&mut error).await.unwrap();
        Err(error.trim_end().to_owned())
    }

    /// The same command, within.
    pub(crate) fn enter(&self, command: &Command) -> Command {
        let command = command.as_std();
        let mut within = Command::new("nsenter");
        within.env_clear();
        for (name, value) in command.get_envs() {
            within.env(name, value.unwrap_or_default());
        }
        if self.user {
            within.args(["--user", "--preserve-credentials"]);
        }
        within
            .args(["--mount", "--target", &self.pid().to_string(), "--"])
            .arg(command.get_program())
            .args(command.get_args())
            .stdin(Stdio::null())
            .kill_on_drop(true);
        within
    }

    /// Where a path of the namespace is to be found from outside.
    pub(crate) fn outside(&self, path: &Path) -> PathBuf {
        let root = PathBuf::from(format!("/proc/{}/root", self.pid()));
        root.join(path.strip_prefix("/").unwrap())
    }

    fn pid(&self) -> u32 {
        self.holder.id().expect("it is held until the end")
    }
}
