//! Who may do what: every operation with a key of every scope, and with the key of another team.

use std::time::Duration;

use api::ApiSettings;
use app::KeyWish;
use domain::{Right, Rights};
use http::StatusCode;
use serde_json::{Value, json};

use crate::{
    feed::complete,
    harness::{NOBODY, Server, text},
};

/// What an operation is tried on: a team in which one of everything is.
struct Stage {
    server: Server,
    template: Value,
    list: Value,
    file: Value,
    subscription: Value,
    secret: Value,
    delivery: Value,
    job: Value,
    key: Value,
    member: Value,
    group: Value,
}

impl Stage {
    async fn set() -> Self {
        // A test of a subscription, which nobody sends here, is waited for a second.
        let hasty = |settings: &mut ApiSettings| {
            settings.limits.request_timeout = Duration::from_secs(6);
        };
        let server = Server::with(hasty).await;
        let template = server.template().await;
        let list = server.checklist(&template).await;
        let field = &list["tasks"][0]["fields"][1]["taskContentID"];
        let file = server.upload(field, "scan.pdf", b"%PDF").answer().await;
        let asked = "/api/web-hook/subscribe?source=custom&eventType=task_completed&scope=team\
            &targetUrl=https%3A%2F%2Fexample.com%2Fhooks";
        let subscription = server.post(asked).answer().await.ok();
        complete(&server, &list).await;
        let of = text(&subscription["id"]);
        let first = async |list: &str| {
            let page = server.get(list).answer().await.ok();
            page["items"][0].clone()
        };
        let secret = first(&format!("/api/web-hook/secrets?subscriptionId={of}")).await;
        let delivery = first("/api/web-hook/deliveries").await;
        let job = server.post("/api/web-hook/redelivery-job?state=ALL&neverAttempted=true");
        let made = server.post("/api/key?name=spare").answer().await.ok();
        let member = server.post("/api/team/member?name=Ann&email=ann%40example.com");
        let member = member.answer().await.ok();
        let group = format!("/api/team/group?name=Crew&memberIds={}", member["memberId"]);
        Self {
            group: server.post(&group).answer().await.ok(),
            member,
            job: job.answer().await.ok(),
            file: file.ok(),
            key: made,
            template,
            list,
            subscription,
            secret,
            delivery,
            server,
        }
    }

    /// The same, of an operation about people.
    fn of_people(&self, operation: &str) -> Option<(String, Option<Value>)> {
        let task = &self.list["tasks"][2]["taskId"];
        let (member, group) = (&self.member["memberId"], &self.group["groupId"]);
        let query = match operation {
            "list_people" | "list_members" | "list_groups" => String::new(),
            "get_member" | "deactivate_member" => format!("memberId={member}"),
            "change_member" => format!("memberId={member}&name=Bob"),
            "add_member" => "name=Bob&email=bob.1%40example.com".to_owned(),
            "get_group" | "remove_group" => format!("groupId={group}"),
            "change_group" => format!("groupId={group}&name=Shift.1"),
            "make_group" => "name=Night.1".to_owned(),
            "list_assignments" => format!("assigneeType=1&assigneeId={member}"),
            "clear_assignees" => format!("taskId={task}"),
            "set_assignees" => {
                let to = json!([{"assigneeType": 2, "assigneeId": group}]);
                let body = json!({"taskID": task, "assignees": to, "isAssignedExclusively": true});
                return Some((String::new(), Some(body)));
            }
            "assign_by_name" => {
                let body = json!({"taskID": task, "assigneeNames": ["Ann"],
                    "isAssignedExclusively": false, "deleteExistingAssignees": true});
                return Some((String::new(), Some(body)));
            }
            _ => return None,
        };
        Some((query, None))
    }

    /// A request that the operation takes, with its body if it has one.
    fn request(&self, operation: &str) -> (String, Option<Value>) {
        if let Some(request) = self.of_people(operation) {
            return request;
        }
        let id = |value: &Value| {
            let text = value.as_str().map(str::to_owned);
            text.unwrap_or_else(|| value.to_string())
        };
        let template = id(&self.template["templateKey"]);
        let task = id(&self.list["tasks"][0]["taskKey"]);
        let control = id(&self.template["tasks"][0]["controls"][1]["key"]);
        let (list, task_id) = (
            id(&self.list["checklistId"]),
            &self.list["tasks"][2]["taskId"],
        );
        let of = format!("subscriptionId={}", id(&self.subscription["id"]));
        let delivery = format!("deliveryId={}", id(&self.delivery["deliveryId"]));
        let job = format!("jobId={}", id(&self.job["jobId"]));
        let query = match operation {
            "create_checklist" => format!("templateKey={template}&checklistName=Another"),
            "checklist_details"
            | "find_checklists"
            | "get_template"
            | "list_template_tasks"
            | "put_template" => {
                format!("templateKey={template}")
            }
            "download" => format!("fileKey={}", id(&self.file["fileKey"])),
            "list_tasks" | "list_template_controls" => format!("taskKey={task}"),
            "list_files" => format!("taskContentKey={control}"),
            "task_details" => format!("checklistId={list}&taskKey={task}"),
            "clear_due" => format!("taskId={task_id}"),
            "upload" => {
                let field = &self.list["tasks"][0]["fields"][1]["taskContentID"];
                return (format!("taskContentID={field}"), None);
            }
            "redeliver" | "get_delivery" | "cancel_delivery" => delivery,
            "get_event" => format!("eventId={}", id(&self.delivery["eventId"])),
            "erase" => format!("checklistId={list}"),
            "explain_target" => "targetUrl=https://example.com/".to_owned(),
            "see_notices" => format!("noticeId={}", id(&self.key["keyId"])),
            "get_replay" | "cancel_replay" | "pause_replay" | "resume_replay" => job,
            "make_replay" => format!("neverAttempted=true&{of}"),
            "revoke_secret" => format!("{of}&secretId={}", id(&self.secret["id"])),
            "subscribe" => format!(
                "source=other&eventType=new_checklist&templateKey={template}\
                 &targetUrl=https%3A%2F%2Fexample.com%2Fhooks"
            ),
            "roll_secret" | "list_secrets" | "get_subscription" | "get_health" | "pause"
            | "resume" | "prove" | "read_feed" | "unsubscribe" | "test_subscription" => of,
            "change_subscription" => format!("{of}&source=renamed"),
            "make_key" => "name=third".to_owned(),
            "revoke_key" => format!("keyId={}", id(&self.key["keyId"])),
            _ => String::new(),
        };
        let body = self.body(operation);
        let bare = [
            "validate",
            "list_templates",
            "list_subscriptions",
            "list_deliveries",
            "list_events",
            "list_event_types",
            "list_notices",
            "list_replays",
            "list_keys",
            "read_audit",
        ];
        let known = !query.is_empty() || body.is_some() || bare.contains(&operation);
        assert!(known, "{operation}: write a request down here");
        (query, body)
    }

    fn body(&self, operation: &str) -> Option<Value> {
        let task = &self.list["tasks"][2]["taskId"];
        Some(match operation {
            "set_status" => {
                json!({"taskId": task, "status": "NotApplicable", "modifiedByUserID": 0})
            }
            "set_due" => json!({"taskId": task, "dueDateTime": "2026-12-01T17:00:00Z"}),
            "set_field" => {
                let mut body = self.list["tasks"][0]["fields"][0].clone();
                body["value"] = "INV-1".into();
                body
            }
            "create_with_parameters" => {
                json!({"templateKey": self.template["templateKey"], "checklistName": "Another"})
            }
            "put_template" => self.template.clone(),
            _ => return None,
        })
    }

    /// Tries an operation with a key; its status and code.
    async fn attempt(
        &self,
        operation: &Operation,
        key: &str,
        query: &str,
        body: Option<&Value>,
    ) -> (u16, String) {
        let target = format!("{}?{query}", operation.path);
        let mut ask = self
            .server
            .ask(&operation.method, &target)
            .header("x-api-key", key);
        if operation.id == "upload" {
            ask = ask.form("scan.pdf", b"%PDF-1.7");
        } else if let Some(body) = body {
            ask = ask.json(body);
        }
        let answer = ask.answer().await;
        let code = answer.value()["code"].as_str().unwrap_or("").to_owned();
        (answer.status.as_u16(), code)
    }

    async fn key(&self, rights: Rights) -> String {
        let wish = KeyWish {
            name: rights.to_string(),
            rights,
            expires_at: None,
        };
        let (store, source) = (&self.server.store, &self.server.source);
        let made = app::create_key(store, source, self.server.team, &wish).await;
        made.unwrap().secret.reveal().to_owned()
    }
}

/// An operation, as the document has it.
struct Operation {
    id: String,
    method: String,
    path: String,
    /// The scope that it names.
    scope: Right,
}

fn operations() -> Vec<Operation> {
    let document = api::openapi();
    let mut found = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, described) in methods.as_object().unwrap() {
            if described["security"] == json!([]) {
                continue;
            }
            found.push(Operation {
                id: text(&described["operationId"]).to_owned(),
                method: method.to_uppercase(),
                path: path.clone(),
                scope: text(&described["security"][0]["key"][0]).parse().unwrap(),
            });
        }
    }
    found
}

#[tokio::test]
async fn no_scope_will_do_but_the_one_that_the_document_names() {
    let stage = Stage::set().await;
    let mut keys = Vec::new();
    for right in Right::ALL {
        let rights = Rights::of(&[right]).unwrap();
        keys.push((rights, stage.key(rights).await));
    }
    let refused = (403, "scope_missing".to_owned());
    let mut seen = 0;
    for operation in operations() {
        let id = &operation.id;
        let (query, body) = stage.request(id);
        for (rights, key) in &keys {
            if rights.include(operation.scope) {
                continue;
            }
            let whole = stage.attempt(&operation, key, &query, body.as_ref());
            assert_eq!(whole.await, refused, "{id} with {rights}");
            // Nor does it hear what else is wrong.
            let empty = stage.attempt(&operation, key, "", None);
            assert_eq!(empty.await, refused, "{id} with {rights} and nothing else");
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} refusals");
}

#[tokio::test]
async fn every_operation_takes_the_scope_that_the_document_names() {
    let mut stage = Stage::set().await;
    for operation in operations() {
        if operation.method != "GET" {
            // The one before may have taken away what this one is about.
            stage = Stage::set().await;
        }
        let id = &operation.id;
        let (query, body) = stage.request(id);
        for right in [operation.scope, Right::Admin] {
            let key = stage.key(Rights::of(&[right]).unwrap()).await;
            let (status, code) = stage.attempt(&operation, &key, &query, body.as_ref()).await;
            assert!(
                ![400, 401, 403].contains(&status) && status < 500,
                "{id} with {right}: {status} {code}"
            );
        }
    }
}

/// `text` with each of our identifiers replaced by one that nobody has.
fn strange(text: &str) -> String {
    let guid = |part: &str| part.len() == 36 && part.matches('-').count() == 4;
    let number = |part: &str| {
        part.len() < 19
            // A nought is no number of anything, but may be one of the parts of a time.
            && !part.trim_matches('0').is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
    };
    let parts = text.split_inclusive(|c: char| !c.is_ascii_alphanumeric() && c != '-');
    let replaced = parts.map(|part| {
        let end = part.find(|c: char| !c.is_ascii_alphanumeric() && c != '-');
        let (word, rest) = part.split_at(end.unwrap_or(part.len()));
        let word = match word {
            word if guid(word) => NOBODY,
            word if number(word) => "987654321",
            word => word,
        };
        format!("{word}{rest}")
    });
    // What kind of assignee it is, is no identifier.
    let replaced: String = replaced.collect();
    let replaced = replaced.replace("assigneeType=987654321", "assigneeType=1");
    replaced.replace("\"assigneeType\":987654321", "\"assigneeType\":2")
}

#[tokio::test]
async fn what_is_another_teams_answers_as_if_it_did_not_exist() {
    // Whatever the other team does, it changes nothing here.
    let stage = Stage::set().await;
    let key = stage.server.other_key.clone();
    for operation in operations() {
        let id = &operation.id;
        let (query, body) = stage.request(id);
        let found = stage.attempt(&operation, &key, &query, body.as_ref()).await;
        let body = body.map(|body| serde_json::from_str(&strange(&body.to_string())).unwrap());
        let nowhere = strange(&query);
        let none = stage
            .attempt(&operation, &key, &nowhere, body.as_ref())
            .await;
        assert_eq!(found, none, "{id}?{query}");
    }
}

#[tokio::test]
async fn a_key_is_made_listed_used_and_revoked() {
    let server = Server::start().await;
    let made = server
        .post("/api/key?name=scanner&scopes=run,webhooks&expiresAt=2100-01-01T00:00:00Z")
        .answer()
        .await;
    assert_eq!(made.problem()["errors"][0]["field"], "expiresAt", "too far");
    let asked = server
        .post("/api/key")
        .json(&json!({"name": " scanner ", "scopes": "webhooks,run"}));
    let made = asked.answer().await.ok();
    assert_eq!(made["name"], "scanner");
    assert_eq!(made["scopes"], json!(["run", "webhooks"]));
    let key = text(&made["key"]);
    assert!(key.starts_with(text(&made["prefix"])), "{made}");

    let validate = async || {
        let ask = server.get("/api/authentication/validate");
        ask.header("x-api-key", key).answer().await
    };
    assert_eq!(validate().await.ok()["scopes"], made["scopes"]);
    let list = async || {
        let page = server.get("/api/key/keys").answer().await;
        assert!(!page.shown().contains(key), "the key is nowhere");
        let items = page.ok()["items"].as_array().unwrap().clone();
        items
            .into_iter()
            .find(|row| row["keyId"] == made["keyId"])
            .unwrap()
    };
    let used = list().await["lastUsedDateTime"].clone();
    assert!(used.is_string(), "{used}");
    server.clock.advance(Duration::from_mins(4));
    validate().await.ok();
    assert_eq!(list().await["lastUsedDateTime"], used, "soon after");
    server.clock.advance(Duration::from_mins(1));
    validate().await.ok();
    assert_ne!(list().await["lastUsedDateTime"], used);

    let revoke = format!("/api/key?keyId={}", text(&made["keyId"]));
    let revoked = server.ask("DELETE", &revoke).answer().await.ok();
    assert_eq!(revoked, json!({"keyId": made["keyId"], "revokedNow": true}));
    assert_eq!(validate().await.problem()["code"], "key_revoked");
    let again = server.ask("DELETE", &revoke).answer().await.ok();
    assert_eq!(again["revokedNow"], false);
    let strange = server.ask("DELETE", &format!("/api/key?keyId={NOBODY}"));
    assert_eq!(strange.refusal().await, (404, "api_key_missing".to_owned()));
}

#[tokio::test]
async fn a_key_opens_nothing_from_its_end_on() {
    let server = Server::start().await;
    let end = server.source.now().after(Duration::from_mins(10));
    let asked = json!({"name": "visitor", "scopes": "read", "expiresAt": end});
    let made = server.post("/api/key").json(&asked).answer().await.ok();
    let validate = async || {
        let ask = server.get("/api/authentication/validate");
        ask.header("x-api-key", text(&made["key"])).answer().await
    };
    assert_eq!(validate().await.ok()["expiresDateTime"], json!(end));
    server
        .clock
        .advance(Duration::from_millis(10 * 60 * 1000 - 1));
    assert_eq!(validate().await.status, StatusCode::OK);
    server.clock.advance(Duration::from_millis(1));
    assert_eq!(validate().await.problem()["code"], "key_expired");
}

#[tokio::test]
async fn what_a_key_may_not_be_is_said() {
    let server = Server::start().await;
    for (query, field) in [
        ("", "name"),
        ("name=%20", "name"),
        ("name=a&scopes=all", "scopes"),
        ("name=a&scopes=run,,read", "scopes"),
        ("name=a&expiresAt=yesterday", "expiresAt"),
        ("name=a&expiresAt=2001-01-01T00:00:00Z", "expiresAt"),
    ] {
        let problem = server
            .post(&format!("/api/key?{query}"))
            .answer()
            .await
            .problem();
        assert_eq!(problem["errors"][0]["field"], field, "{query}: {problem}");
    }
}

#[tokio::test]
async fn the_audit_log_tells_who_did_what_and_is_searched() {
    let server = Server::start().await;
    let template = server.template().await;
    let list = server.checklist(&template).await;
    complete(&server, &list).await;
    let read = async |query: &str| {
        let page = server
            .get(&format!("/api/audit/log?{query}"))
            .answer()
            .await
            .ok();
        let items = page["items"].as_array().unwrap().clone();
        let actions: Vec<String> = items
            .iter()
            .map(|row| text(&row["action"]).to_owned())
            .collect();
        (actions, items, page["nextCursor"].clone())
    };
    let (actions, items, next) = read("").await;
    let wanted = [
        "task.reopen",
        "task.complete",
        "checklist.create",
        "template.create",
        "key.create",
        "team.create",
    ];
    assert_eq!(actions, wanted);
    assert_eq!(next, Value::Null);
    assert_eq!(items[0]["by"], "script");
    assert_eq!(
        (&items[0]["door"], &items[5]["door"]),
        (&json!("api"), &json!("cli"))
    );
    assert!(items[0]["keyId"].is_string() && items[5]["keyId"].is_null());

    let (actions, page, next) = read("limit=2").await;
    assert_eq!(actions, wanted[..2]);
    assert_eq!(next, page[1]["number"]);
    assert_eq!(
        read(&format!("limit=2&cursor={next}")).await.0,
        wanted[2..4]
    );

    assert_eq!(read("action=task").await.0, wanted[..2]);
    assert_eq!(read("action=task.complete").await.0, ["task.complete"]);
    let subject = text(&items[3]["subject"]);
    assert_eq!(
        read(&format!("subject={subject}")).await.0,
        ["template.create"]
    );
    let key = text(&items[0]["keyId"]);
    assert_eq!(read(&format!("keyId={key}")).await.0, wanted[..4]);
    let future = server.source.now().after(Duration::from_secs(1));
    assert_eq!(read(&format!("since={future}")).await.0, [""; 0]);
    assert_eq!(read(&format!("until={future}")).await.0, wanted);
}
