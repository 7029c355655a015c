//! A template as one document, put and got whole.

use app::{GetTemplate, PutTemplate};
use axum::{
    Json,
    extract::{Request, State},
};
use domain::TemplateDocument;

use super::Answer;
use crate::{
    Api, Code,
    ask::{self, Ask},
    input::{self, Input},
    problem::Problem,
};

/// Make or replace a template
///
/// Without `templateKey` a new template is made; with it, that template gets a new edition.
/// Checklists that run keep the edition they were made from. Tasks and controls that carry their
/// `key` keep it, those without get a new one, and those left out are gone from the new edition.
/// The same document again changes nothing. Answers the document with every key.
#[utoipa::path(
    put,
    path = "/api/template",
    tag = "Templates",
    params(("templateKey" = Option<String>, Query, format = Uuid, description = "The template to replace.")),
    request_body(content = TemplateDocument, description = "The template.", example = json!({
        "name": "Invoice review",
        "tasks": [
            {"name": "Receive the invoice", "controls": [
                {"type": "ShortText", "name": "Invoice number", "required": true, "pattern": "INV-[0-9]+"},
                {"type": "FileUpload", "name": "Scan", "minFiles": 1, "maxFiles": 3}
            ]},
            {"name": "Approval", "heading": true},
            {"name": "Approve", "halt": "task", "controls": [
                {"type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"], "required": true}
            ]},
            {"name": "Pay"}
        ]
    })),
    responses((status = 200, description = "The template, with every key.", body = TemplateDocument))
)]
pub(crate) async fn put_template(
    State(api): State<Api>,
    request: Request,
) -> Answer<TemplateDocument> {
    let (parts, body) = request.into_parts();
    let mut ask = Ask::of_parts(&parts, &api)?;
    let template = ask.input.key("templateKey");
    ask.input.done()?;
    let bytes = ask::json_bytes(&parts.headers, body, &api)
        .await
        .map_err(only_json)?;
    if bytes.is_empty() {
        return Err(Problem::field("body", "must be a template as a JSON document").into());
    }
    let document = input::template(&bytes)?;
    let put = PutTemplate { template, document };
    Ok(Json(api.app.put_template(&ask.caller, put).await?))
}

fn only_json(problem: Problem) -> Problem {
    match problem.code() {
        Code::MediaTypeUnsupported => problem.detail(
            "templates are taken as JSON, with Content-Type: application/json; convert other forms first",
        ),
        _ => problem,
    }
}

/// Get a template
///
/// The newest edition as one document, with every key. Put it back changed to edit the template.
#[utoipa::path(
    get,
    path = "/api/template",
    tag = "Templates",
    params(("templateKey" = String, Query, format = Uuid, description = "The template.")),
    responses((status = 200, description = "The template.", body = TemplateDocument))
)]
pub(crate) async fn get_template(State(api): State<Api>, mut ask: Ask) -> Answer<TemplateDocument> {
    let template = ask.input.need("templateKey", Input::key);
    let template = ask.input.all(template)?;
    Ok(Json(
        api.app.query(&ask.caller, GetTemplate(template)).await?,
    ))
}
