//! What tests begin with, each as a unit of work: a team, a key, a template, a checklist, a
//! subscription, an event.

use std::sync::Arc;

use domain::{
    ApiKey, ApiKeyId, ApiKeySecret, Checklist, ChecklistHead, ChecklistKey, DeliveryOrder, Done,
    Event, EventType, Person, Rights, Scope, SecretKind, Source, Subscription, SubscriptionId,
    SubscriptionSecret, SubscriptionSettings, SubscriptionState, TargetUrl, TeamId, Template,
    TemplateDocument, TemplateKey, Timestamp, VersionId,
};
use store::{StoreError, SubscriptionChange, Write, WriteTx};

/// A person without an address, as an API key is one.
pub fn person(name: &str) -> Person {
    Person {
        name: name.to_owned(),
        email: None,
    }
}

/// A template document from JSON.
pub fn document(json: serde_json::Value) -> TemplateDocument {
    serde_json::from_value(json).expect("the test wrote a template document")
}

/// A template with a bit of everything: a required Short Text with a pattern and a File Upload that
/// wants one to three files, a heading, a task that halts what follows, and a plain task.
pub fn invoice_review() -> TemplateDocument {
    document(serde_json::json!({
        "name": "Invoice review",
        "tasks": [
            { "name": "Receive the invoice", "controls": [
                { "type": "ShortText", "name": "Invoice number", "required": true, "pattern": "INV-[0-9]+" },
                { "type": "FileUpload", "name": "Scan", "minFiles": 1, "maxFiles": 3 },
            ]},
            { "name": "Approval", "heading": true },
            { "name": "Approve", "halt": "task", "controls": [
                { "type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"] },
            ]},
            { "name": "Pay" },
        ],
    }))
}

/// Makes a team; answers its number.
#[derive(Clone, Debug)]
pub struct SeedTeam {
    /// Its name.
    pub name: String,
    /// Whence the moment.
    pub source: Source,
}

impl Write for SeedTeam {
    type Done = TeamId;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<TeamId, StoreError> {
        tx.team_insert(&self.name, self.source.now()).await
    }
}

/// Makes an API key; answers it with its secret.
#[derive(Clone, Debug)]
pub struct SeedKey {
    /// Whose.
    pub team: TeamId,
    /// Its name.
    pub name: String,
    /// What it may do.
    pub rights: Rights,
    /// When it runs out.
    pub expires_at: Option<Timestamp>,
    /// Whence the moment, the identifier and the secret.
    pub source: Source,
}

impl Write for SeedKey {
    type Done = (ApiKey, ApiKeySecret);
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Self::Done, StoreError> {
        let secret = ApiKeySecret::generate(&self.source);
        let key = ApiKey {
            id: ApiKeyId::new(self.source.uuid()),
            team: self.team,
            name: self.name.clone(),
            prefix: secret.prefix().to_owned(),
            created_at: self.source.now(),
            revoked_at: None,
            rights: self.rights,
            expires_at: self.expires_at,
            used_at: None,
        };
        tx.api_key_insert(&key, &secret.hash()).await?;
        Ok((key, secret))
    }
}

/// Makes a template, or another edition of one; answers the edition.
#[derive(Clone, Debug)]
pub struct SeedTemplate {
    /// Whose.
    pub team: TeamId,
    /// The template to edit; a new one is made when there is none.
    pub edit: Option<TemplateKey>,
    /// What it says.
    pub document: TemplateDocument,
    /// Whence the moment and the keys.
    pub source: Source,
}

impl Write for SeedTemplate {
    type Done = (VersionId, Arc<Template>);
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Self::Done, StoreError> {
        let key = self
            .edit
            .unwrap_or_else(|| TemplateKey::new(self.source.uuid()));
        tx.template_lock(key).await?;
        let known = tx.template_known_keys(key).await?;
        let mut template = Template::from_document(&self.document, key, &known, &self.source)
            .expect("the test wrote a template without mistakes");
        let missing = u32::try_from(template.unnumbered()).expect("few controls");
        if missing > 0 {
            let mut next = tx.control_ids_reserve(missing).await?.get();
            template.number(|| {
                next += 1;
                domain::ControlId::new(next - 1)
            });
        }
        let version = VersionId::new(self.source.uuid());
        tx.template_put(self.team, version, &template, self.source.now())
            .await?;
        Ok((version, Arc::new(template)))
    }
}

/// Makes a checklist of an edition of a template; answers it with its number.
#[derive(Clone, Debug)]
pub struct SeedChecklist {
    /// Whose.
    pub team: TeamId,
    /// Of which edition.
    pub version: VersionId,
    /// The edition.
    pub template: Arc<Template>,
    /// Its name.
    pub name: String,
    /// Whence the moment and the key.
    pub source: Source,
}

impl SeedChecklist {
    /// The checklist before it is stored, with a number that stands for none.
    pub fn unstored(&self) -> Checklist {
        let now = self.source.now();
        let head = ChecklistHead {
            id: domain::ChecklistId::new(0),
            key: ChecklistKey::new(self.source.uuid()),
            team: self.team,
            version: self.version,
            name: self.name.clone(),
            created: Done {
                at: now,
                by: person("Ann"),
            },
            scheduled_at: None,
            started_at: Some(now),
            ended_at: None,
            archived_at: None,
        };
        Checklist::new(head, self.template.clone())
    }
}

impl Write for SeedChecklist {
    type Done = Checklist;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Checklist, StoreError> {
        let mut list = self.unstored();
        list.head.id = tx.checklist_insert(&list).await?;
        Ok(list)
    }
}

/// Makes a subscription; answers it with its secret.
#[derive(Clone, Debug)]
pub struct SeedSubscription {
    /// Whose.
    pub team: TeamId,
    /// Its label.
    pub label: String,
    /// Which events.
    pub event_type: EventType,
    /// Of what.
    pub scope: Scope,
    /// Where to.
    pub target: TargetUrl,
    /// Whence the moment, the identifier and the secret.
    pub source: Source,
}

impl SeedSubscription {
    /// The subscription before it is stored.
    pub fn unstored(&self) -> Subscription {
        let now = self.source.now();
        Subscription {
            id: SubscriptionId::new(self.source.uuid()),
            team: self.team,
            source: self.label.clone(),
            event_type: self.event_type,
            scope: self.scope,
            target: self.target.clone(),
            state: SubscriptionState::Active,
            state_reason: "made".to_owned(),
            state_since: now,
            state_by: "Ann".to_owned(),
            created_at: now,
            settings: domain::SubscriptionSettings::default(),
        }
    }
}

impl Write for SeedSubscription {
    type Done = (Subscription, SubscriptionSecret);
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Self::Done, StoreError> {
        let subscription = self.unstored();
        let secret = SubscriptionSecret::generate(SecretKind::Hmac, &self.source);
        tx.subscription_insert(&subscription, std::slice::from_ref(&secret))
            .await?;
        Ok((subscription, secret))
    }
}

/// Has a subscription get the events of each checklist in order, or no longer.
#[derive(Clone, Copy, Debug)]
pub struct SeedOrder {
    /// Whose.
    pub team: TeamId,
    /// Which.
    pub subscription: SubscriptionId,
    /// Whether it wants order.
    pub ordered: bool,
}

impl Write for SeedOrder {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let found = tx.subscription_get(self.team, self.subscription).await?;
        let found = found.expect("the subscription is there");
        let ordering = if self.ordered {
            DeliveryOrder::Checklist
        } else {
            DeliveryOrder::Free
        };
        let change = SubscriptionChange {
            source: found.source,
            target: found.target,
            settings: SubscriptionSettings {
                ordering,
                ..found.settings
            },
        };
        tx.subscription_put(self.subscription, &change).await?;
        Ok(())
    }
}

/// Adds an event.
#[derive(Clone, Debug)]
pub struct SeedEvent(pub Event);

impl Write for SeedEvent {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        tx.event_append(&self.0).await
    }
}
