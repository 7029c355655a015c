//! Work that one node does at a time: asked for again and again, done by whoever gets it.

use std::time::Duration;

use domain::Source;
use store::{Chore, ChoreHold, ChoreLease, ChoreTurn, Store};
use tokio::time::{Instant, sleep};
use tracing::{debug, warn};

use crate::reason::one_line;

/// Longest wait before it is asked again whose turn it is, should the clock have been set meanwhile.
const WAIT_MAX: Duration = Duration::from_hours(1);
/// Least wait.
const WAIT_MIN: Duration = Duration::from_millis(100);
/// How long after the store failed it is asked again.
const RETRY: Duration = Duration::from_secs(10);
/// How often in the time of a lease its holder says that it is at work.
const WORDS_PER_LEASE: u32 = 3;

/// Does `work` whenever the chore is this node's to do, for as long as it is; until the task is aborted, after
/// which the chore is another's once its lease is over.
pub(super) async fn attend<F>(store: Store, source: Source, chore: Chore, work: impl Fn() -> F)
where
    F: Future<Output = ()>,
{
    loop {
        let wait = match store.chore_begin(chore, source.now()).await {
            Ok(ChoreTurn::Ours(lease)) => {
                hold(&store, &source, lease, work()).await;
                WAIT_MIN
            }
            Ok(ChoreTurn::NotBefore(wait)) => wait.clamp(WAIT_MIN, WAIT_MAX),
            Err(error) => {
                let error = one_line(&error.into());
                debug!(
                    error,
                    chore = chore.name,
                    "whose turn it is could not be asked"
                );
                RETRY
            }
        };
        sleep(wait).await;
    }
}

/// Does `work` if the chore is this node's to do now, to its end or until another may do it.
pub(super) async fn attend_once(
    store: &Store,
    source: &Source,
    chore: Chore,
    work: impl Future<Output = ()>,
) {
    match store.chore_begin(chore, source.now()).await {
        Ok(ChoreTurn::Ours(lease)) => hold(store, source, lease, work).await,
        Ok(ChoreTurn::NotBefore(_)) => {}
        Err(error) => {
            let error = one_line(&error.into());
            debug!(
                error,
                chore = chore.name,
                "whose turn it is could not be asked"
            );
        }
    }
}

/// Does `work` to its end, or until another may do it.
async fn hold(store: &Store, source: &Source, lease: ChoreLease, work: impl Future<Output = ()>) {
    let chore = lease.chore().name;
    tokio::select! {
        // First, so that who stood still for longer than its lease does not go on before it has asked.
        biased;
        () = lost(store, source, lease) => warn!(chore, "given up: this node was not heard of in time, and another may do it now"),
        () = work => {
            if let Err(error) = store.chore_end(lease, source.now()).await {
                let is_told = error.is_away();
                let error = one_line(&error.into());
                if is_told {
                    return debug!(error, chore, "done, which could not be noted; another node may do it again");
                }
                warn!(error, chore, "done, which could not be noted; another node may do it again");
            }
        }
    }
}

/// Keeps the lease; ends when that is not possible any more.
async fn lost(store: &Store, source: &Source, lease: ChoreLease) {
    let time = lease.chore().lease;
    let mut kept = Instant::now();
    while kept.elapsed() < time {
        sleep(time / WORDS_PER_LEASE).await;
        let asked = Instant::now();
        match store.chore_keep(lease, source.now()).await {
            Ok(ChoreHold::Ours) => kept = asked,
            Ok(ChoreHold::Lost) => return,
            Err(error) => {
                debug!(%error, chore = lease.chore().name, "could not be kept; tried again");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use store::{MasterKey, SqliteOptions, open_sqlite};
    use testkit::{PATIENCE, TestClock, test_source};
    use tokio::{sync::mpsc, task::JoinHandle, time::timeout};

    use super::*;

    const CHORE: Chore = Chore {
        name: "a chore",
        every: Duration::from_hours(1),
        lease: Duration::from_millis(150),
    };
    const KEY: &str = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";

    /// What becomes of a piece of work.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    enum Seen {
        Begun,
        Done,
        CutShort,
    }

    /// Says at its end how it ended.
    struct Work(mpsc::UnboundedSender<Seen>, Seen);

    impl Drop for Work {
        fn drop(&mut self) {
            let _ = self.0.send(self.1);
        }
    }

    struct Stage {
        store: Store,
        source: Source,
        clock: TestClock,
        _folder: tempfile::TempDir,
    }

    impl Stage {
        fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let (source, clock) = test_source();
            let key = MasterKey::from_text(KEY).unwrap();
            let options = SqliteOptions::new(folder.path(), key, source.clone());
            Self {
                store: open_sqlite(options).unwrap(),
                source,
                clock,
                _folder: folder,
            }
        }

        /// A node that does the chore, for ever or not at all long.
        fn node(&self, for_ever: bool) -> (JoinHandle<()>, mpsc::UnboundedReceiver<Seen>) {
            let (say, seen) = mpsc::unbounded_channel();
            let work = move || {
                let say = say.clone();
                async move {
                    let _ = say.send(Seen::Begun);
                    let mut work = Work(say, Seen::CutShort);
                    if for_ever {
                        std::future::pending::<()>().await;
                    }
                    work.1 = Seen::Done;
                }
            };
            let attending = attend(self.store.clone(), self.source.clone(), CHORE, work);
            (tokio::spawn(attending), seen)
        }

        /// Waits until another that asks is told to come back after `wait`.
        async fn until_others_wait(&self, wait: Duration) {
            let wanted = ChoreTurn::NotBefore(wait);
            let asking = async {
                while self
                    .store
                    .chore_begin(CHORE, self.clock.now())
                    .await
                    .unwrap()
                    != wanted
                {}
            };
            let asked = timeout(PATIENCE, asking).await;
            asked.unwrap_or_else(|_| panic!("others are never told to wait for {wait:?}"));
        }
    }

    async fn next(seen: &mut mpsc::UnboundedReceiver<Seen>) -> Seen {
        let next = timeout(PATIENCE, seen.recv()).await;
        next.expect("something happens").expect("it goes on")
    }

    #[tokio::test]
    async fn what_is_done_is_noted() {
        let stage = Stage::new();
        let (node, mut seen) = stage.node(false);
        assert_eq!(next(&mut seen).await, Seen::Begun);
        assert_eq!(next(&mut seen).await, Seen::Done);
        stage.until_others_wait(CHORE.every).await;
        node.abort();
        stage.store.stop().await;
    }

    #[tokio::test]
    async fn what_takes_long_is_kept() {
        let stage = Stage::new();
        let (node, mut seen) = stage.node(true);
        assert_eq!(next(&mut seen).await, Seen::Begun);
        for _ in 0..4 {
            stage.clock.advance(CHORE.lease / 2);
            stage.until_others_wait(CHORE.lease).await;
        }
        node.abort();
        assert_eq!(next(&mut seen).await, Seen::CutShort);
        stage.store.stop().await;
    }

    #[tokio::test]
    async fn what_another_may_do_is_given_up() {
        let stage = Stage::new();
        let (node, mut seen) = stage.node(true);
        assert_eq!(next(&mut seen).await, Seen::Begun);
        stage.clock.advance(CHORE.lease);
        assert_eq!(next(&mut seen).await, Seen::CutShort);
        node.abort();
        stage.store.stop().await;
    }
}
