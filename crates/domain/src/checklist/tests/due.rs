//! When tasks are due.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what `json!` makes is written where it is used"
)]

use proptest::prelude::*;

use super::{conditions::of, *};
use crate::{PublicUrl, TaskRow};

fn moment(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// Tasks a, b and c; c is due by `rule`. a has the date `Day`.
fn due_by(rule: Value) -> Checklist {
    let mut list = of(json!({"name": "T", "tasks": [
        {"name": "a", "controls": [{"type": "Date", "name": "Day"}]},
        {"name": "b"}, {"name": "h", "heading": true}, {"name": "c", "due": rule}]}))
    .unwrap();
    list.head.started_at = Some(moment("2026-11-25T10:20:30Z"));
    list
}

const C: usize = 3;

fn due(list: &Checklist, index: usize) -> Option<String> {
    let due = list.due_at(index, &list.hidden())?;
    Some(due.to_string().replace(".000Z", "Z"))
}

#[track_caller]
fn check(rule: Value, expected: &str) {
    let said = rule.to_string();
    assert_eq!(due(&due_by(rule), C).as_deref(), Some(expected), "{said}");
}

#[test]
fn offsets_count_months_first_and_stop_at_the_end_of_a_month() {
    check(json!({"days": 3}), "2026-11-28T10:20:30Z");
    check(
        json!({"from": "start", "months": 1, "days": 1, "hours": 14, "minutes": 40}),
        "2026-12-27T01:00:30Z",
    );
    check(
        json!({"months": 3, "days": 5, "time": "17:00"}),
        "2027-03-02T17:00:00Z",
    );
    check(json!({}), "2026-11-25T10:20:30Z");
    let mut list = due_by(json!({"months": 1}));
    list.head.started_at = Some(moment("2027-01-31T08:00:00Z"));
    assert_eq!(due(&list, C).unwrap(), "2027-02-28T08:00:00Z");
}

#[test]
fn places_in_the_calendar_are_never_before_what_is_counted_from() {
    // 25 November 2026 is a Wednesday.
    let check = |place: &str, day: &str, expected: &str| {
        let rule = json!({"calendar": {"place": place, "day": day}});
        check(rule, &format!("{expected}T23:59:00Z"));
    };
    check("next", "friday", "2026-11-27");
    check("next", "wednesday", "2026-12-02");
    check("next", "day", "2026-11-26");
    check("next", "weekday", "2026-11-26");
    check("last", "weekday", "2026-11-30");
    check("last", "day", "2026-11-30");
    check("last", "sunday", "2026-11-29");
    check("last", "tuesday", "2026-12-29");
    check("fourth", "wednesday", "2026-11-25");
    check("first", "monday", "2026-12-07");
    check("second", "weekday", "2026-12-02");
    check("third", "saturday", "2026-12-19");
    let rule = json!({"calendar": {"place": "next", "day": "friday"}, "time": "09:30"});
    super::due::check(rule, "2026-11-27T09:30:00Z");
}

#[test]
fn a_task_is_due_after_another_was_done() {
    for (rule, waits_for) in [
        (json!({"from": "previous", "days": 1}), 1),
        (json!({"from": "task", "task": "a", "days": 1}), 0),
    ] {
        let mut list = due_by(rule);
        assert_eq!(due(&list, C), None);
        let at = Done {
            at: moment("2026-12-31T23:00:00Z"),
            ..done(0)
        };
        list.set_status(waits_for, TaskStatus::NotApplicable, at)
            .unwrap();
        assert_eq!(due(&list, C).unwrap(), "2027-01-01T23:00:00Z");
        set(&mut list, waits_for, TaskStatus::Incomplete).unwrap();
        assert_eq!(due(&list, C), None);
    }
}

#[test]
fn the_task_before_is_the_last_that_is_not_hidden() {
    let mut list = of(json!({"name": "T", "tasks": [
        {"name": "a", "controls": [{"type": "ShortText", "name": "skip"}]},
        {"name": "b"}, {"name": "c", "due": {"from": "previous"}},
        {"name": "d", "due": {"from": "task", "task": "b"}}],
        "conditions": [{"when": [{"control": "skip", "operator": "isFilled"}], "hide": ["b"]}]}))
    .unwrap();
    for task in [0, 1] {
        set(&mut list, task, TaskStatus::Complete).unwrap();
        list.tasks[task].done.as_mut().unwrap().at = Timestamp::from_millis(i64::from(task == 1));
    }
    let due = |list: &Checklist, task| list.due_at(task, &list.hidden()).map(Timestamp::as_millis);
    assert_eq!((due(&list, 2), due(&list, 3)), (Some(1), Some(1)));
    list.set_field(0, "x".to_owned(), Timestamp::from_millis(7));
    assert_eq!((due(&list, 2), due(&list, 3)), (Some(0), None));
}

#[test]
fn a_date_in_a_control_is_counted_from_both_ways() {
    let due = |rule: Value, day: &str| {
        let mut list = due_by(rule);
        list.set_field(0, day.to_owned(), Timestamp::from_millis(7));
        due(&list, C)
    };
    let rule = |more: Value| {
        let mut rule = json!({"from": "control", "control": "Day"});
        rule.as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        rule
    };
    assert_eq!(due(rule(json!({"days": 1})), ""), None);
    let day = "2026-12-24";
    assert_eq!(due(rule(json!({})), day).unwrap(), "2026-12-24T23:59:00Z");
    assert_eq!(
        due(rule(json!({"days": 2, "before": true})), day).unwrap(),
        "2026-12-22T23:59:00Z"
    );
    assert_eq!(
        due(rule(json!({"hours": 2, "before": true})), day).unwrap(),
        "2026-12-23T22:00:00Z"
    );
    assert_eq!(
        due(rule(json!({"time": "08:00"})), day).unwrap(),
        "2026-12-24T08:00:00Z"
    );
    let exact = "2026-12-24T18:00:00+01:00";
    assert_eq!(
        due(rule(json!({"months": 1})), exact).unwrap(),
        "2027-01-24T17:00:00Z"
    );
    // Beyond the end of the calendar there is no date.
    assert_eq!(due(rule(json!({"months": 1_200})), "9990-01-01"), None);
}

#[test]
fn a_date_by_hand_overrules_the_rule_until_it_is_cleared() {
    let mut list = due_by(json!({"days": 1}));
    let by_hand = Some(moment("2030-01-01T00:00:00Z"));
    assert_eq!(list.set_due(C, by_hand), Ok(true));
    assert_eq!(list.set_due(C, by_hand), Ok(false));
    let url = PublicUrl::new("http://x").unwrap();
    assert_eq!(TaskRow::of(&list, C, &url).task_due_date_time, by_hand);
    assert_eq!(list.set_due(C, None), Ok(true));
    assert_eq!(due(&list, C).unwrap(), "2026-11-26T10:20:30Z");
    assert_eq!(
        list.set_due(2, by_hand),
        Err(Refusal::TaskIsHeading("h".to_owned()))
    );
    list.head.archived_at = by_hand;
    assert_eq!(list.set_due(C, by_hand), Err(Refusal::ChecklistArchived));
}

#[test]
fn a_checklist_that_waits_for_its_schedule_has_no_dates() {
    let mut list = due_by(json!({"days": 1}));
    list.head.started_at = None;
    assert_eq!(due(&list, C), None);
}

#[test]
fn a_circle_of_due_rules_is_refused_and_named() {
    let after = |task: &str| json!({"from": "task", "task": task});
    let refusal = of(json!({"name": "T", "tasks": [
        {"name": "a", "due": after("c")}, {"name": "b", "due": {"from": "previous"}},
        {"name": "c", "due": {"from": "previous"}}]}))
    .unwrap_err();
    assert_eq!(
        refusal,
        "tasks have due rules that go in a circle: \"a\" is due after \"c\" is due after \"b\" is due after \"a\"; \
         change one of them"
    );
    let alone = of(json!({"name": "T", "tasks": [{"name": "a", "due": after("a")}]})).unwrap_err();
    assert!(alone.contains("\"a\" is due after \"a\";"), "{alone}");
}

const MANY: usize = 5;

/// For each task: whether it may be hidden, and after which it is due: none, the one before, or a named one.
fn any_tasks() -> impl Strategy<Value = Vec<(bool, Option<Option<usize>>)>> {
    let after = prop::option::of(prop::option::of(0..MANY));
    prop::collection::vec((any::<bool>(), after), MANY)
}

proptest! {
    /// Rules are refused exactly when they go in a circle, whatever is hidden, and the refusal names one
    /// that there is.
    #[test]
    fn no_circle_of_due_rules_is_taken(drawn in any_tasks()) {
        let mut leads = [[false; MANY]; MANY];
        let mut tasks = Vec::new();
        for (index, (hidden, after)) in drawn.iter().enumerate() {
            let mut task = json!({"name": format!("t{index}"), "hidden": hidden});
            match after {
                None => {}
                Some(None) if index == 0 => {}
                Some(None) => {
                    task["due"] = json!({"from": "previous"});
                    for before in (0..index).rev() {
                        leads[index][before] = true;
                        if !drawn[before].0 {
                            break;
                        }
                    }
                }
                Some(Some(other)) => {
                    task["due"] = json!({"from": "task", "task": format!("t{other}")});
                    leads[index][*other] = true;
                }
            }
            tasks.push(task);
        }
        let links = leads;
        for k in 0..MANY {
            for i in 0..MANY {
                for j in 0..MANY {
                    leads[i][j] |= leads[i][k] && leads[k][j];
                }
            }
        }
        let circular = (0..MANY).any(|task| leads[task][task]);
        let taken = of(json!({"name": "T", "tasks": tasks}));
        prop_assert_eq!(taken.is_err(), circular);
        if let Err(refusal) = taken {
            let named: Vec<usize> = refusal
                .split('"')
                .skip(1)
                .step_by(2)
                .map(|name| name[1..].parse().unwrap())
                .collect();
            prop_assert!(named.len() > 1 && named.first() == named.last(), "{}", refusal);
            for link in named.windows(2) {
                prop_assert!(links[link[0]][link[1]], "{}", refusal);
            }
        }
    }
}
