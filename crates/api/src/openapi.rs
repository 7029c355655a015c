//! The OpenAPI 3.1 document: made from the table of operations, with what they all share added once.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};
use utoipa::openapi::path::HttpMethod;

use crate::{
    Code,
    problem::PROBLEM_JSON,
    routes::{Operation, table},
};

pub use webhooks::event_schema;

/// What can go wrong with every operation.
const COMMON: [Code; 13] = [
    Code::InvalidRequest,
    Code::MalformedQuery,
    Code::VersionUnknown,
    Code::KeyMissing,
    Code::KeyUnknown,
    Code::KeyRevoked,
    Code::KeyExpired,
    Code::ScopeMissing,
    Code::QueryTooLong,
    Code::RateLimited,
    Code::Internal,
    Code::Unavailable,
    Code::TimedOut,
];

/// What can go wrong with every operation that takes a JSON body, if only instead of a query.
const JSON: [Code; 4] = [
    Code::MalformedJson,
    Code::BodyTooLarge,
    Code::MediaTypeUnsupported,
    Code::RequestTimeout,
];

const DESCRIPTION: &str = "Checklists whose webhooks can be trusted, through the HTTP API of CheckFlow.\n\n\
    Send the team's key in `X-API-KEY` (or as `Authorization: Bearer`). Names of parameters and \
    members are found without regard to case, and may stand in the query or in a JSON body. Every \
    error answer is `application/problem+json` with a `code` that stays.\n\n\
    To subscribe by hand: press *Authorize* and paste a key, look a `templateKey` up with \
    `template/templates`, and run `web-hook/subscribe`.";

/// The document, as it is served at `/swagger/v2/swagger.json`.
pub fn openapi() -> Value {
    let operations = table();
    let mut schemas = Map::new();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for operation in operations {
        for (name, schema) in &operation.schemas {
            schemas.insert(name.clone(), json!(schema));
        }
        let method = json!(operation.method)
            .as_str()
            .unwrap_or_default()
            .to_owned();
        paths
            .entry(operation.path.clone())
            .or_default()
            .insert(method, described(&operation));
    }
    let (path, item) = keys::path();
    paths.insert(path, item);
    schemas.extend(webhooks::schemas());
    schemas.insert("Problem".to_owned(), problem_schema());
    schemas.sort_keys();
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "CheckFlow",
            "version": env!("CARGO_PKG_VERSION"),
            "description": DESCRIPTION,
            "license": {"name": "Apache-2.0 OR MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"key": []}, {"bearer": []}],
        "tags": tags(),
        "paths": paths,
        "webhooks": webhooks::webhooks(),
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "X-API-KEY", "description": "The team's API key (`ck_…`). It needs the scope that the operation names."},
                "bearer": {"type": "http", "scheme": "bearer", "description": "The same key."},
            },
            "responses": common_responses(),
            "parameters": {"version": version_parameter(), "requestId": request_id_parameter(), "idempotencyKey": idempotency_parameter()},
            "headers": {"requestId": {"description": "Names the request, here and in the server's log.", "schema": {"type": "string"}}},
        },
    })
}

fn described(operation: &Operation) -> Value {
    let mut described = json!(operation.described);
    described["tags"] = json!([operation.tag]);
    let scope = operation.needs.word();
    described["security"] = json!([{"key": [scope]}, {"bearer": [scope]}]);
    let parameters = described["parameters"].take();
    let mut parameters = parameters.as_array().cloned().unwrap_or_default();
    parameters.push(json!({"$ref": "#/components/parameters/version"}));
    parameters.push(json!({"$ref": "#/components/parameters/requestId"}));
    let is_post = operation.method == HttpMethod::Post;
    if is_post {
        parameters.push(json!({"$ref": "#/components/parameters/idempotencyKey"}));
    }
    described["parameters"] = Value::Array(parameters);

    let changes = operation.method != HttpMethod::Get;
    let json = if changes && !operation.streams {
        &JSON[..]
    } else {
        &[]
    };
    let full = changes.then_some(&Code::StorageFull);
    let reused = is_post.then_some(&Code::IdempotencyKeyReused);
    let own = json.iter().chain(operation.codes).chain(full).chain(reused);
    let codes = by_status(COMMON.iter().chain(own));
    let common = by_status(COMMON.iter());
    if let Some(responses) = described["responses"].as_object_mut() {
        for response in responses.values_mut() {
            response["headers"]["x-request-id"] = json!({"$ref": "#/components/headers/requestId"});
        }
        for (status, codes) in codes {
            let shared = common.get(&status) == Some(&codes);
            let response = if shared {
                json!({"$ref": format!("#/components/responses/Problem{status}")})
            } else {
                problem_response(&codes)
            };
            responses.insert(status.to_string(), response);
        }
    }
    described
}

fn by_status<'a>(codes: impl Iterator<Item = &'a Code>) -> BTreeMap<u16, Vec<Code>> {
    let mut found: BTreeMap<u16, Vec<Code>> = BTreeMap::new();
    for code in codes {
        found.entry(code.status().as_u16()).or_default().push(*code);
    }
    found
}

/// The error answers that many operations share, word for word.
fn common_responses() -> Value {
    let responses = by_status(COMMON.iter());
    let named = responses
        .iter()
        .map(|(status, codes)| (format!("Problem{status}"), problem_response(codes)));
    Value::Object(named.collect())
}

fn problem_response(codes: &[Code]) -> Value {
    let lines: Vec<String> = codes
        .iter()
        .map(|code| format!("`{}`: {}.", code.word(), code.title()))
        .collect();
    json!({
        "description": lines.join("\n\n"),
        "headers": {"x-request-id": {"$ref": "#/components/headers/requestId"}},
        "content": {PROBLEM_JSON: {"schema": {"$ref": "#/components/schemas/Problem"}}},
    })
}

fn problem_schema() -> Value {
    let words: Vec<&str> = Code::ALL.iter().map(|code| code.word()).collect();
    let error = json!({
        "type": "object",
        "required": ["field", "message"],
        "properties": {
            "field": {"type": "string", "description": "The parameter, the path in the document, or the key of the control."},
            "message": {"type": "string", "description": "What is wrong with it, and what to do."},
            "code": {"type": "string", "description": "Of a control: required, pattern, email, website, min_files, max_files or value."},
            "name": {"type": "string", "description": "Of a control: its label."},
            "taskContentID": {"type": "integer", "format": "int64", "description": "Of a control: its number in the checklist."},
        },
    });
    let fit = json!({
        "type": "object",
        "required": ["key", "name"],
        "properties": {"key": {"type": "string", "format": "uuid"}, "name": {"type": "string"}},
    });
    json!({
        "type": "object",
        "description": "Why the request was not done (RFC 9457).",
        "required": ["type", "title", "status", "detail", "code"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference", "description": "Leads to what the code means."},
            "title": {"type": "string", "description": "The kind of problem, always the same for a code."},
            "status": {"type": "integer", "description": "The status of the answer."},
            "detail": {"type": "string", "description": "What happened this time, and what to do."},
            "code": {"type": "string", "enum": words, "description": "The kind of problem, for scripts. It stays."},
            "errors": {"type": "array", "items": error, "description": "What is wrong, part by part."},
            "fits": {"type": "array", "items": fit, "description": "With `scope_invalid`: up to ten keys that would do."},
            "needs": {"type": "string", "description": "With `scope_missing`: the scope that this takes."},
            "scopes": {"type": "array", "items": {"type": "string"}, "description": "With `scope_missing`: those that the key has."},
            "rule": {"type": "string", "description": "With `target_refused`: the rule that refuses."},
            "setting": {"type": "string", "description": "With `target_refused`: the setting that would allow it."},
            "waitsFor": {"type": "string", "format": "uuid", "description": "With `task_halted`: the key of the task that halts."},
            "mayBeDone": {"type": "boolean", "description": "With `unavailable`: true where the change may have been made all the same."},
        },
    })
}

fn version_parameter() -> Value {
    json!({
        "name": "X-API-VERSION",
        "in": "header",
        "required": false,
        "description": "`1.0` or `2.0`, which mean the same here. May be left out.",
        "schema": {"type": "string", "enum": ["1.0", "2.0"]},
    })
}

fn idempotency_parameter() -> Value {
    json!({
        "name": "Idempotency-Key",
        "in": "header",
        "required": false,
        "description": "A name for this change, such as a UUID, under which it can be sent again for 24 hours: it is made once, and \
            answered the same, with `idempotency-replayed: true`. Refusals are not kept.",
        "schema": {"type": "string", "minLength": 1, "maxLength": 255},
    })
}

fn request_id_parameter() -> Value {
    json!({
        "name": "x-request-id",
        "in": "header",
        "required": false,
        "description": "A name for the request, of up to 128 letters, digits, `-`, `_` and `.`; made when there is none.",
        "schema": {"type": "string", "maxLength": 128},
    })
}

fn tags() -> Value {
    json!([
        {"name": "Authentication", "description": "Whose key it is."},
        {"name": "Templates", "description": "The blueprints, and the keys in them."},
        {"name": "Checklists", "description": "What has been made from templates."},
        {"name": "Tasks", "description": "Completing tasks and filling in their controls."},
        {"name": "Files", "description": "Uploading, listing and downloading files."},
        {"name": "Team", "description": "Members and groups."},
        {"name": "Keys", "description": "Who may do what, and who did."},
        {"name": "Webhooks", "description": "Who is told of what, and how that went."},
    ])
}

mod keys;
mod webhooks;
pub(crate) mod words;

#[cfg(test)]
mod tests;
