//! Templates: writing them, reading them, and finding the keys in them.

use std::sync::Arc;

use domain::{
    Actor, ControlId, ControlKey, ControlType, KnownKeys, Right, TaskKey, Template,
    TemplateDocument, TemplateKey, VersionId,
};
use serde::Serialize;
use store::{Doing, ReadTx, WriteTx};
use utoipa::ToSchema;

use crate::{App, AppError, Caller, Change, Missing, Query, emit::audit};

/// `PUT template`: makes a template, or a new edition of one.
#[derive(Clone, Debug)]
pub struct PutTemplate {
    /// Which one; none makes a new one.
    pub template: Option<TemplateKey>,
    /// What it becomes.
    pub document: TemplateDocument,
}

struct StoreTemplate(PutTemplate);

impl Change for StoreTemplate {
    const NEEDS: Right = Right::Templates;

    type Answer = TemplateDocument;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<TemplateDocument, AppError> {
        const DOING: &str = "storing a template";
        let (key, known, before) = if let Some(key) = self.0.template {
            tx.template_lock(key).await.doing::<AppError>(DOING)?;
            let before = get(tx, actor, key).await?;
            let known = tx.template_known_keys(key).await.doing::<AppError>(DOING)?;
            (key, known, Some(before))
        } else {
            room(app, actor, tx).await?;
            let key = TemplateKey::new(app.source().uuid());
            (key, KnownKeys::default(), None)
        };
        let template = Template::from_document(&self.0.document, key, &known, app.source());
        let mut template = template.map_err(AppError::Invalid)?;
        let unnumbered = u32::try_from(template.unnumbered()).unwrap_or(u32::MAX);
        if unnumbered > 0 {
            let first = tx
                .control_ids_reserve(unnumbered)
                .await
                .doing::<AppError>(DOING)?;
            let mut numbers = first.get()..;
            template.number(|| ControlId::new(numbers.next().unwrap_or(i64::MAX)));
        }
        // The same again is no new edition: applying a file twice changes nothing.
        if before.is_some_and(|before| *before == template) {
            return Ok(template.to_document());
        }
        let version = VersionId::new(app.source().uuid());
        let now = app.source().now();
        tx.template_put(actor.team, version, &template, now)
            .await
            .doing::<AppError>(DOING)?;
        let action = if self.0.template.is_some() {
            "template.edit"
        } else {
            "template.create"
        };
        audit(tx, actor, now, (action, key.to_string()), String::new()).await?;
        Ok(template.to_document())
    }
}

impl App {
    /// Makes a template, or a new edition of one.
    ///
    /// Its patterns are checked first, on a thread that reads: that takes time in which nobody else
    /// could write.
    pub async fn put_template(
        &self,
        caller: &Caller,
        put: PutTemplate,
    ) -> Result<TemplateDocument, AppError> {
        let put = self.query(caller, CheckPatterns(put)).await?;
        self.change(caller, StoreTemplate(put)).await
    }
}

struct CheckPatterns(PutTemplate);

impl Query for CheckPatterns {
    const NEEDS: Right = Right::Templates;

    type Answer = PutTemplate;

    async fn run(&self, _: &App, _: &Actor, _: &mut dyn ReadTx) -> Result<PutTemplate, AppError> {
        let checked = self.0.document.check_patterns();
        checked.map_err(AppError::Invalid)?;
        Ok(self.0.clone())
    }
}

async fn room(app: &App, actor: &Actor, tx: &mut dyn WriteTx) -> Result<(), AppError> {
    let max = u64::from(app.limits().templates_max);
    let there = tx.template_count(actor.team).await;
    if there.doing::<AppError>("counting templates")? < max {
        return Ok(());
    }
    Err(AppError::Full {
        what: "templates",
        max,
    })
}

async fn get<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    key: TemplateKey,
) -> Result<Arc<Template>, AppError> {
    let record = tx
        .template_get(actor.team, key)
        .await
        .doing::<AppError>("loading a template")?;
    Ok(record.ok_or(Missing::Template(key))?.template)
}

/// `GET template`: a template as a document.
pub struct GetTemplate(pub TemplateKey);

impl Query for GetTemplate {
    const NEEDS: Right = Right::Read;

    type Answer = TemplateDocument;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<TemplateDocument, AppError> {
        Ok(get(tx, actor, self.0).await?.to_document())
    }
}

/// A template or a task in a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct NamedRow {
    /// Its key.
    #[schema(format = Uuid)]
    pub id: String,
    /// What people call it.
    pub name: String,
}

/// A control in a list of keys.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ControlRow {
    /// Its key.
    pub id: ControlKey,
    /// Its label.
    pub name: String,
    /// Its type, by its word.
    #[serde(rename = "type")]
    #[schema(example = "ShortText")]
    pub kind: &'static str,
}

/// `GET template/templates`: the team's templates by name.
pub struct ListTemplates;

impl Query for ListTemplates {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<NamedRow>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<NamedRow>, AppError> {
        let limit = app.limits().templates_max;
        let found = tx.template_list(actor.team, limit).await;
        let found = found.doing::<AppError>("listing templates")?;
        let row = |found: store::Named<TemplateKey>| NamedRow {
            id: found.key.to_string(),
            name: found.name,
        };
        Ok(found.into_iter().map(row).collect())
    }
}

/// `GET template/tasks`: the tasks of a template's newest edition, in order, headings included.
pub struct ListTemplateTasks(pub TemplateKey);

impl Query for ListTemplateTasks {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<NamedRow>;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<NamedRow>, AppError> {
        let template = get(tx, actor, self.0).await?;
        let row = |task: &domain::Task| NamedRow {
            id: task.key.to_string(),
            name: task.name.clone(),
        };
        Ok(template.tasks.iter().map(row).collect())
    }
}

/// Which controls a list is about.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ControlFilter {
    /// Every one.
    #[default]
    All,
    /// Those that people fill in.
    AllInput,
    /// Those of one type.
    Only(ControlType),
}

impl ControlFilter {
    fn takes(self, kind: ControlType) -> bool {
        match self {
            Self::All => true,
            Self::AllInput => kind.is_input(),
            Self::Only(only) => kind == only,
        }
    }
}

/// `GET template/task-content`: the controls of a task in its template's newest edition, in order.
pub struct ListTemplateControls {
    /// Which task.
    pub task: TaskKey,
    /// Which of its controls.
    pub filter: ControlFilter,
}

impl Query for ListTemplateControls {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<ControlRow>;

    async fn run(
        &self,
        _: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<ControlRow>, AppError> {
        let place = tx
            .task_find(actor.team, self.task)
            .await
            .doing::<AppError>("finding a task")?;
        let place = place.ok_or(Missing::TaskKey(self.task))?;
        let template = get(tx, actor, place.template).await?;
        let index = template
            .task_index(self.task)
            .ok_or(Missing::TaskKey(self.task))?;
        let controls = template.tasks[index].controls.iter();
        let row = |control: &domain::Control| ControlRow {
            id: control.key,
            name: control.name.clone(),
            kind: control.kind.kind().word(),
        };
        Ok(controls
            .filter(|control| self.filter.takes(control.kind.kind()))
            .map(row)
            .collect())
    }
}
