//! Checklists: making them and finding them.

use domain::{
    Actor, Checklist, ChecklistFilter, ChecklistHead, ChecklistId, ChecklistKey, ChecklistRow,
    Done, FieldId, NAME_CHARS_MAX, Right, TemplateKey, name,
};
use store::{ChecklistQuery, Doing, Fields, Page, ReadTx, TemplateRecord, WriteTx};

use crate::{
    App, AppError, Change, Missing, Query,
    acting::may_create,
    emit::{Happened, audit, emit},
};

/// `POST checklist`: makes a checklist from the newest edition of a template.
pub struct CreateChecklist {
    /// Which template.
    pub template: TemplateKey,
    /// What people will call it.
    pub name: String,
}

impl Change for CreateChecklist {
    const NEEDS: Right = Right::Run;

    type Answer = ChecklistRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<ChecklistRow, AppError> {
        let template = template(tx, actor, self.template).await?;
        create(app, actor, tx, template, New::named(&self.name)).await
    }
}

/// `POST checklist/create-with-parameters`: the same, with values for the template's parameters.
pub struct CreateWithParameters {
    /// What is made.
    pub create: CreateChecklist,
    /// Values by the name of their parameter.
    pub parameters: Vec<(String, String)>,
}

impl Change for CreateWithParameters {
    const NEEDS: Right = Right::Run;

    type Answer = ChecklistRow;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<ChecklistRow, AppError> {
        let template = template(tx, actor, self.create.template).await?;
        let new = New {
            name: &self.create.name,
            parameters: &self.parameters,
        };
        create(app, actor, tx, template, new).await
    }
}

/// What a checklist is made with.
struct New<'a> {
    name: &'a str,
    parameters: &'a [(String, String)],
}

impl<'a> New<'a> {
    /// Nothing but a name; parameters are what the template says.
    const fn named(name: &'a str) -> Self {
        Self {
            name,
            parameters: &[],
        }
    }
}

async fn template<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    key: TemplateKey,
) -> Result<TemplateRecord, AppError> {
    let found = tx
        .template_get(actor.team, key)
        .await
        .doing::<AppError>("loading a template")?;
    Ok(found.ok_or(Missing::Template(key))?)
}

/// The one way a checklist comes to be, and so the one that tells of it.
async fn create(
    app: &App,
    actor: &Actor,
    tx: &mut dyn WriteTx,
    record: TemplateRecord,
    new: New<'_>,
) -> Result<ChecklistRow, AppError> {
    const DOING: &str = "storing a checklist";
    may_create(actor)?;
    let called = name(new.name, NAME_CHARS_MAX);
    let called = called.map_err(|error| AppError::invalid("checklistName", error.to_string()))?;
    let values = record.template.parameter_values(new.parameters);
    let values = values.map_err(AppError::Invalid)?;
    let fields = record.template.beginnings(&values);
    let fields = fields.map_err(AppError::Invalid)?;
    let now = app.source().now();
    let head = ChecklistHead {
        id: ChecklistId::new(0),
        key: ChecklistKey::new(app.source().uuid()),
        team: actor.team,
        version: record.version,
        name: called,
        created: Done {
            at: now,
            by: actor.person.clone(),
        },
        scheduled_at: None,
        started_at: Some(now),
        ended_at: None,
        archived_at: None,
    };
    let mut list = Checklist::new(head, record.template);
    list.head.id = tx.checklist_insert(&list).await.doing::<AppError>(DOING)?;
    if !values.is_empty() {
        tx.checklist_parameters_put(list.head.id, &values)
            .await
            .doing::<AppError>(DOING)?;
    }
    for (place, field) in &fields {
        tx.field_put(FieldId::of(list.head.id, *place), &field.value)
            .await
            .doing::<AppError>(DOING)?;
    }
    list.fields = fields;
    let row = ChecklistRow::whole(&list, app.public_url());
    emit(app, tx, &list, now, Happened::NewChecklist(&row)).await?;
    let subject = ("checklist.create", list.head.id.to_string());
    audit(tx, actor, now, subject, String::new()).await?;
    Ok(row)
}

/// `GET checklist/find` and `checklist/details`: checklists of one template.
#[derive(Clone, Debug)]
pub struct ListChecklists {
    /// Which template.
    pub template: TemplateKey,
    /// The one with this key.
    pub key: Option<ChecklistKey>,
    /// With this in their name.
    pub name: Option<String>,
    /// With a tag that has this in its name.
    pub tag: Option<String>,
    /// That stand so.
    pub status: ChecklistFilter,
    /// Which part of the list.
    pub page: Page,
}

impl ListChecklists {
    async fn load<T: ReadTx + ?Sized>(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut T,
    ) -> Result<Vec<ChecklistRow>, AppError> {
        const DOING: &str = "listing checklists";
        // Nothing can be tagged yet, so no checklist has any tag.
        if self.tag.is_some() {
            return Ok(Vec::new());
        }
        let query = ChecklistQuery {
            team: actor.team,
            template: self.template,
            key: self.key,
            name: self.name.clone(),
            status: self.status,
            now: app.source().now(),
            page: self.page,
        };
        let ids = tx.checklist_page(&query).await.doing::<AppError>(DOING)?;
        let mut rows = Vec::with_capacity(ids.len());
        for id in ids {
            let list = tx
                .checklist_get(actor.team, id, Fields::All)
                .await
                .doing::<AppError>(DOING)?;
            let list = list.ok_or(Missing::Checklist(id))?;
            rows.push(ChecklistRow::whole(&list, app.public_url()));
        }
        Ok(rows)
    }
}

impl Query for ListChecklists {
    const NEEDS: Right = Right::Read;

    type Answer = Vec<ChecklistRow>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> Result<Vec<ChecklistRow>, AppError> {
        template(tx, actor, self.template).await?;
        self.load(app, actor, tx).await
    }
}

/// `GET checklist/find?createIfNotExists=true`: the checklists there are, or a new one when there
/// are none.
pub struct FindChecklists(pub ListChecklists);

impl Change for FindChecklists {
    const NEEDS: Right = Right::Run;

    type Answer = Vec<ChecklistRow>;

    async fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> Result<Vec<ChecklistRow>, AppError> {
        // Two that look at once must not both find nothing and make one each.
        tx.template_lock(self.0.template)
            .await
            .doing::<AppError>("finding checklists")?;
        let template = template(tx, actor, self.0.template).await?;
        let found = self.0.load(app, actor, tx).await?;
        if !found.is_empty() || self.0.page.number > 1 {
            return Ok(found);
        }
        let Some(called) = &self.0.name else {
            let message = "is needed with createIfNotExists: it becomes the name of the checklist";
            return Err(AppError::invalid("checklistName", message));
        };
        Ok(vec![
            create(app, actor, tx, template, New::named(called)).await?,
        ])
    }
}
