use serde_json::json;

use crate::harness::{NOBODY, Server, errors, text};

#[tokio::test]
async fn a_template_is_put_and_got_whole() {
    let server = Server::start().await;
    let put = server
        .put(
            "/api/template",
            &serde_json::to_value(testkit::invoice_review()).unwrap(),
        )
        .answer()
        .await;
    insta::assert_snapshot!("put_template", put.shown());
    let template = put.ok();
    let got = server
        .get(&format!(
            "/api/template?templateKey={}",
            text(&template["templateKey"])
        ))
        .answer()
        .await;
    assert_eq!(got.ok(), template);
}

#[tokio::test]
async fn putting_the_same_again_changes_nothing_and_an_edit_keeps_keys() {
    let server = Server::start().await;
    let mut template = server.template().await;
    let target = format!(
        "/api/template?templateKey={}",
        text(&template["templateKey"])
    );
    assert_eq!(server.put(&target, &template).answer().await.ok(), template);
    template["tasks"][3]["name"] = json!("Pay it");
    template["tasks"].as_array_mut().unwrap().remove(1);
    let edited = server.put(&target, &template).answer().await.ok();
    assert_eq!(edited, template);
}

#[tokio::test]
async fn keys_are_looked_up_in_lists() {
    let server = Server::start().await;
    assert_eq!(
        server.get("/api/template/templates").refusal().await,
        (404, "nothing_found".to_owned())
    );
    let template = server.template().await;
    insta::assert_snapshot!(
        "templates",
        server.get("/api/template/templates").answer().await.shown()
    );
    let target = format!(
        "/api/template/tasks?TEMPLATEKEY={}",
        text(&template["templateKey"])
    );
    insta::assert_snapshot!("template_tasks", server.get(&target).answer().await.shown());
    let task = text(&template["tasks"][0]["key"]);
    let target = format!("/api/template/task-content?taskKey={task}");
    insta::assert_snapshot!(
        "template_controls",
        server.get(&target).answer().await.shown()
    );
}

#[tokio::test]
async fn controls_are_filtered_by_their_type() {
    let server = Server::start().await;
    let template = server.template().await;
    let task = text(&template["tasks"][0]["key"]);
    let count = async |filter: &str| {
        let target = format!("/api/template/task-content?taskKey={task}&contentType={filter}");
        let answer = server.get(&target).answer().await;
        answer.value().as_array().map_or(0, Vec::len)
    };
    assert_eq!(count("ALL").await, 2);
    assert_eq!(count("allinput").await, 2);
    assert_eq!(count("FileUpload").await, 1);
    assert_eq!(count("").await, 2);
    let none = format!("/api/template/task-content?taskKey={task}&contentType=Date");
    assert_eq!(
        server.get(&none).refusal().await,
        (404, "nothing_found".to_owned())
    );
    let wrong = format!("/api/template/task-content?taskKey={task}&contentType=Colour");
    assert_eq!(
        server.get(&wrong).refusal().await,
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn a_wrong_document_is_refused_with_every_mistake_and_its_place() {
    let server = Server::start().await;
    let document = json!({"name": "", "tasks": [
        {"name": "A", "controls": [{"type": "Colour", "name": "c"}, {"type": "DropDown", "name": "d"}]},
        {"name": "B", "key": NOBODY},
    ]});
    let answer = server.put("/api/template", &document).answer().await;
    insta::assert_snapshot!("wrong_template", answer.shown());
    assert!(
        errors(&answer.problem())
            .iter()
            .any(|error| error.starts_with("tasks[0].controls[0].type"))
    );
}

#[tokio::test]
async fn a_template_must_be_json_that_can_be_read() {
    let server = Server::start().await;
    let put = |kind: &'static str, body: &'static str| {
        server
            .ask("PUT", "/api/template")
            .header("content-type", kind)
            .body(body)
    };
    let yaml = put("application/yaml", "name: x").answer().await;
    assert!(
        text(&yaml.problem()["detail"]).contains("JSON"),
        "{}",
        yaml.shown()
    );
    assert_eq!(yaml.status.as_u16(), 415);
    let broken = put("application/json", "{\n  \"name\": \"x\",\n}")
        .answer()
        .await;
    assert!(
        text(&broken.problem()["detail"]).contains("line 3 column 1"),
        "{}",
        broken.shown()
    );
    assert_eq!(
        put("application/json", "").refusal().await,
        (400, "invalid_request".to_owned())
    );
    let unknown = put("application/json", "{\"name\":\"x\",\"colour\":1}")
        .answer()
        .await;
    assert!(
        errors(&unknown.problem())[0].contains("colour"),
        "{}",
        unknown.shown()
    );
    let nowhere = server.put(
        &format!("/api/template?templateKey={NOBODY}"),
        &json!({"name": "x", "tasks": []}),
    );
    assert_eq!(
        nowhere.refusal().await,
        (404, "template_missing".to_owned())
    );
}

#[tokio::test]
async fn the_shape_of_a_document_is_checked_before_what_it_means() {
    let server = Server::start().await;
    let put = |document| server.put("/api/template", &document);
    let list = put(json!([null, "Invoice review", []])).answer().await;
    assert_eq!(
        errors(&list.problem()),
        ["body must be an object, but is an array"]
    );
    let wrong = json!({"name": "x", "tasks": [{"name": "A", "halt": "maybe", "Colour": 1}]});
    assert_eq!(
        errors(&put(wrong).answer().await.problem()),
        [
            "tasks[0].Colour is not known here; known are key, name, heading, halt, hidden, due, controls",
            "tasks[0].halt must be one of none, task, preceding, but is \"maybe\"",
        ]
    );
    let other_case = json!({"NAME": "x", "Tasks": [{"Name": "A", "HALT": "Task"}]});
    let made = put(other_case).answer().await.ok();
    assert_eq!(made["tasks"][0]["halt"], "task");
}
