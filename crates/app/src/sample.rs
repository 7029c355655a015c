//! Samples: what a subscription would be told, made up from the team's own templates.

use std::sync::Arc;

use domain::{
    Actor, Checklist, ChecklistHead, ChecklistId, ChecklistKey, ChecklistRow, Control, ControlId,
    ControlKey, ControlKind, ControlType, Done, Event, EventId, EventType, FILES_MAX, FileRow,
    Halt, Health, HealthRow, Scope, StateCode, Subscription, SubscriptionHealthRow,
    SubscriptionRow, Task, TaskHit, TaskKey, Template, TemplateKey, VersionId,
};
use store::{Doing, ReadTx};

use crate::{
    App, AppError,
    emit::{Happened, event},
};

const DOING: &str = "making a sample";

/// What people call the checklist of a sample.
const SAMPLE_NAME: &str = "Sample checklist";

/// The event that `subscription` would be told of, as a test. Its checklist has the number 0, and its file can't be
/// fetched.
///
/// # Errors
/// The team has no template with a task, which one for the whole team would need.
pub(crate) async fn sample<T: ReadTx + ?Sized>(
    app: &App,
    actor: &Actor,
    tx: &mut T,
    subscription: &Subscription,
) -> Result<Event, AppError> {
    let kind = subscription.event_type;
    if let Some(code) = told_by(kind) {
        return Ok(of_subscription(app, actor, subscription, (kind, code)));
    }
    let subject = subject(tx, actor, subscription.scope).await?;
    of_checklist(app, actor, kind, subject.ok_or(AppError::NothingToSample)?)
}

/// An event of this type as the team could have it, as a test: of its first template, by name, that would do, or of one
/// of its subscriptions. None where the team has neither.
pub(crate) async fn sample_of_team<T: ReadTx + ?Sized>(
    app: &App,
    actor: &Actor,
    tx: &mut T,
    kind: EventType,
) -> Result<Option<Event>, AppError> {
    if let Some(code) = told_by(kind) {
        let found = tx.subscription_list(actor.team, None, None, 1).await;
        let found = found.doing::<AppError>(DOING)?;
        let first = found.first();
        return Ok(first.map(|first| of_subscription(app, actor, first, (kind, code))));
    }
    let subject = match kind {
        EventType::FileUploaded => {
            let controls = tx.control_suggest(actor.team, ControlType::FileUpload, 1);
            let controls = controls.await.doing::<AppError>(DOING)?;
            match controls.first() {
                Some(control) => of_control(tx, actor, control.key).await?,
                None => None,
            }
        }
        _ => of_team(tx, actor).await?,
    };
    subject
        .map(|subject| of_checklist(app, actor, kind, subject))
        .transpose()
}

/// The event of this type that happens to `subject`, in a checklist that there is not.
fn of_checklist(
    app: &App,
    actor: &Actor,
    kind: EventType,
    subject: Subject,
) -> Result<Event, AppError> {
    let Subject {
        template,
        task,
        place,
    } = subject;
    let now = app.source().now();
    let done = Done {
        at: now,
        by: actor.person.clone(),
    };
    let head = ChecklistHead {
        id: ChecklistId::new(0),
        key: ChecklistKey::ZERO,
        team: actor.team,
        version: VersionId::ZERO,
        name: SAMPLE_NAME.to_owned(),
        created: done.clone(),
        scheduled_at: None,
        started_at: Some(now),
        ended_at: None,
        archived_at: None,
    };
    let url = app.public_url();
    let mut made = match kind {
        EventType::NewChecklist => {
            let list = Checklist::new(head, template);
            let row = ChecklistRow::whole(&list, url);
            event(app, &list, now, &Happened::NewChecklist(&row))
        }
        EventType::TaskCompleted => {
            let list = Checklist::sample(head, template, task, &done);
            let hit = TaskHit::of(&list, task, url);
            event(app, &list, now, &Happened::TaskCompleted(&hit))
        }
        EventType::FileUploaded => {
            let list = Checklist::sample(head, template, task, &done);
            let file = list
                .fields
                .get(&place)
                .and_then(|field| field.files.first());
            let row = file.and_then(|file| FileRow::of(&list, file, url));
            let row = row.ok_or(AppError::NothingToSample)?;
            event(app, &list, now, &Happened::FileUploaded(&row))
        }
        EventType::SubscriptionFailing
        | EventType::SubscriptionPaused
        | EventType::SubscriptionRecovered => return Err(AppError::NothingToSample),
    };
    made.id = EventId::test(made.id.uuid());
    Ok(made)
}

/// Why a subscription would be in its state that this type of event tells of.
fn told_by(kind: EventType) -> Option<StateCode> {
    let tells = |code: &StateCode| EventType::telling_of(*code) == Some(kind);
    StateCode::ALL.into_iter().find(tells)
}

/// The event that tells of this subscription itself, as if it were in such a state.
fn of_subscription(
    app: &App,
    actor: &Actor,
    of: &Subscription,
    (kind, code): (EventType, StateCode),
) -> Event {
    let now = app.source().now();
    let told = Subscription {
        state: code.state(),
        state_reason: "this is a sample".to_owned(),
        state_since: now,
        state_by: "system".to_owned(),
        ..of.clone()
    };
    let health = Health {
        failing_since: (code != StateCode::Active).then_some(now),
        ..Health::default()
    };
    let row = SubscriptionHealthRow {
        subscription: SubscriptionRow::from(&told),
        health: HealthRow::new(code, health),
        last_error: String::new(),
        last_status_code: None,
    };
    let id = EventId::test(app.source().uuid());
    row.event(id, actor.team, kind, now)
}

/// What a sample is about: a template, and the places in it of a task and of a control.
struct Subject {
    template: Arc<Template>,
    task: usize,
    place: usize,
}

impl Subject {
    /// The task at `task`, or else the first that can be completed.
    fn of(template: Arc<Template>, task: Option<usize>, place: usize) -> Option<Self> {
        let first = || template.tasks.iter().position(|task| !task.heading);
        let task = task.or_else(first)?;
        Some(Self {
            template,
            task,
            place,
        })
    }
}

async fn subject<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    scope: Scope,
) -> Result<Option<Subject>, AppError> {
    match scope {
        Scope::Team => of_team(tx, actor).await,
        Scope::Template(key) => {
            let template = newest(tx, actor, key).await?;
            // `new_checklist` has one without any task as well.
            Ok(template.map(|template| {
                let task = template.tasks.iter().position(|task| !task.heading);
                Subject {
                    template,
                    task: task.unwrap_or_default(),
                    place: 0,
                }
            }))
        }
        Scope::Task(key) => of_task(tx, actor, key).await,
        Scope::Control(key) => of_control(tx, actor, key).await,
    }
}

async fn newest<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    key: TemplateKey,
) -> Result<Option<Arc<Template>>, AppError> {
    let found = tx.template_get(actor.team, key).await;
    let found = found.doing::<AppError>(DOING)?;
    Ok(found.map(|record| record.template))
}

/// Of the first template, by its name, that has a task.
async fn of_team<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
) -> Result<Option<Subject>, AppError> {
    let tasks = tx.task_suggest(actor.team, 1).await;
    let tasks = tasks.doing::<AppError>(DOING)?;
    match tasks.first() {
        Some(task) => of_task(tx, actor, task.key).await,
        None => Ok(None),
    }
}

async fn of_task<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    key: TaskKey,
) -> Result<Option<Subject>, AppError> {
    let found = tx.task_find(actor.team, key).await;
    let Some(found) = found.doing::<AppError>(DOING)? else {
        return Ok(None);
    };
    let Some(template) = newest(tx, actor, found.template).await? else {
        return Ok(None);
    };
    if let Some(task) = template.task_index(key) {
        return Ok(Subject::of(template, Some(task), 0));
    }
    // The newest edition has it no more; checklists that run may.
    Ok(Subject::of(
        alone(&template, key, found.name, Vec::new()),
        Some(0),
        0,
    ))
}

async fn of_control<T: ReadTx + ?Sized>(
    tx: &mut T,
    actor: &Actor,
    key: ControlKey,
) -> Result<Option<Subject>, AppError> {
    let found = tx.control_find(actor.team, key).await;
    let Some(found) = found.doing::<AppError>(DOING)? else {
        return Ok(None);
    };
    let Some(template) = newest(tx, actor, found.template).await? else {
        return Ok(None);
    };
    if let Some((place, _)) = template.control(key) {
        let task = template.control_at(place).map(|(task, _)| task);
        return Ok(Subject::of(template, task, place));
    }
    let control = Control {
        key,
        id: ControlId::new(0),
        name: found.name,
        required: false,
        hidden: false,
        value: String::new(),
        kind: ControlKind::FileUpload {
            min_files: 0,
            max_files: FILES_MAX,
        },
    };
    let task = tx.task_find(actor.team, found.task).await;
    let task = task.doing::<AppError>(DOING)?;
    let name = task.map(|task| task.name).unwrap_or_default();
    Ok(Subject::of(
        alone(&template, found.task, name, vec![control]),
        Some(0),
        0,
    ))
}

/// The template with one task and no other.
fn alone(template: &Template, key: TaskKey, name: String, controls: Vec<Control>) -> Arc<Template> {
    Arc::new(Template {
        key: template.key,
        name: template.name.clone(),
        tasks: vec![Task {
            key,
            name,
            heading: false,
            halt: Halt::None,
            hidden: false,
            due: None,
            first_control: 0,
            controls,
        }],
        rules: domain::Rules::default(),
        parameters: Vec::new(),
    })
}
