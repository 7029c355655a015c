//! What completing a task costs the database, in statements. Beginning, savepoints and committing
//! are shared by a whole group of changes and not counted.

use std::{io, pin::Pin, sync::Arc};

use app::{
    App, Caller, CreateChecklist, Limits, Parts, PutTemplate, ScopeKeys, SetTaskStatus, Subscribe,
    create_key, create_team,
};
use domain::{
    AddressPolicy, EventType, PublicUrl, Resolver, TaskStatus, TemplateDocument, TemplateKey,
};
use serde_json::json;
use store::{FileStore, MasterKey, SqliteOptions, StatementCount, Store, open_sqlite};
use testkit::{TestLanes, test_source};

struct Nowhere;

impl Resolver for Nowhere {
    fn resolve<'a>(
        &'a self,
        _: &'a str,
    ) -> Pin<Box<dyn Future<Output = io::Result<Vec<std::net::IpAddr>>> + Send + 'a>> {
        Box::pin(async { Err(io::Error::other("no names here")) })
    }
}

/// A team with a template of ten plain tasks, and an engine that takes everything.
struct Bench {
    app: App,
    store: Store,
    caller: Caller,
    template: TemplateKey,
    statements: StatementCount,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start(subscriptions: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (source, _) = test_source();
        let key = MasterKey::from_text("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=").unwrap();
        let options = SqliteOptions::new(folder.path(), key, source.clone());
        let statements = options.statements.clone();
        let store = open_sqlite(options).unwrap();
        let lanes = TestLanes::new(&source);
        lanes.set_permits(1_000);
        store.attach(lanes);
        let team = create_team(&store, &source, "Bench").await.unwrap().id;
        let made = create_key(&store, &source, team, "bench").await.unwrap();
        let caller = Caller::key(made.secret.reveal());
        let app = App::new(Parts {
            store: store.clone(),
            files: FileStore::open(folder.path()).unwrap(),
            source,
            public_url: PublicUrl::new("http://127.0.0.1:8080").unwrap(),
            policy: AddressPolicy::new(&["127.0.0.0/8"]).unwrap(),
            resolver: Arc::new(Nowhere),
            limits: Limits::default(),
        });
        let tasks: Vec<_> = (0..10)
            .map(|n| json!({ "name": format!("Task {n}") }))
            .collect();
        let document: TemplateDocument =
            serde_json::from_value(json!({ "name": "Ten", "tasks": tasks })).unwrap();
        let put = PutTemplate {
            template: None,
            document,
        };
        let template = app
            .change(&caller, put)
            .await
            .unwrap()
            .template_key
            .unwrap();
        for n in 0..subscriptions {
            let ask = Subscribe {
                source: "bench".to_owned(),
                event_type: EventType::TaskCompleted,
                target_url: format!("http://127.0.0.1:9/hook/{n}"),
                keys: ScopeKeys {
                    template: Some(template),
                    ..ScopeKeys::default()
                },
            };
            app.subscribe(&caller, ask).await.unwrap();
        }
        Self {
            app,
            store,
            caller,
            template,
            statements,
            _folder: folder,
        }
    }

    /// Statements that completing the second of ten tasks takes.
    async fn completing_one(&self) -> u64 {
        let create = CreateChecklist {
            template: self.template,
            name: "One".to_owned(),
        };
        let list = self.app.change(&self.caller, create).await.unwrap();
        let tasks = list.tasks.unwrap();
        let complete = |n: usize| SetTaskStatus {
            task: tasks[n].task_id,
            status: TaskStatus::Complete,
        };
        self.app.change(&self.caller, complete(0)).await.unwrap();
        let before = self.statements.get();
        self.app.change(&self.caller, complete(1)).await.unwrap();
        self.statements.get() - before
    }
}

#[tokio::test]
async fn completing_a_task_takes_eight_statements_and_two_for_each_subscription() {
    // The key; the checklist, its tasks; the task, the end time; who wants the event, the event;
    // the audit log. Then for each subscription its number and its delivery.
    for (subscriptions, expected) in [(0, 8), (1, 10), (10, 28)] {
        let bench = Bench::start(subscriptions).await;
        let statements = bench.completing_one().await;
        assert_eq!(statements, expected, "with {subscriptions} subscriptions");
        bench.store.stop().await;
    }
}
