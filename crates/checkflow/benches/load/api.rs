//! What is made before anything is measured: template, subscriptions, checklists, all through the API.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, bail};
use serde_json::{Value, json};
use tokio::task::JoinSet;

use super::wire::Wire;

/// Tasks of each checklist.
pub(crate) const TASKS: usize = 10;
/// Connections that make checklists.
const MAKERS: usize = 32;

/// Calls the API with a key, on a connection that is kept.
pub(crate) struct Api {
    pub(crate) wire: Wire,
    head: String,
}

/// A template of [`TASKS`] plain tasks.
#[derive(Clone, Debug)]
pub(crate) struct Template {
    pub(crate) key: String,
    pub(crate) tasks: Vec<String>,
}

/// The part of each request's head that is the same.
pub(crate) fn head(address: SocketAddr, key: &str) -> String {
    format!(
        "host: {address}\r\nx-api-key: {key}\r\nx-api-version: 2.0\r\ncontent-type: application/json\r\n"
    )
}

impl Api {
    pub(crate) async fn connect(address: SocketAddr, key: &str) -> anyhow::Result<Self> {
        let wire = Wire::connect(address).await.context("connecting")?;
        let head = head(address, key);
        Ok(Self { wire, head })
    }

    /// Asks for what must be granted.
    pub(crate) async fn done(
        &mut self,
        method: &str,
        path: &str,
        body: &str,
    ) -> anyhow::Result<Value> {
        let (head, length) = (&self.head, body.len());
        let request =
            format!("{method} {path} HTTP/1.1\r\n{head}content-length: {length}\r\n\r\n{body}");
        self.wire.write(request.as_bytes()).await?;
        if !self.wire.read().await? {
            bail!("{method} {path}: no answer");
        }
        let line = self.wire.first_line();
        if !line.starts_with("HTTP/1.1 200") {
            let body = String::from_utf8_lossy(self.wire.body());
            bail!("{method} {path}: {line}: {body}");
        }
        Ok(serde_json::from_slice(self.wire.body())?)
    }

    pub(crate) async fn template(&mut self, name: &str) -> anyhow::Result<Template> {
        let tasks: Vec<_> = (1..=TASKS)
            .map(|number| json!({ "name": format!("Task {number}") }))
            .collect();
        let document = json!({ "name": name, "tasks": tasks });
        let made = self
            .done("PUT", "/api/template", &document.to_string())
            .await?;
        let tasks = made["tasks"].as_array().context("tasks of the template")?;
        Ok(Template {
            key: text(&made["templateKey"])?,
            tasks: tasks
                .iter()
                .map(|task| text(&task["key"]))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Subscribes `target` to completions; `scope` is what else stands in the query. Answers the id.
    pub(crate) async fn subscribe(&mut self, target: &str, scope: &str) -> anyhow::Result<String> {
        let target: String = url::form_urlencoded::byte_serialize(target.as_bytes()).collect();
        let path = format!(
            "/api/web-hook/subscribe?source=bench&eventType=task_completed&targetUrl={target}&{scope}"
        );
        text(&self.done("POST", &path, "").await?["id"])
    }

    /// Makes a checklist and answers the numbers of its tasks.
    pub(crate) async fn checklist(
        &mut self,
        template: &str,
        name: &str,
    ) -> anyhow::Result<Vec<u64>> {
        let path = format!("/api/checklist?templateKey={template}&checklistName={name}");
        let made = self.done("POST", &path, "").await?;
        let tasks = made["tasks"].as_array().context("tasks of the checklist")?;
        let ids = tasks.iter().map(|task| task["taskId"].as_u64());
        ids.collect::<Option<_>>().context("taskId of the tasks")
    }
}

/// Makes as many checklists as it takes to have `events` tasks, and answers these, checklist by
/// checklist.
pub(crate) async fn checklists(
    address: SocketAddr,
    key: &str,
    template: &str,
    events: usize,
) -> anyhow::Result<Vec<u64>> {
    let mut makers = JoinSet::new();
    let (key, template) = (Arc::<str>::from(key), Arc::<str>::from(template));
    for maker in 0..MAKERS {
        let (key, template) = (key.clone(), template.clone());
        makers.spawn(async move {
            let mut api = Api::connect(address, &key).await?;
            let mut made = Vec::new();
            for number in (maker..events.div_ceil(TASKS)).step_by(MAKERS) {
                let name = format!("Bench%20{number}");
                made.push(api.checklist(&template, &name).await?);
            }
            anyhow::Ok(made)
        });
    }
    let mut tasks = Vec::with_capacity(events);
    while let Some(made) = makers.join_next().await {
        tasks.extend(made??.into_iter().flatten());
    }
    tasks.truncate(events);
    Ok(tasks)
}

fn text(value: &Value) -> anyhow::Result<String> {
    let text = value.as_str();
    Ok(text.context("a text in the API's answer")?.to_owned())
}
