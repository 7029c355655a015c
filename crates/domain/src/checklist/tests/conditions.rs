//! What conditions hide, and what that means for everything else.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what `json!` makes is written where it is used"
)]

use proptest::{prelude::*, sample::Index};

use super::*;
use crate::{PublicUrl, TaskRow};

/// A checklist of a document, or what is wrong with it.
pub(super) fn of(document: Value) -> Result<Checklist, String> {
    let document: TemplateDocument = serde_json::from_value(document).unwrap();
    let known = KnownKeys::default();
    let template = Template::from_document(&document, TemplateKey::ZERO, &known, &test_source());
    let template = template.map_err(|errors| {
        let said = errors
            .iter()
            .map(|error| format!("{} {}", error.field, error.message));
        said.collect::<Vec<_>>().join("\n")
    })?;
    let mut list = checklist(json!([{"name": "a"}]));
    list.template = Arc::new(template);
    list.tasks = vec![TaskState::default(); list.template.tasks.len()];
    Ok(list)
}

/// Decide, a heading, Pay with an amount and a note, Refuse. Approving shows Pay, rejecting hides the
/// heading; a large amount shows the note.
fn invoices() -> Checklist {
    of(json!({"name": "T", "tasks": [
        {"name": "Decide", "controls": [{"type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"]}]},
        {"name": "Money", "heading": true},
        {"name": "Pay", "hidden": true, "halt": "task", "controls": [
            {"type": "ShortText", "name": "Amount", "required": true},
            {"type": "LongText", "name": "Note", "required": true, "hidden": true}]},
        {"name": "Refuse", "hidden": true},
        {"name": "File it"}],
        "conditions": [
            {"when": [{"control": "Decision", "operator": "is", "value": "Approve"}], "show": ["Pay"]},
            {"when": [{"control": "Decision", "operator": "is", "value": "Reject"}], "show": ["Refuse"], "hide": ["Money"]},
            {"when": [{"control": "Amount", "operator": "contains", "value": "large"}], "show": ["Pay / Note"]}]}))
    .unwrap()
}

const DECISION: usize = 0;
const AMOUNT: usize = 1;
const NOTE: usize = 2;

fn hold(list: &mut Checklist, place: usize, value: &str) {
    list.set_field(place, value.to_owned(), Timestamp::from_millis(7));
}

fn hidden_tasks(list: &Checklist) -> Vec<usize> {
    let hidden = list.hidden();
    (0..list.tasks.len())
        .filter(|index| hidden.task(*index))
        .collect()
}

#[test]
fn values_show_and_hide_tasks_headings_and_controls() {
    let mut list = invoices();
    assert_eq!(hidden_tasks(&list), [2, 3]);
    hold(&mut list, DECISION, "Reject");
    assert_eq!(hidden_tasks(&list), [1, 2]);
    hold(&mut list, DECISION, "Approve");
    assert_eq!(hidden_tasks(&list), [3]);
    assert!(list.hidden().control(NOTE) && !list.hidden().control(AMOUNT));
    hold(&mut list, AMOUNT, "quite LARGE");
    assert!(!list.hidden().control(NOTE));
    // What is in a hidden task is hidden, and counts as empty where conditions look at it.
    hold(&mut list, DECISION, "");
    assert!(list.hidden().control(NOTE) && list.hidden().control(AMOUNT));
    assert_eq!(list.value(AMOUNT), Some("quite LARGE"));
}

#[test]
fn halts_and_checks_pass_over_what_is_hidden() {
    let mut list = invoices();
    assert_eq!(list.halted_by(4), None);
    hold(&mut list, DECISION, "Approve");
    assert_eq!(list.halted_by(4), Some(2));
    hold(&mut list, AMOUNT, "12");
    // The note is required, but hidden.
    assert_eq!(
        set(&mut list, 2, TaskStatus::Complete),
        Ok(StatusChange::Completed)
    );
    assert_eq!(list.halted_by(4), None);
}

#[test]
fn a_hidden_halt_on_all_before_it_holds_nobody_up() {
    let mut list = of(json!({"name": "T", "tasks": [
        {"name": "a", "controls": [{"type": "ShortText", "name": "c"}]},
        {"name": "b", "halt": "preceding"}, {"name": "d"}],
        "conditions": [{"when": [{"control": "c", "operator": "isFilled"}], "hide": ["b"]}]}))
    .unwrap();
    assert_eq!(list.halted_by(2), Some(1));
    hold(&mut list, 0, "x");
    assert_eq!(list.halted_by(2), None);
}

#[test]
fn hidden_things_do_not_change() {
    let mut list = invoices();
    let refused = |result: Result<StatusChange, Refusal>| result.unwrap_err().to_string();
    for status in [TaskStatus::Complete, TaskStatus::NotApplicable] {
        assert!(refused(set(&mut list, 2, status)).starts_with("\"Pay\" is hidden"));
    }
    let hidden = |what: &str| what.to_owned();
    assert_eq!(
        list.may_edit(2, AMOUNT),
        Err(Refusal::TaskHidden(hidden("Pay")))
    );
    hold(&mut list, DECISION, "Approve");
    assert_eq!(list.may_edit(2, AMOUNT), Ok(()));
    assert_eq!(
        list.may_edit(2, NOTE),
        Err(Refusal::ControlHidden(hidden("Note")))
    );
    // Nor do they when they were done before.
    hold(&mut list, AMOUNT, "1");
    set(&mut list, 2, TaskStatus::Complete).unwrap();
    hold(&mut list, DECISION, "Reject");
    assert!(refused(set(&mut list, 2, TaskStatus::Incomplete)).starts_with("\"Pay\" is hidden"));
}

#[test]
fn the_end_time_follows_what_is_visible() {
    let mut list = invoices();
    set(&mut list, 4, TaskStatus::Complete).unwrap();
    hold(&mut list, DECISION, "Approve");
    list.set_field(AMOUNT, "1".to_owned(), Timestamp::from_millis(8));
    set(&mut list, 2, TaskStatus::Complete).unwrap();
    assert_eq!(list.head.ended_at, None);
    set(&mut list, 0, TaskStatus::Complete).unwrap();
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(5)));
    // Only a value that is changed by hand could do this, for its task is done; the rule is the same.
    hold(&mut list, DECISION, "Reject");
    assert_eq!(list.head.ended_at, None, "Refuse is to be done now");
    hold(&mut list, DECISION, "Approve");
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(7)));
}

#[test]
fn rows_say_what_is_hidden_and_keep_its_values_back() {
    let mut list = invoices();
    hold(&mut list, DECISION, "Approve");
    hold(&mut list, AMOUNT, "12");
    let url = PublicUrl::new("http://x").unwrap();
    let row = TaskRow::of(&list, 2, &url);
    assert!(!row.task_is_currently_hidden);
    let names = |row: &TaskRow| {
        row.fields
            .iter()
            .map(|field| field.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(names(&row), ["Amount"]);
    hold(&mut list, DECISION, "Reject");
    let row = TaskRow::of(&list, 2, &url);
    assert!(row.task_is_currently_hidden && row.fields.is_empty());
    assert!(!TaskRow::of(&list, 3, &url).task_is_currently_hidden);
}

/// With `value` in a control of this type, the test holds exactly if it should.
#[track_caller]
fn check_test(control: Value, test: (&str, Option<&str>), value: &str, holds: bool) {
    let (operator, compared) = test;
    let mut test = json!({"control": "c", "operator": operator});
    if let Some(compared) = compared {
        test["value"] = compared.into();
    }
    let mut list = of(json!({"name": "T",
        "tasks": [{"name": "a", "controls": [control]}, {"name": "b"}],
        "conditions": [{"when": [test], "hide": ["b"]}]}))
    .unwrap();
    hold(&mut list, 0, value);
    assert_eq!(
        list.hidden().task(1),
        holds,
        "{operator} {compared:?} of {value:?}"
    );
}

#[test]
fn each_operator_means_what_it_says() {
    let text = || json!({"type": "ShortText", "name": "c"});
    check_test(text(), ("is", Some("Yes")), " yes", true);
    check_test(text(), ("is", Some("Yes")), "yes!", false);
    check_test(text(), ("isNot", Some("Yes")), "", true);
    check_test(text(), ("isNot", Some("Yes")), "YES", false);
    check_test(text(), ("contains", Some("über")), "Hinüber: ÜBER", true);
    check_test(text(), ("isEmpty", None), "  ", true);
    check_test(text(), ("isFilled", None), "  ", false);
    let choices = || json!({"type": "MultiChoice", "name": "c", "options": ["A", "B"]});
    check_test(choices(), ("contains", Some("A")), r#"["A","B"]"#, true);
    check_test(choices(), ("is", Some("A")), r#"["A","B"]"#, false);
    check_test(choices(), ("is", Some("A")), r#"["A"]"#, true);
    check_test(choices(), ("contains", Some("A")), "", false);
    let drop = json!({"type": "DropDown", "name": "c", "options": ["A", "a"]});
    check_test(drop, ("is", Some("A")), "a", false);
}

#[test]
fn dates_are_compared_by_day_or_by_moment() {
    let check = |operator, compared, value, holds| {
        let date = json!({"type": "Date", "name": "c"});
        check_test(date, (operator, Some(compared)), value, holds);
    };
    check("before", "2026-11-23", "2026-11-22", true);
    check("before", "2026-11-23", "2026-11-23", false);
    check("after", "2026-11-23", "2026-11-24", true);
    // The day as it was written, whatever the moment is elsewhere.
    check("is", "2026-11-23", "2026-11-23T23:30:00-08:00", true);
    check("after", "2026-11-23", "2026-11-23T23:30:00-08:00", false);
    check(
        "is",
        "2026-11-23T10:00:00Z",
        "2026-11-23T11:00:00+01:00",
        true,
    );
    check("after", "2026-11-23T10:00:00Z", "2026-11-24", true);
    check("before", "2026-11-23T10:00:00Z", "2026-11-23", true);
    check("before", "2026-11-23", "", false);
    check("isNot", "2026-11-23", "", true);
}

#[test]
fn all_tests_must_hold_and_the_last_condition_decides() {
    let mut list = of(json!({"name": "T", "tasks": [
        {"name": "a", "controls": [{"type": "ShortText", "name": "c"}, {"type": "ShortText", "name": "d"}]},
        {"name": "b"}],
        "conditions": [
            {"when": [{"control": "c", "operator": "isFilled"}, {"control": "d", "operator": "isFilled"}], "hide": ["b"]},
            {"when": [{"control": "d", "operator": "is", "value": "stay"}], "show": ["b"]}]}))
    .unwrap();
    for (c, d, hidden) in [
        ("x", "", false),
        ("x", "y", true),
        ("x", "stay", false),
        ("", "y", false),
    ] {
        hold(&mut list, 0, c);
        hold(&mut list, 1, d);
        assert_eq!(list.hidden().task(1), hidden, "{c:?} {d:?}");
    }
}

#[test]
fn a_circle_is_refused_and_named() {
    let refusal = of(json!({"name": "T", "tasks": [
        {"name": "a", "controls": [{"type": "ShortText", "name": "c"}]},
        {"name": "b", "controls": [{"type": "ShortText", "name": "d"}]}, {"name": "e"}],
        "conditions": [
            {"when": [{"control": "d", "operator": "isFilled"}], "show": ["e", "a"]},
            {"when": [{"control": "c", "operator": "isEmpty"}], "hide": ["d"]}]}))
    .unwrap_err();
    assert_eq!(
        refusal,
        "conditions go in a circle: whether \"d\" is shown depends on \"c\" in \"a\", and whether \"a\" is \
         shown depends on \"d\" in \"b\"; take one of them out"
    );
}

/// Tasks `t0` to `t4`, each with the text `c0` to `c4`, begun hidden or not.
const MANY: usize = 5;

/// Whether a part is a task, its number, whether it is shown (else hidden), by the text of which number
/// being `x`.
type Drawn = (bool, usize, bool, usize);

fn drawn(begun: &[bool], conditions: &[Drawn]) -> Result<Checklist, String> {
    let part = |task: bool, number: usize| format!("{}{number}", if task { 't' } else { 'c' });
    let tasks: Vec<Value> = (0..MANY)
        .map(|n| {
            json!({"name": part(true, n), "hidden": begun[2 * n], "controls": [
                {"type": "ShortText", "name": part(false, n), "hidden": begun[2 * n + 1]}]})
        })
        .collect();
    let conditions: Vec<Value> = conditions
        .iter()
        .map(|(task, number, shows, by)| {
            let what = if *shows { "show" } else { "hide" };
            let test = json!({"control": part(false, *by), "operator": "is", "value": "x"});
            json!({"when": [test], what: [part(*task, *number)]})
        })
        .collect();
    of(json!({"name": "T", "tasks": tasks, "conditions": conditions}))
}

/// Whether the part follows, over however many conditions, from itself. A part is a number twice that of
/// its task, and one more for the text in it.
fn circular(conditions: &[Drawn]) -> bool {
    let mut leads = [[false; 2 * MANY]; 2 * MANY];
    for (task, number, _, by) in conditions {
        let part = 2 * number + usize::from(!task);
        leads[part][2 * by] = true;
        leads[part][2 * by + 1] = true;
    }
    for k in 0..2 * MANY {
        for i in 0..2 * MANY {
            for j in 0..2 * MANY {
                leads[i][j] |= leads[i][k] && leads[k][j];
            }
        }
    }
    (0..2 * MANY).any(|part| leads[part][part])
}

/// What is hidden, by doing what the conditions say again and again until nothing changes. Where they go
/// in a circle it may never end.
fn settled(begun: &[bool], conditions: &[Drawn], values: &[bool]) -> Vec<bool> {
    let mut hidden = begun.to_vec();
    for _ in 0..=conditions.len() + 1 {
        let mut next = begun.to_vec();
        for (task, number, shows, by) in conditions {
            if values[*by] && !hidden[2 * by] && !hidden[2 * by + 1] {
                next[2 * number + usize::from(!task)] = !shows;
            }
        }
        if next == hidden {
            return hidden;
        }
        hidden = next;
    }
    panic!("a circle was taken: {conditions:?}")
}

fn any_conditions() -> impl Strategy<Value = Vec<Drawn>> {
    let drawn = (any::<bool>(), 0..MANY, any::<bool>(), 0..MANY);
    prop::collection::vec(drawn, 0..7)
}

/// The circle that a refusal names, as links: what is shown, by which text of which task.
fn links(refusal: &str) -> Vec<[&str; 3]> {
    let quoted: Vec<&str> = refusal.split('"').skip(1).step_by(2).collect();
    quoted
        .chunks_exact(3)
        .map(|link| [link[0], link[1], link[2]])
        .collect()
}

proptest! {
    /// Conditions are refused exactly when they go in a circle, and the refusal names one that there is.
    #[test]
    fn no_circle_is_taken(conditions in any_conditions()) {
        let taken = drawn(&[false; 2 * MANY], &conditions);
        prop_assert_eq!(taken.is_err(), circular(&conditions));
        if let Err(refusal) = taken {
            let links = links(&refusal);
            prop_assert!(!links.is_empty());
            for (index, [part, by, within]) in links.iter().enumerate() {
                let number = |name: &str| name[1..].parse::<usize>().unwrap();
                let is = |drawn: &Drawn| {
                    drawn.0 == part.starts_with('t') && drawn.1 == number(part) && drawn.3 == number(by)
                };
                prop_assert!(conditions.iter().any(is), "{} is no link", refusal);
                prop_assert_eq!(number(by), number(within));
                let next = links[(index + 1) % links.len()][0];
                prop_assert!(next == *by || next == *within, "{} is not closed", refusal);
            }
        }
    }

    /// What is hidden is what the conditions say, whatever came first.
    #[test]
    fn any_order_of_the_same_edits_gives_the_same(
        begun in prop::collection::vec(any::<bool>(), 2 * MANY),
        conditions in any_conditions(),
        values in prop::collection::vec(any::<bool>(), MANY),
        complete in prop::collection::vec(any::<bool>(), MANY),
        orders in prop::collection::vec(prop::collection::vec(any::<Index>(), MANY), 2),
        detours in prop::collection::vec(0..MANY, 0..5),
    ) {
        let Ok(mut list) = drawn(&begun, &conditions) else {
            return Ok(());
        };
        for (state, complete) in list.tasks.iter_mut().zip(&complete) {
            if *complete {
                state.status = TaskStatus::Complete;
            }
        }
        let expected = settled(&begun, &conditions, &values);
        let mut ends = Vec::new();
        for order in &orders {
            let mut list = list.clone();
            for place in &detours {
                hold(&mut list, *place, "x");
            }
            let mut places: Vec<usize> = (0..MANY).collect();
            for index in order {
                let place = places.remove(index.index(places.len()));
                hold(&mut list, place, if values[place] { "x" } else { "" });
            }
            let hidden = list.hidden();
            for number in 0..MANY {
                prop_assert_eq!(hidden.task(number), expected[2 * number]);
                let own = expected[2 * number + 1];
                prop_assert_eq!(hidden.control(number), own || expected[2 * number]);
            }
            ends.push(list.head.ended_at);
            let open = (0..MANY).any(|number| !hidden.task(number) && !complete[number]);
            if conditions.iter().any(|drawn| values[drawn.3]) {
                prop_assert_eq!(list.head.ended_at.is_none(), open);
            }
        }
        if detours.is_empty() {
            prop_assert_eq!(ends[0], ends[1]);
        }
    }
}
