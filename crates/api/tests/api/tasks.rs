use serde_json::{Value, json};

use crate::harness::{NOBODY, Server, errors, text};

/// A checklist of the usual template.
async fn checklist(server: &Server) -> Value {
    let template = server.template().await;
    server.checklist(&template).await
}

fn field(list: &Value, task: usize, control: usize) -> &Value {
    &list["tasks"][task]["fields"][control]["taskContentID"]
}

#[tokio::test]
async fn a_task_is_completed_once_its_controls_are_as_they_must_be() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let task = &list["tasks"][0]["taskId"];
    let refused = server.status(task, "Complete").answer().await;
    insta::assert_snapshot!("controls_unsatisfied", refused.shown());

    let body = json!({"taskContentID": field(&list, 0, 0), "value": "INV-4711"});
    let set = server
        .put("/api/task/update-task-content", &body)
        .answer()
        .await;
    insta::assert_snapshot!("set_field", set.shown());
    // What was answered, with the number as type, can be sent back as it is.
    server
        .put("/api/task/update-task-content", &set.ok())
        .answer()
        .await
        .ok();
    server
        .upload(field(&list, 0, 1), "scan.pdf", b"%PDF")
        .answer()
        .await
        .ok();

    let done = server.status(task, "complete").answer().await;
    insta::assert_snapshot!("complete", done.shown());
    let done = done.ok();
    assert_eq!(server.status(task, "Complete").answer().await.ok(), done);
    let reopened = server.status(task, "Incomplete").answer().await.ok();
    assert_eq!(
        (&reopened["taskIsComplete"], &reopened["completionCount"]),
        (&json!(false), &json!(1))
    );
}

#[tokio::test]
async fn names_in_the_body_have_no_case() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let body = json!({"TaskID": list["tasks"][0]["taskId"], "STATUS": "NotApplicable", "modifiedByUserId": "0"});
    let done = server.put("/api/task/status", &body).answer().await.ok();
    assert_eq!(done["taskIsNotApplicable"], true);
}

#[tokio::test]
async fn a_halted_task_says_what_it_waits_for() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let pay = &list["tasks"][3];
    assert_eq!(pay["taskIsCurrentlyHalted"], true);
    let refused = server.status(&pay["taskId"], "Complete").answer().await;
    insta::assert_snapshot!("halted", refused.shown());
    let problem = refused.problem();
    assert_eq!(problem["waitsFor"], list["tasks"][2]["taskKey"]);
}

#[tokio::test]
async fn a_heading_has_no_status() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let refused = server.status(&list["tasks"][1]["taskId"], "Complete");
    assert_eq!(refused.refusal().await, (409, "task_is_heading".to_owned()));
}

#[tokio::test]
async fn who_does_it_is_the_key_itself() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let task = &list["tasks"][0]["taskId"];
    let put = async |member: Value| {
        let body = json!({"taskId": task, "status": "Incomplete", "modifiedByUserID": member});
        server.put("/api/task/status", &body).answer().await
    };
    assert_eq!(put(json!(0)).await.status.as_u16(), 200);
    let problem = put(json!(7)).await.problem();
    assert_eq!(
        errors(&problem),
        [
            "modifiedByUserID 7 is no member of the team; give one of GET /api/team/members, or 0, which stands for the API key itself"
        ]
    );
    assert_eq!(
        errors(&put(Value::Null).await.problem()),
        ["modifiedByUserID must be given"]
    );
}

#[tokio::test]
async fn a_wrong_status_and_a_missing_task_are_said_together() {
    let server = Server::start().await;
    let body = json!({"status": "Done"});
    let problem = server
        .put("/api/task/status", &body)
        .answer()
        .await
        .problem();
    assert_eq!(
        errors(&problem),
        [
            "taskId must be given; GET /api/checklist/details lists them",
            "status must be Complete, Incomplete or NotApplicable, but is \"Done\"",
            "modifiedByUserID must be given",
        ]
    );
    for task in [json!(999_999), json!(-1), json!(i64::MAX)] {
        assert_eq!(
            server.status(&task, "Complete").refusal().await,
            (404, "task_missing".to_owned()),
            "{task}"
        );
    }
}

#[tokio::test]
async fn a_task_is_found_by_checklist_and_key() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let (id, key) = (&list["checklistId"], text(&list["tasks"][0]["taskKey"]));
    let found = server
        .get(&format!("/api/task/details?checklistId={id}&taskKey={key}"))
        .answer()
        .await;
    assert_eq!(found.ok(), list["tasks"][0]);
    let refusal = async |checklist: &str, key: &str| {
        server
            .get(&format!(
                "/api/task/details?checklistId={checklist}&taskKey={key}"
            ))
            .refusal()
            .await
    };
    assert_eq!(
        refusal("424242", key).await,
        (404, "checklist_missing".to_owned())
    );
    assert_eq!(
        refusal(&id.to_string(), NOBODY).await,
        (404, "task_missing".to_owned())
    );
    assert_eq!(refusal("x", key).await, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn values_are_checked_against_the_control() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    let put = async |body: Value| {
        server
            .put("/api/task/update-task-content", &body)
            .refusal()
            .await
    };
    let number = field(&list, 0, 0);
    let halted = field(&list, 2, 0);
    let refused = put(json!({"taskContentID": number, "value": "two\nlines"})).await;
    assert_eq!(refused, (422, "value_refused".to_owned()));
    let upload = put(json!({"taskContentID": field(&list, 0, 1), "value": "x"})).await;
    assert_eq!(upload, (422, "value_refused".to_owned()));
    let decision = put(json!({"taskContentID": halted, "value": "Perhaps"})).await;
    assert_eq!(decision, (422, "value_refused".to_owned()));
    let other = put(json!({"taskContentID": number, "key": NOBODY, "value": "x"})).await;
    assert_eq!(other, (400, "invalid_request".to_owned()));
    let missing = put(json!({"taskContentID": 999_999, "value": "x"})).await;
    assert_eq!(missing, (404, "control_missing".to_owned()));
    let valueless = put(json!({"taskContentID": number})).await;
    assert_eq!(valueless, (400, "invalid_request".to_owned()));
    let typed = put(json!({"taskContentID": number, "contentType": "Colour", "value": "x"})).await;
    assert_eq!(typed, (400, "invalid_request".to_owned()));
}

#[tokio::test]
async fn what_is_in_a_done_task_stays() {
    let server = Server::start().await;
    let list = checklist(&server).await;
    server
        .status(&list["tasks"][0]["taskId"], "NotApplicable")
        .answer()
        .await
        .ok();
    let body = json!({"taskContentID": field(&list, 0, 0), "value": "INV-1"});
    let refused = server
        .put("/api/task/update-task-content", &body)
        .refusal()
        .await;
    assert_eq!(refused, (409, "task_done".to_owned()));
    let refused = server
        .upload(field(&list, 0, 1), "a.pdf", b"x")
        .refusal()
        .await;
    assert_eq!(refused, (409, "task_done".to_owned()));
}
