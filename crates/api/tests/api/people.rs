//! Members and groups: the lists that CheckFlow has, and the rules of changing them.

use serde_json::{Value, json};

use crate::harness::{Server, errors, text};

/// Adds somebody; answers their row.
pub(crate) async fn member(server: &Server, name: &str, role: &str) -> Value {
    let email = format!("{}@example.com", name.to_lowercase());
    let body = json!({"name": name, "email": email, "role": role});
    let ask = server.post("/api/team/member").json(&body);
    ask.answer().await.ok()
}

/// Makes a group of `members`; answers its row.
pub(crate) async fn group(server: &Server, name: &str, members: &[&Value]) -> Value {
    let ids: Vec<&Value> = members.iter().map(|member| &member["memberId"]).collect();
    let body = json!({"name": name, "memberIds": ids});
    let ask = server.post("/api/team/group").json(&body);
    ask.answer().await.ok()
}

/// What is said of the change of a member.
async fn change(server: &Server, member: &Value, change: Value) -> (u16, Value) {
    let mut body = change;
    body["memberId"] = member["memberId"].clone();
    let answer = server.ask("PATCH", "/api/team/member").json(&body);
    let answer = answer.answer().await;
    (answer.status.as_u16(), answer.value())
}

async fn lines(server: &Server, action: &str) -> Vec<String> {
    let page = server.get(&format!("/api/audit/log?action={action}"));
    let page = page.answer().await.ok();
    let items = page["items"].as_array().unwrap().iter();
    let line = |row: &Value| {
        let (action, detail) = (text(&row["action"]), text(&row["detail"]));
        format!("{action} {} {detail}", text(&row["subject"]))
    };
    items.map(line).collect()
}

#[tokio::test]
async fn the_lists_are_those_of_the_record() {
    let server = Server::start().await;
    for list in ["members-and-groups", "members", "groups"] {
        let empty = server.get(&format!("/api/team/{list}"));
        assert_eq!(empty.refusal().await, (404, "nothing_found".to_owned()));
    }
    let zoe = member(&server, "Zoe", "Administrator").await;
    let ann = member(&server, "Ann", "Guest").await;
    let bob = member(&server, "Bob", "Member").await;
    let crew = group(&server, "Night crew", &[&zoe, &ann, &bob, &zoe]).await;
    let (status, _) = change(&server, &bob, json!({"isActive": false})).await;
    assert_eq!(status, 200);
    let get = async |target: &str| server.get(target).answer().await.ok();
    let (z, a, c) = (&zoe["memberId"], &ann["memberId"], &crew["groupId"]);
    assert_eq!(
        get("/api/team/members-and-groups").await,
        json!({
            "members": [{"id": a, "fullName": "Ann"}, {"id": z, "fullName": "Zoe"}],
            "groups": [{"id": c, "name": "Night crew", "members": [
                {"id": a, "fullName": "Ann"}, {"id": z, "fullName": "Zoe"}]}],
        })
    );
    assert_eq!(
        get("/api/team/members").await,
        json!([
            {"id": a, "assigneeId": a, "assigneeName": "Ann", "assigneeType": 1},
            {"id": z, "assigneeId": z, "assigneeName": "Zoe", "assigneeType": 1},
        ])
    );
    let groups =
        json!([{"id": c, "assigneeId": c, "assigneeName": "Night crew", "assigneeType": 2}]);
    assert_eq!(get("/api/team/groups").await, groups);
    let named = get("/api/team/members-and-groups?namecontains=CREW").await;
    assert_eq!(named["members"], json!([]), "{named}");
    assert_eq!(named["groups"][0]["members"].as_array().unwrap().len(), 2);
    let one = get("/api/team/members?nameContains=o").await;
    assert_eq!(one.as_array().unwrap().len(), 1, "{one}");
    let none = server.get("/api/team/members?nameContains=bob");
    assert_eq!(none.refusal().await.0, 404, "not active");
}

#[tokio::test]
async fn an_address_is_one_members_and_looked_at() {
    let server = Server::start().await;
    let ann = member(&server, "Ann", "Administrator").await;
    assert_eq!(ann["role"], "Administrator");
    assert_eq!(ann["isActive"], true);
    let add = async |body: Value| server.post("/api/team/member").json(&body).answer().await;
    let same = add(json!({"name": "Other", "email": "ANN@example.COM"})).await;
    let problem = same.problem();
    assert_eq!(problem["code"], "email_taken");
    assert_eq!(problem["memberId"], ann["memberId"]);
    for (body, field) in [
        (json!({"email": "a@example.com"}), "name"),
        (json!({"name": "A"}), "email"),
        (json!({"name": "A", "email": "a@localhost"}), "email"),
        (json!({"name": "A\nB", "email": "a@example.com"}), "name"),
        (
            json!({"name": "A", "email": "a@example.com", "role": "Boss"}),
            "role",
        ),
    ] {
        let problem = add(body.clone()).await.problem();
        assert_eq!(problem["errors"][0]["field"], field, "{body}: {problem}");
    }
    let bob = member(&server, "Bob", "Member").await;
    let (status, problem) = change(&server, &bob, json!({"email": "Ann@Example.com"})).await;
    assert_eq!((status, &problem["code"]), (409, &json!("email_taken")));
    let (status, own) = change(&server, &ann, json!({"email": "Ann@Example.com"})).await;
    assert_eq!((status, &own["email"]), (200, &json!("Ann@Example.com")));

    let gone = format!("/api/team/member?memberId={}", bob["memberId"]);
    for expected in [true, false] {
        let gone = server.ask("DELETE", &gone).answer().await.ok();
        assert_eq!(gone["deactivatedNow"], expected, "{gone}");
    }
    let back = add(json!({"name": "Bob", "email": "bob@example.com"})).await;
    let detail = back.problem()["detail"].clone();
    assert!(text(&detail).contains("isActive=true"), "{detail}");
    let found = server.get("/api/team/member?email=BOB%40example.com");
    let found = found.answer().await.ok();
    assert_eq!(found["isActive"], false, "{found}");
    assert!(found["deactivatedDateTime"].is_string(), "{found}");
    let (status, back) = change(&server, &bob, json!({"isActive": true})).await;
    assert_eq!((status, &back["isActive"]), (200, &json!(true)));
    assert_eq!(back["deactivatedDateTime"], Value::Null);
}

#[tokio::test]
async fn one_active_administrator_always_remains() {
    let server = Server::start().await;
    let ann = member(&server, "Ann", "Member").await;
    // There is none yet, and nobody is missed.
    let (status, _) = change(&server, &ann, json!({"role": "Guest"})).await;
    assert_eq!(status, 200);
    let (status, _) = change(&server, &ann, json!({"role": "Administrator"})).await;
    assert_eq!(status, 200);
    for wish in [
        json!({"role": "Member"}),
        json!({"isActive": false}),
        json!({"role": "Guest", "name": "Anna"}),
    ] {
        let (status, problem) = change(&server, &ann, wish.clone()).await;
        assert_eq!(
            (status, &problem["code"]),
            (409, &json!("last_administrator")),
            "{wish}"
        );
    }
    let gone = format!("/api/team/member?memberId={}", ann["memberId"]);
    let gone = async || server.ask("DELETE", &gone).answer().await;
    assert_eq!(gone().await.problem()["code"], "last_administrator");
    let bob = member(&server, "Bob", "Administrator").await;
    let (status, _) = change(&server, &bob, json!({"isActive": false})).await;
    assert_eq!(status, 200, "there is Ann");
    assert_eq!(gone().await.problem()["code"], "last_administrator");
    change(&server, &bob, json!({"isActive": true})).await;
    assert_eq!(gone().await.ok()["deactivatedNow"], true);
    let ann = ann["memberId"].to_string();
    let lines = lines(&server, "member").await;
    let expected = [
        format!("member.deactivate {ann} "),
        format!("member.activate {} ", bob["memberId"]),
        format!("member.deactivate {} ", bob["memberId"]),
        format!("member.add {} Administrator", bob["memberId"]),
        format!("member.change {ann} Guest to Administrator"),
        format!("member.change {ann} Member to Guest"),
        format!("member.add {ann} Member"),
    ];
    assert_eq!(lines, expected, "what changed nothing leaves no line");
}

#[tokio::test]
async fn a_group_is_made_changed_and_removed() {
    let server = Server::start().await;
    let ann = member(&server, "Ann", "Administrator").await;
    let bob = member(&server, "Bob", "Member").await;
    let crew = group(&server, "Night shift", &[&bob]).await;
    assert_eq!(crew["avatar"], "NS");
    assert_eq!(crew["colour"], "#57606a");
    assert_eq!(
        crew["members"],
        json!([{"id": bob["memberId"], "fullName": "Bob"}])
    );
    let id = &crew["groupId"];
    let change = async |mut body: Value| {
        body["groupId"] = id.clone();
        let ask = server.ask("PATCH", "/api/team/group").json(&body);
        ask.answer().await
    };
    let changed = json!({"name": "Day shift", "avatar": "☀", "colour": "#FFCC00", "memberIds": [ann["memberId"]]});
    let changed = change(changed).await.ok();
    assert_eq!(changed["avatar"], "☀");
    assert_eq!(changed["colour"], "#ffcc00");
    assert_eq!(changed["members"][0]["fullName"], "Ann");
    let get = format!("/api/team/group?groupId={id}");
    assert_eq!(server.get(&get).answer().await.ok(), changed);
    assert_eq!(change(json!({"name": "Day shift"})).await.ok(), changed);

    let other = group(&server, "Other", &[]).await;
    let taken = change(json!({"name": "OTHER"})).await.problem();
    assert_eq!(taken["code"], "group_name_taken");
    assert_eq!(taken["groupId"], other["groupId"]);
    for (body, said) in [
        (json!({"name": ""}), "name must not be empty"),
        (
            json!({"avatar": "ABC"}),
            "avatar must be one or two characters",
        ),
        (
            json!({"colour": "red"}),
            "colour must be a colour such as #1f6feb, but is \"red\"",
        ),
        (
            json!({"memberIds": [987_654]}),
            "memberIds 987654 is no member of the team",
        ),
        (
            json!({"memberIds": ["x"]}),
            "memberIds must be a list of whole numbers: a JSON array, or with commas between them",
        ),
    ] {
        let problem = change(body.clone()).await.problem();
        assert_eq!(errors(&problem), [said], "{body}");
    }

    let gone = server.ask("DELETE", &get).answer().await.ok();
    assert_eq!(gone, json!({"groupId": id}));
    for ask in [server.ask("DELETE", &get), server.get(&get)] {
        assert_eq!(ask.refusal().await, (404, "group_missing".to_owned()));
    }
    let missing = change(json!({"name": "X"})).await.problem();
    assert_eq!(missing["code"], "group_missing");
    group(&server, "day SHIFT", &[]).await;
    let lines = lines(&server, "group").await;
    assert_eq!(lines.len(), 5, "{lines:?}");
    assert!(lines[1].starts_with("group.remove"), "{lines:?}");
}

#[tokio::test]
async fn a_misspelt_name_is_not_taken_for_done() {
    let server = Server::start().await;
    let ann = member(&server, "Ann", "Administrator").await;
    let crew = group(&server, "Crew", &[&ann]).await;
    let (ann, crew) = (
        format!("member?memberId={}", ann["memberId"]),
        format!("group?groupId={}", crew["groupId"]),
    );
    for (of, strange) in [(&ann, "active"), (&crew, "members"), (&crew, "color")] {
        let target = format!("/api/team/{of}&{strange}=1");
        let problem = server.ask("PATCH", &target).answer().await.problem();
        assert_eq!(problem["errors"][0]["field"], strange, "{problem}");
    }
}

#[tokio::test]
async fn who_is_not_active_is_put_into_no_group_and_may_stay_in_one() {
    let server = Server::start().await;
    let ann = member(&server, "Ann", "Administrator").await;
    let bob = member(&server, "Bob", "Member").await;
    let crew = group(&server, "Crew", &[&bob]).await;
    change(&server, &bob, json!({"isActive": false})).await;
    let put = async |group: &Value, members: [&Value; 2]| {
        let ids = members.map(|member| &member["memberId"]);
        let body = json!({"groupId": group["groupId"], "memberIds": ids});
        let ask = server.ask("PATCH", "/api/team/group").json(&body);
        ask.answer().await
    };
    let stays = put(&crew, [&ann, &bob]).await.ok();
    assert_eq!(
        stays["members"],
        json!([{"id": ann["memberId"], "fullName": "Ann"}])
    );
    let other = group(&server, "Other", &[]).await;
    let refused = put(&other, [&ann, &bob]).await.problem();
    let said = errors(&refused).remove(0);
    assert!(said.contains("no longer active"), "{said}");
    change(&server, &bob, json!({"isActive": true})).await;
    let back = server.get(&format!("/api/team/group?groupId={}", crew["groupId"]));
    let back = back.answer().await.ok();
    assert_eq!(back["members"].as_array().unwrap().len(), 2, "{back}");
}

#[tokio::test]
async fn a_team_has_as_many_people_as_it_may() {
    let server = Server::start().await;
    let (team, now) = (server.team, server.source.now());
    let crowd = testkit::writing!([team, now] tx => {
        let (mut members, mut groups) = (Vec::new(), Vec::new());
        for number in 1..domain::MEMBERS_MAX {
            let member = domain::Member {
                id: domain::MemberId::new(0),
                team: *team,
                name: format!("m{number}"),
                email: format!("m{number}@example.com"),
                role: domain::Role::Member,
                created_at: *now,
                deactivated_at: None,
            };
            members.push(tx.member_insert(&member).await?);
        }
        for number in 1..domain::GROUPS_MAX {
            let group = domain::Group {
                id: domain::GroupId::new(0),
                team: *team,
                name: format!("g{number}"),
                avatar: "G".to_owned(),
                colour: domain::Colour::default(),
                created_at: *now,
                members: Vec::new(),
            };
            groups.push(tx.group_insert(&group).await?);
        }
        Ok((members, groups))
    });
    let crowd: Result<_, store::StoreError> = server.store.write(crowd).await;
    let (members, groups) = crowd.unwrap();
    let last = member(&server, "Last", "Member").await;
    let body = json!({"name": "One more", "email": "more@example.com"});
    let more = async || {
        let ask = server.post("/api/team/member").json(&body);
        ask.refusal().await
    };
    assert_eq!(more().await, (409, "team_full".to_owned()));
    // Who is no longer active counts, for the audit log speaks of them.
    change(&server, &last, json!({"isActive": false})).await;
    assert_eq!(more().await, (409, "team_full".to_owned()));

    let most = &members[..=domain::GROUP_MEMBERS_MAX];
    let make = async |name: &str, members: &[domain::MemberId]| {
        let body = json!({"name": name, "memberIds": members});
        server.post("/api/team/group").json(&body).answer().await
    };
    assert_eq!(
        errors(&make("Crowd", most).await.problem()),
        ["memberIds must be at most 200 members, but are 201"]
    );
    make("Crowd", &most[1..]).await.ok();
    assert_eq!(make("Crew", &[]).await.problem()["code"], "team_full");
    // What was removed makes room.
    let gone = format!("/api/team/group?groupId={}", groups[0]);
    server.ask("DELETE", &gone).answer().await.ok();
    make("Crew", &[]).await.ok();
}
