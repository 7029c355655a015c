//! Runs units made at random, and compares what came of them with what must.

use domain::SubscriptionState;
use proptest::{prelude::*, test_runner::TestCaseResult};
use uuid::Uuid;

use super::{
    Bench, SqliteLimits, Told, bench,
    expected::{Committed, Expected, Happened},
    put,
    script::{LANES, Script, UNITS_MAX, unit},
    team_and, work,
};
use crate::Verdict;
use bench::{event, secrets, subscription};

/// So many permits that none is ever missing.
pub(super) const PLENTY: u32 = 1_000;

const NAMES: [&str; UNITS_MAX] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11"];

/// How many permits there are: none, a few, or more than can be asked for.
pub(super) fn permits() -> impl Strategy<Value = u32> {
    prop_oneof![1 => Just(0), 4 => 1..12_u32, 3 => Just(PLENTY)]
}

/// A bench with a team and its two subscriptions. The first is paused, so that there are two ways to give its
/// next revision to deliveries.
pub(super) fn bench(group_max: usize, permits: u32, lost: super::LostSync) -> Bench {
    let limits = SqliteLimits {
        group_max,
        ..SqliteLimits::default()
    };
    let mut bench = Bench::with(limits, lost);
    // Nobody pulls the plug here.
    bench.sync = Box::new(|| Ok(()));
    bench.keep(bench::scene());
    bench.keep(work(|tx| {
        Box::pin(async move {
            let other = subscription(LANES[1]);
            tx.subscription_insert(&other, &secrets(LANES[1]))
                .await
                .unwrap();
            Verdict::Keep
        })
    }));
    bench.keep(put(SubscriptionState::Paused));
    bench.engine.calls.lock().unwrap().clear();
    *bench.engine.free.lock().unwrap() = permits;
    bench
}

/// Runs the units as if they had queued up.
pub(super) fn run(bench: &mut Bench, scripts: Vec<Script>) -> Vec<Told> {
    let units = scripts.into_iter().enumerate();
    bench.run(
        units
            .map(|(n, script)| (NAMES[n], unit(n, script)))
            .collect(),
    )
}

/// Compares what was told, stored and handed over with what must be.
pub(super) fn check(
    bench: &mut Bench,
    told: &[Told],
    expected: &Expected,
    permits: u32,
) -> TestCaseResult {
    check_told(told, expected)?;
    prop_assert_eq!(&names(bench), &expected.tables.teams, "the teams");
    let rows = rows(bench);
    check_rows(&rows, &expected.tables.events, permits)?;
    check_handed(bench, &rows, expected)?;
    let (free, out) = (
        *bench.engine.free.lock().unwrap(),
        bench.engine.kept.lock().unwrap().len(),
    );
    prop_assert_eq!(
        free as usize + out,
        permits as usize,
        "permits, free and handed over"
    );
    prop_assert!(
        bench.writer.conn.is_autocommit(),
        "no transaction is left open"
    );
    bench.keep(team_and(Verdict::Keep));
    prop_assert_eq!(names(bench).len(), expected.tables.teams.len() + 1);
    Ok(())
}

/// Everybody is told once, in order, and not before others can see what was kept.
fn check_told(told: &[Told], expected: &Expected) -> TestCaseResult {
    prop_assert_eq!(told.len(), expected.told.len());
    for (place, (one, (what, group))) in told.iter().zip(&expected.told).enumerate() {
        let (name, told, seen) = one;
        prop_assert_eq!(*name, NAMES[place]);
        prop_assert_eq!(told, what, "what unit {} is told", place);
        let there = group.map_or(1, |group| expected.groups[group].teams);
        let seen = usize::try_from(*seen).unwrap();
        prop_assert!(seen >= there, "unit {place} was told too early");
    }
    Ok(())
}

fn names(bench: &Bench) -> Vec<String> {
    let look = bench.look();
    let mut names = look.prepare("SELECT name FROM team ORDER BY id").unwrap();
    let names = names.query_map((), |row| row.get(0)).unwrap();
    names.map(Result::unwrap).collect()
}

/// A delivery in its table.
#[derive(Debug)]
struct Stored {
    id: Uuid,
    lane: u128,
    sequence: i64,
    event: u128,
    leased: bool,
}

/// All deliveries, in the order in which they were stored.
fn rows(bench: &Bench) -> Vec<Stored> {
    let look = bench.look();
    let sql = "SELECT d.id, d.subscription_id, d.sequence, e.id, d.state
        FROM delivery d JOIN event e ON e.number = d.event ORDER BY d.id";
    let mut rows = look.prepare(sql).unwrap();
    let rows = rows.query_map((), |row| {
        let state: String = row.get(4)?;
        assert!(["leased", "waiting"].contains(&&*state), "{state}");
        Ok(Stored {
            id: row.get(0)?,
            lane: row.get::<_, Uuid>(1)?.as_u128(),
            sequence: row.get(2)?,
            event: row.get::<_, Uuid>(3)?.as_u128(),
            leased: state == "leased",
        })
    });
    rows.unwrap().map(Result::unwrap).collect()
}

/// Each event has its two deliveries, numbered without a gap, and leased as far as there are permits.
fn check_rows(rows: &[Stored], events: &[Happened], permits: u32) -> TestCaseResult {
    prop_assert_eq!(
        rows.len(),
        events.len() * LANES.len(),
        "deliveries of all events"
    );
    for (number, (rows, happened)) in (1..).zip(rows.chunks(LANES.len()).zip(events)) {
        let mut lanes: Vec<_> = rows.iter().map(|row| row.lane).collect();
        lanes.sort_unstable();
        prop_assert_eq!(&lanes[..], &LANES[..]);
        for row in rows {
            prop_assert_eq!(row.event, event(happened.number).id.uuid().as_u128());
            prop_assert_eq!(row.sequence, number, "numbers have no gap");
            let sends = row.lane != LANES[0] || happened.state.sends();
            let leased = match permits {
                0 => false,
                PLENTY => sends,
                _ => row.leased && sends,
            };
            prop_assert_eq!(row.leased, leased, "{:?} of {:?}", row, happened);
        }
    }
    Ok(())
}

/// What is leased was handed over, group by group and in order, and whoever has to look was woken.
fn check_handed(bench: &Bench, rows: &[Stored], expected: &Expected) -> TestCaseResult {
    let groups = expected.groups.iter().enumerate();
    let mut calls = Vec::new();
    let mut handed = Vec::new();
    for (number, group) in groups.filter(|(_, group)| group.durable) {
        let (leased, wake) = of_group(rows, number, group, &expected.tables.events);
        if !leased.is_empty() {
            let sequences: Vec<_> = leased.iter().map(|(row, _)| row.sequence).collect();
            calls.push(format!("hand over {sequences:?}"));
        }
        calls.extend(wake.then(|| "wake".to_owned()));
        handed.extend(leased);
    }
    let heard: Vec<_> = bench.engine.calls.lock().unwrap().clone();
    let heard: Vec<_> = heard.into_iter().filter(|call| call != "backlog").collect();
    prop_assert_eq!(heard, calls, "what the engine heard");
    let kept = bench.engine.kept.lock().unwrap();
    prop_assert_eq!(kept.len(), handed.len());
    for ((leased, _), (row, happened)) in kept.iter().zip(handed) {
        prop_assert_eq!(leased.lease.delivery.uuid(), row.id);
        prop_assert_eq!(leased.event.uuid().as_u128(), row.event);
        let destination = &leased.destination;
        prop_assert_eq!(destination.subscription.uuid().as_u128(), row.lane);
        if row.lane == LANES[0] {
            let stood = (destination.state, destination.revision);
            prop_assert_eq!(stood, (happened.state, happened.revision));
        }
    }
    Ok(())
}

/// What a group has leased, and whether it has stored anything due besides.
fn of_group<'a>(
    rows: &'a [Stored],
    number: usize,
    group: &Committed,
    events: &'a [Happened],
) -> (Vec<(&'a Stored, &'a Happened)>, bool) {
    let pairs = rows.chunks(LANES.len()).zip(events);
    let of_it = pairs.filter(|(_, happened)| happened.group == number);
    let of_it = of_it.flat_map(|(rows, happened)| rows.iter().map(move |row| (row, happened)));
    let (leased, waiting): (Vec<_>, Vec<_>) = of_it.partition(|(row, _)| row.leased);
    let due =
        |(row, happened): &(&Stored, &Happened)| row.lane != LANES[0] || happened.state.sends();
    let wake = group.resumed || waiting.iter().any(due);
    (leased, wake)
}
