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

fn due(task: &Value) -> &Value {
    &task["taskDueDateTime"]
}

#[tokio::test]
async fn due_dates_follow_rules_unless_they_are_set_by_hand() {
    let server = Server::start().await;
    let document = json!({"name": "T", "tasks": [
        {"name": "H", "heading": true},
        {"name": "A", "due": {"days": 2}, "controls": [{"type": "Date", "name": "Day"}]},
        {"name": "B", "due": {"from": "previous", "days": 1}},
        {"name": "C", "due": {"from": "control", "control": "Day", "days": 1, "before": true}},
        {"name": "D"}]});
    let template = template(&server, &document).await;
    let list = server.checklist(&template).await;
    let [a, b, c, d] = [1, 2, 3, 4].map(|task: usize| &list["tasks"][task]);
    let start = list["checklistStartDateTime"].as_str().unwrap();
    let start: domain::Timestamp = start.parse().unwrap();
    let later = |days: u64| {
        json!(
            start
                .after(std::time::Duration::from_hours(24 * days))
                .to_string()
        )
    };
    assert_eq!(
        [a, b, c, d].map(due),
        [&later(2), &Value::Null, &Value::Null, &Value::Null]
    );

    set(&server, &a["fields"][0]["taskContentID"], "2027-03-01").await;
    server.status(&a["taskId"], "Complete").answer().await.ok();
    let now = tasks(&server, &template).await;
    assert_eq!(due(&now["tasks"][3]), "2027-02-28T23:59:00.000Z");
    let done = now["tasks"][1]["taskCompletedDateTime"].as_str().unwrap();
    let done: domain::Timestamp = done.parse().unwrap();
    let next_day = done.after(std::time::Duration::from_hours(24)).to_string();
    assert_eq!(due(&now["tasks"][2]), &json!(next_day));

    let by_hand = |task: &Value| json!({"taskID": task["taskId"], "dueDateTime": "2030-01-01T01:00:00+01:00"});
    for task in [b, d] {
        let set = server
            .put("/api/task/due-date", &by_hand(task))
            .answer()
            .await
            .ok();
        assert_eq!(due(&set), "2030-01-01T00:00:00.000Z");
    }
    for (task, rule) in [(b, json!(next_day)), (d, Value::Null)] {
        let target = format!("/api/task/due-date?taskId={}", task["taskId"]);
        let cleared = server.ask("DELETE", &target).answer().await.ok();
        assert_eq!(due(&cleared), &rule);
    }
    let heading = server.put("/api/task/due-date", &by_hand(&list["tasks"][0]));
    assert_eq!(heading.refusal().await, (409, "task_is_heading".to_owned()));
    let nothing = server.put("/api/task/due-date", &json!({"taskId": b["taskId"]}));
    assert_eq!(nothing.refusal().await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn a_circle_of_due_rules_is_refused() {
    let server = Server::start().await;
    let after = |task: &str| json!({"from": "task", "task": task});
    let document = json!({"name": "T", "tasks": [
        {"name": "A", "due": after("B")}, {"name": "B", "due": after("A")}]});
    let refused = server.put("/api/template", &document).answer().await;
    let expected = "tasks have due rules that go in a circle: \"A\" is due after \"B\" is due after \"A\"; change one of them";
    assert_eq!(errors(&refused.problem()), [expected]);
}

fn orders() -> Value {
    json!({"name": "Orders", "parameters": [
        {"name": "Customer", "type": "ShortText", "required": true},
        {"name": "Speed", "type": "DropDown", "options": ["slow", "fast"], "default": "slow"}],
        "tasks": [{"name": "Call", "controls": [
            {"type": "Text", "name": "Hint", "text": "Call {{customer}} about {{Subject}} ({{Speed}}), not {{nobody}}."},
            {"type": "Image", "name": "Plan", "url": "https://example.com/plan.png"},
            {"type": "ShortText", "name": "Subject", "value": "Order of {{ CUSTOMER }}"},
            {"type": "DropDown", "name": "How", "options": ["slow", "fast"], "value": "{{Speed}}"}]}]})
}

async fn order(server: &Server, template: &Value, parameters: Value) -> crate::harness::Answer {
    let body = json!({"templateKey": template["templateKey"], "checklistName": "One", "parameters": parameters});
    let ask = server.post("/api/checklist/create-with-parameters");
    ask.json(&body).answer().await
}

#[tokio::test]
async fn a_checklist_begins_with_its_parameters_and_shows_them() {
    let server = Server::start().await;
    let template = template(&server, &orders()).await;
    let given = json!([{"parameterName": "CUSTOMER", "ParameterValue": "Acme"}]);
    let list = order(&server, &template, given).await.ok();
    let fields = &list["tasks"][0]["fields"];
    assert_eq!(
        (&fields[0]["value"], &fields[1]["value"]),
        (&json!("Order of Acme"), &json!("slow"))
    );
    assert_eq!(list["tasks"][0]["shown"], Value::Null);
    let (id, key) = (&list["checklistId"], text(&list["tasks"][0]["taskKey"]));
    set(&server, &fields[0]["taskContentID"], "a refund").await;
    let details = server.get(&format!("/api/task/details?checklistId={id}&taskKey={key}"));
    let details = details.answer().await.ok();
    let shown = details["shown"].as_array().unwrap();
    let shown: Vec<&Value> = shown.iter().map(|shown| &shown["value"]).collect();
    let hint = "Call Acme about a refund (slow), not {{nobody}}.";
    assert_eq!(
        shown,
        [&json!(hint), &json!("https://example.com/plan.png")]
    );
}

#[tokio::test]
async fn parameters_that_do_not_fit_are_refused_with_those_there_are() {
    let server = Server::start().await;
    let template = template(&server, &orders()).await;
    let said = |answer: crate::harness::Answer| errors(&answer.problem());
    let unknown = json!([{"parameterName": "Client", "parameterValue": "Acme"}]);
    assert_eq!(
        said(order(&server, &template, unknown).await),
        [
            "parameters[0].parameterName \"Client\" is no parameter of this template; there are \"Customer\", \"Speed\"",
            "parameters \"Customer\" is required"
        ]
    );
    let wrong = json!([{"parameterName": "Customer", "parameterValue": 7},
        {"parameterName": "Speed", "parameterValue": "warp"}, {"parameterName": "customer", "parameterValue": "x"}]);
    assert_eq!(
        said(order(&server, &template, wrong).await),
        [
            "parameters[1].parameterValue \"Speed\" \"warp\" is not an option; there are \"slow\", \"fast\"",
            "parameters[2].parameterName \"Customer\" is there twice"
        ]
    );
    assert_eq!(
        said(order(&server, &template, json!([{"parameterValue": "x"}])).await),
        ["parameters[0].parameterName must be given"]
    );
    assert_eq!(
        said(order(&server, &template, json!("Acme")).await),
        ["parameters must be an array of objects with parameterName and parameterValue"]
    );
    // Nor is one made without them by another way.
    let key = text(&template["templateKey"]);
    let plain = server.post(&format!("/api/checklist?templateKey={key}&checklistName=x"));
    assert_eq!(
        said(plain.answer().await),
        ["parameters \"Customer\" is required"]
    );
    let none = server.get(&format!("/api/checklist/details?templateKey={key}"));
    assert_eq!(none.refusal().await, (404, "nothing_found".to_owned()));
}
