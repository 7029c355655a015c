//! Checklists: making them, finding them, and the lists across them.

use app::{
    CreateChecklist, CreateWithParameters, FindChecklists, ListChecklists, ListFiles, ListTasks,
};
use axum::{Json, extract::State};
use domain::{ChecklistFilter, ChecklistRow, FileRow, TaskHit, TemplateKey};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, CREATED_BY, rows};
use crate::{
    Api,
    ask::Ask,
    input::{Input, Needed},
    openapi::words::{AnyChecklistStatus, AnyTaskStatus},
};

/// Make a checklist
///
/// From the newest edition of a template. Tells the subscribers to `new_checklist`. Parameters may
/// stand in the query, as with CheckFlow, or in a JSON body.
#[utoipa::path(
    post,
    path = "/api/checklist",
    tag = "Checklists",
    params(
        ("templateKey" = String, Query, format = Uuid, description = "The template."),
        ("checklistName" = String, Query, description = "What people will call it.", example = "Invoice 4711"),
        ("createdByUserID" = Option<i64>, Query, description = "Who makes it: the number of a member, or 0 for the API key \
            itself, as when it is left out."),
    ),
    responses((status = 200, description = "The checklist.", body = ChecklistRow))
)]
pub(crate) async fn create_checklist(State(api): State<Api>, mut ask: Ask) -> Answer<ChecklistRow> {
    let template = ask.input.need("templateKey", Input::key);
    let name = ask.input.need("checklistName", Input::filled);
    let member = ask.input.number(CREATED_BY);
    let (template, name) = ask.input.all((template, name))?;
    let caller = ask.caller_for(CREATED_BY, member);
    let create = CreateChecklist { template, name };
    Ok(Json(api.app.change(&caller, create).await?))
}

/// What `checklist/create-with-parameters` takes.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct CreateBody {
    /// The template.
    #[schema(format = Uuid)]
    template_key: String,
    /// What people will call it.
    #[schema(example = "Invoice 4711")]
    checklist_name: String,
    /// Values for the template's parameters; those that are left out are as the template says.
    #[schema(max_items = 50)]
    parameters: Option<Vec<ParameterBody>>,
    /// Who makes it: the number of a member, or 0 for the API key itself, as when it is left out.
    #[serde(rename = "createdByUserID")]
    #[schema(example = 0)]
    created_by_user_id: Option<i64>,
}

/// The value of a parameter.
#[derive(Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[expect(
    dead_code,
    reason = "describes the body; `Input` reads it, without regard to case"
)]
pub(crate) struct ParameterBody {
    /// Which one, by its name, whatever its case.
    #[schema(example = "Customer")]
    parameter_name: String,
    /// The value as text.
    #[schema(example = "Acme")]
    parameter_value: String,
}

/// Make a checklist with parameters
///
/// As `POST checklist`, with values for the template's parameters, which controls begin with and texts
/// show.
#[utoipa::path(
    post,
    path = "/api/checklist/create-with-parameters",
    tag = "Checklists",
    request_body(content = CreateBody, description = "What is made, and with what."),
    responses((status = 200, description = "The checklist.", body = ChecklistRow))
)]
pub(crate) async fn create_with_parameters(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<ChecklistRow> {
    let template = ask.input.need("templateKey", Input::key);
    let name = ask.input.need("checklistName", Input::filled);
    let parameters = ask
        .input
        .pairs("parameters", ["parameterName", "parameterValue"]);
    let member = ask.input.number(CREATED_BY);
    let (template, name) = ask.input.all((template, name))?;
    let change = CreateWithParameters {
        create: CreateChecklist { template, name },
        parameters,
    };
    let caller = ask.caller_for(CREATED_BY, member);
    Ok(Json(api.app.change(&caller, change).await?))
}

/// Find checklists, or make one
///
/// The checklists of a template, newest first. With `createIfNotExists` one named `checklistName`
/// is made when none is found, which tells the subscribers to `new_checklist`.
#[utoipa::path(
    get,
    path = "/api/checklist/find",
    tag = "Checklists",
    params(
        ("templateKey" = String, Query, format = Uuid, description = "The template."),
        ("checklistName" = Option<String>, Query, description = "All or part of the name; the whole \
            name of a checklist that is made."),
        ("tag" = Option<String>, Query, description = "All or part of the name of a tag."),
        ("status" = inline(Option<AnyChecklistStatus>), Query, description = "`ALL` (the default), `SCHEDULED`, \
            `INPROGRESS`, `RECENTLYCOMPLETE` (within seven days) or `COMPLETE`."),
        ("createIfNotExists" = Option<bool>, Query, description = "Make one when none is found."),
        ("createdByUserID" = Option<i64>, Query, description = "Who makes it then, as for `checklist`."),
        ("pageSize" = Option<u32>, Query, description = "Rows on a page, 1 to 10, 3 by default.", minimum = 1, maximum = 10),
        ("pageNumber" = Option<u32>, Query, description = "Which page, from 1.", minimum = 1),
    ),
    responses((status = 200, description = "The checklists.", body = Vec<ChecklistRow>))
)]
pub(crate) async fn find_checklists(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<ChecklistRow>> {
    let (template, wanted) = checklists(&mut ask.input);
    let create = ask.input.flag("createIfNotExists").unwrap_or(false);
    let member = ask.input.number(CREATED_BY);
    let template = ask.input.all(template)?;
    let wanted = ListChecklists {
        template,
        key: None,
        ..wanted
    };
    let found = if create {
        let caller = ask.caller_for(CREATED_BY, member);
        api.app.change(&caller, FindChecklists(wanted)).await?
    } else {
        api.app.query(&ask.caller, wanted).await?
    };
    rows(found, "checklists")
}

/// List checklists with all that is in them
///
/// The checklists of a template, newest first, with tasks and what their controls hold. A row is
/// the `data` of `new_checklist`.
#[utoipa::path(
    get,
    path = "/api/checklist/details",
    tag = "Checklists",
    params(
        ("templateKey" = String, Query, format = Uuid, description = "The template."),
        ("checklistKey" = Option<String>, Query, format = Uuid, description = "The one with this key."),
        ("checklistName" = Option<String>, Query, description = "All or part of the name."),
        ("tag" = Option<String>, Query, description = "All or part of the name of a tag."),
        ("status" = inline(Option<AnyChecklistStatus>), Query, description = "As for `checklist/find`."),
        ("pageSize" = Option<u32>, Query, description = "Rows on a page, 1 to 10, 3 by default.", minimum = 1, maximum = 10),
        ("pageNumber" = Option<u32>, Query, description = "Which page, from 1.", minimum = 1),
    ),
    responses((status = 200, description = "The checklists.", body = Vec<ChecklistRow>))
)]
pub(crate) async fn checklist_details(
    State(api): State<Api>,
    mut ask: Ask,
) -> Answer<Vec<ChecklistRow>> {
    let (template, wanted) = checklists(&mut ask.input);
    let key = ask.input.key("checklistKey");
    let template = ask.input.all(template)?;
    let wanted = ListChecklists {
        template,
        key,
        ..wanted
    };
    rows(api.app.query(&ask.caller, wanted).await?, "checklists")
}

/// What both lists of checklists take; the template is put in when it is known to be there.
fn checklists(input: &mut Input) -> (Needed<TemplateKey>, ListChecklists) {
    let template = input.need("templateKey", Input::key);
    let wanted = ListChecklists {
        template: TemplateKey::ZERO,
        key: None,
        name: input.filled("checklistName"),
        tag: input.filled("tag"),
        status: input.word::<ChecklistFilter>("status").unwrap_or_default(),
        page: input.page(),
    };
    (template, wanted)
}

/// List tasks across checklists
///
/// In whichever checklist of the team, headings left out. A row is the `data` of `task_completed`.
#[utoipa::path(
    get,
    path = "/api/checklist/tasks",
    tag = "Checklists",
    params(
        ("taskKey" = Option<String>, Query, format = Uuid, description = "The task; every task when left out."),
        ("status" = inline(Option<AnyTaskStatus>), Query, description = "`ALL` (the default), `Complete`, `Incomplete` or `NotApplicable`."),
        ("pageSize" = Option<u32>, Query, description = "Rows on a page, 1 to 10, 3 by default.", minimum = 1, maximum = 10),
        ("pageNumber" = Option<u32>, Query, description = "Which page, from 1.", minimum = 1),
    ),
    responses((status = 200, description = "The tasks.", body = Vec<TaskHit>))
)]
pub(crate) async fn list_tasks(State(api): State<Api>, mut ask: Ask) -> Answer<Vec<TaskHit>> {
    let input = &mut ask.input;
    let wanted = ListTasks {
        task: input.key("taskKey"),
        status: input.word_or_all("status"),
        page: input.page(),
    };
    input.done()?;
    rows(api.app.query(&ask.caller, wanted).await?, "tasks")
}

/// List uploaded files
///
/// The files in one control, in whichever checklist, newest first. A row is the `data` of
/// `file_uploaded`.
#[utoipa::path(
    get,
    path = "/api/checklist/uploaded-files",
    tag = "Files",
    params(
        ("taskContentKey" = String, Query, format = Uuid, description = "The File Upload control."),
        ("pageSize" = Option<u32>, Query, description = "Rows on a page, 1 to 10, 3 by default.", minimum = 1, maximum = 10),
        ("pageNumber" = Option<u32>, Query, description = "Which page, from 1.", minimum = 1),
    ),
    responses((status = 200, description = "The files.", body = Vec<FileRow>))
)]
pub(crate) async fn list_files(State(api): State<Api>, mut ask: Ask) -> Answer<Vec<FileRow>> {
    let control = ask.input.need("taskContentKey", Input::key);
    let page = ask.input.page();
    let control = ask.input.all(control)?;
    rows(
        api.app
            .query(&ask.caller, ListFiles { control, page })
            .await?,
        "files",
    )
}
