//! Whether what receivers get is what the published JSON Schemas say.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use domain::{EventType, PublicUrl};
use jsonschema::Validator;
use serde_json::{Value, json};

static SCHEMAS: LazyLock<BTreeMap<&'static str, Validator>> = LazyLock::new(|| {
    let at = PublicUrl::new("https://checks.example.com").unwrap();
    let validator = |kind| {
        let mut schema = api::event_schema(kind, &at);
        close(&mut schema);
        jsonschema::options()
            .should_validate_formats(true)
            .build(&schema)
            .unwrap()
    };
    EventType::ALL
        .map(|kind| (kind.word(), validator(kind)))
        .into()
});

/// Has every object take no member but those that the schema names, so that none is sent which nobody was told of.
/// What is a part of another (`allOf`) is closed by that one.
fn close(schema: &mut Value) {
    let mut parts = BTreeSet::new();
    find_parts(schema, &mut parts);
    let mut definitions = schema["$defs"].take();
    for (name, definition) in definitions.as_object_mut().into_iter().flatten() {
        let is_part = parts.contains(&format!("#/$defs/{name}"));
        close_whole(definition, is_part);
    }
    close_whole(schema, false);
    schema["$defs"] = definitions;
}

fn find_parts(schema: &Value, parts: &mut BTreeSet<String>) {
    let children: Vec<&Value> = match schema {
        Value::Object(members) => members.values().collect(),
        Value::Array(items) => items.iter().collect(),
        _ => Vec::new(),
    };
    let own = schema["allOf"].as_array().into_iter().flatten();
    parts.extend(own.filter_map(|part| part["$ref"].as_str().map(str::to_owned)));
    for child in children {
        find_parts(child, parts);
    }
}

fn close_whole(schema: &mut Value, is_part: bool) {
    match schema {
        Value::Object(members) => {
            let named = members.contains_key("properties") || members.contains_key("allOf");
            for (name, value) in members.iter_mut() {
                match value {
                    Value::Array(parts) if name == "allOf" => {
                        for part in parts {
                            close_whole(part, true);
                        }
                    }
                    value => close_whole(value, false),
                }
            }
            if named && !is_part && !members.contains_key("additionalProperties") {
                members.insert("unevaluatedProperties".to_owned(), json!(false));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| close_whole(item, false)),
        _ => {}
    }
}

/// What is wrong with the body of an event of type `kind`.
pub(super) fn check(kind: &str, body: &[u8]) -> Result<(), String> {
    let body: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let schema = SCHEMAS
        .get(kind)
        .ok_or_else(|| format!("there is no schema of {kind}"))?;
    schema
        .validate(&body)
        .map_err(|error| format!("{error} at {}: {body}", error.instance_path()))
}

#[test]
fn a_member_too_many_and_one_too_few_are_noticed() {
    let checked = |body: Value| check("task_completed", body.to_string().as_bytes());
    let error = checked(json!({"type": "task_completed", "timestamp": "2026-11-23T17:41:55.120Z"}));
    assert!(error.unwrap_err().contains("data"));
    let error = checked(
        json!({"type": "task_completed", "timestamp": "2026-11-23T17:41:55.120Z", "data": {}, "more": 1}),
    );
    assert!(error.is_err());
    assert!(check("nothing", b"{}").is_err());
}
