//! What a subscription is about: the keys that were given, made into a scope or into an answer that
//! says which key, why, and which would fit.

use domain::{ControlKey, ControlType, EventType, Scope, TaskKey, TeamId, TemplateKey};
use store::{Doing, Named, ReadTx};

use crate::{AppError, Fit};

/// How many keys that would fit a refusal lists.
const FITS_MAX: u32 = 10;

const DOING: &str = "finding what a subscription is about";

/// The keys of a request to subscribe. The all-zero GUID counts as not given.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ScopeKeys {
    /// `templateKey`.
    pub template: Option<TemplateKey>,
    /// `taskKey`.
    pub task: Option<TaskKey>,
    /// `taskContentKey`.
    pub control: Option<ControlKey>,
    /// `scope=team`.
    pub team: bool,
}

impl ScopeKeys {
    /// The scope that is meant for events of type `kind`.
    pub(crate) async fn resolve<T: ReadTx + ?Sized>(
        self,
        tx: &mut T,
        team: TeamId,
        kind: EventType,
    ) -> Result<Scope, AppError> {
        let keys = Self {
            template: self.template.filter(|key| !key.is_zero()),
            task: self.task.filter(|key| !key.is_zero()),
            control: self.control.filter(|key| !key.is_zero()),
            team: self.team,
        };
        keys.fit(kind)?;
        match kind {
            EventType::NewChecklist => keys.of_template(tx, team).await,
            EventType::FileUploaded => keys.of_control(tx, team).await,
            EventType::TaskCompleted => keys.of_tasks(tx, team).await,
            EventType::SubscriptionFailing
            | EventType::SubscriptionPaused
            | EventType::SubscriptionRecovered => Ok(Scope::Team),
        }
    }

    /// Refuses keys that say nothing about this type of event.
    fn fit(self, kind: EventType) -> Result<(), AppError> {
        if kind.is_operational() {
            return self.fit_operational(kind);
        }
        let (wanted, stray) = match kind {
            EventType::NewChecklist => (
                "templateKey",
                [
                    ("taskKey", self.task.is_some()),
                    ("taskContentKey", self.control.is_some()),
                ],
            ),
            EventType::FileUploaded => (
                "taskContentKey",
                [
                    ("templateKey", self.template.is_some()),
                    ("taskKey", self.task.is_some()),
                ],
            ),
            _ => (
                "templateKey or taskKey",
                [("taskContentKey", self.control.is_some()), ("", false)],
            ),
        };
        if let Some((field, _)) = stray.into_iter().find(|(_, given)| *given) {
            return Err(refusal(
                field,
                format!("{field} says nothing about {kind}; leave it out and give {wanted}"),
            ));
        }
        let keys = self.template.is_some() || self.task.is_some() || self.control.is_some();
        if self.team && kind != EventType::TaskCompleted {
            let message =
                format!("scope=team is for task_completed only; give {wanted} for {kind}");
            return Err(refusal("scope", message));
        }
        if self.team && keys {
            let message = "scope=team means every task of the team; give either it or a key";
            return Err(refusal("scope", message.to_owned()));
        }
        Ok(())
    }

    /// What tells of subscriptions knows no narrower scope than the team, so it need not be said.
    fn fit_operational(self, kind: EventType) -> Result<(), AppError> {
        let given = [
            ("templateKey", self.template.is_some()),
            ("taskKey", self.task.is_some()),
            ("taskContentKey", self.control.is_some()),
        ];
        match given.into_iter().find(|(_, given)| *given) {
            None => Ok(()),
            Some((field, _)) => Err(refusal(
                field,
                format!(
                    "{field} says nothing about {kind}, which tells of every subscription of the \
                     team; leave it out, or say scope=team"
                ),
            )),
        }
    }

    async fn of_template<T: ReadTx + ?Sized>(
        self,
        tx: &mut T,
        team: TeamId,
    ) -> Result<Scope, AppError> {
        let Some(key) = self.template else {
            let message =
                "new_checklist needs templateKey: the template whose checklists are meant";
            return Err(with_templates(tx, team, message.to_owned()).await?);
        };
        template(tx, team, key).await
    }

    async fn of_control<T: ReadTx + ?Sized>(
        self,
        tx: &mut T,
        team: TeamId,
    ) -> Result<Scope, AppError> {
        let Some(key) = self.control else {
            let message =
                "file_uploaded needs taskContentKey: the FileUpload control that is meant";
            return Err(with_controls(tx, team, message.to_owned()).await?);
        };
        let found = tx.control_find(team, key).await.doing::<AppError>(DOING)?;
        let Some(control) = found else {
            let message = format!("there is no control {key}");
            return Err(with_controls(tx, team, message).await?);
        };
        if control.kind != ControlType::FileUpload {
            let message = format!(
                "{:?} is a {}, and files are uploaded only to a FileUpload",
                control.name, control.kind
            );
            return Err(with_controls(tx, team, message).await?);
        }
        Ok(Scope::Control(key))
    }

    async fn of_tasks<T: ReadTx + ?Sized>(
        self,
        tx: &mut T,
        team: TeamId,
    ) -> Result<Scope, AppError> {
        let Some(key) = self.task else {
            return match self.template {
                Some(key) => template(tx, team, key).await,
                None if self.team => Ok(Scope::Team),
                None => Err(refusal(
                    "taskKey",
                    "task_completed needs to know of which tasks: give taskKey for one task, \
                     templateKey for every task of a template, or scope=team for every task of \
                     the team"
                        .to_owned(),
                )),
            };
        };
        let found = tx.task_find(team, key).await.doing::<AppError>(DOING)?;
        let Some(task) = found else {
            let message = format!("there is no task {key}");
            return Err(with_tasks(tx, team, message).await?);
        };
        if task.heading {
            let message = format!("{:?} is a heading, which is never completed", task.name);
            return Err(with_tasks(tx, team, message).await?);
        }
        if let Some(given) = self.template.filter(|given| *given != task.template) {
            let message = format!(
                "task {:?} is of template {}, not of {given}; leave templateKey out",
                task.name, task.template
            );
            return Err(refusal("templateKey", message));
        }
        Ok(Scope::Task(key))
    }
}

fn refusal(field: &'static str, message: String) -> AppError {
    AppError::Scope {
        field,
        message,
        fits: Vec::new(),
    }
}

fn with_fits<K: ToString>(field: &'static str, message: String, fits: Vec<Named<K>>) -> AppError {
    let fit = |fit: Named<K>| Fit {
        key: fit.key.to_string(),
        name: fit.name,
    };
    AppError::Scope {
        field,
        message,
        fits: fits.into_iter().map(fit).collect(),
    }
}

async fn template<T: ReadTx + ?Sized>(
    tx: &mut T,
    team: TeamId,
    key: TemplateKey,
) -> Result<Scope, AppError> {
    if tx
        .template_get(team, key)
        .await
        .doing::<AppError>(DOING)?
        .is_some()
    {
        return Ok(Scope::Template(key));
    }
    let message = format!("there is no template {key}");
    Err(with_templates(tx, team, message).await?)
}

async fn with_templates<T: ReadTx + ?Sized>(
    tx: &mut T,
    team: TeamId,
    message: String,
) -> Result<AppError, AppError> {
    let fits = tx
        .template_list(team, FITS_MAX)
        .await
        .doing::<AppError>(DOING)?;
    Ok(with_fits("templateKey", message, fits))
}

async fn with_tasks<T: ReadTx + ?Sized>(
    tx: &mut T,
    team: TeamId,
    message: String,
) -> Result<AppError, AppError> {
    let fits = tx
        .task_suggest(team, FITS_MAX)
        .await
        .doing::<AppError>(DOING)?;
    Ok(with_fits("taskKey", message, fits))
}

async fn with_controls<T: ReadTx + ?Sized>(
    tx: &mut T,
    team: TeamId,
    message: String,
) -> Result<AppError, AppError> {
    let kind = ControlType::FileUpload;
    let fits = tx
        .control_suggest(team, kind, FITS_MAX)
        .await
        .doing::<AppError>(DOING)?;
    Ok(with_fits("taskContentKey", message, fits))
}
