//! Templates and their editions.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{
    ControlId, ControlKey, ControlType, KnownKeys, TaskKey, TeamId, Template, TemplateKey,
    Timestamp, VersionId,
};

use crate::StoreError;

/// The newest edition of a template.
#[derive(Clone, Debug)]
pub struct TemplateRecord {
    /// Whose it is.
    pub team: TeamId,
    /// Which edition.
    pub version: VersionId,
    /// The edition.
    pub template: Arc<Template>,
}

/// A key with the name that people know it by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named<K> {
    /// The key.
    pub key: K,
    /// The name.
    pub name: String,
}

/// Where a task is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TaskPlace {
    /// Its template.
    pub template: TemplateKey,
    /// Its name in the newest edition that has it.
    pub name: String,
    /// Whether it is a heading there.
    pub heading: bool,
}

/// Where a control is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControlPlace {
    /// Its template.
    pub template: TemplateKey,
    /// Its task.
    pub task: TaskKey,
    /// Its label in the newest edition that has it.
    pub name: String,
    /// Its type, which never changes.
    pub kind: ControlType,
}

/// Reading templates.
#[async_trait]
pub trait ReadTemplates: Send {
    /// The templates of a team by name, at most `limit`.
    async fn template_list(
        &mut self,
        team: TeamId,
        limit: u32,
    ) -> Result<Vec<Named<TemplateKey>>, StoreError>;

    /// How many templates the team has.
    async fn template_count(&mut self, team: TeamId) -> Result<u64, StoreError>;

    /// The newest edition of a template.
    async fn template_get(
        &mut self,
        team: TeamId,
        key: TemplateKey,
    ) -> Result<Option<TemplateRecord>, StoreError>;

    /// The keys of tasks and controls that any edition of the template has.
    async fn template_known_keys(&mut self, key: TemplateKey) -> Result<KnownKeys, StoreError>;

    /// A task that any edition of any template of the team has.
    async fn task_find(
        &mut self,
        team: TeamId,
        key: TaskKey,
    ) -> Result<Option<TaskPlace>, StoreError>;

    /// A control that any edition of any template of the team has.
    async fn control_find(
        &mut self,
        team: TeamId,
        key: ControlKey,
    ) -> Result<Option<ControlPlace>, StoreError>;

    /// Tasks (no headings) of the newest editions of the team's templates by name, at most `limit`.
    async fn task_suggest(
        &mut self,
        team: TeamId,
        limit: u32,
    ) -> Result<Vec<Named<TaskKey>>, StoreError>;

    /// Controls of one type in the newest editions of the team's templates by name, at most
    /// `limit`.
    async fn control_suggest(
        &mut self,
        team: TeamId,
        kind: ControlType,
        limit: u32,
    ) -> Result<Vec<Named<ControlKey>>, StoreError>;
}

/// Changing templates.
#[async_trait]
pub trait WriteTemplates: Send {
    /// Keeps others from changing the template until this transaction ends.
    async fn template_lock(&mut self, key: TemplateKey) -> Result<(), StoreError>;

    /// Sets aside `count` numbers for controls that nobody else gets, and answers the first of
    /// them; the rest follow it.
    async fn control_ids_reserve(&mut self, count: u32) -> Result<ControlId, StoreError>;

    /// Stores `template` as the newest edition, `version`, of itself. Its tasks and controls can be
    /// found from then on; those it no longer has stay findable.
    async fn template_put(
        &mut self,
        team: TeamId,
        version: VersionId,
        template: &Template,
        at: Timestamp,
    ) -> Result<(), StoreError>;
}
