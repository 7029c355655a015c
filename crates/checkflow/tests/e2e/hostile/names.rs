//! Names whose address changes: what was checked is what is connected to, each time anew.
//!
//! The server has an `/etc/hosts` of its own here, which the tests rewrite.

use std::{
    collections::BTreeSet,
    fs::{self, OpenOptions},
    os::unix::fs::FileExt as _,
    path::PathBuf,
    sync::{Arc, atomic::AtomicBool},
    thread,
};

use serde_json::json;
use testkit::Reply;

use super::*;
use crate::support::Namespace;

const NAME: &str = "moves.example";
/// Names are looked for in that file and, where the system has a word in it, nowhere else.
const MOUNT: &str = r#"
mount --bind "$1" /etc/hosts
if [ -e /etc/nsswitch.conf ]; then mount --bind "$2" /etc/nsswitch.conf; fi"#;

/// A server that may call 127.0.0.1 and nothing else of this machine, and what it takes names from.
struct Moving {
    scene: Scene,
    /// At the same port as the healthy receiver, where nothing may be sent.
    trap: Receiver,
    hosts: PathBuf,
    _namespace: Namespace,
}

impl Moving {
    async fn start() -> Self {
        let folder = tempdir().unwrap();
        let hosts = folder.path().join("hosts");
        fs::write(&hosts, "").unwrap();
        let switch = folder.path().join("nsswitch.conf");
        fs::write(&switch, "hosts: files\n").unwrap();
        let namespace = Namespace::new(MOUNT, &[&hosts, &switch]).await;
        let command = namespace.enter(&serve_once(folder.path(), "127.0.0.1"));
        let scene = Scene::start_by(folder, command).await;
        let port = scene.healthy.address().port();
        let trap = Receiver::start_on(([127, 0, 0, 2], port).into()).await;
        // So that each webhook asks for the name again.
        let close = Reply::ok().header("connection", "close");
        scene.healthy.always("/moves", close.clone());
        trap.always("/moves", close);
        Self {
            scene,
            trap,
            hosts,
            _namespace: namespace,
        }
    }

    /// From now on the name has these addresses.
    fn lead_to(&self, addresses: &[&str]) {
        fs::write(&self.hosts, entries(addresses)).unwrap();
    }

    /// What leads to the healthy receiver or the trap.
    fn target(&self) -> String {
        let port = self.scene.healthy.address().port();
        format!("http://{NAME}:{port}/moves")
    }
}

fn entries(addresses: &[&str]) -> String {
    let lines = addresses
        .iter()
        .map(|address| format!("{address} {NAME}\n"));
    lines.collect()
}

#[tokio::test]
async fn a_name_that_moves_inside_after_it_was_saved_is_not_called() {
    let moving = Moving::start().await;
    let Moving { scene, trap, .. } = &moving;
    for (addresses, range) in [
        (&["127.0.0.2"][..], "loopback"),
        (&["0.0.0.0"], "unspecified"),
        (&["::1"], "loopback"),
        (&["::ffff:127.0.0.2"], "loopback"),
        (&["64:ff9b::7f00:2"], "loopback"),
        (&["10.0.0.1"], "private"),
        (&["169.254.169.254"], "metadata"),
        // One good address does not make up for another.
        (&["127.0.0.1", "127.0.0.2"], "loopback"),
    ] {
        // An address of the internet, which is saved and never called here.
        moving.lead_to(&["8.8.8.8"]);
        let coming = scene.subscribe(&[moving.target()]).await;
        moving.lead_to(addresses);
        scene.happen(&coming).await;
        let met = scene.settled(&coming.subscriptions[0]).await;
        assert_eq!(
            (met.state.as_str(), met.outcome()),
            ("refused", "address_refused"),
            "{addresses:?}"
        );
        let error = met.error();
        assert!(
            error.starts_with(&format!("the host {NAME} of the target URL resolves to")),
            "{error}"
        );
        assert!(error.contains(range), "{error}");

        // Nor is it saved any more.
        let scope = format!(
            "templateKey={}",
            coming.template["templateKey"].as_str().unwrap()
        );
        let target: String =
            url::form_urlencoded::byte_serialize(format!("{}/again", moving.target()).as_bytes())
                .collect();
        let path = format!(
            "/api/web-hook/subscribe?source=test&eventType=new_checklist&targetUrl={target}&{scope}"
        );
        let refused = scene.client.ask("POST", &path, &Value::Null).await;
        assert_eq!(
            (refused.status, &refused.body["code"]),
            (400, &json!("target_refused"))
        );
    }
    moving.lead_to(&["8.8.8.8"]);
    let coming = scene.subscribe(&[moving.target()]).await;
    moving.lead_to(&["127.0.0.1"]);
    scene.happen(&coming).await;
    let met = scene.settled(&coming.subscriptions[0]).await;
    assert_eq!(met.outcome(), "delivered", "what may be called is");
    assert_eq!(trap.connections(), 0);
    moving.scene.server.stop().await;
}

#[tokio::test]
async fn a_name_that_moves_to_and_fro_between_check_and_connection_never_leads_inside() {
    let moving = Moving::start().await;
    let Moving { scene, trap, .. } = &moving;
    moving.lead_to(&["127.0.0.1"]);
    let coming = scene.subscribe(&[moving.target()]).await;
    let done = Arc::new(AtomicBool::new(false));
    let (until, hosts) = (Arc::clone(&done), moving.hosts.clone());
    let turning = thread::spawn(move || {
        // Of one length and written over each other, so that nobody finds half of one.
        let turns = [entries(&["127.0.0.1"]), entries(&["127.0.0.2"])];
        let hosts = OpenOptions::new().write(true).open(hosts).unwrap();
        for turn in turns.iter().cycle() {
            if until.load(Ordering::Relaxed) {
                return;
            }
            hosts.write_all_at(turn.as_bytes(), 0).unwrap();
        }
    });
    // Until both have been met often enough.
    let seen = timeout(PATIENCE, async {
        loop {
            for _ in 0..10 {
                scene.client.checklist(&coming.template, "March").await;
            }
            let path = format!(
                "/api/web-hook/deliveries?limit=100&subscriptionId={}",
                coming.subscriptions[0]
            );
            let list = scene.client.done("GET", &path, &Value::Null).await;
            let rows = list["items"].as_array().unwrap();
            let outcomes = rows.iter().filter_map(|row| row["lastOutcome"].as_str());
            let outcomes: BTreeSet<_> = outcomes.collect();
            if rows.len() >= 40
                && outcomes.contains("delivered")
                && outcomes.contains("address_refused")
            {
                return;
            }
        }
    });
    let seen = seen.await;
    done.store(true, Ordering::Relaxed);
    turning.join().unwrap();
    assert_eq!(trap.connections(), 0);
    seen.expect("the name led to both");
    moving.scene.server.stop().await;
}
