//! A walk through the seam: every method is called, in a transaction on the scene of `things`.

use domain::{
    ApiKey, ApiKeyId, Attempt, AuditEntry, Checklist, ChecklistFilter, ChecklistHead, ChecklistId,
    ChecklistKey, Control, ControlId, ControlKind, ControlType, DeliveryId, DeliveryState, Done,
    Door, EventType, FieldId, FileKey, Halt, HealthSettings, KeyHash, NodeId, Notice, NoticeId,
    NoticeKind, Outcome, Person, ReplayJobId, StateCode, StoredFile, SubscriptionSettings,
    SubscriptionState, Task, TaskId, TaskState, TaskStatus, Template, VersionId,
};
use uuid::Uuid;

use super::things::{CONTROL, TASK, TEAM, TEMPLATE, at, event, secrets, subscription};
use crate::{
    Cancelled, ChecklistQuery, DeliveryQuery, Ending, EventQuery, FeedQuery, Fields, Forget, Lease,
    NewReplay, NoticeQuery, Page, ProbeTake, PutOff, ReplayLook, ReplayPut, ReplayStep, Rescue,
    Seen, Settlement, StandChange, StateChange, SubscriptionChange, SubscriptionIdentity, Take,
    WriteTx,
};

const PAGE: Page = Page {
    number: 1,
    size: 10,
};
const VERSION: VersionId = VersionId::new(Uuid::from_u128(31));
const DELIVERY: DeliveryId = DeliveryId::new(Uuid::from_u128(41));
const NODE: NodeId = NodeId::new(Uuid::from_u128(77));

/// Tables whose rows follow from how the server is used, rather than from how it is set up.
pub(crate) const GROWING: [&str; 11] = [
    "audit",
    "kept_answer",
    "checklist",
    "checklist_task",
    "task_assignee",
    "field",
    "file",
    "event",
    "delivery",
    "attempt",
    "notice",
];

/// Calls every method.
pub(crate) async fn everything(tx: &mut dyn WriteTx) {
    teams(tx).await;
    people(tx).await;
    templates(tx).await;
    checklists(tx).await;
    subscriptions(tx).await;
    deliveries(tx).await;
    log(tx).await;
    events(tx).await;
    health(tx).await;
    replays(tx).await;
    keeping(tx).await;
    chains(tx).await;
    chores(tx).await;
    answers(tx).await;
    tx.mark_make("a mark", b"one").await.unwrap();
    tx.mark_replace("a mark", b"two").await.unwrap();
    tx.mark_get("a mark").await.unwrap().unwrap();
}

async fn answers(tx: &mut dyn WriteTx) {
    let id = crate::AnswerId([7; 32]);
    let kept = crate::KeptAnswer {
        request: [8; 32],
        answer: b"{}".to_vec(),
    };
    tx.answer_put(id, &kept, at()).await.unwrap();
    assert_eq!(tx.answer_get(id).await.unwrap(), Some(kept.clone()));
    let later = at().after(std::time::Duration::from_hours(1));
    assert_eq!(tx.answer_forget(later, 10).await.unwrap(), 1);
    // One that stays, for whoever looks at what the walk leaves.
    tx.answer_put(id, &kept, at()).await.unwrap();
}

async fn replays(tx: &mut dyn WriteTx) {
    let (same, other) = [1, 2].map(Uuid::from_u128).map(ReplayJobId::new).into();
    let bound = tx.replay_bound(TEAM).await.unwrap();
    let filters = [
        domain::ReplayFilter::default(),
        domain::ReplayFilter {
            since: Some(at()),
            never_attempted: true,
            ..domain::ReplayFilter::default()
        },
    ];
    let there = subscription(22);
    tx.subscription_insert(&there, &secrets(there.id.uuid().as_u128()))
        .await
        .unwrap();
    for (id, to_subscription) in [(same, None), (other, Some(there.id))] {
        for filter in filters.clone() {
            let look = ReplayLook {
                team: TEAM,
                filter,
                events: to_subscription.is_some(),
                made_at: at(),
                bound,
            };
            tx.replay_look(&look, Some(bound), 10, 10).await.unwrap();
            tx.replay_look(&look, None, 10, 10).await.unwrap();
        }
        let look = ReplayLook {
            team: TEAM,
            filter: domain::ReplayFilter::default(),
            events: to_subscription.is_some(),
            made_at: at(),
            bound,
        };
        let new = NewReplay {
            id,
            made_by: "Ann".to_owned(),
            to_subscription,
            rate_per_second: 10,
            look: look.clone(),
        };
        tx.replay_insert(&new).await.unwrap();
        let found = tx.replay_look(&look, None, 10, 10).await.unwrap();
        let step = ReplayStep {
            job: id,
            from: None,
            matches: found.matches.iter().map(|one| one.place).collect(),
            reached: found.reached,
            ended: false,
            now: at(),
        };
        let job = tx.replay_step(&step).await.unwrap().unwrap();
        assert!(job.done > 0, "{job:?}");
    }
    assert_eq!(tx.replay_running(10).await.unwrap().len(), 2);
    assert_eq!(tx.replay_count(TEAM).await.unwrap(), 2);
    tx.replay_get(TEAM, same).await.unwrap().unwrap();
    tx.replay_list(TEAM, Some(other), 10).await.unwrap();
    let paused = ReplayPut {
        state: domain::ReplayState::Paused,
        reason: String::new(),
        now: at(),
    };
    tx.replay_put(TEAM, same, &paused).await.unwrap();
    tx.replay_forget(at(), 10).await.unwrap();
}

async fn keeping(tx: &mut dyn WriteTx) {
    let all = tx.event_walk(None, 10).await.unwrap();
    let of = ChecklistId::new(5);
    let last = all.last().map(|event| event.place);
    tx.event_walk_of(TEAM, of, last, 10).await.unwrap();
    let oldest: Vec<_> = all[..2].iter().map(|event| event.place).collect();
    tx.event_answers_remove(&oldest, 10).await.unwrap();
    let ending = Ending {
        stopped_by: Some("Ann".to_owned()),
        state: DeliveryState::Expired,
        reason: String::new(),
    };
    tx.event_body_remove(&oldest, &ending, 10).await.unwrap();
    for which in [Forget::Settled, Forget::All] {
        tx.event_forget(&oldest[..1], which, 1).await.unwrap();
    }
    // One whose body goes while it is being sent waits again, and has nothing to send.
    tx.event_append(&event(9)).await.unwrap();
    let take = [Take {
        subscription: subscription(21).id,
        limit: 10,
    }];
    let now = at().after(std::time::Duration::from_secs(5));
    let taken = tx.delivery_take(&take, NODE, now, now).await.unwrap();
    let leases: Vec<Lease> = taken.deliveries.iter().map(|leased| leased.lease).collect();
    let all = tx.event_walk(None, 10).await.unwrap();
    let all: Vec<_> = all.iter().map(|event| event.place).collect();
    let lets_be = Ending {
        stopped_by: None,
        ..ending
    };
    tx.event_body_remove(&all, &lets_be, 10).await.unwrap();
    tx.delivery_give_back(&leases, at()).await.unwrap();
    let nothing = tx.delivery_take(&take, NODE, now, now).await.unwrap();
    assert!(!leases.is_empty() && nothing.deliveries.is_empty());
}

async fn chores(tx: &mut dyn WriteTx) {
    let chore = crate::Chore {
        name: "a chore",
        every: std::time::Duration::from_hours(1),
        lease: std::time::Duration::from_mins(1),
    };
    let crate::ChoreTurn::Ours(lease) = tx.chore_begin(chore, at()).await.unwrap() else {
        panic!("nobody has it");
    };
    tx.chore_begin(chore, at()).await.unwrap();
    tx.chore_keep(&lease, at()).await.unwrap();
    tx.chore_end(&lease, at()).await.unwrap();
}

async fn teams(tx: &mut dyn WriteTx) {
    let key = ApiKey {
        id: ApiKeyId::new(Uuid::from_u128(51)),
        team: TEAM,
        name: "key".to_owned(),
        prefix: "ck_".to_owned(),
        created_at: at(),
        revoked_at: None,
        rights: domain::Rights::ALL,
        expires_at: None,
        used_at: None,
    };
    let hash = KeyHash::of("ck_");
    tx.team_get(TEAM).await.unwrap().unwrap();
    tx.api_key_insert(&key, &hash).await.unwrap();
    tx.api_key_get(&hash).await.unwrap().unwrap();
    tx.api_key_list(TEAM, None, 10).await.unwrap();
    tx.api_key_count(TEAM).await.unwrap();
    tx.api_key_touch(key.id, at()).await.unwrap();
    tx.api_key_revoke(TEAM, key.id, at()).await.unwrap();
    tx.api_key_revoke(TEAM, key.id, at()).await.unwrap();
    let actor = domain::Actor {
        team: TEAM,
        key: None,
        member: None,
        person: person(),
        door: Door::Api,
        rights: domain::Rights::ALL,
    };
    let (subject, detail) = (String::new(), String::new());
    let entry = AuditEntry {
        at: at(),
        actor,
        action: "test",
        subject,
        detail,
    };
    tx.audit_append(&entry).await.unwrap();
    tx.audit_list(TEAM, None, 10).await.unwrap();
}

/// A group of one member, who has left another that was removed.
async fn people(tx: &mut dyn WriteTx) {
    tx.people_lock(TEAM).await.unwrap();
    let mut member = domain::Member {
        id: domain::MemberId::new(0),
        team: TEAM,
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        role: domain::Role::Administrator,
        created_at: at(),
        deactivated_at: None,
    };
    member.id = tx.member_insert(&member).await.unwrap();
    tx.member_put(&member).await.unwrap();
    tx.member_get(TEAM, member.id).await.unwrap().unwrap();
    assert_eq!(tx.member_list(TEAM).await.unwrap(), [member.clone()]);
    for name in ["Day", "Night"] {
        let mut group = domain::Group {
            id: domain::GroupId::new(0),
            team: TEAM,
            name: name.to_owned(),
            avatar: "AB".to_owned(),
            colour: domain::Colour::default(),
            created_at: at(),
            members: vec![member.id],
        };
        group.id = tx.group_insert(&group).await.unwrap();
        tx.group_put(&group).await.unwrap();
        tx.group_get(TEAM, group.id).await.unwrap().unwrap();
        assert_eq!(tx.group_list(TEAM).await.unwrap().len(), 1);
        assert_eq!(tx.member_groups(member.id).await.unwrap().len(), 1);
        if name == "Day" {
            tx.group_remove(group.id, at()).await.unwrap();
        }
    }
}

fn person() -> Person {
    Person {
        name: "Ann".to_owned(),
        email: None,
    }
}

fn template() -> Template {
    let kind = ControlKind::FileUpload {
        min_files: 0,
        max_files: 3,
    };
    let control = Control {
        key: CONTROL,
        id: ControlId::new(1),
        name: "Scan".to_owned(),
        required: false,
        hidden: false,
        value: String::new(),
        kind,
    };
    let task = Task {
        key: TASK,
        name: "Receive".to_owned(),
        heading: false,
        halt: Halt::None,
        hidden: false,
        due: None,
        first_control: 0,
        controls: vec![control],
    };
    Template {
        key: TEMPLATE,
        name: "Invoice".to_owned(),
        tasks: vec![task],
        rules: domain::Rules::default(),
        parameters: Vec::new(),
    }
}

async fn templates(tx: &mut dyn WriteTx) {
    tx.template_lock(TEMPLATE).await.unwrap();
    tx.control_ids_reserve(1).await.unwrap();
    tx.template_put(TEAM, VERSION, &template(), at())
        .await
        .unwrap();
    tx.template_get(TEAM, TEMPLATE).await.unwrap().unwrap();
    tx.template_list(TEAM, 10).await.unwrap();
    tx.template_count(TEAM).await.unwrap();
    tx.template_known_keys(TEMPLATE).await.unwrap();
    tx.task_find(TEAM, TASK).await.unwrap().unwrap();
    tx.control_find(TEAM, CONTROL).await.unwrap().unwrap();
    tx.task_suggest(TEAM, 10).await.unwrap();
    tx.control_suggest(TEAM, ControlType::FileUpload, 10)
        .await
        .unwrap();
}

async fn checklists(tx: &mut dyn WriteTx) {
    let done = Done {
        at: at(),
        by: person(),
    };
    let head = ChecklistHead {
        id: ChecklistId::new(0),
        key: ChecklistKey::new(Uuid::from_u128(61)),
        team: TEAM,
        version: VERSION,
        name: "May".to_owned(),
        created: done.clone(),
        scheduled_at: None,
        started_at: Some(at()),
        ended_at: None,
        archived_at: None,
    };
    let list = Checklist {
        head: head.clone(),
        template: std::sync::Arc::new(template()),
        tasks: vec![TaskState::default()],
        fields: std::collections::BTreeMap::new(),
        assigned: std::collections::BTreeMap::new(),
    };
    let id = tx.checklist_insert(&list).await.unwrap();
    tx.checklist_hold(TEAM, id, Fields::All)
        .await
        .unwrap()
        .unwrap();
    let complete = TaskState {
        status: TaskStatus::Complete,
        done: Some(done.clone()),
        completions: 1,
        due_at: None,
    };
    tx.task_put(TaskId::of(id, 0), &complete).await.unwrap();
    let values = [("Customer".to_owned(), "Acme".to_owned())].into();
    tx.checklist_parameters_put(id, &values).await.unwrap();
    tx.checklist_parameters(TEAM, id).await.unwrap();
    tx.task_due_put(TaskId::of(id, 0), Some(at()))
        .await
        .unwrap();
    tx.checklist_end_put(id, Some(at())).await.unwrap();
    let field = FieldId::of(id, 0);
    tx.field_put(field, "value").await.unwrap();
    tx.field_put(field, "").await.unwrap();
    let file = StoredFile {
        key: FileKey::new(Uuid::from_u128(71)),
        field,
        name: "scan.pdf".to_owned(),
        size: 1,
        media_type: "application/pdf".to_owned(),
        sha256: [0; 32],
        uploaded: done,
    };
    tx.file_insert(TEAM, CONTROL, &file).await.unwrap();
    tx.file_get(TEAM, file.key).await.unwrap().unwrap();
    tx.file_page(TEAM, CONTROL, PAGE).await.unwrap();
    tx.file_orphans(&[file.key]).await.unwrap();
    tx.file_newest(3).await.unwrap();
    tx.checklist_get(TEAM, id, Fields::All)
        .await
        .unwrap()
        .unwrap();
    for (key, status) in [(None, None), (Some(TASK), Some(TaskStatus::Complete))] {
        tx.task_page(TEAM, key, status, PAGE).await.unwrap();
    }
    checklist_pages(tx).await;
    assignments(tx, TaskId::of(id, 0)).await;
}

/// To the member of `people`, and to the group that is left.
async fn assignments(tx: &mut dyn WriteTx, task: TaskId) {
    let member = tx.member_list(TEAM).await.unwrap().remove(0);
    let group = tx.group_list(TEAM).await.unwrap().remove(0);
    let to = [
        domain::Assignee {
            id: domain::AssigneeId::Member(member.id),
            name: member.name,
        },
        domain::Assignee {
            id: domain::AssigneeId::Group(group.id),
            name: group.name,
        },
    ];
    tx.task_assign(task, None).await.unwrap();
    let assigned = domain::Assigned {
        exclusively: true,
        to: to.to_vec(),
    };
    tx.task_assign(task, Some(&assigned)).await.unwrap();
    for assignee in to {
        for with_done in [false, true] {
            let query = crate::AssignmentQuery {
                to: assignee.id,
                with_done,
                limit: 10,
            };
            let found = tx.assignment_list(TEAM, &query).await.unwrap();
            assert_eq!(found.len(), usize::from(with_done), "it is complete");
        }
    }
}

async fn checklist_pages(tx: &mut dyn WriteTx) {
    use ChecklistFilter::{All, Complete, InProgress, RecentlyComplete, Scheduled};
    for status in [All, Scheduled, InProgress, RecentlyComplete, Complete] {
        for key in [None, Some(ChecklistKey::new(Uuid::from_u128(61)))] {
            for name in [None, Some("m".to_owned())] {
                let (team, template, now) = (TEAM, TEMPLATE, at());
                let query = ChecklistQuery {
                    team,
                    template,
                    key,
                    name,
                    status,
                    now,
                    page: PAGE,
                };
                tx.checklist_page(&query).await.unwrap();
            }
        }
    }
}

async fn secret_changes(tx: &mut dyn WriteTx, of: domain::SubscriptionId) {
    tx.secret_list(TEAM, of).await.unwrap();
    tx.secret_published(TEAM, at(), 10).await.unwrap();
    assert!(tx.secret_hold(TEAM, of).await.unwrap());
    let [more] = secrets(23);
    tx.secret_same(TEAM, of, &more.secret).await.unwrap();
    tx.secret_insert(TEAM, of, &more).await.unwrap();
    tx.secret_end(of, &[more.id], at()).await.unwrap();
    tx.secret_remove(of, &[more.id]).await.unwrap();
}

async fn subscriptions(tx: &mut dyn WriteTx) {
    let there = subscription(21);
    tx.subscription_get(TEAM, there.id).await.unwrap().unwrap();
    let identity = SubscriptionIdentity {
        team: TEAM,
        source: there.source.clone(),
        event_type: there.event_type,
        scope: there.scope,
        target: there.target.clone(),
    };
    tx.subscription_find(&identity).await.unwrap().unwrap();
    tx.subscription_list(TEAM, Some("source 21"), None, 10)
        .await
        .unwrap();
    tx.subscription_count(TEAM).await.unwrap();
    let fault = tx.subscription_fault(there.id).await;
    assert_eq!(fault.unwrap(), None);
    secret_changes(tx, there.id).await;
    let change = SubscriptionChange {
        source: there.source.clone(),
        target: there.target.clone(),
        settings: SubscriptionSettings::default(),
    };
    tx.subscription_hold(TEAM, there.id).await.unwrap();
    assert!(tx.subscription_put(there.id, &change).await.unwrap());
    let credentials = domain::Credentials::default();
    tx.credentials_put(there.id, Some(&credentials))
        .await
        .unwrap();
    tx.credentials_get(TEAM, there.id).await.unwrap().unwrap();
    tx.credentials_put(there.id, None).await.unwrap();
    for state in [SubscriptionState::Paused, SubscriptionState::Active] {
        let (reason, by) = (String::new(), String::new());
        let change = StateChange {
            state,
            reason,
            by,
            at: at(),
        };
        assert!(tx.subscription_state_put(there.id, &change).await.unwrap());
    }
}

fn settlement(lease: Lease, number: u32, outcome: Outcome, state: DeliveryState) -> Settlement {
    let attempt = Attempt {
        number,
        manual_by: None,
        replay: None,
        started_at: at(),
        duration_ms: 5,
        outcome,
        status: Some(200),
        error: String::new(),
        target: "https://example.com/hook".to_owned(),
        signature: "v1,AAAA".to_owned(),
        response_headers: String::new(),
        response_body: bytes::Bytes::new(),
        response_truncated: false,
    };
    let due_at = (state == DeliveryState::Waiting).then(at);
    Settlement {
        lease,
        attempt,
        state,
        reason: String::new(),
        due_at,
    }
}

async fn deliveries(tx: &mut dyn WriteTx) {
    let lane = subscription(21).id;
    for number in 0..4 {
        tx.event_append(&event(number)).await.unwrap();
    }
    tx.event_append_for(&event(7), subscription(21).id)
        .await
        .unwrap();
    tx.delivery_lanes(10).await.unwrap();
    let take = [Take {
        subscription: lane,
        limit: 3,
    }];
    let until = at().after(std::time::Duration::from_secs(30));
    let taken = tx
        .delivery_take(&take, NODE, at(), until)
        .await
        .unwrap()
        .deliveries;
    let leases: Vec<Lease> = taken.iter().map(|leased| leased.lease).collect();
    let settlements = [
        settlement(leases[0], 1, Outcome::Delivered, DeliveryState::Delivered),
        settlement(leases[1], 1, Outcome::TimedOut, DeliveryState::Waiting),
    ];
    tx.delivery_settle(&settlements).await.unwrap();
    tx.delivery_give_back(&leases[2..], at()).await.unwrap();
    let put_off = PutOff {
        lease: leases[0],
        at: at(),
        due_at: at(),
        outcome: Outcome::AddressRefused,
        reason: String::new(),
    };
    tx.delivery_put_off(&[put_off]).await.unwrap();
    tx.delivery_take(&take, NODE, at(), at()).await.unwrap();
    let later = at().after(std::time::Duration::from_secs(1));
    assert_eq!(
        tx.delivery_rescue(Rescue::Lapsed, later, 9, 1)
            .await
            .unwrap(),
        1
    );
    let others = Rescue::OfTheDead(domain::NodeId::new(Uuid::from_u128(1)));
    assert_eq!(tx.delivery_rescue(others, later, 9, 10).await.unwrap(), 2);
    let id = leases[0].delivery;
    tx.delivery_redeliver(TEAM, id, "Ann", at()).await.unwrap();
    tx.delivery_get(TEAM, id).await.unwrap().unwrap();
    let feed = FeedQuery {
        subscription: lane,
        after: 0,
        limit: 10,
        bytes_max: 1_000,
    };
    tx.feed_page(TEAM, &feed).await.unwrap().unwrap();
}

async fn chains(tx: &mut dyn WriteTx) {
    let lane = subscription(21).id;
    let before = subscription(21);
    let change = crate::SubscriptionChange {
        source: before.source,
        target: before.target,
        settings: domain::SubscriptionSettings {
            ordering: domain::DeliveryOrder::Checklist,
            ..before.settings
        },
    };
    let mut torn = change.clone();
    torn.settings.request.headers = vec!["x-key".to_owned()];
    tx.subscription_put(lane, &torn).await.unwrap();
    for number in 10..12 {
        tx.event_append(&event(number)).await.unwrap();
    }
    let take = [Take {
        subscription: lane,
        limit: 100,
    }];
    let soon = at().after(std::time::Duration::from_mins(30));
    let none = tx.delivery_take(&take, NODE, soon, soon).await.unwrap();
    assert!(none.deliveries.is_empty(), "its header has no value");
    tx.subscription_put(lane, &change).await.unwrap();
    let later = at().after(std::time::Duration::from_hours(1));
    let taken = tx.delivery_take(&take, NODE, later, later).await.unwrap();
    let last = taken.deliveries.last().unwrap().lease;
    let end = settlement(last, 1, Outcome::Delivered, DeliveryState::Delivered);
    tx.delivery_settle(&[end]).await.unwrap();
    let chain = crate::Chain {
        subscription: lane,
        checklist: ChecklistId::new(5),
    };
    tx.chain_let_go(&[chain]).await.unwrap();
    tx.event_body_drop(&[last.delivery]).await.unwrap();
    tx.chain_stuck(10).await.unwrap();
}

/// Two subscriptions: one is warned of, paused and probed.
async fn health(tx: &mut dyn WriteTx) {
    let id = subscription(21).id;
    tx.stand_get(TEAM, id).await.unwrap().unwrap();
    tx.stand_hold(TEAM, id).await.unwrap().unwrap();
    tx.warned_put(id, 1).await.unwrap();
    tx.event_append(&event(50)).await.unwrap();
    let change = StandChange {
        code: StateCode::PausedBySystem,
        reason: String::new(),
        by: String::new(),
        at: at(),
        probe_at: Some(at()),
    };
    assert!(tx.stand_put(id, &change).await.unwrap());
    assert_eq!(tx.probe_next().await.unwrap(), Some(at()));
    let take = ProbeTake {
        node: NODE,
        now: at(),
        until: at(),
        settings: HealthSettings::default(),
        limit: 10,
    };
    let probed = tx.probe_take(&take).await.unwrap();
    assert_eq!(probed.len(), 1);
    let delivery = probed[0].lease.delivery;
    // While it is sent, and while it waits.
    tx.delivery_cancel(TEAM, delivery, "Ann").await.unwrap();
    tx.delivery_give_back(&[probed[0].lease], at())
        .await
        .unwrap();
    let waiting = DeliveryQuery {
        state: Some(DeliveryState::Held),
        limit: 1,
        ..DeliveryQuery::default()
    };
    let held = tx.delivery_page(TEAM, &waiting).await.unwrap().remove(0);
    let answer = tx.delivery_cancel(TEAM, held.delivery_id, "Ann").await;
    assert_eq!(answer.unwrap(), Cancelled::Now);
    tx.undelivered_summary(TEAM, id).await.unwrap();
    let notice = Notice {
        id: NoticeId::new(Uuid::from_u128(7)),
        team: TEAM,
        kind: NoticeKind::Paused,
        subscription: id,
        text: "text".to_owned(),
        code: StateCode::PausedBySystem,
        at: at(),
        seen_at: None,
    };
    tx.notice_insert(&notice).await.unwrap();
    for unseen in [false, true] {
        let query = NoticeQuery {
            unseen,
            before: None,
            limit: 10,
        };
        assert_eq!(tx.notice_page(TEAM, &query).await.unwrap().len(), 1);
    }
    let seen = Seen::UpTo(notice.id);
    assert_eq!(tx.notice_see(TEAM, seen, at()).await.unwrap(), 1);
    let change = StandChange {
        code: StateCode::Active,
        probe_at: None,
        ..change
    };
    assert!(tx.stand_put(id, &change).await.unwrap());
}

async fn events(tx: &mut dyn WriteTx) {
    let there = event(0).id;
    tx.event_body(TEAM, there).await.unwrap().unwrap();
    for unmatched in [false, true] {
        for checklist in [None, Some(ChecklistId::new(5))] {
            for event_type in [None, Some(EventType::TaskCompleted)] {
                for event in [None, Some(there)] {
                    for bound in [None, Some(at())] {
                        let query = EventQuery {
                            event,
                            event_type,
                            checklist,
                            since: bound,
                            until: bound,
                            unmatched,
                            before: bound.map(|_| there),
                            limit: 10,
                        };
                        tx.event_page(TEAM, &query).await.unwrap();
                    }
                }
            }
        }
    }
}

async fn log(tx: &mut dyn WriteTx) {
    let states = DeliveryState::ALL
        .into_iter()
        .map(|state| (Some(state), false));
    let states = states.chain([(None, false), (None, true)]);
    let abouts = [
        DeliveryQuery::default(),
        DeliveryQuery {
            subscription: Some(subscription(21).id),
            ..DeliveryQuery::default()
        },
        DeliveryQuery {
            checklist: Some(ChecklistId::new(5)),
            ..DeliveryQuery::default()
        },
        DeliveryQuery {
            event: Some(event(0).id),
            ..DeliveryQuery::default()
        },
        DeliveryQuery {
            event_type: Some(EventType::TaskCompleted),
            ..DeliveryQuery::default()
        },
        DeliveryQuery {
            status_class: Some(2),
            ..DeliveryQuery::default()
        },
        DeliveryQuery {
            since: Some(at()),
            until: Some(at()),
            ..DeliveryQuery::default()
        },
    ];
    for (state, undelivered) in states {
        for about in &abouts {
            for before in [None, Some(DELIVERY)] {
                let query = DeliveryQuery {
                    state,
                    undelivered,
                    before,
                    limit: 10,
                    ..about.clone()
                };
                tx.delivery_page(TEAM, &query).await.unwrap();
            }
        }
    }
}
