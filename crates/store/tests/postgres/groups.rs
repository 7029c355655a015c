//! Units about one checklist that wait for each other share a commit, and are answered each for itself.

use std::sync::Arc;

use domain::{Actor, AuditEntry, ChecklistId, Door};
use store::{Fields, Store, StoreError, Write, WriteTx};
use testkit::{Scene, World, person};
use tokio::{
    sync::Semaphore,
    task::{JoinHandle, yield_now},
};

use crate::OnPostgres;

/// What becomes of a unit after it has written.
#[derive(Clone, Copy)]
enum End {
    Kept,
    Refused,
    Panics,
}

/// Leaves a line in the audit log, once it may.
struct About {
    scene: Scene,
    line: &'static str,
    end: End,
    at: domain::Timestamp,
    /// Gets a permit when the unit runs.
    begun: Arc<Semaphore>,
    /// Has a permit when it may go on.
    go: Arc<Semaphore>,
}

impl Write for About {
    type Done = ();
    type Error = StoreError;

    fn about(&self) -> Option<ChecklistId> {
        Some(self.scene.list.head.id)
    }

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let (team, id) = (self.scene.team, self.scene.list.head.id);
        tx.checklist_hold(team, id, Fields::None).await?;
        self.begun.add_permits(1);
        let allowed = self.go.acquire().await;
        drop(allowed.expect("the semaphore stays open"));
        let entry = AuditEntry {
            at: self.at,
            actor: Actor {
                team,
                key: None,
                member: None,
                person: person("Ann"),
                door: Door::Api,
                rights: domain::Rights::ALL,
            },
            action: self.line,
            subject: String::new(),
            detail: String::new(),
        };
        tx.audit_append(&entry).await?;
        match self.end {
            End::Kept => Ok(()),
            End::Refused => Err(StoreError::Failed("refused".into())),
            End::Panics => panic!("as it should"),
        }
    }
}

struct Stage {
    world: World,
    database: Arc<OnPostgres>,
    scene: Scene,
    begun: Arc<Semaphore>,
    open: Arc<Semaphore>,
}

impl Stage {
    async fn new() -> Self {
        let database = Arc::new(OnPostgres::new());
        let world = World::start(database.clone()).await;
        Self {
            scene: world.scene().await,
            world,
            database,
            begun: Arc::new(Semaphore::new(0)),
            open: Arc::new(Semaphore::new(1)),
        }
    }

    fn submit(
        &self,
        line: &'static str,
        end: End,
        go: &Arc<Semaphore>,
    ) -> JoinHandle<Result<(), StoreError>> {
        let unit = About {
            scene: self.scene.clone(),
            line,
            end,
            at: self.world.now(),
            begun: self.begun.clone(),
            go: go.clone(),
        };
        let store: Store = self.world.store.clone();
        tokio::spawn(async move { store.write(unit).await })
    }

    /// Until one more unit runs.
    async fn begun(&self) {
        let one = self.begun.acquire().await.expect("it stays open");
        one.forget();
    }

    /// The first unit runs, and those of `ends` wait behind it, in their order.
    async fn queue<const N: usize>(
        &self,
        ends: [(&'static str, End, Arc<Semaphore>); N],
    ) -> (Arc<Semaphore>, [JoinHandle<Result<(), StoreError>>; N]) {
        let go = Arc::new(Semaphore::new(0));
        drop(self.submit("first", End::Kept, &go));
        self.begun().await;
        let waiting = ends.map(|(line, end, go)| self.submit(line, end, &go));
        // There is one thread, so each is in line when all have had their turns.
        for _ in 0..100 {
            yield_now().await;
        }
        (go, waiting)
    }

    /// The lines in the log, those of one transaction in one group.
    fn lines(&self) -> Vec<String> {
        let sql = "SELECT string_agg(action, ' ' ORDER BY number) FROM audit
            WHERE action NOT LIKE '%.%' GROUP BY xmin::text ORDER BY min(number)";
        let lines = self.database.database.sql(sql);
        lines.lines().map(str::to_owned).collect()
    }
}

#[tokio::test]
async fn what_comes_meanwhile_shares_a_commit_in_its_order() {
    let stage = Stage::new().await;
    let line = |name| (name, End::Kept, stage.open.clone());
    let (go, waiting) = stage.queue(["a", "b", "c", "d"].map(line)).await;
    go.add_permits(1);
    for waiting in waiting {
        waiting.await.unwrap().unwrap();
    }
    assert_eq!(stage.lines(), ["first", "a b c d"]);
    stage.world.finish().await;
}

#[tokio::test]
async fn who_is_refused_or_panics_takes_nobody_along_and_leaves_nothing() {
    for (end, told) in [
        (End::Refused, "the database failed"),
        (End::Panics, "panicked"),
    ] {
        let stage = Stage::new().await;
        let open = || stage.open.clone();
        let units = [
            ("a", End::Kept, open()),
            ("b", end, open()),
            ("c", End::Kept, open()),
        ];
        let (go, [a, b, c]) = stage.queue(units).await;
        go.add_permits(1);
        a.await.unwrap().unwrap();
        let error = b.await.unwrap().unwrap_err();
        assert!(error.to_string().contains(told), "{error}");
        c.await.unwrap().unwrap();
        assert_eq!(stage.lines(), ["first", "a", "c"]);
        stage.world.finish().await;
    }
}

#[tokio::test]
async fn all_are_told_when_their_connection_ends_and_nothing_of_them_is_left() {
    let stage = Stage::new().await;
    let held = Arc::new(Semaphore::new(0));
    let units = [
        ("a", End::Kept, stage.open.clone()),
        ("b", End::Kept, held.clone()),
        ("c", End::Kept, stage.open.clone()),
    ];
    let (go, waiting) = stage.queue(units).await;
    go.add_permits(1);
    stage.begun().await;
    stage.begun().await;
    stage.database.database.sql(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE datname = current_database() AND pid <> pg_backend_pid()
                AND state = 'idle in transaction'",
    );
    held.add_permits(1);
    for waiting in waiting {
        let error = waiting.await.unwrap().unwrap_err();
        assert!(matches!(error, StoreError::Unavailable(_)), "{error:?}");
    }
    assert_eq!(stage.lines(), ["first"]);
    // Nobody has the turn any more.
    stage
        .submit("later", End::Kept, &stage.open)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(stage.lines(), ["first", "later"]);
    stage.world.finish().await;
}
