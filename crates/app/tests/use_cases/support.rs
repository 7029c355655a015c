//! A team with a key, on a store of its own, and an engine that takes everything.

use std::{io, pin::Pin, sync::Arc};

use app::{App, Caller, KeyWish, Limits, Parts, PutTemplate, create_key, create_team};
use domain::{AddressPolicy, PublicUrl, Resolver, Rights, TemplateDocument};
use serde_json::Value;
use store::{FileStore, MasterKey, SqliteOptions, StatementCount, Store, open_sqlite};
use testkit::{TestClock, TestLanes, test_source};

struct Nowhere;

impl Resolver for Nowhere {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<std::net::IpAddr>>> + Send + 'a>> {
        Box::pin(async { Err(io::Error::other("no names here")) })
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
    pub(crate) files: FileStore,
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
        let team = create_team(&store, &source, "Accounting").await.unwrap().id;
        let wish = KeyWish {
            name: "Scanner".to_owned(),
            rights: Rights::ALL,
            expires_at: None,
        };
        let made = create_key(&store, &source, team, &wish).await.unwrap();
        let caller = Caller::key(made.secret.reveal());
        let files = FileStore::open(folder.path()).unwrap();
        let app = App::new(Parts {
            store: front(store.clone()),
            files: files.clone(),
            source,
            public_url: PublicUrl::new("https://checks.example.com").unwrap(),
            policy: AddressPolicy::new(&["127.0.0.0/8"]).unwrap(),
            resolver: Arc::new(Nowhere),
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
            files,
            _folder: folder,
        }
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
