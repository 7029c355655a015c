//! What can be subscribed to: schemas, scopes and samples.

use serde_json::{Value, json};

use crate::harness::{Server, text};

const EVENT_TYPES: &str = "/api/web-hook/event-types";

async fn types(server: &Server) -> Vec<Value> {
    let list = server.get(EVENT_TYPES).answer().await.ok();
    assert_eq!(list["nextCursor"], Value::Null);
    list["items"].as_array().unwrap().clone()
}

fn fits(schema: &Value, body: &Value) {
    let validator = jsonschema::validator_for(schema).unwrap();
    if let Err(error) = validator.validate(body) {
        panic!("{error} at {}: {body:#}", error.instance_path());
    }
}

#[tokio::test]
async fn every_type_has_a_schema_that_its_sample_fits() {
    let server = Server::start().await;
    let template = server.template().await;
    let asked = "/api/web-hook/subscribe?source=custom&eventType=subscription_failing\
        &targetUrl=https%3A%2F%2Fexample.com%2Fhooks";
    server.post(asked).answer().await.ok();
    let types = types(&server).await;
    let words: Vec<&str> = types.iter().map(|one| text(&one["eventType"])).collect();
    let expected = domain::EventType::ALL.map(domain::EventType::word);
    assert_eq!(words, expected);
    for one in &types {
        let (schema, sample) = (&one["schema"], &one["sample"]);
        assert_eq!(sample["type"], one["eventType"]);
        fits(schema, sample);
        let mut less = sample.clone();
        less["data"] = json!({});
        assert!(!jsonschema::is_valid(schema, &less), "{less}");
    }
    let told = &types[0]["sample"]["data"];
    assert_eq!(told["template"]["templateKey"], template["templateKey"]);
    let file = &types[2]["sample"]["data"];
    assert_eq!(
        file["taskContentKey"],
        template["tasks"][0]["controls"][1]["key"]
    );
}

#[tokio::test]
async fn a_team_without_templates_gets_schemas_and_no_samples() {
    let server = Server::start().await;
    for one in types(&server).await {
        assert_eq!(one["sample"], Value::Null);
        assert_eq!(one["schema"]["title"], one["eventType"]);
        assert!(!one["scopes"].as_array().unwrap().is_empty());
    }
}

#[tokio::test]
async fn a_schema_is_at_its_id_for_anybody() {
    let server = Server::start().await;
    for one in types(&server).await {
        let id = text(&one["schema"]["$id"]);
        let path = id.strip_prefix("https://checks.example.com").unwrap();
        let got = server.get(path).header("x-api-key", "").answer().await;
        assert_eq!(got.header("content-type"), "application/schema+json");
        assert_eq!(got.ok(), one["schema"]);
    }
    for missing in ["/schemas/new_checklist", "/schemas/other.json"] {
        let (status, code) = server.get(missing).refusal().await;
        assert_eq!((status, code.as_str()), (404, "route_missing"));
    }
}

#[tokio::test]
async fn one_type_can_be_asked_for() {
    let server = Server::start().await;
    let asked = format!("{EVENT_TYPES}?eventType=Task_Completed");
    let list = server.get(&asked).answer().await.ok();
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    let parameters: Vec<&str> = list["items"][0]["scopes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|scope| text(&scope["parameter"]))
        .collect();
    assert_eq!(parameters, ["taskKey", "templateKey", "scope=team"]);
    let (status, code) = server
        .get(&format!("{EVENT_TYPES}?eventType=other"))
        .refusal()
        .await;
    assert_eq!((status, code.as_str()), (400, "invalid_request"));
}
