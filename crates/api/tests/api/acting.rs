//! Calls for a member: who is told of, and what their role lets such a call do.

use serde_json::{Value, json};

use crate::{
    harness::{Server, errors, text},
    people::member,
};

/// Sets the status of a task for a member.
pub(crate) async fn status(
    server: &Server,
    task: &Value,
    status: &str,
    member: &Value,
) -> (u16, Value) {
    let body =
        json!({"taskId": task["taskId"], "status": status, "modifiedByUserID": member["memberId"]});
    let answer = server.put("/api/task/status", &body).answer().await;
    (answer.status.as_u16(), answer.value())
}

#[tokio::test]
async fn a_member_is_told_of_by_name_and_address_and_in_the_audit_log() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let ann = member(&server, "Ann", "Member").await;
    let bob = member(&server, "Bob", "Administrator").await;
    let task = &list["tasks"][2];
    let (_, done) = status(&server, task, "NotApplicable", &ann).await;
    assert_eq!(done["taskNotApplicableByName"], "Ann", "{done}");
    assert_eq!(done["taskNotApplicableByEmail"], "ann@example.com");
    assert_eq!(done["taskCompletedByName"], Value::Null);
    let (_, done) = status(&server, task, "Complete", &bob).await;
    assert_eq!(done["taskCompletedByName"], "Bob", "{done}");
    assert_eq!(done["taskCompletedByEmail"], "bob@example.com");
    assert_eq!(done["taskNotApplicableByEmail"], Value::Null);
    // What receivers get is the same.
    let asked = "/api/web-hook/event-log?eventType=task_completed";
    let event = server.get(asked).answer().await.ok()["items"][0]["eventId"].clone();
    let event = format!("/api/web-hook/event?eventId={}", text(&event));
    let event = server.get(&event).answer().await.ok();
    let body: Value = serde_json::from_str(text(&event["requestBody"])).unwrap();
    let told = &body["data"];
    assert_eq!(told["taskCompletedByEmail"], "bob@example.com", "{event}");

    let log = async |query: &str| {
        let page = server.get(&format!("/api/audit/log?action=task&{query}"));
        page.answer().await.ok()["items"].clone()
    };
    let all = log("").await;
    let of = |row: &Value| (row["by"].clone(), row["memberId"].clone());
    assert_eq!(of(&all[0]), (json!("Bob"), bob["memberId"].clone()));
    assert_eq!(of(&all[1]), (json!("Ann"), ann["memberId"].clone()));
    assert!(all[0]["keyId"].is_string(), "with which key");
    let hers = log(&format!("memberId={}", ann["memberId"])).await;
    assert_eq!(hers, json!([all[1]]));
    // The key itself is nobody.
    server
        .status(&task["taskId"], "Incomplete")
        .answer()
        .await
        .ok();
    let newest = log("").await[0].clone();
    assert_eq!(of(&newest), (json!("script"), Value::Null));
}

#[tokio::test]
async fn a_member_makes_a_checklist_fills_it_in_and_uploads() {
    let server = Server::start().await;
    let template = server.template().await;
    let ann = member(&server, "Ann", "Member").await;
    let id = &ann["memberId"];
    let made = format!(
        "/api/checklist?templateKey={}&checklistName=May&createdByUserID={id}",
        text(&template["templateKey"])
    );
    let list = server.post(&made).answer().await.ok();
    assert_eq!(list["checklistCreatedByEmail"], "ann@example.com");
    let found = format!(
        "/api/checklist/find?templateKey={}&checklistName=June&createIfNotExists=true&createdByUserID={id}",
        text(&template["templateKey"])
    );
    let june = server.get(&found).answer().await.ok();
    assert_eq!(june[0]["checklistCreatedByName"], "Ann", "{june}");
    let fields = &list["tasks"][0]["fields"];
    let body = json!({"taskContentID": fields[0]["taskContentID"], "value": "INV-1", "modifiedByUserID": id});
    server
        .put("/api/task/update-task-content", &body)
        .answer()
        .await
        .ok();
    let upload = format!(
        "/api/task/upload-file?taskContentID={}&createdByUserID={id}",
        fields[1]["taskContentID"]
    );
    let file = server
        .post(&upload)
        .form("a.pdf", b"%PDF")
        .answer()
        .await
        .ok();
    assert_eq!(file["uploadedByEmail"], "ann@example.com");
    let hers = format!("/api/audit/log?memberId={id}");
    let hers = server.get(&hers).answer().await.ok()["items"].clone();
    let actions = hers
        .as_array()
        .unwrap()
        .iter()
        .map(|row| text(&row["action"]));
    let actions: Vec<_> = actions.collect();
    assert_eq!(
        actions,
        [
            "file.upload",
            "field.set",
            "checklist.create",
            "checklist.create"
        ]
    );
}

#[tokio::test]
async fn only_an_active_member_of_the_team_is_acted_for() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let task = &list["tasks"][2];
    let gone = member(&server, "Gone", "Member").await;
    let target = format!("/api/team/member?memberId={}", gone["memberId"]);
    server.ask("DELETE", &target).answer().await.ok();
    let stranger = server.post("/api/team/member?name=Eve&email=eve%40example.com");
    let other = server.other_key.clone();
    let stranger = stranger.header("x-api-key", &other).answer().await.ok();
    let (code, problem) = status(&server, task, "Complete", &gone).await;
    assert_eq!(code, 400);
    let said = errors(&problem).remove(0);
    let expected = format!("modifiedByUserID {} is no longer active;", gone["memberId"]);
    assert!(said.starts_with(&expected), "{said}");
    for nobody in [
        stranger,
        json!({"memberId": -1}),
        json!({"memberId": i64::MAX}),
    ] {
        let (code, problem) = status(&server, task, "Complete", &nobody).await;
        assert_eq!(code, 400);
        let said = errors(&problem).remove(0);
        let expected = format!(
            "modifiedByUserID {} is no member of the team;",
            nobody["memberId"]
        );
        assert!(said.starts_with(&expected), "{said}");
    }
    let row = server.get(&format!(
        "/api/task/details?checklistId={}&taskKey={}",
        list["checklistId"],
        text(&task["taskKey"])
    ));
    assert_eq!(row.answer().await.ok()["taskIsComplete"], false);
}

#[tokio::test]
async fn a_guest_makes_nothing_and_works_on_nothing_that_is_not_theirs() {
    let server = Server::start().await;
    let template = server.template().await;
    let list = server.checklist(&template).await;
    let guest = member(&server, "Guest", "Guest").await;
    let id = &guest["memberId"];
    let refused = (403, "role_insufficient".to_owned());
    for to in ["Complete", "NotApplicable", "Incomplete"] {
        let (code, problem) = status(&server, &list["tasks"][2], to, &guest).await;
        assert_eq!((code, text(&problem["code"]).to_owned()), refused, "{to}");
        assert_eq!(problem["role"], "Guest");
    }
    let fields = &list["tasks"][0]["fields"];
    let body = json!({"taskContentID": fields[0]["taskContentID"], "value": "INV-1", "modifiedByUserID": id});
    let field = server.put("/api/task/update-task-content", &body);
    assert_eq!(field.refusal().await, refused);
    let upload = format!(
        "/api/task/upload-file?taskContentID={}&createdByUserID={id}",
        fields[1]["taskContentID"]
    );
    let upload = server.post(&upload).form("a.pdf", b"%PDF");
    assert_eq!(upload.refusal().await, refused);
    let template = text(&template["templateKey"]);
    let made =
        format!("/api/checklist?templateKey={template}&checklistName=May&createdByUserID={id}");
    assert_eq!(server.post(&made).refusal().await, refused);
    let found = format!(
        "/api/checklist/find?templateKey={template}&createIfNotExists=true&createdByUserID={id}&checklistName="
    );
    let there = server.get(&format!("{found}Invoice")).answer().await.ok();
    assert_eq!(there.as_array().unwrap().len(), 1, "it is found, not made");
    assert_eq!(server.get(&format!("{found}May")).refusal().await, refused);
}
