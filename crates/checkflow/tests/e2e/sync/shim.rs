//! What stands between a server and the syncing of its log.

use std::{env, fs, path::Path, process::Stdio};

use tempfile::{TempDir, tempdir};
use testkit::PATIENCE;
use tokio::{process::Command, time::timeout};

use crate::support::{Server, serve};

const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/e2e/sync/shim.c");
/// The thread whose syncs answers wait for. Others sync the log as well, to bring it home.
const SYNCER: &str = "store-sync";

/// The library, and the files by which it is told what to do and tells what it was asked.
pub(super) struct Shim {
    folder: TempDir,
}

impl Shim {
    /// Compiles it. Fails the test where that can't be: what it is about would pass untested.
    pub(super) async fn build() -> Self {
        let folder = tempdir().unwrap();
        let compiler = env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let mut command = Command::new(&compiler);
        command
            .args(["-shared", "-fPIC", "-Wall", "-Wextra", "-Werror", "-o"])
            .arg(folder.path().join("shim.so"))
            .arg(SOURCE)
            .stdin(Stdio::null())
            .kill_on_drop(true);
        let ended = timeout(PATIENCE, command.output()).await;
        match ended.expect("the compiler ends") {
            Ok(done) => assert!(
                done.status.success(),
                "{compiler} can't compile {SOURCE}: {}",
                String::from_utf8_lossy(&done.stderr)
            ),
            Err(error) => panic!(
                "this test needs a C compiler, as building does ({compiler}, or what CC names): {error}"
            ),
        }
        Self { folder }
    }

    /// Starts a server with it.
    pub(super) async fn serve(&self, data: &Path) -> Server {
        let mut command = serve(data, "127.0.0.0/8");
        let at = |name| self.folder.path().join(name);
        command
            .env("LD_PRELOAD", at("shim.so"))
            .env("SHIM_NOTES", at("notes"))
            .env("SHIM_HOLD", at("hold"))
            .env("SHIM_FAIL", at("fail"));
        let server = Server::start_by(command).await;
        assert!(
            at("notes").exists(),
            "the server has not loaded the shim; is it linked statically?"
        );
        server
    }

    /// Lets no sync of the log end; [`Held::release`] does.
    pub(super) fn hold(&self) -> Held<'_> {
        let before = self.syncs();
        fs::write(self.folder.path().join("hold"), "").unwrap();
        Held { shim: self, before }
    }

    /// Has every sync of the log fail that has not ended.
    pub(super) fn fail(&self) {
        fs::write(self.folder.path().join("fail"), "").unwrap();
    }

    fn syncs(&self) -> usize {
        let notes = self.notes();
        notes.lines().filter(|line| *line == SYNCER).count()
    }

    fn notes(&self) -> String {
        fs::read_to_string(self.folder.path().join("notes")).unwrap()
    }
}

/// A time in which no sync of the log ends.
pub(super) struct Held<'a> {
    shim: &'a Shim,
    /// Syncs that were begun before it.
    before: usize,
}

impl Held<'_> {
    /// Waits until one is begun for which answers wait.
    pub(super) async fn begun(&self) {
        let begun = timeout(PATIENCE, async {
            while self.shim.syncs() == self.before {
                tokio::task::yield_now().await;
            }
        });
        let in_time = begun.await.is_ok();
        assert!(
            in_time,
            "{SYNCER} has not synced the log; what was synced, by thread:\n{}",
            self.shim.notes()
        );
    }

    pub(super) fn release(self) {
        fs::remove_file(self.shim.folder.path().join("hold")).unwrap();
    }
}
