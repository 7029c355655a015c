//! A store behind a front: what the front sees of a unit, and when.

#![expect(clippy::unwrap_used, reason = "what fails here fails the test")]

use std::{
    path::PathBuf,
    pin::Pin,
    sync::{Arc, Mutex},
};

use async_trait::async_trait;
use rusqlite::Connection;
use store::{
    Backend, DATABASE_FILE, Lanes, MasterKey, Node, Purpose, ReadJob, SqliteOptions, StoreError,
    Verdict, Write, WriteJob, WriteTx, open_sqlite,
};
use testkit::{SeedTeam, test_source};

/// What was seen of a unit, and how many teams were committed at that moment.
type Seen = (&'static str, Purpose, i64);

/// Passes everything on, and writes down what it sees.
struct Watch {
    behind: Arc<dyn Backend>,
    database: PathBuf,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Backend for Watch {
    fn write(&self, job: Box<dyn WriteJob>) {
        self.behind.write(Box::new(Watched {
            job,
            look: Connection::open(&self.database).unwrap(),
            seen: self.seen.clone(),
        }));
    }

    fn read(&self, job: Box<dyn ReadJob>) {
        self.behind.read(job);
    }

    fn attach(&self, lanes: Arc<dyn Lanes>) {
        self.behind.attach(lanes);
    }

    fn gives_sign(&self) -> Pin<Box<dyn Future<Output = bool> + Send + '_>> {
        self.behind.gives_sign()
    }

    fn join(&self, node: Arc<dyn Node>) {
        self.behind.join(node);
    }

    fn stop(&self) -> Pin<Box<dyn Future<Output = ()> + Send + '_>> {
        self.behind.stop()
    }
}

struct Watched {
    job: Box<dyn WriteJob>,
    look: Connection,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl Watched {
    fn note(&self, what: &'static str) {
        let sql = "SELECT count(*) FROM team";
        let teams = self.look.query_row(sql, (), |row| row.get(0)).unwrap();
        let seen = (what, self.job.purpose(), teams);
        self.seen.lock().unwrap().push(seen);
    }
}

#[async_trait]
impl WriteJob for Watched {
    fn purpose(&self) -> Purpose {
        self.job.purpose()
    }

    fn about(&self) -> Option<domain::ChecklistId> {
        self.job.about()
    }

    async fn run(&mut self, tx: &mut dyn WriteTx) -> Verdict {
        let verdict = self.job.run(tx).await;
        self.note(match verdict {
            Verdict::Keep => "kept",
            Verdict::Undo => "undone",
        });
        verdict
    }

    fn finish(self: Box<Self>, committed: Result<(), StoreError>) {
        self.note("answered");
        self.job.finish(committed);
    }
}

/// Makes a team, as a door would have it made.
struct Asked(SeedTeam);

impl Write for Asked {
    type Done = domain::TeamId;
    type Error = StoreError;

    const PURPOSE: Purpose = Purpose::Change;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<domain::TeamId, StoreError> {
        self.0.run(tx).await
    }
}

#[tokio::test]
async fn a_front_sees_each_unit_before_its_commit_and_before_its_answer() {
    let folder = tempfile::tempdir().unwrap();
    let key = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
    let key = MasterKey::from_text(key).unwrap();
    let (source, _) = test_source();
    let sound = open_sqlite(SqliteOptions::new(folder.path(), key, source.clone())).unwrap();
    let seen = Arc::new(Mutex::default());
    let store = sound.behind(|behind| Watch {
        behind,
        database: folder.path().join(DATABASE_FILE),
        seen: seen.clone(),
    });
    let team = SeedTeam {
        name: "Finance".to_owned(),
        source,
    };
    store.write(team.clone()).await.unwrap();
    store.write(Asked(team)).await.unwrap();
    store.stop().await;
    assert_eq!(
        *seen.lock().unwrap(),
        [
            ("kept", Purpose::Other, 0),
            ("answered", Purpose::Other, 1),
            ("kept", Purpose::Change, 1),
            ("answered", Purpose::Change, 2),
        ]
    );
}
