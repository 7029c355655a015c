//! Receivers that mean harm, or do it: what is recorded of them, how much of them is read, and that
//! nobody else waits for it.

mod addresses;
mod answers;
mod certificates;
mod http2;
mod names;
mod receiver;
mod slow;

use std::{
    path::Path,
    sync::atomic::{AtomicUsize, Ordering},
};

use serde_json::Value;
use tempfile::{TempDir, tempdir};
use testkit::{PATIENCE, Receiver};
use tokio::{process::Command, time::timeout};

use self::receiver::{Hostile, Seen, Trick};
use crate::support::{Client, Server, serve, team_and_key};

/// One attempt is enough to see what comes of it.
const ONCE: (&str, &str) = ("CHECKFLOW_DELIVERY__SCHEDULE", r#"["0s"]"#);
/// As long as for the exchange, since the receivers wait before they do what they do.
const CONNECT: (&str, &str) = ("CHECKFLOW_DELIVERY__CONNECT_TIMEOUT", "15s");

/// What is recorded of a receiver that is read from to the bound of an exchange.
const TOO_MUCH: &str = "the receiver sent more than 512 KiB in answer to one request";
/// What such a one has written at most: that, and what the system's buffers on both sides hold, which
/// grow while they are emptied. One that is not left writes so much in an instant.
const WRITTEN_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The same for one of whose head or body no more than 64 KiB were read.
const WRITTEN_EARLY_BYTES_MAX: usize = 512 * 1024;

/// A server, and a receiver that is well.
struct Scene {
    server: Server,
    client: Client,
    healthy: Receiver,
    events: AtomicUsize,
    folder: TempDir,
}

/// What starts the server of a scene.
fn serve_once(folder: &Path, allowed: &str) -> Command {
    let mut command = serve(folder, allowed);
    command.envs([ONCE, CONNECT]);
    command
}

/// What came of a delivery.
struct Met {
    /// Where it stands.
    state: String,
    /// Its last attempt.
    attempt: Value,
}

impl Met {
    fn outcome(&self) -> &str {
        self.attempt["outcome"].as_str().unwrap()
    }

    fn error(&self) -> &str {
        self.attempt["error"].as_str().unwrap()
    }

    fn status(&self) -> Option<u64> {
        self.attempt["statusCode"].as_u64()
    }
}

/// An event that is still to happen, and who will be told.
struct Coming {
    template: Value,
    /// The subscriptions of the targets, in their order.
    subscriptions: Vec<String>,
    /// Where the healthy receiver is told.
    path: String,
}

impl Scene {
    /// Webhooks to this machine are allowed.
    async fn start(variables: &[(&str, &str)]) -> Self {
        let folder = tempdir().unwrap();
        let mut command = serve_once(folder.path(), "127.0.0.0/8");
        command.envs(variables.iter().copied());
        Self::start_by(folder, command).await
    }

    async fn start_by(folder: TempDir, command: Command) -> Self {
        let server = Server::start_by(command).await;
        let (_, key) = team_and_key(folder.path()).await;
        Self {
            client: Client::new(server.address, &key),
            server,
            healthy: Receiver::start().await,
            events: AtomicUsize::new(0),
            folder,
        }
    }

    /// Has `targets` and the healthy receiver subscribed to the same event.
    async fn subscribe(&self, targets: &[String]) -> Coming {
        let number = self.events.fetch_add(1, Ordering::Relaxed);
        let template = self.client.template().await;
        let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
        let path = format!("/healthy/{number}");
        let healthy = self.healthy.url(&path);
        let mut subscriptions = Vec::new();
        for target in targets.iter().chain([&healthy]) {
            let made = self.client.subscribe("new_checklist", &scope, target).await;
            subscriptions.push(made["id"].as_str().unwrap().to_owned());
        }
        subscriptions.pop();
        Coming {
            template,
            subscriptions,
            path,
        }
    }

    /// Has it happen, and waits until the healthy receiver has been told.
    async fn happen(&self, coming: &Coming) {
        self.client.checklist(&coming.template, "March").await;
        self.healthy
            .wait_until("the healthy receiver's webhook", |requests| {
                requests.iter().any(|request| request.path() == coming.path)
            })
            .await;
    }

    /// Both; answers the subscriptions of `targets`.
    async fn tell(&self, targets: &[String]) -> Vec<String> {
        let coming = self.subscribe(targets).await;
        self.happen(&coming).await;
        coming.subscriptions
    }

    /// Tells `hostile`, which begins only when the healthy receiver has got its webhook, and waits
    /// for what comes of it.
    async fn meet(&self, hostile: &Hostile, target: &str) -> (Met, Seen) {
        let subscriptions = self.tell(&[target.to_owned()]).await;
        hostile.asked().await;
        assert_eq!(self.delivery(&subscriptions[0]).await["state"], "leased");
        hostile.go();
        let seen = hostile.left().await;
        (self.settled(&subscriptions[0]).await, seen)
    }

    /// The one delivery of a subscription.
    async fn delivery(&self, subscription: &str) -> Value {
        let path = format!("/api/web-hook/deliveries?subscriptionId={subscription}");
        let list = self.client.done("GET", &path, &Value::Null).await;
        assert_eq!(list["items"].as_array().unwrap().len(), 1, "{list}");
        list["items"][0].clone()
    }

    /// What came of the one delivery of a subscription, once something has.
    async fn settled(&self, subscription: &str) -> Met {
        let settled = timeout(PATIENCE, async {
            loop {
                let delivery = self.delivery(subscription).await;
                let state = delivery["state"].as_str().unwrap().to_owned();
                if state != "leased" && state != "waiting" {
                    return (delivery["deliveryId"].clone(), state);
                }
                tokio::task::yield_now().await;
            }
        });
        let (id, state) = settled.await.expect("the outcome is stored");
        let path = format!("/api/web-hook/delivery?deliveryId={}", id.as_str().unwrap());
        let detail = self.client.done("GET", &path, &Value::Null).await;
        let attempts = detail["attemptLog"].as_array().unwrap();
        assert_eq!(attempts.len(), 1, "{detail}");
        Met {
            state,
            attempt: attempts[0].clone(),
        }
    }
}

/// What a receiver does, and what must be recorded of it.
struct Case {
    what: &'static str,
    trick: Trick,
    outcome: &'static str,
    status: Option<u64>,
    /// How the words begin.
    error: &'static str,
}

impl Case {
    async fn check(self, scene: &Scene) {
        let hostile = Hostile::start(self.trick.clone());
        let target = hostile.url();
        self.check_at(scene, &hostile, &target).await;
    }

    async fn check_at(&self, scene: &Scene, hostile: &Hostile, target: &str) {
        let (met, seen) = scene.meet(hostile, target).await;
        let what = self.what;
        assert!(
            met.outcome() == self.outcome
                && met.status() == self.status
                && met.error().starts_with(self.error)
                && met.error().is_empty() == self.error.is_empty(),
            "{what}: {}",
            met.attempt
        );
        let state = match self.outcome {
            "delivered" => "delivered",
            _ => "exhausted",
        };
        assert_eq!(met.state, state, "{what}");
        assert_eq!(seen.connections, 1, "{what}");
        let most = match self.error {
            TOO_MUCH => WRITTEN_BYTES_MAX,
            _ => WRITTEN_EARLY_BYTES_MAX,
        };
        assert!(seen.written <= most, "{what}: {seen:?}");
    }
}
