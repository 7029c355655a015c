//! A database that is copied from one kind to the other, again and again, in the middle of its life: whatever a
//! course of deliveries does before, it goes on after as if nothing had been.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use async_trait::async_trait;
use domain::{EventType, Scope, Source};
use store::{CopyError, CopyPlace, Copying, Store, TableCopied};
use tempfile::TempDir;
use testkit::{Case, Fixture, PostgresDatabase, PostgresServer, World, model};
use tokio::sync::Mutex;

use crate::{on_folder, on_server};

/// What the case of credentials stores encrypted.
const SECRETS: [&str; 4] = ["in-a-header", "a-password", "a-key", "of-the-proxy"];

/// How many courses are tried: each makes databases and copies them, again and again.
const COURSES: u32 = 40;

/// Where the data is at the moment.
enum Place {
    Folder(TempDir),
    Server(PostgresDatabase),
}

impl Place {
    fn folder() -> Self {
        Self::Folder(tempfile::tempdir().expect("a temporary folder"))
    }

    fn server() -> Self {
        Self::Server(PostgresServer::of_this_process().database())
    }

    /// An empty one of the other kind.
    fn other(&self) -> Self {
        match self {
            Self::Folder(_) => Self::server(),
            Self::Server(_) => Self::folder(),
        }
    }

    fn said(&self) -> CopyPlace {
        let text = match self {
            Self::Folder(folder) => folder.path().display().to_string(),
            Self::Server(database) => database.url(),
        };
        CopyPlace::parse(&text).expect("a place")
    }

    async fn open(&self, source: Source) -> Store {
        match self {
            Self::Folder(folder) => on_folder(folder.path(), source),
            Self::Server(database) => {
                on_server(database.url(), store::LeaseClock::Own, source).await
            }
        }
    }
}

/// Copies all, and answers what the copy says of each table.
async fn copy(from: &Place, to: &Place) -> Result<Vec<TableCopied>, CopyError> {
    let copying = Copying::begin(&from.said(), &to.said()).await?;
    Ok(copying.database(&|_| {}).await?.0)
}

/// Moves to the other kind of database whenever it is opened again.
struct Moving {
    place: Mutex<Option<Place>>,
    moves: Arc<AtomicU64>,
}

#[async_trait]
impl Fixture for Moving {
    async fn open(&self, source: Source) -> Store {
        let mut place = self.place.lock().await;
        let now = match place.take() {
            None => Place::folder(),
            Some(before) => {
                let next = before.other();
                let there = copy(&before, &next).await.expect("a copy");
                if let Place::Folder(_) = before {
                    // And back, which must say the same of every table.
                    let back = copy(&next, &Place::folder()).await.expect("a copy back");
                    assert_eq!(there, back);
                }
                self.moves.fetch_add(1, Ordering::Relaxed);
                next
            }
        };
        let store = now.open(source).await;
        *place = Some(now);
        store
    }

    fn is_one_line(&self) -> bool {
        false
    }
}

#[test]
fn deliveries_stand_as_they_should_wherever_they_are_moved() {
    let moves = Arc::new(AtomicU64::new(0));
    model::check_courses(COURSES, || Moving {
        place: Mutex::default(),
        moves: moves.clone(),
    });
    assert_ne!(moves.load(Ordering::Relaxed), 0, "nothing was ever moved");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_postgresql_has_not_numbered_yet_is_numbered_on_the_way() {
    let moving = Arc::new(Moving {
        place: Mutex::default(),
        moves: Arc::default(),
    });
    let mut world = World::start(moving.clone()).await;
    let scene = world.scene().await;
    let kind = EventType::TaskCompleted;
    let lane = world.subscribe_to(scene.team, kind, Scope::Team).await.id;
    world.happen(&scene, kind).await;
    // To PostgreSQL, where nothing is read of what happens next, and nothing sent.
    world.reopen().await;
    let mut events = Vec::new();
    for _ in 0..3 {
        events.push(world.happen(&scene, kind).await.id);
    }
    if let Some(Place::Server(database)) = &*moving.place.lock().await {
        let unnumbered = "SELECT count(*) FROM delivery WHERE sequence IS NULL";
        assert_eq!(database.sql(unnumbered), "3");
    } else {
        panic!("it is not on PostgreSQL");
    }
    world.reopen().await;
    events.push(world.happen(&scene, kind).await.id);
    let taken = world.take(lane, 10).await;
    let numbers: Vec<_> = taken.iter().map(|leased| leased.sequence).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
    let in_order = taken.iter().skip(1).map(|leased| leased.event);
    assert!(in_order.eq(events), "in the order in which they happened");
    world.finish().await;
}

#[test]
fn credentials_go_along_and_are_nowhere_in_clear() {
    let moving = Arc::new(Moving {
        place: Mutex::default(),
        moves: Arc::default(),
    });
    let case = Case::named("credentials::credentials_are_there_after_a_restart");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(case.check_on(moving.clone()));
    assert_eq!(moving.moves.load(Ordering::Relaxed), 2);
    let place = moving.place.blocking_lock();
    let Some(Place::Folder(folder)) = &*place else {
        panic!("it came back to a folder");
    };
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(folder.path()).expect("the folder") {
        let path = entry.expect("an entry").path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).expect("a file"));
        }
    }
    let is_there = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(is_there("proxy.example.com"), "what is not secret is there");
    for secret in SECRETS {
        assert!(!is_there(secret), "{secret} is in the files");
    }
    let from = place.as_ref().expect("it is somewhere");
    let to = from.other();
    runtime.block_on(copy(from, &to)).expect("a copy");
    let Place::Server(database) = &to else {
        panic!("a folder is copied to a server");
    };
    let texts = "SELECT encode(credentials, 'escape') || settings FROM subscription";
    let texts = database.sql(texts);
    assert!(texts.contains("proxy.example.com"), "{texts}");
    for secret in SECRETS {
        assert!(!texts.contains(secret), "{secret} is in the table");
    }
}
