//! The demo's template and the file for its File Upload.

use serde_json::{Value, json};

/// The template, as `PUT /api/template` takes it.
pub(super) fn document() -> Value {
    json!({
        "name": "Invoice review",
        "tasks": [
            { "name": "Check", "heading": true },
            { "name": "Receive the invoice", "controls": [
                { "type": "ShortText", "name": "Invoice number", "required": true, "pattern": "INV-[0-9]+" },
                { "type": "FileUpload", "name": "Scan", "minFiles": 1, "maxFiles": 3 },
            ] },
            { "name": "Approve", "halt": "task", "controls": [
                { "type": "DropDown", "name": "Decision", "required": true, "options": ["Approve", "Reject"] },
            ] },
            { "name": "Settle", "heading": true },
            { "name": "Pay" },
            { "name": "File it away" },
        ],
    })
}

/// A task of a template on one line.
pub(super) fn outline(task: &Value) -> String {
    let name = task["name"].as_str().unwrap_or_default();
    if task["heading"] == true {
        return format!("— {name}");
    }
    let mut line = format!("  {name}");
    for control in task["controls"].as_array().into_iter().flatten() {
        let rule = match (&control["pattern"], &control["minFiles"]) {
            (Value::String(pattern), _) => format!(" {pattern}"),
            (_, Value::Number(min)) => format!(" at least {min}"),
            _ => String::new(),
        };
        let (kind, name) = (
            control["type"].as_str().unwrap_or_default(),
            control["name"].as_str().unwrap_or_default(),
        );
        line.extend([" · ", name, " (", kind, &rule, ")"]);
    }
    if task["halt"].is_string() {
        line += " · halts what follows until done";
    }
    line
}

/// The smallest file that a viewer opens as a page: a real upload with nothing in it.
pub(super) fn scan(number: &str) -> Vec<u8> {
    format!(
        "%PDF-1.4\n% Scan of INV-{number}\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj\n\
         2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj\n\
         3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]>>endobj\n\
         trailer<</Root 1 0 R>>\n%%EOF\n"
    )
    .into_bytes()
}
