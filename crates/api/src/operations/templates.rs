//! The lists that keys are looked up in: templates, their tasks, their controls.

use std::str::FromStr;

use app::{
    ControlFilter, ControlRow, ListTemplateControls, ListTemplateTasks, ListTemplates, NamedRow,
};
use axum::extract::State;
use domain::{ControlType, UnknownControlType};

use super::{Answer, rows};
use crate::{Api, ask::Ask, input::Input};

/// List templates
///
/// The team's templates, by name. `id` is the `templateKey` of other operations.
#[utoipa::path(
    get,
    path = "/api/template/templates",
    tag = "Templates",
    responses((status = 200, description = "The templates.", body = Vec<NamedRow>))
)]
pub(crate) async fn list_templates(State(api): State<Api>, ask: Ask) -> Answer<Vec<NamedRow>> {
    rows(
        api.app.query(&ask.caller, ListTemplates).await?,
        "templates",
    )
}

/// List the tasks of a template
///
/// Those of its newest edition, in order, headings included. `id` is the `taskKey` of other
/// operations.
#[utoipa::path(
    get,
    path = "/api/template/tasks",
    tag = "Templates",
    params(("templateKey" = String, Query, format = Uuid, description = "The template.")),
    responses((status = 200, description = "The tasks.", body = Vec<NamedRow>))
)]
pub(crate) async fn list_template_tasks(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<NamedRow>> {
    let template = ask.input.need("templateKey", Input::key);
    let template = ask.input.all(template)?;
    rows(
        api.app
            .query(&ask.caller, ListTemplateTasks(template))
            .await?,
        "tasks",
    )
}

/// List the controls of a task
///
/// Those of its template's newest edition, in order. `id` is the `taskContentKey` of other
/// operations.
#[utoipa::path(
    get,
    path = "/api/template/task-content",
    tag = "Templates",
    params(
        ("taskKey" = String, Query, format = Uuid, description = "The task."),
        ("contentType" = Option<String>, Query, description = "`ALL` (the default), `ALLINPUT` for \
            those that people fill in, or the word of one type.", example = "FileUpload"),
    ),
    responses((status = 200, description = "The controls.", body = Vec<ControlRow>))
)]
pub(crate) async fn list_template_controls(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<ControlRow>> {
    let task = ask.input.need("taskKey", Input::key);
    let filter = ask.input.word::<FilterWord>("contentType");
    let task = ask.input.all(task)?;
    let filter = filter.map(|word| word.0).unwrap_or_default();
    rows(
        api.app
            .query(&ask.caller, ListTemplateControls { task, filter })
            .await?,
        "controls",
    )
}

struct FilterWord(ControlFilter);

impl FromStr for FilterWord {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let filter = match text.to_ascii_uppercase().as_str() {
            "ALL" => ControlFilter::All,
            "ALLINPUT" => ControlFilter::AllInput,
            _ => {
                let unknown = |error: UnknownControlType| {
                    format!("must be ALL, ALLINPUT or one type ({error})")
                };
                ControlFilter::Only(text.parse::<ControlType>().map_err(unknown)?)
            }
        };
        Ok(Self(filter))
    }
}
