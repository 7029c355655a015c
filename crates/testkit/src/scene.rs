//! A team at work: its template, a checklist of it, and the events that come of that.

use std::sync::Arc;

use bytes::Bytes;
use domain::{
    Checklist, ChecklistId, ControlKey, Event, EventId, EventType, Scope, Source, TaskKey, TeamId,
    Template, TemplateKey, VersionId,
};

/// A team with one template (see [`crate::invoice_review`]) and one checklist of it.
#[derive(Clone, Debug)]
pub struct Scene {
    /// The team.
    pub team: TeamId,
    /// The edition of the template.
    pub version: VersionId,
    /// The template.
    pub template: Arc<Template>,
    /// The checklist.
    pub list: Checklist,
}

impl Scene {
    /// The place of the Short Text among the controls.
    pub const NUMBER: usize = 0;
    /// The place of the File Upload among the controls.
    pub const SCAN: usize = 1;
    /// The place of the Drop Down among the controls.
    pub const DECISION: usize = 2;
    /// The place of the first task.
    pub const RECEIVE: usize = 0;
    /// The place of the heading.
    pub const HEADING: usize = 1;
    /// The place of the task that halts the last.
    pub const APPROVE: usize = 2;
    /// The place of the last task.
    pub const PAY: usize = 3;

    /// The first task.
    pub fn task(&self) -> TaskKey {
        self.template.tasks[Self::RECEIVE].key
    }

    /// The File Upload.
    pub fn upload(&self) -> ControlKey {
        let (_, control) = self
            .template
            .control_at(Self::SCAN)
            .expect("the template has it");
        control.key
    }

    /// The narrowest scope that `kind` has here.
    pub fn scope(&self, kind: EventType) -> Scope {
        match kind {
            EventType::NewChecklist => Scope::Template(self.template.key),
            EventType::TaskCompleted => Scope::Task(self.task()),
            EventType::FileUploaded => Scope::Control(self.upload()),
            EventType::SubscriptionFailing
            | EventType::SubscriptionPaused
            | EventType::SubscriptionRecovered => Scope::Team,
        }
    }

    /// An event of this type in the checklist, at the present moment.
    pub fn event(&self, kind: EventType, source: &Source) -> Event {
        let id = EventId::new(source.uuid());
        let task = match kind {
            EventType::TaskCompleted | EventType::FileUploaded => self.task(),
            _ => TaskKey::ZERO,
        };
        let control = match kind {
            EventType::FileUploaded => self.upload(),
            _ => ControlKey::ZERO,
        };
        let of_checklist = !kind.is_operational();
        Event {
            id,
            team: self.team,
            kind,
            at: source.now(),
            checklist: if of_checklist {
                self.list.head.id
            } else {
                ChecklistId::new(0)
            },
            about: None,
            template: if of_checklist {
                self.template.key
            } else {
                TemplateKey::ZERO
            },
            task,
            control,
            body: Bytes::from(format!(r#"{{"type":"{kind}","id":"{id}","sum":"12 €"}}"#)),
        }
    }
}
