use crate::harness::{NOBODY, Server, errors, text};

#[tokio::test]
async fn a_checklist_is_made_with_parameters_in_the_query_or_in_the_body() {
    let server = Server::start().await;
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    let target = format!("/api/checklist?templateKey={key}&checklistName=Invoice+4711");
    insta::assert_snapshot!(
        "create_checklist",
        server.post(&target).answer().await.shown()
    );
    let body = serde_json::json!({"TemplateKey": key, "checklistname": "Rechnung für März"});
    let made = server
        .post("/api/checklist")
        .json(&body)
        .answer()
        .await
        .ok();
    assert_eq!(made["checklistName"], "Rechnung für März");
}

#[tokio::test]
async fn finding_makes_one_only_when_asked_and_only_when_there_is_none() {
    let server = Server::start().await;
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    let target = format!("/api/checklist/find?templateKey={key}&checklistName=Alpha");
    assert_eq!(
        server.get(&target).refusal().await,
        (404, "nothing_found".to_owned())
    );
    let create = format!("{target}&createIfNotExists=true");
    let made = server.get(&create).answer().await.ok();
    assert_eq!(made[0]["checklistName"], "Alpha");
    assert_eq!(server.get(&create).answer().await.ok(), made);
    assert_eq!(server.get(&target).answer().await.ok(), made);
    let nameless =
        format!("/api/checklist/find?templateKey={key}&checklistName=Beta&createIfNotExists=maybe");
    assert_eq!(
        server.get(&nameless).refusal().await,
        (400, "invalid_request".to_owned())
    );
}

#[tokio::test]
async fn a_name_is_needed_to_make_one() {
    let server = Server::start().await;
    let template = server.template().await;
    let target = format!(
        "/api/checklist/find?templateKey={}&createIfNotExists=true",
        text(&template["templateKey"])
    );
    let problem = server.get(&target).answer().await.problem();
    assert!(
        errors(&problem)[0].starts_with("checklistName "),
        "{problem}"
    );
}

#[tokio::test]
async fn details_are_paged_by_three() {
    let server = Server::start().await;
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    for number in 1..=5 {
        let target = format!("/api/checklist?templateKey={key}&checklistName=No+{number}");
        server.post(&target).answer().await.ok();
    }
    let rows = async |more: &str| {
        let target = format!("/api/checklist/details?templateKey={key}{more}");
        server
            .get(&target)
            .answer()
            .await
            .value()
            .as_array()
            .map_or(0, Vec::len)
    };
    assert_eq!(rows("").await, 3);
    assert_eq!(rows("&pageNumber=2").await, 2);
    assert_eq!(rows("&pageSize=10").await, 5);
    assert_eq!(rows("&checklistName=o+4").await, 1);
    assert_eq!(rows("&status=inprogress").await, 3);
    let past = format!("/api/checklist/details?templateKey={key}&pageNumber=3");
    assert_eq!(
        server.get(&past).refusal().await,
        (404, "nothing_found".to_owned())
    );
    let large = format!("/api/checklist/details?templateKey={key}&pageSize=11");
    let problem = server.get(&large).answer().await.problem();
    assert_eq!(
        errors(&problem),
        ["pageSize must be from 1 to 10, but is 11"]
    );
}

#[tokio::test]
async fn details_are_those_of_one_checklist_when_its_key_is_given() {
    let server = Server::start().await;
    let template = server.template().await;
    let made = server.checklist(&template).await;
    server.checklist(&template).await;
    let (template, key) = (text(&template["templateKey"]), text(&made["checklistKey"]));
    let target = format!("/api/checklist/details?templateKey={template}&checklistKey={key}");
    let found = server.get(&target).answer().await.ok();
    assert_eq!(found, serde_json::json!([made]));
    let nobody = format!("/api/checklist/details?templateKey={template}&checklistKey={NOBODY}");
    assert_eq!(
        server.get(&nobody).refusal().await,
        (404, "nothing_found".to_owned())
    );
}
