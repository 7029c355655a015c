//! The one path that receivers call: a team's public keys.

use serde_json::{Map, Value, json};

use crate::Code;

/// The path, and what can be done there.
pub(super) fn path() -> (String, Map<String, Value>) {
    let key = json!({
        "type": "object",
        "required": ["kty", "crv", "x", "kid", "alg", "use"],
        "properties": {
            "kty": {"const": "OKP"},
            "crv": {"const": "Ed25519"},
            "x": {"type": "string", "description": "The key, 32 bytes in base64url without padding."},
            "kid": {"type": "string", "description": "As in the header `checkflow-key`."},
            "alg": {"const": "EdDSA"},
            "use": {"const": "sig"},
        },
    });
    let keys = json!({
        "type": "object",
        "required": ["keys"],
        "properties": {"keys": {"type": "array", "items": key}},
    });
    let get = json!({
        "tags": ["Webhooks"],
        "summary": "Get the public keys of a team",
        "description": "What verifies the Ed25519 signatures of a team's webhooks, as a JWK set (RFC 7517, RFC 8037). \
            Needs no API key, because receivers have none. A team that is not there has no keys.",
        "operationId": "public_keys",
        "security": [],
        "parameters": [{
            "name": "teamId",
            "in": "path",
            "required": true,
            "description": "The team's number, as `authentication/validate` answers it.",
            "schema": {"type": "integer", "format": "int64"},
        }],
        "responses": {
            "200": {"description": "The keys.", "content": {"application/jwk-set+json": {"schema": keys}}},
            "404": super::problem_response(&[Code::RouteMissing]),
        },
    });
    let mut item = Map::new();
    item.insert("get".to_owned(), get);
    ("/.well-known/checkflow/{teamId}/jwks.json".to_owned(), item)
}
