//! What can be seen of a cluster, from outside and in its database.

use std::{collections::BTreeSet, time::Instant};

use serde_json::{Value, json};
use store::{MasterKey, PostgresOptions, open_postgres};
use testkit::{PATIENCE, Received, test_source};
use tokio::{
    task::{JoinSet, block_in_place},
    time::timeout,
};

use super::{FILES, PATHS, SETTLED_WITHIN, SHAKY, Stage, is_refused, nodes::MASTER_KEY};
use crate::{
    cluster::account::{Outcome, check_away},
    support::look_through,
};

impl Stage {
    /// Waits until the database answers so.
    pub(in crate::cluster) async fn wait_until(
        &self,
        what: &str,
        sql: &str,
        is: impl Fn(&[String]) -> bool,
    ) {
        let until = Instant::now() + SETTLED_WITHIN;
        loop {
            let answer = self.ask(sql);
            if is(&answer) {
                return;
            }
            assert!(Instant::now() < until, "waited for {what}: {answer:?}");
            tokio::task::yield_now().await;
        }
    }

    pub(in crate::cluster) fn ask(&self, sql: &str) -> Vec<String> {
        block_in_place(|| self.postgres.ask(sql))
    }

    /// What is leased to a node at this moment.
    pub(in crate::cluster) fn leased_to(&self, node: usize) -> BTreeSet<String> {
        let id = &self.nodes[node].id;
        let sql = format!("SELECT id FROM delivery WHERE state = 'leased' AND lease_node = '{id}'");
        self.ask(&sql).into_iter().collect()
    }

    /// The deliveries that have arrived.
    pub(in crate::cluster) fn arrived(&self) -> BTreeSet<String> {
        ids(&self.receiver.requests())
    }

    /// Those that have arrived at one path.
    pub(in crate::cluster) fn arrived_at(&self, path: &str) -> BTreeSet<String> {
        ids(&self.receiver.requests_to(path))
    }

    /// Waits until a node says so whether it is ready; `words` are in what it says.
    pub(in crate::cluster) async fn wait_ready(
        &self,
        node: usize,
        status: u16,
        words: &str,
    ) -> Value {
        let mut last = Value::Null;
        let client = self.client(node);
        let waited = timeout(PATIENCE, async {
            loop {
                let answer = client.ask("GET", "/health/ready", &Value::Null).await;
                let is = answer.status == status;
                last = answer.body;
                if is && last.to_string().contains(words) {
                    return;
                }
                tokio::task::yield_now().await;
            }
        });
        let came = waited.await.is_ok();
        assert!(came, "{node} never answered {status} with {words}: {last}");
        last
    }

    /// Every node says that the database is away, whatever it is asked, and lives.
    pub(in crate::cluster) async fn check_away(&self) {
        for number in 0..self.nodes.len() {
            self.wait_ready(number, 503, "the database").await;
            let client = self.client(number);
            let live = client.ask("GET", "/health/live", &Value::Null).await;
            assert_eq!(live.status, 200, "{}", live.body);
            for path in ["/api/template/templates", "/api/web-hook/subscriptions"] {
                check_away(&client.ask("GET", path, &Value::Null).await);
            }
            let document = json!({ "name": "Away", "tasks": [{ "name": "Pay" }] });
            check_away(&client.ask("PUT", "/api/template", &document).await);
        }
    }

    /// Every node, asked at the same time, says that the database is away.
    pub(in crate::cluster) async fn check_refused(&self) {
        let mut asked = JoinSet::new();
        for node in &self.nodes {
            let node = node.clone();
            asked.spawn(async move {
                let path = "/api/template/templates";
                node.client.ask("GET", path, &Value::Null).await
            });
        }
        for answer in asked.join_all().await {
            check_away(&answer);
        }
    }

    /// Stops everything in good order once nothing is under way, and looks at what is left.
    pub(in crate::cluster) async fn finish(&mut self) -> Outcome<'_> {
        self.rest().await;
        let open = "SELECT id, state, attempts, due_at, lease_node, lease_until FROM delivery
            WHERE state IN ('waiting', 'leased') LIMIT 10";
        self.wait_until("nothing to be under way", open, <[_]>::is_empty)
            .await;
        self.files.check_readable(&self.nodes).await;
        for node in self.nodes.iter().filter(|node| !node.is_gone()) {
            node.stop().await;
        }
        let key = MasterKey::from_text(MASTER_KEY).unwrap();
        let (source, _) = test_source();
        let options = PostgresOptions::new(self.postgres.url(), key, source);
        let store = open_postgres(options).await.unwrap();
        let left = look_through(store, self.team).await;
        let files = self.ask("SELECT key FROM file").into_iter().collect();
        self.files.check_told(&files, &self.taken(FILES));
        let rows = self.ask("SELECT delivery_id, number, outcome FROM attempt");
        let attempts = rows.iter().map(|row| {
            let mut columns = row.split('|');
            let mut next = || columns.next().unwrap();
            (
                (next().to_owned(), next().parse().unwrap()),
                next().to_owned(),
            )
        });
        Outcome {
            account: &self.account,
            arrived: PATHS.map(|path| (path, self.taken(path))).into(),
            subscriptions: self.subscriptions.clone(),
            left,
            attempts: attempts.collect(),
            cut: self.cut.clone(),
        }
    }

    /// What arrived at a path, with whether it was taken.
    fn taken(&self, path: &str) -> Vec<(Received, bool)> {
        let requests = self.receiver.requests_to(path).into_iter().enumerate();
        let taken = |number| path != SHAKY || !is_refused(number);
        requests
            .map(|(number, request)| (request, taken(number)))
            .collect()
    }
}

fn ids(webhooks: &[Received]) -> BTreeSet<String> {
    let of = |webhook: &Received| webhook.header("checkflow-delivery").unwrap().to_owned();
    webhooks.iter().map(of).collect()
}
