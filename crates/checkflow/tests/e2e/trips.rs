//! How often a use case waits for PostgreSQL: counted from outside, on the wire.
//!
//! A proxy stands between. It holds what the database answers until the server has said all that it says without an
//! answer, and counts how often it lets something through: a use case waits no less and no more often.

use std::{
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use tempfile::tempdir;
use testkit::{PostgresServer, Receiver, Reply};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    time::timeout,
};

use super::roles::{KEY, team_and_key_on};
use crate::support::{Client, Server, serve};

/// For how long the server says nothing once it waits. Longer than it ever thinks between two statements.
const QUIET: Duration = Duration::from_millis(25);
/// How often each use case is looked at. Statements are prepared on each connection the first time.
const TIMES: usize = 8;

/// A transaction that went by.
#[derive(Debug, Default)]
struct Passed {
    said: Vec<u8>,
    trips: usize,
}

impl Passed {
    fn says(&self, what: &str) -> bool {
        has(&self.said, what)
    }
}

fn has(bytes: &[u8], what: &str) -> bool {
    bytes
        .windows(what.len())
        .any(|part| part == what.as_bytes())
}

type Seen = Arc<Mutex<Vec<Passed>>>;

/// Starts the proxy before the database at `port`.
async fn watch(port: u16) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let all = seen.clone();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let database = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            client.set_nodelay(true).unwrap();
            database.set_nodelay(true).unwrap();
            tokio::spawn(pass(
                client.into_split(),
                database.into_split(),
                all.clone(),
            ));
        }
    });
    (address, seen)
}

type Way = (OwnedReadHalf, OwnedWriteHalf);

/// Passes on what one connection says, until it ends.
async fn pass((mut asks, mut hears): Way, (mut answers, mut told): Way, seen: Seen) -> Option<()> {
    let (mut asked, mut answered) = (vec![0; 64 * 1024], vec![0; 64 * 1024]);
    let mut open: Option<Passed> = None;
    loop {
        tokio::select! {
            count = asks.read(&mut asked) => {
                let said = &asked[..count.ok().filter(|count| *count > 0)?];
                if has(said, "BEGIN\0") {
                    open = Some(Passed::default());
                }
                if let Some(passed) = &mut open {
                    passed.said.extend_from_slice(said);
                }
                told.write_all(said).await.ok()?;
            }
            count = answers.read(&mut answered) => {
                let said = answered[..count.ok().filter(|count| *count > 0)?].to_vec();
                // What it has still to say, and what that brings, belongs to the same wait.
                let mut all = said;
                loop {
                    tokio::select! {
                        biased;
                        count = asks.read(&mut asked) => {
                            let said = &asked[..count.ok().filter(|count| *count > 0)?];
                            if let Some(passed) = &mut open {
                                passed.said.extend_from_slice(said);
                            }
                            told.write_all(said).await.ok()?;
                        }
                        more = timeout(QUIET, answers.read(&mut answered)) => match more {
                            Err(_) => break,
                            Ok(count) => {
                                let count = count.ok().filter(|count| *count > 0)?;
                                all.extend_from_slice(&answered[..count]);
                            }
                        },
                    }
                }
                if let Some(passed) = &mut open {
                    passed.trips += 1;
                    if passed.says("COMMIT") || passed.says("ROLLBACK") {
                        seen.lock().unwrap().extend(open.take());
                    }
                }
                hears.write_all(&all).await.ok()?;
            }
        }
    }
}

/// The fewest waits of the transactions that left `action` in the audit log: the others prepared a statement, or were
/// held up by the machine.
fn fewest(seen: &Seen, action: &str) -> usize {
    let seen = seen.lock().unwrap();
    let trips = seen
        .iter()
        .filter(|passed| passed.says(action))
        .map(|passed| passed.trips);
    trips
        .min()
        .unwrap_or_else(|| panic!("nothing did {action}"))
}

#[tokio::test]
async fn use_cases_wait_for_postgresql_as_often_as_they_have_questions() {
    let (database, folder) = (
        PostgresServer::of_this_process().database(),
        tempdir().unwrap(),
    );
    let (address, seen) = watch(database.port()).await;
    let url = format!("postgres://postgres@{address}/{}", database.name());
    let receiver = Receiver::start().await;
    receiver.always("/hook", Reply::ok());
    let mut command = serve(folder.path(), "127.0.0.0/8");
    command.args(["--database", &url]).env(KEY.0, KEY.1);
    // As few connections as can be, so that each has met all statements soon.
    command.env("CHECKFLOW_STORE__CONNECTIONS", "2");
    let server = Server::start_by(command).await;
    let key = team_and_key_on(folder.path(), &database.url()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let whole = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    let control = &template["tasks"][0]["controls"][0]["key"];
    let control = format!("taskContentKey={}", control.as_str().unwrap());
    for (event, scope) in [
        ("new_checklist", &whole),
        ("task_completed", &whole),
        ("file_uploaded", &control),
    ] {
        client.subscribe(event, scope, &receiver.url("/hook")).await;
    }
    for number in 0..TIMES {
        let list = client.checklist(&template, &format!("list-{number}")).await;
        let (first, second) = (&list["tasks"][0], &list["tasks"][1]);
        let field = &first["fields"][0]["taskContentID"];
        assert_eq!(client.upload(field, "a scan").await.status, 200);
        for task in [first, second] {
            assert_eq!(client.complete(task).await.status, 200);
        }
    }
    receiver.wait_for(4 * TIMES).await;
    server.stop().await;
    // Begin and key; checklist; change, event and deliveries; commit.
    for (action, most) in [
        ("task.complete", 3),
        ("checklist.create", 4),
        ("file.upload", 3),
    ] {
        let trips = fewest(&seen, action);
        println!("{action}: {trips} round trips");
        assert!(
            trips <= most,
            "{action}: {trips} round trips, more than {most}"
        );
        assert!(
            trips >= 3,
            "{action}: so few can't be, the proxy does not count"
        );
    }
}
