//! The rules of templates, seen from outside.

use serde_json::{Value, json};

use crate::harness::{Server, errors, text};

/// Makes a template; answers its document.
async fn template(server: &Server, document: &Value) -> Value {
    server.put("/api/template", document).answer().await.ok()
}

fn invoices() -> Value {
    json!({"name": "Invoices", "tasks": [
        {"name": "Decide", "controls": [
            {"type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"]}]},
        {"name": "Pay", "hidden": true, "controls": [
            {"type": "ShortText", "name": "Amount"},
            {"type": "ShortText", "name": "Note", "hidden": true, "required": true}]},
        {"name": "File it"}],
        "conditions": [
            {"when": [{"control": "Decision", "operator": "is", "value": "Approve"}], "show": ["Pay"]}]})
}

/// Sets the value of a control.
async fn set(server: &Server, field: &Value, value: &str) -> Value {
    let body = json!({"taskContentID": field, "value": value});
    let set = server.put("/api/task/update-task-content", &body);
    set.answer().await.ok()
}

async fn tasks(server: &Server, template: &Value) -> Value {
    let key = text(&template["templateKey"]);
    let target = format!("/api/checklist/details?templateKey={key}");
    server.get(&target).answer().await.ok()[0].clone()
}

#[tokio::test]
async fn values_show_and_hide_tasks_and_controls() {
    let server = Server::start().await;
    let template = template(&server, &invoices()).await;
    let list = server.checklist(&template).await;
    let (pay, file) = (&list["tasks"][1], &list["tasks"][2]);
    assert_eq!(pay["taskIsCurrentlyHidden"], true);
    assert_eq!(pay["fields"], json!([]));
    let refused = server.status(&pay["taskId"], "Complete").refusal().await;
    assert_eq!(refused, (409, "hidden".to_owned()));

    let decision = &list["tasks"][0]["fields"][0]["taskContentID"];
    set(&server, decision, "Approve").await;
    let shown = tasks(&server, &template).await;
    let fields = &shown["tasks"][1]["fields"];
    assert_eq!(shown["tasks"][1]["taskIsCurrentlyHidden"], false);
    assert_eq!(
        (&fields[0]["name"], &fields[1]),
        (&json!("Amount"), &Value::Null)
    );
    let note = fields[0]["taskContentID"].as_i64().unwrap() + 1;
    let body = json!({"taskContentID": note, "value": "x"});
    let refused = server.put("/api/task/update-task-content", &body);
    assert_eq!(refused.refusal().await, (409, "hidden".to_owned()));
    // The note is required, but hidden.
    server
        .status(&pay["taskId"], "Complete")
        .answer()
        .await
        .ok();
    server
        .status(&file["taskId"], "Complete")
        .answer()
        .await
        .ok();
}

#[tokio::test]
async fn a_task_that_a_value_hides_need_not_be_done() {
    let server = Server::start().await;
    let document = json!({"name": "T", "tasks": [
        {"name": "Note", "heading": true},
        {"name": "A", "controls": [{"type": "MultiChoice", "name": "Needs", "options": ["B", "C"]}]},
        {"name": "B"}],
        "conditions": [{"when": [{"control": "Needs", "operator": "contains", "value": "C"}], "hide": ["B"]}]});
    let template = template(&server, &document).await;
    let list = server.checklist(&template).await;
    let a = &list["tasks"][1];
    let needs = &a["fields"][0]["taskContentID"];
    set(&server, needs, "[\"C\"]").await;
    server.status(&a["taskId"], "Complete").answer().await.ok();
    let ended = tasks(&server, &template).await;
    assert!(ended["checklistEndDateTime"].is_string());
    server
        .status(&a["taskId"], "Incomplete")
        .answer()
        .await
        .ok();
    set(&server, needs, "").await;
    assert_eq!(
        tasks(&server, &template).await["checklistEndDateTime"],
        Value::Null
    );
}

#[tokio::test]
async fn conditions_that_go_in_a_circle_are_refused_with_their_names() {
    let server = Server::start().await;
    let mut document = invoices();
    document["conditions"] = json!([
        {"when": [{"control": "Decision", "operator": "isFilled"}], "show": ["Pay"]},
        {"when": [{"control": "Amount", "operator": "isEmpty"}], "hide": ["Decision"]}]);
    let refused = server.put("/api/template", &document).answer().await;
    assert_eq!(
        errors(&refused.problem()),
        [
            "conditions go in a circle: whether \"Pay\" is shown depends on \"Decision\" in \"Decide\", and whether \
          \"Decision\" is shown depends on \"Amount\" in \"Pay\"; take one of them out"
        ]
    );
}

#[tokio::test]
async fn a_document_with_rules_can_be_put_again_as_it_was_answered() {
    let server = Server::start().await;
    let made = template(&server, &invoices()).await;
    assert_eq!(made["conditions"][0]["show"][0], made["tasks"][1]["key"]);
    let target = format!("/api/template?templateKey={}", text(&made["templateKey"]));
    assert_eq!(server.put(&target, &made).answer().await.ok(), made);
    assert_eq!(server.get(&target).answer().await.ok(), made);
}
