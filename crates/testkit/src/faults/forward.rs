//! A transaction that passes everything on, save for the one thing that it gets wrong.

use async_trait::async_trait;
use bytes::Bytes;
use domain::{
    ApiKey, ApiKeyId, Assigned, AuditEntry, AuditNumber, Checklist, ChecklistId, ControlId,
    ControlKey, ControlType, Credentials, Delivery, DeliveryId, DeliveryState, Event, EventId,
    EventRow, EventType, FieldId, FileKey, Group, GroupId, KeyHash, KnownKeys, Member, MemberId,
    NodeId, Notice, ParameterValues, PublicKey, ReplayJob, ReplayJobId, Scope, SecretHead,
    SecretId, SigningSecret, StoredFile, Subscription, SubscriptionId, SubscriptionSecret, TaskId,
    TaskKey, TaskState, TaskStatus, Team, TeamId, Template, TemplateKey, Timestamp,
    UndeliveredSummary, VersionId,
};
use store::{
    AnswerId, AssignmentQuery, AuditLine, Cancelled, Chain, ChecklistQuery, Chore, ChoreHold,
    ChoreLease, ChoreTurn, ControlPlace, DeliveryQuery, DeliveryRecord, DueLane, Ending,
    EventPlace, EventQuery, FeedPage, FeedQuery, Fields, Forget, KeptAnswer, KeptEvent, Lease,
    LeasedDelivery, Named, NewReplay, NoticeQuery, Page, Permit, ProbeTake, PutOff, ReadAnswers,
    ReadAssignments, ReadChains, ReadChecklists, ReadCredentials, ReadDeliveries, ReadFeed,
    ReadHealth, ReadKeeping, ReadMarks, ReadPeople, ReadReplays, ReadSecrets, ReadSubscriptions,
    ReadTeams, ReadTemplates, Redelivery, ReplayChanged, ReplayFound, ReplayLook, ReplayPlace,
    ReplayPut, ReplayStep, ReplayWork, Rescue, Revoked, Seen, Settled, Settlement, Slimmed, Stand,
    StandChange, StateChange, StoreError, SubscriptionChange, SubscriptionIdentity, Take, Taken,
    TaskPlace, TemplateRecord, WriteAnswers, WriteAssignments, WriteBodies, WriteChains,
    WriteChecklists, WriteChores, WriteCredentials, WriteDeliveries, WriteEvents, WriteHealth,
    WriteKeeping, WriteMarks, WritePeople, WriteReplays, WriteSecrets, WriteSubscriptions,
    WriteTeams, WriteTemplates, WriteTx,
};

use super::{Fault, Memory};

/// Most subscriptions that a faulty event is matched with; tests have few.
const SUBSCRIPTIONS_MAX: u32 = 1_000;

/// A transaction with a fault in it.
pub(super) struct FaultyTx<'a> {
    pub(super) inner: &'a mut dyn WriteTx,
    pub(super) memory: &'a Memory,
}

macro_rules! forward {
    ($($trait:ident { $($name:ident($($arg:ident: $ty:ty),*) -> $done:ty;)* } $({ $($own:tt)* })?)*) => {$(
        #[async_trait]
        impl $trait for FaultyTx<'_> {
            $(async fn $name(&mut self, $($arg: $ty),*) -> Result<$done, StoreError> {
                self.inner.$name($($arg),*).await
            })*
            $($($own)*)?
        }
    )*};
}

forward! {
    ReadChains {
        chain_stuck(limit: u32) -> Vec<Chain>;
    }
    WriteBodies {
        event_body_drop(deliveries: &[DeliveryId]) -> u64;
    }
    WriteChains {
        chain_let_go(chains: &[Chain]) -> ();
    }
    ReadAnswers {
        answer_get(id: AnswerId) -> Option<KeptAnswer>;
    }
    WriteAnswers {
        answer_put(id: AnswerId, kept: &KeptAnswer, at: Timestamp) -> ();
        answer_forget(before: Timestamp, limit: u32) -> u64;
    }
    ReadTeams {
        team_get(id: TeamId) -> Option<Team>;
        api_key_get(hash: &KeyHash) -> Option<(ApiKey, Team)>;
        api_key_list(team: TeamId, after: Option<ApiKeyId>, limit: u32) -> Vec<ApiKey>;
        api_key_count(team: TeamId) -> u64;
        audit_list(team: TeamId, before: Option<AuditNumber>, limit: u32) -> Vec<AuditLine>;
    }
    WriteTeams {
        team_insert(name: &str, at: Timestamp) -> TeamId;
        api_key_insert(key: &ApiKey, hash: &KeyHash) -> ();
        api_key_revoke(team: TeamId, id: ApiKeyId, at: Timestamp) -> Revoked;
        api_key_touch(id: ApiKeyId, at: Timestamp) -> ();
        audit_append(entry: &AuditEntry) -> ();
    }
    ReadPeople {
        member_get(team: TeamId, id: MemberId) -> Option<Member>;
        member_list(team: TeamId) -> Vec<Member>;
        member_groups(id: MemberId) -> Vec<GroupId>;
        group_get(team: TeamId, id: GroupId) -> Option<Group>;
        group_list(team: TeamId) -> Vec<Group>;
    }
    WritePeople {
        people_lock(team: TeamId) -> ();
        member_insert(member: &Member) -> MemberId;
        member_put(member: &Member) -> ();
        group_insert(group: &Group) -> GroupId;
        group_put(group: &Group) -> ();
        group_remove(id: GroupId, at: Timestamp) -> ();
    }
    ReadAssignments {
        assignment_list(team: TeamId, query: &AssignmentQuery) -> Vec<(TaskId, Assigned)>;
    }
    WriteAssignments {
        task_assign(id: TaskId, assigned: Option<&Assigned>) -> ();
    }
    ReadTemplates {
        template_list(team: TeamId, limit: u32) -> Vec<Named<TemplateKey>>;
        template_count(team: TeamId) -> u64;
        template_get(team: TeamId, key: TemplateKey) -> Option<TemplateRecord>;
        template_known_keys(key: TemplateKey) -> KnownKeys;
        task_find(team: TeamId, key: TaskKey) -> Option<TaskPlace>;
        control_find(team: TeamId, key: ControlKey) -> Option<ControlPlace>;
        task_suggest(team: TeamId, limit: u32) -> Vec<Named<TaskKey>>;
        control_suggest(team: TeamId, kind: ControlType, limit: u32) -> Vec<Named<ControlKey>>;
    }
    WriteTemplates {
        template_lock(key: TemplateKey) -> ();
        control_ids_reserve(count: u32) -> ControlId;
        template_put(team: TeamId, version: VersionId, template: &Template, at: Timestamp) -> ();
    }
    ReadChecklists {
        checklist_get(team: TeamId, id: ChecklistId, fields: Fields) -> Option<Checklist>;
        checklist_parameters(team: TeamId, id: ChecklistId) -> ParameterValues;
        checklist_page(query: &ChecklistQuery) -> Vec<ChecklistId>;
        task_page(team: TeamId, key: Option<TaskKey>, status: Option<TaskStatus>, page: Page) -> Vec<TaskId>;
        file_page(team: TeamId, control: ControlKey, page: Page) -> Vec<StoredFile>;
        file_get(team: TeamId, key: FileKey) -> Option<StoredFile>;
        file_orphans(keys: &[FileKey]) -> Vec<FileKey>;
        file_newest(count: u32) -> Vec<FileKey>;
    }
    WriteChecklists {
        checklist_hold(team: TeamId, id: ChecklistId, fields: Fields) -> Option<Checklist>;
        checklist_insert(list: &Checklist) -> ChecklistId;
        checklist_parameters_put(id: ChecklistId, values: &ParameterValues) -> ();
        task_put(id: TaskId, state: &TaskState) -> ();
        task_due_put(id: TaskId, due_at: Option<Timestamp>) -> ();
        checklist_end_put(id: ChecklistId, ended_at: Option<Timestamp>) -> ();
        field_put(id: FieldId, value: &str) -> ();
        file_insert(team: TeamId, control: ControlKey, file: &StoredFile) -> ();
    }
    ReadSubscriptions {
        subscription_get(team: TeamId, id: SubscriptionId) -> Option<Subscription>;
        subscription_find(identity: &SubscriptionIdentity) -> Option<Subscription>;
        subscription_list(team: TeamId, source: Option<&str>, event_type: Option<EventType>, limit: u32) -> Vec<Subscription>;
        subscription_fault(id: SubscriptionId) -> Option<String>;
        subscription_count(team: TeamId) -> u64;
    }
    WriteSubscriptions {
        subscription_insert(subscription: &Subscription, secrets: &[SubscriptionSecret]) -> ();
        subscription_hold(team: TeamId, id: SubscriptionId) -> ();
        subscription_put(id: SubscriptionId, change: &SubscriptionChange) -> bool;
        subscription_state_put(id: SubscriptionId, change: &StateChange) -> bool;
    }
    ReadSecrets {
        secret_list(team: TeamId, subscription: SubscriptionId) -> Vec<SecretHead>;
        secret_same(team: TeamId, subscription: SubscriptionId, secret: &SigningSecret) -> Vec<SecretId>;
        secret_published(team: TeamId, after: Timestamp, limit: u32) -> Vec<(SecretId, PublicKey)>;
    }
    WriteSecrets {
        secret_hold(team: TeamId, subscription: SubscriptionId) -> bool;
        secret_insert(team: TeamId, subscription: SubscriptionId, secret: &SubscriptionSecret) -> ();
        secret_end(subscription: SubscriptionId, secrets: &[SecretId], until: Timestamp) -> ();
        secret_remove(subscription: SubscriptionId, secrets: &[SecretId]) -> ();
    }
    ReadCredentials {
        credentials_get(team: TeamId, id: SubscriptionId) -> Option<Credentials>;
    }
    WriteCredentials {
        credentials_put(id: SubscriptionId, credentials: Option<&Credentials>) -> bool;
    }
    ReadDeliveries {
        delivery_lanes(limit: u32) -> Vec<DueLane>;
        delivery_page(team: TeamId, query: &DeliveryQuery) -> Vec<Delivery>;
        delivery_get(team: TeamId, id: DeliveryId) -> Option<DeliveryRecord>;
    }
    ReadFeed {
        feed_page(team: TeamId, query: &FeedQuery) -> Option<FeedPage>;
    }
    ReadKeeping {
        event_walk(after: Option<EventPlace>, limit: u32) -> Vec<KeptEvent>;
        event_walk_of(team: TeamId, checklist: ChecklistId, after: Option<EventPlace>, limit: u32) -> Vec<KeptEvent>;
    }
    WriteKeeping {
        event_forget(places: &[EventPlace], which: Forget, deliveries_max: u32) -> Slimmed;
        event_body_remove(places: &[EventPlace], ending: &Ending, deliveries_max: u32) -> Slimmed;
        event_answers_remove(places: &[EventPlace], answers_max: u32) -> Slimmed;
    }
    ReadHealth {
        stand_get(team: TeamId, id: SubscriptionId) -> Option<Stand>;
        undelivered_summary(team: TeamId, id: SubscriptionId) -> UndeliveredSummary;
        event_page(team: TeamId, query: &EventQuery) -> Vec<EventRow>;
        event_body(team: TeamId, id: EventId) -> Option<Bytes>;
        notice_page(team: TeamId, query: &NoticeQuery) -> Vec<Notice>;
        probe_next() -> Option<Timestamp>;
    }
    WriteHealth {
        stand_hold(team: TeamId, id: SubscriptionId) -> Option<Stand>;
        stand_put(id: SubscriptionId, change: &StandChange) -> bool;
        warned_put(id: SubscriptionId, warned: u32) -> ();
        notice_insert(notice: &Notice) -> ();
        notice_see(team: TeamId, which: Seen, at: Timestamp) -> u64;
        delivery_cancel(team: TeamId, id: DeliveryId, by: &str) -> Cancelled;
        probe_take(take: &ProbeTake) -> Vec<LeasedDelivery>;
    }
    ReadReplays {
        replay_get(team: TeamId, id: ReplayJobId) -> Option<ReplayJob>;
        replay_list(team: TeamId, before: Option<ReplayJobId>, limit: u32) -> Vec<ReplayJob>;
        replay_count(team: TeamId) -> u64;
        replay_running(limit: u32) -> Vec<ReplayWork>;
        replay_bound(team: TeamId) -> ReplayPlace;
        replay_look(look: &ReplayLook, after: Option<ReplayPlace>, rows: u32, wanted: u32) -> ReplayFound;
    }
    WriteReplays {
        replay_insert(new: &NewReplay) -> ();
        replay_put(team: TeamId, id: ReplayJobId, put: &ReplayPut) -> ReplayChanged;
        replay_step(step: &ReplayStep) -> Option<ReplayJob>;
        replay_forget(before: Timestamp, limit: u32) -> u64;
    }
    ReadMarks {
        mark_get(name: &str) -> Option<Vec<u8>>;
    }
    WriteMarks {
        mark_make(name: &str, mark: &[u8]) -> Vec<u8>;
        mark_replace(name: &str, mark: &[u8]) -> ();
    }
    WriteChores {
        chore_begin(chore: Chore, now: Timestamp) -> ChoreTurn;
        chore_keep(lease: &ChoreLease, now: Timestamp) -> ChoreHold;
        chore_end(lease: &ChoreLease, now: Timestamp) -> ChoreHold;
    }
    WriteDeliveries {
        delivery_redeliver(team: TeamId, id: DeliveryId, by: &str, now: Timestamp) -> Redelivery;
    } {
        async fn delivery_take(
            &mut self,
            wanted: &[Take],
            node: NodeId,
            now: Timestamp,
            until: Timestamp,
        ) -> Result<Taken, StoreError> {
            let taken = self.inner.delivery_take(wanted, node, now, until).await?;
            for leased in &taken.deliveries {
                self.memory.remember(leased.lease);
            }
            if self.memory.fault == Some(Fault::TakenTwice) {
                let leases = taken.deliveries.iter().map(|leased| leased.lease);
                let leases: Vec<_> = leases.collect();
                self.inner.delivery_give_back(&leases, now).await?;
            }
            Ok(taken)
        }

        async fn delivery_settle(
            &mut self,
            settlements: &[Settlement],
        ) -> Result<Vec<Settled>, StoreError> {
            let mut settlements = settlements.to_vec();
            for settlement in &mut settlements {
                match self.memory.fault {
                    Some(Fault::LeaseIgnored) => {
                        let lease = self.memory.last(settlement.lease.delivery);
                        settlement.lease = lease.unwrap_or(settlement.lease);
                    }
                    Some(Fault::RetryLost) if settlement.due_at.is_some() => {
                        settlement.state = DeliveryState::Exhausted;
                        settlement.due_at = None;
                    }
                    _ => {}
                }
            }
            let answers = self.inner.delivery_settle(&settlements).await?;
            let stored = settlements.iter().zip(&answers);
            let stored = stored.filter(|(_, answer)| **answer == Settled::Stored);
            self.memory.forget(stored.map(|(one, _)| one.lease.delivery));
            Ok(answers)
        }

        async fn delivery_rescue(
            &mut self,
            which: Rescue,
            now: Timestamp,
            attempts_max: u32,
            limit: u32,
        ) -> Result<u32, StoreError> {
            let mut forgotten = Vec::new();
            if self.memory.fault == Some(Fault::AttemptForgotten) {
                forgotten = self.memory.lapsed(which, now);
                self.inner.delivery_give_back(&forgotten, now).await?;
            }
            let attempts_max = match self.memory.fault {
                Some(Fault::RescuedForEver) => u32::MAX,
                _ => attempts_max,
            };
            let ended = self.inner.delivery_rescue(which, now, attempts_max, limit);
            Ok(ended.await? + u32::try_from(forgotten.len()).unwrap_or(u32::MAX))
        }

        async fn delivery_put_off(&mut self, put_off: &[PutOff]) -> Result<(), StoreError> {
            self.memory.forget(put_off.iter().map(|one| one.lease.delivery));
            self.inner.delivery_put_off(put_off).await
        }

        async fn delivery_give_back(&mut self, leases: &[Lease], now: Timestamp) -> Result<(), StoreError> {
            self.memory.forget(leases.iter().map(|lease| lease.delivery));
            self.inner.delivery_give_back(leases, now).await
        }
    }
}

#[async_trait]
impl WriteEvents for FaultyTx<'_> {
    async fn event_append(&mut self, event: &Event) -> Result<(), StoreError> {
        match self.memory.fault {
            Some(Fault::EventWithoutDeliveries) => Ok(()),
            Some(Fault::HandOverBeforeCommit) => {
                self.inner.event_append(event).await?;
                self.hand_over(event).await
            }
            _ => self.inner.event_append(event).await,
        }
    }

    async fn event_append_for(
        &mut self,
        event: &Event,
        subscription: SubscriptionId,
    ) -> Result<DeliveryId, StoreError> {
        self.inner.event_append_for(event, subscription).await
    }
}

impl FaultyTx<'_> {
    /// The subscriptions that `event` should reach.
    async fn reached(&mut self, event: &Event) -> Result<Vec<SubscriptionId>, StoreError> {
        let kind = Some(event.kind);
        let all = self
            .inner
            .subscription_list(event.team, None, kind, SUBSCRIPTIONS_MAX)
            .await?;
        let wants = |scope: Scope| {
            (scope == Scope::Team && event.reaches_team_scope())
                || event.scope_keys().contains(&scope.key())
        };
        let all = all.into_iter().filter(|found| wants(found.scope));
        Ok(all.map(|found| found.id).collect())
    }

    /// Hands what was just stored over at once, though nothing of it is committed.
    async fn hand_over(&mut self, event: &Event) -> Result<(), StoreError> {
        let Some(lanes) = self.memory.lanes() else {
            return Ok(());
        };
        for subscription in self.reached(event).await? {
            let Some(permit) = Permit::reserve(&lanes, subscription, None) else {
                continue;
            };
            let wanted = [Take {
                subscription,
                limit: 1,
            }];
            let until = lanes.lease_until(event.at);
            let taken = self
                .inner
                .delivery_take(&wanted, lanes.node(), event.at, until)
                .await?;
            if let Some(leased) = taken.deliveries.into_iter().next() {
                lanes.hand_over(vec![(leased, permit)]);
            }
        }
        Ok(())
    }
}
