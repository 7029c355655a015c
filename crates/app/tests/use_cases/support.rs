//! A team with a key, on a store of its own, and an engine that takes everything.

use std::{io, pin::Pin, sync::Arc};

use app::{App, Caller, KeyWish, Limits, Parts, PutTemplate, create_key, create_team};
use domain::{AddressPolicy, PublicUrl, Resolver, Rights, Source, TemplateDocument};
use serde_json::Value;
use store::{FileStore, MasterKey, SqliteOptions, StatementCount, Store, open_sqlite};
use testkit::{Gate, TestClock, TestLanes, TestProver, test_source};
use tokio::sync::Notify;

/// The one name that there is. Whoever looks it up waits for the gate.
pub(crate) const HELD_NAME: &str = "held.example.com";

/// What is looked up between the two transactions of a use case.
#[derive(Clone, Default)]
pub(crate) struct Held {
    /// Somebody has begun to wait.
    pub(crate) begun: Arc<Notify>,
    pub(crate) gate: Gate,
}

impl Resolver for Held {
    fn resolve<'a>(
        &'a self,
        host: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<std::net::IpAddr>>> + Send + 'a>> {
        Box::pin(async move {
            if host != HELD_NAME {
                return Err(io::Error::other("no such name here"));
            }
            self.begun.notify_one();
            self.gate.pass().await;
            Ok(vec![[127, 0, 0, 1].into()])
        })
    }
}

/// A server without its doors.
pub(crate) struct Bench {
    pub(crate) app: App,
    pub(crate) store: Store,
    pub(crate) caller: Caller,
    pub(crate) lanes: Arc<TestLanes>,
    pub(crate) statements: StatementCount,
    pub(crate) clock: TestClock,
    source: Source,
    pub(crate) files: FileStore,
    pub(crate) prover: TestProver,
    pub(crate) held: Held,
    _folder: tempfile::TempDir,
}

impl Bench {
    pub(crate) async fn start() -> Self {
        Self::start_behind(|store| store).await
    }

    /// The same, whose use cases speak to the store through a front.
    pub(crate) async fn start_behind(front: impl FnOnce(Store) -> Store) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, clock) = test_source();
        let key = MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let options = SqliteOptions::new(folder.path(), key, source.clone());
        let statements = options.statements.clone();
        let store = open_sqlite(options).unwrap();
        let lanes = TestLanes::new(&source);
        lanes.set_permits(1_000);
        store.attach(lanes.clone());
        let caller = caller(&store, &source, "Accounting").await;
        let files = FileStore::open(folder.path()).unwrap();
        let (prover, held) = (TestProver::default(), Held::default());
        let app = App::new(Parts {
            store: front(store.clone()),
            files: files.clone(),
            source: source.clone(),
            public_url: PublicUrl::new("https://checks.example.com").unwrap(),
            policy: AddressPolicy::new(&["127.0.0.0/8"]).unwrap(),
            resolver: Arc::new(held.clone()),
            prover: Arc::new(prover.clone()),
            tls: Arc::new(testkit::TestTls),
            limits: Limits::default(),
        });
        Self {
            app,
            store,
            caller,
            lanes,
            statements,
            clock,
            source,
            files,
            prover,
            held,
            _folder: folder,
        }
    }

    /// Somebody of another team.
    pub(crate) async fn other_team(&self) -> Caller {
        caller(&self.store, &self.source, "Others").await
    }

    /// The present moment.
    pub(crate) fn now(&self) -> domain::Timestamp {
        self.source.now()
    }

    pub(crate) async fn put_template(&self, document: Value) -> TemplateDocument {
        let document = serde_json::from_value(document).unwrap();
        let put = PutTemplate {
            template: None,
            document,
        };
        self.app.put_template(&self.caller, put).await.unwrap()
    }
}

/// Somebody who may do everything, of a new team.
async fn caller(store: &Store, source: &Source, team: &str) -> Caller {
    let team = create_team(store, source, team).await.unwrap().id;
    let wish = KeyWish {
        name: "Scanner".to_owned(),
        rights: Rights::ALL,
        expires_at: None,
    };
    let made = create_key(store, source, team, &wish).await.unwrap();
    Caller::key(made.secret.reveal())
}
