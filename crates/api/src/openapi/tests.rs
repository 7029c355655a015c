use std::collections::BTreeSet;

use super::*;

#[test]
fn the_committed_document_is_what_the_code_makes() {
    let mut text = serde_json::to_string_pretty(&openapi()).unwrap();
    text.push('\n');
    crate::committed::check("openapi.json", &text);
}

#[test]
fn every_operation_is_described() {
    let document = openapi();
    let mut ids = BTreeSet::new();
    for operation in table() {
        let method = json!(operation.method).as_str().unwrap().to_owned();
        let found = &document["paths"][&operation.path][&method];
        let at = format!("{method} {}", operation.path);
        for member in ["summary", "description", "operationId"] {
            assert!(
                found[member].as_str().is_some_and(|text| !text.is_empty()),
                "{at}: {member}"
            );
        }
        assert!(
            ids.insert(found["operationId"].to_string()),
            "{at}: the operationId is there twice"
        );
        assert!(found["responses"]["200"].is_object(), "{at}");
        assert!(found["responses"]["401"].is_object(), "{at}");
        let tag = &found["tags"][0];
        let known = document["tags"]
            .as_array()
            .unwrap()
            .iter()
            .any(|known| known["name"] == *tag);
        assert!(known, "{at}: {tag}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value, seen: &mut usize) {
        if let Some(reference) = value["$ref"].as_str() {
            let path = reference.strip_prefix('#').unwrap();
            assert!(document.pointer(path).is_some(), "{reference}");
            *seen += 1;
        }
        let inner: Vec<&Value> = match value {
            Value::Object(members) => members.values().collect(),
            Value::Array(items) => items.iter().collect(),
            _ => Vec::new(),
        };
        for value in inner {
            walk(value, document, seen);
        }
    }
    let document = openapi();
    let mut seen = 0;
    walk(&document, &document, &mut seen);
    assert!(seen > 100, "only {seen} references");
}

#[test]
fn all_three_events_are_webhooks_with_the_rows_of_their_lists() {
    let document = openapi();
    for (event, path) in [
        ("new_checklist", "/api/checklist/details"),
        ("task_completed", "/api/checklist/tasks"),
        ("file_uploaded", "/api/checklist/uploaded-files"),
    ] {
        let body = &document["webhooks"][event]["post"]["requestBody"];
        let sent = &body["content"]["application/json"]["schema"]["properties"]["data"]["$ref"];
        let answer = &document["paths"][path]["get"]["responses"]["200"];
        let listed = &answer["content"]["application/json"]["schema"]["items"]["$ref"];
        assert!(
            sent.is_string() && sent == listed,
            "{event}: {sent} is not {listed}"
        );
    }
}
