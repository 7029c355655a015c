use serde_json::json;

use crate::harness::{Ask, NOBODY, Server, text};

#[tokio::test]
async fn tasks_are_listed_across_checklists() {
    let server = Server::start().await;
    let template = server.template().await;
    let first = server.checklist(&template).await;
    server.checklist(&template).await;
    let key = text(&template["tasks"][0]["key"]);
    let rows = async |query: &str| {
        server
            .get(&format!("/api/checklist/tasks?{query}"))
            .answer()
            .await
            .value()
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(rows(&format!("taskKey={key}")).await, 2);
    // Three of each checklist; the heading is none.
    assert_eq!(rows("pageSize=10&status=ALL").await, 6);
    assert_eq!(rows(&format!("taskKey={key}&status=Complete")).await, 0);
    server
        .status(&first["tasks"][0]["taskId"], "NotApplicable")
        .answer()
        .await
        .ok();
    assert_eq!(
        rows(&format!("taskKey={key}&status=notapplicable")).await,
        1
    );
    assert_eq!(rows(&format!("taskKey={key}&status=Incomplete")).await, 1);
    let target = format!("/api/checklist/tasks?taskKey={key}&status=NotApplicable");
    insta::assert_snapshot!("tasks", server.get(&target).answer().await.shown());
    let nobody = format!("/api/checklist/tasks?taskKey={NOBODY}");
    assert_eq!(
        server.get(&nobody).refusal().await,
        (404, "nothing_found".to_owned())
    );
}

#[tokio::test]
async fn the_team_of_a_key_is_answered() {
    let server = Server::start().await;
    let answer = server.get("/api/authentication/validate").answer().await;
    insta::assert_snapshot!("validate", answer.shown());
    let bearer = format!("Bearer {}", server.key);
    let same = server
        .get("/api/authentication/validate")
        .header("x-api-key", "")
        .header("authorization", &bearer);
    assert_eq!(
        same.answer().await.ok(),
        json!({"isValid": true, "teamId": server.team, "teamName": "Accounting",
            "scopes": ["admin"], "expiresDateTime": null})
    );
}

#[tokio::test]
async fn what_another_team_has_is_not_there() {
    let server = Server::start().await;
    let template = server.template().await;
    let list = server.checklist(&template).await;
    let other = async |ask: Ask<'_>| ask.header("x-api-key", &server.other_key).refusal().await;
    let key = text(&template["templateKey"]);
    let task = text(&template["tasks"][0]["key"]);
    let field = &list["tasks"][0]["fields"][0]["taskContentID"];
    let missing = |word: &str| (404, format!("{word}_missing"));
    assert_eq!(
        other(server.get(&format!("/api/template?templateKey={key}"))).await,
        missing("template")
    );
    assert_eq!(
        other(server.put(&format!("/api/template?templateKey={key}"), &template)).await,
        missing("template")
    );
    assert_eq!(
        other(server.get(&format!("/api/template/tasks?templateKey={key}"))).await,
        missing("template")
    );
    assert_eq!(
        other(server.get(&format!("/api/template/task-content?taskKey={task}"))).await,
        missing("task")
    );
    assert_eq!(
        other(server.get(&format!("/api/checklist/find?templateKey={key}"))).await,
        missing("template")
    );
    assert_eq!(
        other(server.post(&format!("/api/checklist?templateKey={key}&checklistName=x"))).await,
        missing("template")
    );
    let details = format!(
        "/api/task/details?checklistId={}&taskKey={task}",
        list["checklistId"]
    );
    assert_eq!(other(server.get(&details)).await, missing("checklist"));
    assert_eq!(
        other(server.status(&list["tasks"][0]["taskId"], "Complete")).await,
        missing("task")
    );
    let value = json!({"taskContentID": field, "value": "x"});
    assert_eq!(
        other(server.put("/api/task/update-task-content", &value)).await,
        missing("control")
    );
    assert_eq!(
        other(server.upload(field, "a", b"x")).await,
        missing("control")
    );
    assert_eq!(
        other(server.get("/api/checklist/tasks")).await,
        (404, "nothing_found".to_owned())
    );
}
