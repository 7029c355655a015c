//! Checklists: making them and finding them.

use domain::{
    Actor, Checklist, ChecklistFilter, ChecklistHead, ChecklistId, ChecklistKey, ChecklistRow,
    Done, NAME_CHARS_MAX, Right, TemplateKey, name,
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
        create(app, actor, tx, template, &self.name).await
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
    called: &str,
) -> Result<ChecklistRow, AppError> {
    may_create(actor)?;
    let called = name(called, NAME_CHARS_MAX);
    let called = called.map_err(|error| AppError::invalid("checklistName", error.to_string()))?;
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
    list.head.id = tx
        .checklist_insert(&list)
        .await
        .doing::<AppError>("storing a checklist")?;
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
        Ok(vec![create(app, actor, tx, template, called).await?])
    }
}
