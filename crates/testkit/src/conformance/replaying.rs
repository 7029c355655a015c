//! Redelivery jobs.

use std::time::Duration;

use domain::{
    Delivery, DeliveryState, Event, EventType, Outcome, ReplayFilter, ReplayJob, ReplayJobId,
    ReplaySkipped, ReplayState, Scope, SubscriptionId, SubscriptionState, TeamId,
};
use store::{
    DeliveryQuery, EventPlace, EventQuery, Forget, NewReplay, ReplayChanged, ReplayFound,
    ReplayLook, ReplayPlace, ReplayPut, ReplayStep, ReplayWork,
};

use crate::{
    Scene, World, reading,
    world::{delivered, retry, settlement},
    writing,
};

const KIND: EventType = EventType::TaskCompleted;
/// More than any of these tests has.
const ALL: u32 = 1_000;

/// Makes a job of the team.
async fn job(
    world: &World,
    team: TeamId,
    filter: ReplayFilter,
    to_subscription: Option<SubscriptionId>,
) -> ReplayJobId {
    let bound = world
        .read(reading!([team] tx => tx.replay_bound(*team).await))
        .await;
    let id = ReplayJobId::new(world.source.uuid());
    let new = NewReplay {
        id,
        made_by: "Ann".to_owned(),
        to_subscription,
        rate_per_second: 10,
        look: ReplayLook {
            team,
            filter,
            events: to_subscription.is_some(),
            made_at: world.tick(),
            bound,
        },
    };
    world.tick();
    world
        .write(writing!([new] tx => tx.replay_insert(new).await))
        .await;
    id
}

async fn running(world: &World) -> Vec<ReplayWork> {
    world
        .read(reading!([] tx => tx.replay_running(ALL).await))
        .await
}

async fn get(world: &World, team: TeamId, id: ReplayJobId) -> Option<ReplayJob> {
    world
        .read(reading!([team, id] tx => tx.replay_get(*team, *id).await))
        .await
}

async fn look(
    world: &World,
    look: &ReplayLook,
    after: Option<ReplayPlace>,
    (rows, wanted): (u32, u32),
) -> ReplayFound {
    let look = look.clone();
    let unit = reading!([look, after, rows, wanted] tx => {
        tx.replay_look(look, *after, *rows, *wanted).await
    });
    world.read(unit).await
}

/// The next step of a job, of at most so many.
async fn next_step(world: &World, id: ReplayJobId, wanted: u32) -> ReplayStep {
    let all = running(world).await;
    let work = all.into_iter().find(|work| work.job.job_id == id);
    let work = work.expect("it runs");
    let from = work.reached.map(|reached| reached.place);
    let found = look(world, &work.look, from, (ALL, wanted)).await;
    ReplayStep {
        job: id,
        from,
        matches: found.matches.iter().map(|one| one.place).collect(),
        reached: found.reached,
        ended: found.ended,
        now: world.tick(),
    }
}

async fn take_step(world: &World, step: &ReplayStep) -> Option<ReplayJob> {
    let step = step.clone();
    world
        .write(writing!([step] tx => tx.replay_step(step).await))
        .await
}

/// Works a job off.
async fn work_off(world: &World, id: ReplayJobId) -> ReplayJob {
    loop {
        let step = next_step(world, id, 2).await;
        let job = take_step(world, &step).await.expect("it stands there");
        if job.state.is_ended() {
            return job;
        }
    }
}

async fn one_lane(world: &World) -> (Scene, SubscriptionId) {
    let scene = world.scene().await;
    let lane = world.subscribe(&scene, KIND).await.id;
    (scene, lane)
}

/// Events, each delivered by its first attempt.
async fn happened(world: &World, scene: &Scene, lane: SubscriptionId, count: u32) -> Vec<Event> {
    let mut events = Vec::new();
    for _ in 0..count {
        events.push(world.happen(scene, KIND).await);
    }
    for leased in world.take(lane, count).await {
        world.deliver(&leased).await;
    }
    events
}

async fn listed(world: &World, team: TeamId, of: SubscriptionId) -> Vec<Delivery> {
    let query = DeliveryQuery {
        subscription: Some(of),
        limit: ALL,
        ..DeliveryQuery::default()
    };
    world.page(team, query).await
}

/// A subscription that no event of the scene reaches.
async fn elsewhere(world: &World, scene: &Scene) -> SubscriptionId {
    let kind = EventType::NewChecklist;
    let scope = Scope::Template(domain::TemplateKey::new(world.source.uuid()));
    world.subscribe_to(scene.team, kind, scope).await.id
}

pub(super) async fn a_job_is_found_and_listed_within_its_team(world: &World) {
    let (scene, _) = one_lane(world).await;
    let red = world.team("Red").await;
    let filter = ReplayFilter {
        since: Some(world.now()),
        state: Some(DeliveryState::Exhausted),
        ..ReplayFilter::default()
    };
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(job(world, scene.team, filter.clone(), None).await);
    }
    let found = get(world, scene.team, ids[0]).await.expect("it is there");
    assert_eq!(
        (found.job_id, found.state, &*found.created_by, found.filter),
        (ids[0], ReplayState::Running, "Ann", filter)
    );
    assert_eq!((found.matched, found.done), (None, 0));
    assert_eq!(get(world, red, ids[0]).await, None);
    let list = async |team: TeamId, before: Option<ReplayJobId>, limit: u32| {
        let unit = reading!([team, before, limit] tx => {
            tx.replay_list(*team, *before, *limit).await
        });
        let jobs = world.read(unit).await;
        jobs.iter().map(|job| job.job_id).collect::<Vec<_>>()
    };
    assert_eq!(list(scene.team, None, 2).await, [ids[2], ids[1]]);
    assert_eq!(list(scene.team, Some(ids[1]), 2).await, [ids[0]]);
    assert_eq!(list(red, None, 9).await, []);
    let team = scene.team;
    let count = reading!([team] tx => tx.replay_count(*team).await);
    assert_eq!(world.read(count).await, 3);
    assert_eq!(running(world).await.len(), 3);
    work_off(world, ids[1]).await;
    let count = reading!([team] tx => tx.replay_count(*team).await);
    assert_eq!(world.read(count).await, 2);
    assert_eq!(running(world).await.len(), 2);
}

pub(super) async fn a_job_makes_what_it_wants_due_once_and_marks_it(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 5).await;
    let id = job(world, scene.team, ReplayFilter::default(), None).await;
    let done = work_off(world, id).await;
    assert_eq!((done.done, done.matched), (5, Some(5)));
    assert_eq!(done.skipped, ReplaySkipped::default());
    assert_eq!(done.state, ReplayState::Done);
    let again = world.take(lane, 10).await;
    let numbers: Vec<_> = again.iter().map(|one| one.sequence).collect();
    assert_eq!(numbers, [1, 2, 3, 4, 5], "the same deliveries, in order");
    for leased in &again {
        assert_eq!((leased.lease.attempt, leased.delivered_before), (2, true));
        assert_eq!(leased.replay, Some(id));
        assert_eq!(leased.manual_by.as_deref(), Some("Ann"));
        let at = world.now();
        let failed = settlement(leased, Outcome::TimedOut, DeliveryState::Exhausted, at);
        world.settle(&[failed]).await;
        let log = world.log(scene.team, leased.lease.delivery).await;
        assert_eq!(log.delivery.state, DeliveryState::Delivered);
        let of: Vec<_> = log.attempts.iter().map(|attempt| attempt.replay).collect();
        assert_eq!(of, [None, Some(id)]);
    }
    assert_eq!(world.take(lane, 10).await.len(), 0, "once");
}

pub(super) async fn a_step_from_where_the_job_does_not_stand_changes_nothing(world: &mut World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 4).await;
    let id = job(world, scene.team, ReplayFilter::default(), None).await;
    let first = next_step(world, id, 2).await;
    assert_eq!(first.matches.len(), 2);
    let after = take_step(world, &first).await.expect("it stands there");
    assert_eq!(after.done, 2);
    for leased in world.take(lane, 10).await {
        world.deliver(&leased).await;
    }
    // The same step once more, as by a node that was succeeded, and after everything was begun anew.
    assert_eq!(take_step(world, &first).await, None);
    world.reopen().await;
    assert_eq!(take_step(world, &first).await, None);
    assert_eq!(world.take(lane, 10).await.len(), 0);
    assert_eq!(get(world, scene.team, id).await, Some(after));
    let done = work_off(world, id).await;
    assert_eq!((done.done, done.matched), (4, Some(4)));
    let rest: Vec<_> = world.take(lane, 10).await;
    let rest: Vec<_> = rest.iter().map(|one| one.sequence).collect();
    assert_eq!(rest, [3, 4]);
}

pub(super) async fn what_can_not_be_sent_again_is_passed_over_and_counted(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let ended = world.subscribe(&scene, KIND).await.id;
    world.happen(&scene, KIND).await;
    world.happen(&scene, KIND).await;
    world.take(lane, 1).await.remove(0);
    world.put_state(ended, SubscriptionState::Gone).await;
    let second = places(world).await[1];
    let ending = store::Ending {
        stopped_by: None,
        state: DeliveryState::Expired,
        reason: String::new(),
    };
    let places = vec![second];
    let unit = writing!([places, ending] tx => tx.event_body_remove(places, ending, ALL).await);
    world.write(unit).await;
    let id = job(world, scene.team, ReplayFilter::default(), None).await;
    let done = work_off(world, id).await;
    let skipped = ReplaySkipped {
        being_sent: 1,
        body_gone: 1,
        subscription_ended: 2,
        already_there: 0,
    };
    assert_eq!((done.done, done.skipped), (0, skipped));
    assert_eq!(done.matched, Some(4));
    assert_eq!(world.take(lane, 10).await.len(), 0);
}

async fn places(world: &World) -> Vec<EventPlace> {
    let all = world
        .read(reading!([] tx => tx.event_walk(None, ALL).await))
        .await;
    all.iter().map(|event| event.place).collect()
}

pub(super) async fn an_event_tells_of_what_jobs_made_of_it(world: &World) {
    let scene = world.scene().await;
    let event = world.happen(&scene, KIND).await;
    let target = elsewhere(world, &scene).await;
    let id = job(world, scene.team, ReplayFilter::default(), Some(target)).await;
    assert_eq!(work_off(world, id).await.done, 1);
    let (team, query) = (
        scene.team,
        EventQuery {
            event: Some(event.id),
            limit: 1,
            ..EventQuery::default()
        },
    );
    let found = world
        .read(reading!([team, query] tx => tx.event_page(*team, query).await))
        .await;
    let counts: Vec<_> = found[0]
        .deliveries
        .iter()
        .map(|one| (one.state, one.count))
        .collect();
    assert_eq!(counts, [(DeliveryState::Waiting, 1)]);
    assert!(!found[0].is_matched, "nobody subscribed to it");
}

pub(super) async fn what_is_held_stays_held_and_is_due_then(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 2).await;
    world.put_state(lane, SubscriptionState::Paused).await;
    let id = job(world, scene.team, ReplayFilter::default(), None).await;
    assert_eq!(work_off(world, id).await.done, 2);
    assert_eq!(world.take(lane, 10).await.len(), 0);
    let rows = listed(world, scene.team, lane).await;
    assert!(rows.iter().all(|row| row.state == DeliveryState::Held));
    world.put_state(lane, SubscriptionState::Active).await;
    assert_eq!(world.take(lane, 10).await.len(), 2);
}

pub(super) async fn one_that_was_stopped_is_tried_again_by_a_job_as_any_other(world: &World) {
    let (scene, lane) = one_lane(world).await;
    world.happen(&scene, KIND).await;
    let (team, id) = (
        scene.team,
        listed(world, scene.team, lane).await[0].delivery_id,
    );
    world
        .write(writing!([team, id] tx => tx.delivery_cancel(*team, *id, "Ann").await))
        .await;
    let job = job(world, team, ReplayFilter::default(), None).await;
    assert_eq!(work_off(world, job).await.done, 1);
    let leased = world.take_one(lane).await;
    let due = world.tick();
    world.settle(&[retry(&leased, due, due)]).await;
    let row = world.log(team, id).await.delivery;
    assert_eq!(row.state, DeliveryState::Waiting, "{row:?}");
    world.deliver(&world.take_one(lane).await).await;
}

pub(super) async fn what_came_after_the_job_is_not_its_business(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let other = elsewhere(world, &scene).await;
    happened(world, &scene, lane, 2).await;
    let same = job(world, scene.team, ReplayFilter::default(), None).await;
    let away = job(world, scene.team, ReplayFilter::default(), Some(other)).await;
    happened(world, &scene, lane, 3).await;
    assert_eq!(work_off(world, same).await.done, 2);
    assert_eq!(work_off(world, away).await.done, 2);
}

pub(super) async fn a_job_asks_how_deliveries_stand(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let other = world.subscribe(&scene, KIND).await.id;
    let target = elsewhere(world, &scene).await;
    let events = happened(world, &scene, lane, 4).await;
    let failed = world.take(other, 1).await.remove(0);
    let at = world.now();
    let end = settlement(&failed, Outcome::TimedOut, DeliveryState::Exhausted, at);
    world.settle(&[end]).await;
    let due = world.now().after(Duration::from_hours(1));
    let tried = world.take(other, 1).await.remove(0);
    world.settle(&[retry(&tried, at, due)]).await;
    let filter = |say: fn(&mut ReplayFilter)| {
        let mut filter = ReplayFilter::default();
        say(&mut filter);
        filter
    };
    let mut to_other = filter(|_| {});
    to_other.subscription_id = Some(other);
    let taken_by_other = ReplayFilter {
        state: Some(DeliveryState::Delivered),
        ..to_other.clone()
    };
    let mut of_two = filter(|_| {});
    (of_two.since, of_two.until) = (Some(events[1].at), Some(events[3].at));
    let mut of_list = filter(|_| {});
    of_list.checklist_id = Some(scene.list.head.id);
    let cases = [
        (filter(|_| {}), 8, 4),
        (to_other, 4, 4),
        (taken_by_other, 0, 0),
        (
            filter(|say| say.state = Some(DeliveryState::Exhausted)),
            1,
            1,
        ),
        (filter(|say| say.never_attempted = true), 2, 2),
        (of_two, 4, 2),
        (
            filter(|say| say.event_type = Some(EventType::FileUploaded)),
            0,
            0,
        ),
        (of_list, 8, 4),
    ];
    for (filter, deliveries, events) in cases {
        for (to, expected) in [(None, deliveries), (Some(target), events)] {
            let id = job(world, scene.team, filter.clone(), to).await;
            let work = running(world).await.remove(0);
            assert_eq!(work.job.job_id, id);
            let found = look(world, &work.look, None, (ALL, ALL)).await;
            assert_eq!(found.matches.len(), expected, "{filter:?} {to:?}");
            assert!(found.ended);
            put(world, scene.team, id, ReplayState::Cancelled).await;
        }
    }
}

pub(super) async fn a_look_takes_no_more_than_it_may(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 5).await;
    let red = world.team("Red").await;
    let other = elsewhere(world, &scene).await;
    for to in [None, Some(other)] {
        let id = job(world, scene.team, ReplayFilter::default(), to).await;
        let work = running(world).await.remove(0);
        let found = look(world, &work.look, None, (3, ALL)).await;
        assert_eq!((found.matches.len(), found.ended), (3, false));
        let from = found.reached.map(|reached| reached.place);
        assert_eq!(from, Some(found.matches[2].place));
        let rest = look(world, &work.look, from, (3, ALL)).await;
        assert_eq!((rest.matches.len(), rest.ended), (2, true));
        let found = look(world, &work.look, None, (ALL, 2)).await;
        assert_eq!((found.matches.len(), found.ended), (2, false));
        assert_eq!(
            found.reached.map(|reached| reached.place),
            Some(found.matches[1].place)
        );
        let theirs = ReplayLook {
            team: red,
            ..work.look
        };
        let nothing = look(world, &theirs, None, (ALL, ALL)).await;
        assert_eq!((nothing.matches.len(), nothing.ended), (0, true));
        put(world, scene.team, id, ReplayState::Cancelled).await;
    }
}

pub(super) async fn events_go_to_another_subscription_with_numbers_of_their_own(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let events = happened(world, &scene, lane, 3).await;
    let other = elsewhere(world, &scene).await;
    let id = job(world, scene.team, ReplayFilter::default(), Some(other)).await;
    let done = work_off(world, id).await;
    assert_eq!((done.done, done.matched), (3, Some(3)));
    let taken = world.take(other, 10).await;
    assert_eq!(taken.len(), 3);
    for (leased, (number, event)) in taken.iter().zip((1..).zip(&events)) {
        assert_eq!((leased.event, leased.sequence), (event.id, number));
        assert_eq!(&leased.body, &event.body);
        assert_eq!(leased.event_type, KIND, "that of the event");
        assert_eq!((leased.lease.attempt, leased.replay), (1, Some(id)));
        // Every attempt of it is the job's, also those that the schedule makes.
        let at = world.now();
        world.settle(&[retry(leased, at, at)]).await;
        let again = world.take(other, 1).await.remove(0);
        assert_eq!((again.lease.attempt, again.replay), (2, Some(id)));
        assert_eq!(again.manual_by, None);
        world.settle(&[delivered(&again, at)]).await;
        let log = world.log(scene.team, again.lease.delivery).await;
        assert_eq!(log.delivery.made_by_job_id, Some(id));
        assert_eq!(log.delivery.event_type, KIND);
        let of: Vec<_> = log.attempts.iter().map(|attempt| attempt.replay).collect();
        assert_eq!(of, [Some(id), Some(id)]);
    }
    assert_eq!(world.take(lane, 10).await.len(), 0, "the first got nothing");
    world.happen(&scene, KIND).await;
    assert_eq!(world.take_one(lane).await.sequence, 4);
}

pub(super) async fn events_that_went_to_nobody_go_to_another_subscription(world: &World) {
    let scene = world.scene().await;
    let mut events = Vec::new();
    for _ in 0..2 {
        events.push(world.happen(&scene, KIND).await.id);
    }
    let late = world.subscribe(&scene, KIND).await.id;
    let id = job(world, scene.team, ReplayFilter::default(), Some(late)).await;
    assert_eq!(work_off(world, id).await.done, 2);
    let taken: Vec<_> = world.take(late, 10).await;
    let taken: Vec<_> = taken.iter().map(|leased| leased.event).collect();
    assert_eq!(taken, events);
}

pub(super) async fn what_another_subscription_has_is_not_made_twice(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 2).await;
    let newcomer = world.subscribe(&scene, KIND).await.id;
    happened(world, &scene, lane, 1).await;
    let skipped = |already_there| ReplaySkipped {
        already_there,
        ..ReplaySkipped::default()
    };
    for (done, there) in [(2, 1), (0, 3)] {
        let id = job(world, scene.team, ReplayFilter::default(), Some(newcomer)).await;
        let job = work_off(world, id).await;
        assert_eq!((job.done, job.skipped), (done, skipped(there)));
    }
    assert_eq!(listed(world, scene.team, newcomer).await.len(), 3);
}

pub(super) async fn a_job_whose_target_has_ended_is_cancelled(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 2).await;
    let other = elsewhere(world, &scene).await;
    let id = job(world, scene.team, ReplayFilter::default(), Some(other)).await;
    world.put_state(other, SubscriptionState::Gone).await;
    let job = work_off(world, id).await;
    assert_eq!((job.state, job.done), (ReplayState::Cancelled, 0));
    assert!(job.reason.contains("has ended"), "{job:?}");
    assert_eq!(listed(world, scene.team, other).await, []);
}

async fn put(world: &World, team: TeamId, id: ReplayJobId, state: ReplayState) -> ReplayChanged {
    let now = world.tick();
    let put = ReplayPut {
        state,
        reason: "Ann wants it so".to_owned(),
        now,
    };
    let unit = writing!([team, id, put] tx => tx.replay_put(*team, *id, put).await);
    world.write(unit).await
}

pub(super) async fn a_job_is_paused_resumed_and_cancelled(world: &World) {
    use ReplayState::{Cancelled, Paused, Running};
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 3).await;
    let (team, red) = (scene.team, world.team("Red").await);
    let id = job(world, team, ReplayFilter::default(), None).await;
    let step = next_step(world, id, 1).await;
    assert!(matches!(
        put(world, team, id, Running).await,
        ReplayChanged::Before(_)
    ));
    assert_eq!(put(world, red, id, Paused).await, ReplayChanged::NotThere);
    let ReplayChanged::Now(paused) = put(world, team, id, Paused).await else {
        panic!("it ran");
    };
    assert_eq!((paused.state, &*paused.reason), (Paused, "Ann wants it so"));
    assert_eq!(get(world, team, id).await, Some(paused));
    assert_eq!(take_step(world, &step).await, None, "it does not run");
    assert_eq!(running(world).await, []);
    assert!(matches!(
        put(world, team, id, Running).await,
        ReplayChanged::Now(_)
    ));
    assert_eq!(take_step(world, &step).await.expect("it runs").done, 1);
    let ReplayChanged::Now(job) = put(world, team, id, Cancelled).await else {
        panic!("it ran");
    };
    assert_eq!((job.state, job.done, job.matched), (Cancelled, 1, None));
    assert!(job.ended_date_time.is_some());
    assert!(matches!(
        put(world, team, id, Cancelled).await,
        ReplayChanged::Before(_)
    ));
    for state in [Running, Paused] {
        let answer = put(world, team, id, state).await;
        assert!(matches!(answer, ReplayChanged::Ended(_)), "{answer:?}");
    }
    assert_eq!(world.take(lane, 10).await.len(), 1);
}

pub(super) async fn the_rate_says_when_a_job_may_go_on(world: &World) {
    let (scene, lane) = one_lane(world).await;
    happened(world, &scene, lane, 6).await;
    let id = job(world, scene.team, ReplayFilter::default(), None).await;
    assert!(running(world).await[0].next_at <= world.now());
    let step = next_step(world, id, 5).await;
    take_step(world, &step).await;
    // Ten in a second.
    let half = step.now.after(Duration::from_millis(500));
    assert_eq!(running(world).await[0].next_at, half);
}

pub(super) async fn what_a_job_made_is_listed_and_goes_with_its_event(world: &World) {
    let (scene, lane) = one_lane(world).await;
    let events = happened(world, &scene, lane, 2).await;
    let other = elsewhere(world, &scene).await;
    world.clock.advance(Duration::from_hours(5));
    let before = world.now();
    let id = job(world, scene.team, ReplayFilter::default(), Some(other)).await;
    work_off(world, id).await;
    let page = async |query: DeliveryQuery| {
        let query = DeliveryQuery {
            limit: ALL,
            ..query
        };
        world.page(scene.team, query).await.len()
    };
    let of = DeliveryQuery {
        checklist: Some(scene.list.head.id),
        ..DeliveryQuery::default()
    };
    assert_eq!(page(of.clone()).await, 4, "of the checklist");
    let waiting = DeliveryQuery {
        state: Some(DeliveryState::Waiting),
        ..of
    };
    assert_eq!(page(waiting).await, 2);
    let since = DeliveryQuery {
        since: Some(before),
        until: Some(world.tick()),
        ..DeliveryQuery::default()
    };
    assert_eq!(page(since).await, 2, "listed by when it was made");
    let until = DeliveryQuery {
        until: Some(events[1].at.after(Duration::from_millis(1))),
        ..DeliveryQuery::default()
    };
    assert_eq!(page(until).await, 2);
    let leased = world.take(other, 1).await.remove(0);
    let at = world.now();
    world.settle(&[retry(&leased, at, at)]).await;
    let old = places(world).await;
    let answers = old.clone();
    let unit = writing!([answers] tx => tx.event_answers_remove(answers, ALL).await);
    assert_eq!(
        world.write(unit).await.rows,
        3,
        "two of the first, one of the copy"
    );
    let log = world.log(scene.team, leased.lease.delivery).await;
    assert!(log.attempts[0].response_body.is_empty());
    let (ending, bodies) = (
        store::Ending {
            stopped_by: None,
            state: DeliveryState::Expired,
            reason: "too old".to_owned(),
        },
        old.clone(),
    );
    let unit = writing!([bodies, ending] tx => tx.event_body_remove(bodies, ending, ALL).await);
    assert_eq!(world.write(unit).await.rows, 2);
    assert_eq!(world.take(other, 10).await.len(), 0);
    let unit = writing!([old] tx => tx.event_forget(old, Forget::All, 3).await);
    let slice = world.write(unit).await;
    assert_eq!((slice.rows, slice.more), (3, true));
    let unit = writing!([old] tx => tx.event_forget(old, Forget::All, ALL).await);
    assert_eq!(world.write(unit).await.rows, 1);
    assert_eq!(world.deliveries(scene.team).await, []);
}

pub(super) async fn jobs_that_ended_long_ago_are_removed(world: &World) {
    let (scene, _) = one_lane(world).await;
    let team = scene.team;
    let mut ids = Vec::new();
    for _ in 0..4 {
        ids.push(job(world, team, ReplayFilter::default(), None).await);
    }
    for id in &ids[..2] {
        work_off(world, *id).await;
    }
    world.clock.advance(Duration::from_hours(24));
    let before = world.now();
    put(world, team, ids[2], ReplayState::Cancelled).await;
    let forget = async |limit: u32| {
        let unit = writing!([before, limit] tx => tx.replay_forget(*before, *limit).await);
        world.write(unit).await
    };
    assert_eq!(
        (forget(1).await, forget(9).await, forget(9).await),
        (1, 1, 0)
    );
    for (id, is_there) in ids.iter().zip([false, false, true, true]) {
        assert_eq!(get(world, team, *id).await.is_some(), is_there);
    }
}
