//! What the demo does through the API, step by step, and what it is told to expect.
//!
//! An event is expected when the API answered that the change was made, once for each subscription
//! that the API said it made for such events. Nothing is known in advance.

use anyhow::{Context as _, bail};
use http::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    account::{Expected, Subject},
    client::{Answer, Client},
    next::NextSteps,
    receiver::Receiver,
    screen::Screen,
    template::{document, outline, scan},
};

/// The demo's course, as far as it has come.
pub(crate) struct Story {
    client: Client,
    screen: Screen,
    template: String,
    /// The subscriptions that the API made: type of event and identifier.
    subscriptions: Vec<(String, String)>,
    expected: Vec<Expected>,
}

/// Goes through the whole of it.
pub(crate) async fn tell(
    client: Client,
    receiver: &Receiver,
    screen: &Screen,
) -> anyhow::Result<Story> {
    let mut story = Story {
        client,
        screen: screen.clone(),
        template: String::new(),
        subscriptions: Vec::new(),
        expected: Vec::new(),
    };
    story.make_template().await?;
    story.subscribe(receiver).await?;
    screen.chapter(
        "Two checklists",
        "deliveries show up as they arrive at the receiver",
    );
    screen.heads();
    story.run("2041", true).await?;
    story.run("2042", false).await?;
    Ok(story)
}

impl Story {
    pub(crate) fn expected(&self) -> &[Expected] {
        &self.expected
    }

    async fn make_template(&mut self) -> anyhow::Result<()> {
        self.screen.chapter("A template", "PUT /api/template");
        let made = self
            .client
            .put("/api/template", &document())
            .await?
            .done()?;
        text(&made, "templateKey")?.clone_into(&mut self.template);
        for task in made["tasks"]
            .as_array()
            .context("the template has no tasks")?
        {
            self.screen.note(&outline(task));
        }
        Ok(())
    }

    /// Subscribes to each event with the key that says what is meant, found by name as an
    /// integrator finds it.
    async fn subscribe(&mut self, receiver: &Receiver) -> anyhow::Result<()> {
        self.screen
            .chapter("Three subscriptions", "POST /api/web-hook/subscribe");
        let tasks = self
            .list("/api/template/tasks", &[("templateKey", &self.template)])
            .await?;
        let upload = named(&tasks, "name", "Receive the invoice")?;
        let query = [
            ("taskKey", text(upload, "id")?),
            ("contentType", "FileUpload"),
        ];
        let controls = self.list("/api/template/task-content", &query).await?;
        let control = text(
            controls.first().context("the task has no FileUpload")?,
            "id",
        )?
        .to_owned();
        let (template, url) = (self.template.clone(), receiver.url());
        for (event, name, key) in [
            ("new_checklist", "templateKey", &template),
            ("task_completed", "templateKey", &template),
            ("file_uploaded", "taskContentKey", &control),
        ] {
            let query = [
                ("source", "demo"),
                ("eventType", event),
                ("targetUrl", &url),
                (name, key),
            ];
            let made = self
                .call(Method::POST, "/api/web-hook/subscribe", &query)
                .await?;
            let (id, secret) = (text(&made, "id")?, text(&made, "secret")?);
            receiver.trust(id, secret);
            self.subscriptions
                .push((text(&made, "eventType")?.to_owned(), id.to_owned()));
            self.screen.note(&format!("{event:<15} {name}={key}"));
        }
        Ok(())
    }

    /// Runs one checklist to its end; the first one stumbles on the way, to show the answers.
    async fn run(&mut self, number: &str, stumbling: bool) -> anyhow::Result<()> {
        let name = format!("Invoice {number}");
        self.screen.step(&format!("start     {name}"));
        let query = [
            ("templateKey", self.template.as_str()),
            ("checklistName", &name),
        ];
        let list = self.call(Method::POST, "/api/checklist", &query).await?;
        self.expect("new_checklist", &list)?;
        let tasks = list["tasks"]
            .as_array()
            .context("the checklist has no tasks")?;
        if stumbling {
            self.stumble(tasks, number).await?;
        }
        for task in tasks.iter().filter(|task| task["taskIsHeading"] == false) {
            for field in task["fields"].as_array().into_iter().flatten() {
                self.fill_in(field, number).await?;
            }
            self.complete(task).await?;
        }
        Ok(())
    }

    /// Does what must be refused: completes a halted task, and one whose controls are not satisfied.
    async fn stumble(&self, tasks: &[Value], number: &str) -> anyhow::Result<()> {
        self.refused(named(tasks, "taskName", "Pay")?).await?;
        let receive = named(tasks, "taskName", "Receive the invoice")?;
        let fields = receive["fields"]
            .as_array()
            .context("the task has no fields")?;
        self.set(named(fields, "contentType", "ShortText")?, number)
            .await?;
        self.refused(receive).await
    }

    async fn fill_in(&mut self, field: &Value, number: &str) -> anyhow::Result<()> {
        match text(field, "contentType")? {
            "ShortText" => self.set(field, &format!("INV-{number}")).await,
            "DropDown" => self.set(field, "Approve").await,
            "FileUpload" => self.upload(field, number).await,
            other => bail!("the demo's template has no {other}"),
        }
    }

    async fn set(&self, field: &Value, value: &str) -> anyhow::Result<()> {
        self.screen
            .step(&format!("set       {} = {value:?}", text(field, "name")?));
        let mut body = field.clone();
        body["value"] = value.into();
        let answer = self
            .client
            .put("/api/task/update-task-content", &body)
            .await?
            .done()?;
        if answer["value"] != value {
            bail!("the field was not set as it should be: {answer}");
        }
        Ok(())
    }

    async fn upload(&mut self, field: &Value, number: &str) -> anyhow::Result<()> {
        let (bytes, name) = (scan(number), format!("invoice-{number}.pdf"));
        self.screen
            .step(&format!("upload    {name} ({} bytes)", bytes.len()));
        let id = field["taskContentID"].to_string();
        let query = [("taskContentID", id.as_str())];
        let file = (name.as_str(), "application/pdf");
        let stored = self
            .client
            .upload("/api/task/upload-file", &query, file, &bytes)
            .await?
            .done()?;
        if text(&stored, "fileSha256")? != domain::hex(&Sha256::digest(&bytes)) {
            bail!("the stored file is not the one that was sent");
        }
        self.expect("file_uploaded", &stored)
    }

    async fn complete(&mut self, task: &Value) -> anyhow::Result<()> {
        self.screen
            .step(&format!("complete  {}", text(task, "taskName")?));
        let done = self
            .client
            .put("/api/task/status", &complete(task))
            .await?
            .done()?;
        self.expect("task_completed", &done)
    }

    /// Tries what must be refused, and shows the reasons.
    async fn refused(&self, task: &Value) -> anyhow::Result<()> {
        let name = text(task, "taskName")?;
        let Answer { status, body } = self.client.put("/api/task/status", &complete(task)).await?;
        if status.is_success() {
            bail!("{name:?} could be completed, though it must not be yet");
        }
        let mut reasons = Vec::new();
        for error in body["errors"].as_array().into_iter().flatten() {
            let fields = task["fields"].as_array().into_iter().flatten();
            let field = text(error, "field")?;
            // People know a control by its name; the API tells its key.
            let known = fields.clone().find(|known| known["key"] == field);
            let label = known
                .and_then(|known| known["name"].as_str())
                .unwrap_or(field);
            reasons.push(format!("{label}: {}", text(error, "message")?));
        }
        if reasons.is_empty() {
            reasons.push(text(&body, "detail")?.to_owned());
        }
        let code = text(&body, "code")?;
        self.screen.refusal(
            &format!("complete  {name}: refused, {} {code}", status.as_u16()),
            &reasons,
        );
        Ok(())
    }

    /// Notes that the change which the API just answered must reach its subscribers.
    fn expect(&mut self, event: &str, row: &Value) -> anyhow::Result<()> {
        let subject = Subject::of(event, row)
            .with_context(|| format!("no {event} can be read from {row}"))?;
        let to = self.subscriptions.iter().filter(|(kind, _)| kind == event);
        self.expected
            .extend(to.map(|(_, id)| Expected::new(id, &subject)));
        Ok(())
    }

    async fn call(
        &self,
        method: Method,
        path: &str,
        query: &[(&str, &str)],
    ) -> anyhow::Result<Value> {
        self.client.call(method, path, query).await?.done()
    }

    async fn list(&self, path: &str, query: &[(&str, &str)]) -> anyhow::Result<Vec<Value>> {
        let rows = self.call(Method::GET, path, query).await?;
        rows.as_array()
            .cloned()
            .with_context(|| format!("{path} answered no list"))
    }

    /// Command lines to go on with.
    pub(crate) fn next_steps(&self) -> NextSteps {
        let subscription = self.subscriptions.first().map_or("", |(_, id)| id);
        NextSteps::new(&self.client, &self.template, subscription)
    }
}

fn complete(task: &Value) -> Value {
    json!({ "taskId": task["taskId"], "status": "Complete", "modifiedByUserID": 0 })
}

fn text<'a>(row: &'a Value, name: &str) -> anyhow::Result<&'a str> {
    row[name]
        .as_str()
        .with_context(|| format!("the answer has no {name}: {row}"))
}

/// The row of which the member `name` is `value`.
fn named<'a>(rows: &'a [Value], name: &str, value: &str) -> anyhow::Result<&'a Value> {
    rows.iter()
        .find(|row| row[name] == value)
        .with_context(|| format!("there is no {value:?}"))
}
