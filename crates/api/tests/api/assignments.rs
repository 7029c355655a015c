//! Who is to do which task, and who may when somebody is.

use serde_json::{Value, json};

use crate::{
    acting::status,
    harness::{Server, errors, text},
    people::{group, member},
};

/// Assigns a task to members and groups, by the rows that they were answered as.
async fn assign(server: &Server, task: &Value, to: &[&Value], exclusively: bool) -> Value {
    let assignee = |row: &&Value| match &row["memberId"] {
        Value::Null => json!({"assigneeId": row["groupId"], "assigneeType": 2}),
        id => json!({"AssigneeID": id.to_string(), "assigneeType": 1, "assigneeName": "whoever"}),
    };
    let to: Vec<Value> = to.iter().map(assignee).collect();
    let body =
        json!({"taskID": task["taskId"], "assignees": to, "isAssignedExclusively": exclusively});
    let ask = server.put("/api/task/assignments", &body);
    ask.answer().await.ok()
}

fn names(row: &Value) -> Vec<&str> {
    let assignees = row["assignees"].as_array().unwrap().iter();
    assignees.map(|row| text(&row["assigneeName"])).collect()
}

async fn list(server: &Server, query: &str) -> Value {
    let ask = server.get(&format!("/api/task/assignments?{query}"));
    ask.answer().await.ok()
}

async fn details(server: &Server, list: &Value, task: &Value) -> Value {
    let target = format!(
        "/api/task/details?checklistId={}&taskKey={}",
        list["checklistId"],
        text(&task["taskKey"])
    );
    server.get(&target).answer().await.ok()
}

async fn lines(server: &Server) -> Vec<String> {
    let page = server.get("/api/audit/log?action=task");
    let page = page.answer().await.ok();
    let items = page["items"].as_array().unwrap().iter();
    items
        .map(|row| format!("{} {}", text(&row["action"]), text(&row["detail"])))
        .collect()
}

#[tokio::test]
async fn a_task_is_assigned_and_shows_it_wherever_it_is_shown() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let task = &list["tasks"][2];
    let ann = member(&server, "Ann", "Member").await;
    let crew = group(&server, "Crew", &[]).await;
    let row = assign(&server, task, &[&crew, &ann, &crew], false).await;
    let (a, c) = (&ann["memberId"], &crew["groupId"]);
    let shown = json!([
        {"assigneeId": c, "assigneeType": 2, "assigneeName": "Crew"},
        {"assigneeId": a, "assigneeType": 1, "assigneeName": "Ann"},
    ]);
    assert_eq!(row["assignees"], shown);
    assert_eq!(details(&server, &list, task).await["assignees"], shown);
    let key = text(&task["taskKey"]);
    let hits = server.get(&format!("/api/checklist/tasks?taskKey={key}"));
    assert_eq!(hits.answer().await.ok()[0]["assignees"], shown);
    assign(&server, task, &[&crew, &ann], false).await;
    let (code, done) = status(&server, task, "Complete", &ann).await;
    assert_eq!((code, &done["assignees"]), (200, &shown));
    let event = server.get("/api/web-hook/event-log?eventType=task_completed");
    let event = event.answer().await.ok()["items"][0]["eventId"].clone();
    let event = format!("/api/web-hook/event?eventId={}", text(&event));
    let event = server.get(&event).answer().await.ok();
    let body: Value = serde_json::from_str(text(&event["requestBody"])).unwrap();
    assert_eq!(body["data"]["assignees"], shown);

    let row = assign(&server, task, &[], true).await;
    assert_eq!(row["assignees"], json!([]));
    let clear = format!("/api/task/assignments?taskId={}", task["taskId"]);
    let row = server.ask("DELETE", &clear).answer().await.ok();
    assert_eq!(row["assignees"], json!([]));
    let lines = lines(&server).await;
    let expected = [
        "task.unassign ".to_owned(),
        "task.complete ".to_owned(),
        format!("task.assign group {c}, member {a}"),
    ];
    assert_eq!(lines, expected, "what changed nothing leaves no line");
}

#[tokio::test]
async fn whom_nobody_knows_or_a_heading_can_not_be_assigned() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let task = &list["tasks"][2];
    let ann = member(&server, "Ann", "Member").await;
    let bob = member(&server, "Bob", "Member").await;
    assign(&server, task, &[&ann], true).await;
    let put = async |body: Value| {
        let mut body = body;
        body["taskID"] = task["taskId"].clone();
        let ask = server.put("/api/task/assignments", &body);
        ask.answer().await.problem()
    };
    let to = |id: &Value, kind: i64| json!({"assignees": [{"assigneeId": id, "assigneeType": kind}], "isAssignedExclusively": false});
    for (body, said) in [
        (to(&json!(987), 1), "assignees member 987 is not there,"),
        (to(&ann["memberId"], 2), "assignees group "),
        (
            to(&ann["memberId"], 3),
            "assignees [0] assigneeType must be 1",
        ),
        (to(&json!("x"), 1), "assignees [0] must have assigneeId,"),
        (
            json!({"assignees": 7, "isAssignedExclusively": false}),
            "assignees must be a JSON array",
        ),
        (
            json!({"assignees": [7], "isAssignedExclusively": false}),
            "assignees [0] must be an object",
        ),
        (
            json!({"assignees": []}),
            "isAssignedExclusively must be given",
        ),
        (
            json!({"isAssignedExclusively": true}),
            "assignees must be given",
        ),
    ] {
        let first = errors(&put(body.clone()).await).remove(0);
        assert!(first.starts_with(said), "{body}: {first}");
    }
    let many: Vec<Value> = (0..=domain::ASSIGNEES_MAX)
        .map(|_| json!({"assigneeId": 1, "assigneeType": 1}))
        .collect();
    let many = put(json!({"assignees": many, "isAssignedExclusively": false})).await;
    assert_eq!(
        errors(&many),
        ["assignees must be at most 50 members and groups, but are 51"]
    );
    assert_eq!(names(&details(&server, &list, task).await), ["Ann"]);

    // Who is no longer active is nobody to assign to, but stays where they are.
    for gone in [&ann, &bob] {
        let target = format!("/api/team/member?memberId={}", gone["memberId"]);
        server.ask("DELETE", &target).answer().await.ok();
    }
    let problem = put(to(&bob["memberId"], 1)).await;
    assert!(
        errors(&problem)[0].contains("no longer active"),
        "{problem}"
    );
    let row = assign(&server, task, &[&ann], false).await;
    assert_eq!(names(&row), ["Ann"]);

    let body = json!({"taskID": list["tasks"][1]["taskId"], "assignees": [], "isAssignedExclusively": false});
    let heading = server.put("/api/task/assignments", &body);
    assert_eq!(heading.refusal().await, (409, "task_is_heading".to_owned()));
    let nowhere = server.ask("DELETE", "/api/task/assignments?taskId=99999999");
    assert_eq!(nowhere.refusal().await, (404, "task_missing".to_owned()));
}

#[tokio::test]
async fn a_task_is_assigned_by_name_or_not_at_all() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let task = &list["tasks"][2];
    let ann = member(&server, "Ann", "Member").await;
    member(&server, "Bob", "Member").await;
    let crew = group(&server, "Night Crew", &[]).await;
    let put = async |names: Value, anew: bool| {
        let body = json!({"taskID": task["taskId"], "assigneeNames": names,
            "isAssignedExclusively": false, "deleteExistingAssignees": anew});
        let ask = server.post("/api/task/assign-by-name").json(&body);
        ask.answer().await
    };
    let row = put(json!(["ANN", "night crew", "ann "]), true).await.ok();
    assert_eq!(names(&row), ["Ann", "Night Crew"]);
    let row = put(json!(["bob"]), false).await.ok();
    assert_eq!(names(&row), ["Ann", "Night Crew", "Bob"], "the others stay");

    let twin = json!({"name": "ann", "email": "other.ann@example.com"});
    server
        .post("/api/team/member")
        .json(&twin)
        .answer()
        .await
        .ok();
    let problem = put(json!(["Bob", "Ann", "Nobody", "No \"one\""]), true).await;
    let said = errors(&problem.problem()).remove(0);
    assert!(
        said.starts_with(r#"assigneeNames "Nobody", "No \"one\"" is the name of no active"#),
        "{said}"
    );
    assert!(
        said.contains(r#""Ann" is the name of more than one"#),
        "{said}"
    );
    // A removed group and somebody who is no longer active have no name to be found by.
    let gone = format!("/api/team/group?groupId={}", crew["groupId"]);
    server.ask("DELETE", &gone).answer().await.ok();
    let gone = format!("/api/team/member?memberId={}", ann["memberId"]);
    server.ask("DELETE", &gone).answer().await.ok();
    assert_eq!(put(json!(["Night Crew"]), true).await.status.as_u16(), 400);
    let row = details(&server, &list, task).await;
    assert_eq!(
        names(&row),
        ["Ann", "Night Crew", "Bob"],
        "nothing was changed"
    );
    let row = put(json!(["ann"]), true).await.ok();
    assert_eq!(names(&row), ["ann"], "the one who is left");
    for (body, field) in [
        (json!({"taskID": 1}), "assigneeNames"),
        (
            json!({"taskID": 1, "assigneeNames": "Ann"}),
            "assigneeNames",
        ),
        (json!({"taskID": 1, "assigneeNames": [1]}), "assigneeNames"),
        (
            json!({"taskID": 1, "assigneeNames": []}),
            "isAssignedExclusively",
        ),
    ] {
        let ask = server.post("/api/task/assign-by-name").json(&body);
        let problem = ask.answer().await.problem();
        assert_eq!(problem["errors"][0]["field"], field, "{body}");
    }
}

#[tokio::test]
async fn what_is_assigned_to_somebody_is_listed_newest_first() {
    let server = Server::start().await;
    let template = server.template().await;
    let (first, second) = (
        server.checklist(&template).await,
        server.checklist(&template).await,
    );
    let ann = member(&server, "Ann", "Member").await;
    let bob = member(&server, "Bob", "Member").await;
    let crew = group(&server, "Crew", &[&ann]).await;
    let (one, two, three) = (&first["tasks"][2], &second["tasks"][2], &second["tasks"][0]);
    assign(&server, one, &[&ann], true).await;
    assign(&server, two, &[&crew, &ann], false).await;
    assign(&server, three, &[&crew], false).await;
    let hers = format!("assigneeType=1&assigneeId={}", ann["memberId"]);
    let ids = |rows: &Value| -> Vec<Value> {
        let rows = rows.as_array().unwrap().iter();
        rows.map(|row| row["taskId"].clone()).collect()
    };
    let id = |task: &Value| task["taskId"].clone();
    let rows = list(&server, &hers).await;
    assert_eq!(ids(&rows), [id(two), id(one)]);
    assert_eq!(
        rows[1],
        json!({"taskId": id(one), "isAssignedExclusively": true, "assignees": [
            {"assigneeId": ann["memberId"], "assigneeType": 1, "assigneeName": "Ann"}]})
    );
    let of_crew = format!("assigneeType=2&assigneeId={}", crew["groupId"]);
    assert_eq!(ids(&list(&server, &of_crew).await), [id(two), id(three)]);
    let all = format!("{hers}&includeTeamMemberGroups=true");
    let every = [id(two), id(three), id(one)];
    assert_eq!(ids(&list(&server, &all).await), every, "each once");
    status(&server, two, "Complete", &bob).await;
    assert_eq!(ids(&list(&server, &hers).await), [id(one)]);
    let done = format!("{hers}&includeCompletedTasks=true");
    assert_eq!(ids(&list(&server, &done).await), [id(two), id(one)]);
    // The record has no 404 here.
    let his = format!("assigneeType=1&assigneeId={}", bob["memberId"]);
    assert_eq!(list(&server, &his).await, json!([]));
    let ask = server.get(&format!("/api/task/assignments?{hers}"));
    let other = server.other_key.clone();
    let strange = ask.header("x-api-key", &other).answer().await;
    assert_eq!(strange.ok(), json!([]));
    let bad = server.get("/api/task/assignments?assigneeType=3");
    assert_eq!(
        errors(&bad.answer().await.problem()),
        [
            "assigneeId must be given",
            "assigneeType must be 1 for a member, or 2 for a group, but is 3",
        ]
    );
}

#[tokio::test]
async fn a_task_that_is_assigned_exclusively_is_completed_by_nobody_else() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let task = &list["tasks"][2];
    let ann = member(&server, "Ann", "Member").await;
    let bob = member(&server, "Bob", "Administrator").await;
    let cid = member(&server, "Cid", "Member").await;
    let crew = group(&server, "Crew", &[&cid]).await;
    assign(&server, task, &[&ann, &crew], true).await;
    let said = async |to: &str, by: &Value| {
        let (code, answer) = status(&server, task, to, by).await;
        (code, answer["code"].as_str().unwrap_or("").to_owned())
    };
    let refused = (403, "assigned_exclusively".to_owned());
    let done = (200, String::new());
    assert_eq!(said("Complete", &bob).await, refused);
    assert_eq!(said("NotApplicable", &bob).await, refused);
    assert_eq!(said("Complete", &ann).await, done);
    assert_eq!(said("Incomplete", &bob).await, refused);
    assert_eq!(said("Incomplete", &cid).await, done, "of the group");
    // What is in it may be filled in by whoever knows.
    let field = json!({"taskContentID": task["fields"][0]["taskContentID"], "value": "Reject",
        "modifiedByUserID": bob["memberId"]});
    server
        .put("/api/task/update-task-content", &field)
        .answer()
        .await
        .ok();
    // Who left the group is none of them any more.
    let body = json!({"groupId": crew["groupId"], "memberIds": [bob["memberId"]]});
    server
        .ask("PATCH", "/api/team/group")
        .json(&body)
        .answer()
        .await
        .ok();
    assert_eq!(said("Complete", &cid).await, refused);
    assert_eq!(said("Complete", &bob).await, done);
    // The key itself is the team's, and may.
    server
        .status(&task["taskId"], "Incomplete")
        .answer()
        .await
        .ok();
    assign(&server, task, &[&ann, &crew], false).await;
    assert_eq!(said("Complete", &cid).await, done, "no longer exclusively");
}

#[tokio::test]
async fn a_guest_works_on_what_is_assigned_to_them_and_assigns_nothing() {
    let server = Server::start().await;
    let list = server.checklist(&server.template().await).await;
    let (task, fields) = (&list["tasks"][2], &list["tasks"][0]["fields"]);
    let guest = member(&server, "Guest", "Guest").await;
    let id = &guest["memberId"];
    let refused = (403, "role_insufficient".to_owned());
    let body = json!({"taskID": task["taskId"], "assignees": [{"assigneeId": id, "assigneeType": 1}],
        "isAssignedExclusively": false, "modifiedByUserID": id});
    let ask = server.put("/api/task/assignments", &body);
    assert_eq!(ask.refusal().await, refused);
    let body = json!({"taskID": task["taskId"], "assigneeNames": ["Guest"], "isAssignedExclusively": false,
        "deleteExistingAssignees": false, "modifiedByUserID": id});
    let ask = server.post("/api/task/assign-by-name").json(&body);
    assert_eq!(ask.refusal().await, refused);
    let (code, _) = status(&server, task, "Complete", &guest).await;
    assert_eq!(code, 403);
    let crew = group(&server, "Crew", &[&guest]).await;
    assign(&server, task, &[&crew], false).await;
    let (code, done) = status(&server, task, "Complete", &guest).await;
    assert_eq!((code, &done["taskCompletedByName"]), (200, &json!("Guest")));

    let field = json!({"taskContentID": fields[0]["taskContentID"], "value": "INV-1", "modifiedByUserID": id});
    let fill = async || {
        let ask = server.put("/api/task/update-task-content", &field);
        ask.answer().await.status.as_u16()
    };
    let upload = format!(
        "/api/task/upload-file?taskContentID={}&createdByUserID={id}",
        fields[1]["taskContentID"]
    );
    let upload = async || {
        let ask = server.post(&upload).form("a.pdf", b"%PDF");
        ask.answer().await.status.as_u16()
    };
    assert_eq!((fill().await, upload().await), (403, 403), "not theirs");
    assign(&server, &list["tasks"][0], &[&guest], true).await;
    assert_eq!((fill().await, upload().await), (200, 200));
    let clear = format!(
        "/api/task/assignments?taskId={}&modifiedByUserID={id}",
        task["taskId"]
    );
    assert_eq!(server.ask("DELETE", &clear).refusal().await, refused);
}
