use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;

use crate::{FileKey, KnownKeys, TemplateDocument, TemplateKey, test_source};

mod conditions;
mod due;
mod parameters;

fn checklist(tasks: Value) -> Checklist {
    let document = TemplateDocument {
        name: "T".to_owned(),
        tasks: serde_json::from_value(tasks).unwrap(),
        ..TemplateDocument::default()
    };
    let known = KnownKeys::default();
    let template = Template::from_document(&document, TemplateKey::ZERO, &known, &test_source());
    let head = ChecklistHead {
        id: ChecklistId::new(3),
        key: ChecklistKey::ZERO,
        team: TeamId::new(1),
        version: VersionId::ZERO,
        name: "C".to_owned(),
        created: done(0),
        scheduled_at: None,
        started_at: Some(Timestamp::from_millis(0)),
        ended_at: None,
        archived_at: None,
    };
    Checklist::new(head, Arc::new(template.unwrap()))
}

fn done(at: i64) -> Done {
    let by = Person {
        name: "Ann".to_owned(),
        email: None,
    };
    Done {
        at: Timestamp::from_millis(at),
        by,
    }
}

fn set(list: &mut Checklist, task: usize, to: TaskStatus) -> Result<StatusChange, Refusal> {
    list.set_status(task, to, done(5))
}

/// With the tasks in `complete` done, exactly those in `halted` are halted.
#[track_caller]
fn check_halts(tasks: Value, complete: &[usize], halted: &[usize]) {
    let mut list = checklist(tasks);
    for index in complete {
        list.tasks[*index].status = TaskStatus::Complete;
    }
    let found: Vec<usize> = (0..list.tasks.len())
        .filter(|i| list.halted_by(*i).is_some())
        .collect();
    assert_eq!(found, halted, "with {complete:?} complete");
}

#[test]
fn a_halt_holds_up_what_follows_until_its_task_is_done() {
    let tasks =
        || json!([{"name": "a"}, {"name": "b", "halt": "task"}, {"name": "c"}, {"name": "d"}]);
    check_halts(tasks(), &[], &[2, 3]);
    check_halts(tasks(), &[0], &[2, 3]);
    check_halts(tasks(), &[1], &[]);
}

#[test]
fn the_other_halt_wants_all_before_it_as_well() {
    let tasks = || json!([{"name": "a"}, {"name": "h", "heading": true}, {"name": "b", "halt": "preceding"}, {"name": "c"}]);
    check_halts(tasks(), &[], &[3]);
    check_halts(tasks(), &[2], &[3]);
    check_halts(tasks(), &[0], &[3]);
    check_halts(tasks(), &[0, 2], &[]);
}

#[test]
fn a_halt_on_every_task_gives_strict_order() {
    let tasks = || json!([{"name": "a", "halt": "task"}, {"name": "b", "halt": "task"}, {"name": "c", "halt": "task"}]);
    check_halts(tasks(), &[], &[1, 2]);
    check_halts(tasks(), &[0], &[2]);
    // Done out of order (before the template's halts were there): still the first open one counts.
    check_halts(tasks(), &[1], &[1, 2]);
}

#[test]
fn not_applicable_counts_as_done_and_needs_no_controls() {
    let mut list = checklist(json!([
        {"name": "a", "halt": "task", "controls": [{"type": "ShortText", "name": "x", "required": true}]},
        {"name": "b"}]));
    assert_eq!(
        set(&mut list, 0, TaskStatus::NotApplicable),
        Ok(StatusChange::Silent)
    );
    assert_eq!(list.halted_by(1), None);
    assert_eq!(list.tasks[0].completions, 0);
    assert_eq!(
        set(&mut list, 1, TaskStatus::Complete),
        Ok(StatusChange::Completed)
    );
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(5)));
}

#[test]
fn halted_tasks_can_be_neither_completed_nor_not_applicable() {
    let mut list = checklist(json!([{"name": "a", "halt": "preceding"}, {"name": "b"}]));
    for to in [TaskStatus::Complete, TaskStatus::NotApplicable] {
        let refusal = set(&mut list, 1, to).unwrap_err();
        assert_eq!(
            refusal.to_string(),
            "the task waits for \"a\" and the tasks before it; complete that first"
        );
    }
}

#[test]
fn what_was_done_before_a_halt_came_back_can_still_be_reopened() {
    let mut list = checklist(json!([{"name": "a", "halt": "task"}, {"name": "b"}]));
    set(&mut list, 0, TaskStatus::Complete).unwrap();
    set(&mut list, 1, TaskStatus::Complete).unwrap();
    set(&mut list, 0, TaskStatus::Incomplete).unwrap();
    assert_eq!(list.halted_by(1), Some(0));
    assert_eq!(
        set(&mut list, 1, TaskStatus::Complete),
        Ok(StatusChange::None)
    );
    assert_eq!(
        set(&mut list, 1, TaskStatus::Incomplete),
        Ok(StatusChange::Silent)
    );
}

#[test]
fn the_same_status_again_changes_nothing() {
    let mut list = checklist(json!([{"name": "a"}, {"name": "b"}]));
    assert_eq!(
        set(&mut list, 0, TaskStatus::Incomplete),
        Ok(StatusChange::None)
    );
    set(&mut list, 0, TaskStatus::Complete).unwrap();
    let before = list.tasks.clone();
    assert_eq!(
        list.set_status(0, TaskStatus::Complete, done(99)),
        Ok(StatusChange::None)
    );
    assert_eq!(list.tasks, before);
}

#[test]
fn completing_again_counts_up_and_the_end_time_follows() {
    let mut list = checklist(json!([{"name": "h", "heading": true}, {"name": "a"}]));
    set(&mut list, 1, TaskStatus::Complete).unwrap();
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(5)));
    set(&mut list, 1, TaskStatus::Incomplete).unwrap();
    assert_eq!((list.head.ended_at, &list.tasks[1].done), (None, &None));
    list.set_status(1, TaskStatus::Complete, done(9)).unwrap();
    assert_eq!(list.tasks[1].completions, 2);
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(9)));
    // Finding a complete task not applicable leaves a finished checklist finished when it was.
    list.set_status(1, TaskStatus::NotApplicable, done(20))
        .unwrap();
    assert_eq!(list.head.ended_at, Some(Timestamp::from_millis(9)));
}

#[test]
fn a_refusal_lists_every_failing_control() {
    let mut list = checklist(json!([{"name": "a", "controls": [
        {"type": "ShortText", "name": "Number", "required": true, "pattern": "INV-[0-9]+"},
        {"type": "Date", "name": "Paid"},
        {"type": "FileUpload", "name": "Scan", "minFiles": 1}]}]));
    list.fields.insert(
        0,
        FieldState {
            value: "7".to_owned(),
            files: Vec::new(),
        },
    );
    let refusal = set(&mut list, 0, TaskStatus::Complete).unwrap_err();
    let Refusal::ControlsUnsatisfied(failures) = &refusal else {
        panic!("{refusal}")
    };
    let codes: Vec<_> = failures
        .iter()
        .map(|f| (f.name.as_str(), f.reason.code(), f.field.index()))
        .collect();
    assert_eq!(codes, [("Number", "pattern", 0), ("Scan", "min_files", 2)]);
    assert_eq!(
        refusal.to_string(),
        "the task can't be completed yet: \"Number\" must match INV-[0-9]+; \"Scan\" needs at least 1 file, has 0"
    );
    assert_eq!(list.tasks[0], TaskState::default());
}

#[test]
fn headings_have_no_status() {
    let mut list = checklist(json!([{"name": "h", "heading": true}, {"name": "a"}]));
    let refusal = set(&mut list, 0, TaskStatus::Incomplete).unwrap_err();
    assert_eq!(refusal, Refusal::TaskIsHeading("h".to_owned()));
}

#[test]
fn an_archived_checklist_does_not_change() {
    let mut list = checklist(json!([{"name": "a"}]));
    list.head.archived_at = Some(Timestamp::from_millis(1));
    assert_eq!(
        set(&mut list, 0, TaskStatus::Complete),
        Err(Refusal::ChecklistArchived)
    );
    assert_eq!(list.may_edit(0, 0), Err(Refusal::ChecklistArchived));
}

#[test]
fn what_is_in_done_or_halted_tasks_stays() {
    let mut list = checklist(json!([{"name": "a", "halt": "task"}, {"name": "b"}]));
    assert_eq!(list.may_edit(0, 0), Ok(()));
    assert!(matches!(
        list.may_edit(1, 0),
        Err(Refusal::TaskHalted { .. })
    ));
    set(&mut list, 0, TaskStatus::Complete).unwrap();
    assert_eq!(
        list.may_edit(0, 0),
        Err(Refusal::TaskDone(TaskStatus::Complete))
    );
}

#[test]
fn uploads_stop_at_the_most_files() {
    let mut list = checklist(json!([{"name": "a", "controls": [
        {"type": "FileUpload", "name": "Scan", "maxFiles": 1}, {"type": "Date", "name": "Day"}]}]));
    let template = list.template.clone();
    let controls = &template.tasks[0].controls;
    assert_eq!(list.may_upload(0, 0, &controls[0]), Ok(1));
    assert_eq!(
        list.may_upload(0, 1, &controls[1]),
        Err(Refusal::NotAnUpload("Day".to_owned()))
    );
    let file = StoredFile {
        key: FileKey::ZERO,
        field: FieldId::of(list.head.id, 0),
        name: "s.pdf".to_owned(),
        size: 1,
        media_type: "application/pdf".to_owned(),
        sha256: [0; 32],
        uploaded: done(1),
    };
    list.fields.entry(0).or_default().files.push(file);
    let full = Refusal::FilesFull {
        name: "Scan".to_owned(),
        max: 1,
    };
    assert_eq!(list.may_upload(0, 0, &controls[0]), Err(full));
}

fn any_status() -> impl Strategy<Value = TaskStatus> {
    prop::sample::select(TaskStatus::ALL.to_vec())
}

proptest! {
    /// Whatever is tried in whatever order: the end time is there exactly when all is done, a done
    /// task has a doer, and nothing halted was completed while it was.
    #[test]
    fn any_edits_leave_a_sound_checklist(
        halts in prop::collection::vec(prop::sample::select(vec!["none", "task", "preceding"]), 1..6),
        edits in prop::collection::vec((0_usize..6, any_status()), 0..40),
    ) {
        let tasks: Vec<Value> = halts.iter().map(|halt| json!({"name": "t", "halt": halt})).collect();
        let mut list = checklist(tasks.into());
        for (task, to) in edits {
            let task = task % halts.len();
            let (halted, before) = (list.halted_by(task).is_some(), list.tasks[task].clone());
            let result = set(&mut list, task, to);
            if halted && to != TaskStatus::Incomplete && before.status != to {
                let refused = matches!(result, Err(Refusal::TaskHalted { .. }));
                prop_assert!(refused);
            } else {
                prop_assert!(result.is_ok());
            }
            let all = list.tasks.iter().all(TaskState::is_done);
            prop_assert_eq!(list.head.ended_at.is_some(), all);
            for state in &list.tasks {
                prop_assert_eq!(state.done.is_some(), state.is_done());
            }
        }
    }
}
