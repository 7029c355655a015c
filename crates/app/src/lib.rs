//! The use cases of CheckFlow, a file each: authorise, decide, write the change with its event.
//!
//! Both doors, the API and the browser, end here, and nothing else changes data. A use case is a
//! plain struct; [`App::change`] runs it in one transaction that also finds out who asks, so that a
//! revoked key does nothing from the commit of its revocation on. Rules are `domain`'s, status codes
//! the doors'.

mod acting;
mod actor;
mod assignments;
mod audit;
mod checklists;
mod deliveries;
mod emit;
mod erasing;
mod error;
mod event_types;
mod explain;
mod feed;
mod fields;
mod files;
mod health;
mod keys;
mod once;
mod operator;
mod people;
mod replays;
mod sample;
mod subscriptions;
mod tasks;
mod templates;

use std::{future::Future, sync::Arc};

use actor::{LastUsed, Used};
use feed::News;
use subscriptions::Proofs;

use serde::Serialize;

use domain::{
    Actor, AddressPolicy, ChecklistId, Prover, PublicUrl, Resolver, Right, Source, TlsJudge,
};
use store::{FileStore, Purpose, ReadTx, Store, WriteTx};

// What a door must be able to name: the store itself stays behind this wall.
pub use store::{DeliveryQuery, EventQuery, FileStoreError, NoticeQuery, Page, Seen, StoreError};

pub use actor::{Caller, Validate, Validated};
pub use assignments::{
    ASSIGNMENTS_MAX, AssignByName, AssignmentRow, ListAssignments, SetAssignees,
};
pub use audit::{AUDIT_PAGE_MAX, AuditPage, AuditRow, ReadAudit};
pub use checklists::{CreateChecklist, CreateWithParameters, FindChecklists, ListChecklists};
pub use deliveries::{DELIVERIES_PAGE_MAX, DeliveryPage, GetDelivery, ListDeliveries, Redeliver};
pub use erasing::Erased;
pub use error::{AppError, FileWork, Fit, Missing};
pub use event_types::ListEventTypes;
pub use explain::{ExplainedAddress, ExplainedReach, Explanation, TargetExplanation};
pub use feed::{FEED_BYTES_MAX, FEED_LIMIT_MAX, FEED_WAIT_SECONDS_MAX, Feed, FeedRow, ReadFeed};
pub use fields::{SetField, SetFieldAnswer};
pub use files::{ByteRange, ListFiles, OpenFile, Opened, Upload};
pub use health::{
    CancelDelivery, EVENTS_PAGE_MAX, EventPage, GetEvent, GetHealth, ListEvents, ListNotices,
    NoticePage, NoticesSeen, SeeNotices,
};
pub use keys::{
    KEYS_MAX, KEYS_PAGE_MAX, KeyMade, KeyPage, KeyRefusal, KeyRow, KeyWish, ListKeys, MadeKey,
    MakeKey, RevokeKey,
};
pub use once::{ANSWERS_KEPT, Once, forget_answers};
pub use operator::{
    OperatorError, add_member, create_key, create_team, deactivate_member, list_keys, list_members,
    revoke_key,
};
pub use people::{
    AddMember, ChangeGroup, ChangeMember, DeactivateMember, GetGroup, GetMember, GroupOfPeople,
    GroupRow, GroupWish, ListPeople, MakeGroup, MemberGone, MemberRow, MemberWish,
    MembersAndGroups, PersonRow, RemoveGroup,
};
pub use replays::{
    DRY_RUN_ROWS_MAX, GetReplay, ListReplays, MakeReplay, PutReplay, REPLAY_JOBS_OPEN_MAX,
    REPLAY_JOBS_PAGE_MAX, ReplayAsk, ReplayCount, ReplayJobPage,
};
pub use subscriptions::{
    ChangeAnswer, ChangeSubscription, GetSubscription, ListSecrets, ListSubscriptions, PROOFS_MAX,
    PROOFS_OF_TEAM_MAX, REASON_CHARS_MAX, RevokeSecret, RollAnswer, RollSecret, ScopeKeys,
    SecretPage, SetPaused, Subscribe, SubscribeAnswer, Unsubscribe,
};
pub use tasks::{GetTask, ListTasks, SetTaskDue, SetTaskStatus};
pub use templates::{
    ControlFilter, ControlRow, GetTemplate, ListTemplateControls, ListTemplateTasks, ListTemplates,
    NamedRow, PutTemplate,
};

/// What people may give and get, in numbers.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Largest uploaded file, in bytes.
    pub file_bytes_max: u64,
    /// Most templates of one team.
    pub templates_max: u32,
    /// Most subscriptions of one team that are not gone.
    pub subscriptions_max: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            file_bytes_max: 100 * 1024 * 1024,
            templates_max: 10_000,
            subscriptions_max: 10_000,
        }
    }
}

/// What an [`App`] stands on.
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The bytes of files.
    pub files: FileStore,
    /// Time and randomness.
    pub source: Source,
    /// What links are made from.
    pub public_url: PublicUrl,
    /// Which targets webhooks may have.
    pub policy: AddressPolicy,
    /// Looks the names of targets up.
    pub resolver: Arc<dyn Resolver>,
    /// Makes the handshakes with targets that have to prove themselves.
    pub prover: Arc<dyn Prover>,
    /// Says whether TLS can be done with what is set for it.
    pub tls: Arc<dyn TlsJudge>,
    /// Numbers.
    pub limits: Limits,
}

/// The use cases, with what they stand on. Cheap to clone.
#[derive(Clone)]
pub struct App(Arc<Inner>);

struct Inner {
    parts: Parts,
    news: News,
    last_used: LastUsed,
    proofs: Arc<Proofs>,
}

/// A use case that changes something.
///
/// Runs in one transaction, and more than once if the database asks for that.
pub trait Change: Send + Sync + 'static {
    /// What whoever asks must be allowed to do.
    const NEEDS: Right;

    /// Whether what it answers is what a door answers, and is kept for a caller who asks again under the same
    /// `Idempotency-Key`. Not so for one of several steps.
    const KEPT: bool = true;

    /// What it answers.
    type Answer: Serialize + Send + Sync + 'static;

    /// What tells it from another, beside what the door was given: a hash of what was only then read.
    fn fingerprint(&self) -> Option<&[u8]> {
        None
    }

    /// The one checklist that it changes, if it changes an existing one ([`store::Write::about`]).
    fn about(&self) -> Option<ChecklistId> {
        None
    }

    /// Does it for `actor`, who is known by now.
    fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn WriteTx,
    ) -> impl Future<Output = Result<Self::Answer, AppError>> + Send;
}

/// A use case that only reads.
pub trait Query: Send + Sync + 'static {
    /// What whoever asks must be allowed to do.
    const NEEDS: Right;

    /// What it answers.
    type Answer: Send + 'static;

    /// Does it for `actor`, who is known by now.
    fn run(
        &self,
        app: &App,
        actor: &Actor,
        tx: &mut dyn ReadTx,
    ) -> impl Future<Output = Result<Self::Answer, AppError>> + Send;
}

impl App {
    /// The use cases on `parts`.
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(Inner {
            parts,
            news: News::default(),
            last_used: LastUsed::default(),
            proofs: Arc::default(),
        }))
    }

    /// Runs a use case that changes something, for whoever `caller` turns out to be.
    pub async fn change<C: Change>(
        &self,
        caller: &Caller,
        change: C,
    ) -> Result<C::Answer, AppError> {
        let unit = Unit {
            app: self.clone(),
            caller: caller.clone(),
            case: change,
        };
        let (answer, used) = self.0.parts.store.write(unit).await?;
        self.0.news.say();
        self.note(used).await;
        Ok(answer)
    }

    /// Runs a use case that only reads, for whoever `caller` turns out to be.
    pub async fn query<Q: Query>(&self, caller: &Caller, query: Q) -> Result<Q::Answer, AppError> {
        let unit = Unit {
            app: self.clone(),
            caller: caller.clone(),
            case: query,
        };
        let (answer, used) = self.0.parts.store.read(unit).await?;
        self.note(used).await;
        Ok(answer)
    }

    /// Writes down, now and then, that a key is in use: beside what it was used for, which a failure to do so does not
    /// concern.
    async fn note(&self, used: Used) {
        if self.0.last_used.claim(used) {
            // Boxed, because it is seldom done and would make room for itself in every request.
            let noting = Box::pin(self.0.parts.store.write(used));
            let _: Result<(), StoreError> = noting.await;
        }
    }

    /// The numbers that hold here.
    pub fn limits(&self) -> &Limits {
        &self.0.parts.limits
    }

    /// Where this server is reached from outside.
    pub fn public_url(&self) -> &PublicUrl {
        &self.0.parts.public_url
    }

    pub(crate) fn source(&self) -> &Source {
        &self.0.parts.source
    }

    pub(crate) fn files(&self) -> &FileStore {
        &self.0.parts.files
    }

    pub(crate) fn parts(&self) -> &Parts {
        &self.0.parts
    }

    pub(crate) fn proofs(&self) -> &Arc<Proofs> {
        &self.0.proofs
    }

    pub(crate) fn news(&self) -> &News {
        &self.0.news
    }
}

/// A use case on its way through the store: finds out who asks, in the same transaction.
struct Unit<C> {
    app: App,
    caller: Caller,
    case: C,
}

impl<C: Change> store::Write for Unit<C> {
    const PURPOSE: Purpose = Purpose::Change;

    type Done = (C::Answer, Used);
    type Error = AppError;

    fn about(&self) -> Option<ChecklistId> {
        self.case.about()
    }

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Self::Done, AppError> {
        let now = self.app.source().now();
        let (actor, used) = self.caller.authenticate(tx, now, C::NEEDS).await?;
        let once = self.caller.once().filter(|_| C::KEPT);
        let more = self.case.fingerprint();
        if let Some(once) = once {
            once.find(tx, actor.team, more).await?;
        }
        let answer = self.case.run(&self.app, &actor, tx).await?;
        if let Some(once) = once {
            once.keep(tx, (actor.team, now), more, &answer).await?;
        }
        Ok((answer, used))
    }
}

impl<Q: Query> store::Read for Unit<Q> {
    type Done = (Q::Answer, Used);
    type Error = AppError;

    async fn run(&self, tx: &mut dyn ReadTx) -> Result<Self::Done, AppError> {
        let now = self.app.source().now();
        let (actor, used) = self.caller.authenticate(tx, now, Q::NEEDS).await?;
        Ok((self.case.run(&self.app, &actor, tx).await?, used))
    }
}
