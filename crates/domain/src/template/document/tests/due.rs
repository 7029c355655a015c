//! Due rules in documents.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what `json!` makes is written where it is used"
)]

use super::*;

fn with_due(due: Value) -> Result<Template, Vec<FieldError>> {
    read(json!({"name": "T", "tasks": [
        {"name": "A", "controls": [{"type": "Date", "name": "Day"}, {"type": "Email", "name": "Mail"}]},
        {"name": "H", "heading": true}, {"name": "B", "due": due}, {"name": "C"}]}))
}

#[track_caller]
fn refused(due: Value, member: &str, says: &str) {
    let said = due.to_string();
    let errors = with_due(due).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let field = format!("tasks[2].due{member}");
    assert!(
        errors[0].field == field && errors[0].message.contains(says),
        "{said}: {errors:?}"
    );
}

#[test]
fn every_kind_of_rule_reads_back_the_same() {
    for due in [
        json!({}),
        json!({"from": "previous", "months": 1, "days": 2, "hours": 3, "minutes": 4}),
        json!({"from": "task", "task": "C", "days": 1, "time": "07:05"}),
        json!({"from": "control", "control": "Day", "before": true, "days": 1}),
        json!({"calendar": {"place": "last", "day": "weekday"}}),
    ] {
        let template = with_due(due).unwrap();
        let document = template.to_document();
        let again =
            Template::from_document(&document, template.key, &known(&template), &test_source());
        assert_eq!(again.unwrap(), template);
        let text = serde_json::to_string(&document).unwrap();
        assert_eq!(
            serde_json::from_str::<TemplateDocument>(&text).unwrap(),
            document
        );
    }
}

#[test]
fn rules_that_mean_nothing_are_refused() {
    refused(json!({"task": "C"}), ".task", "belongs to from: task");
    refused(
        json!({"control": "Day"}),
        ".control",
        "belongs to from: control",
    );
    refused(
        json!({"before": true, "days": 1}),
        ".before",
        "belongs to from: control",
    );
    refused(
        json!({"from": "task"}),
        ".task",
        "must be given with from: task",
    );
    refused(
        json!({"from": "control", "control": " "}),
        ".control",
        "must be given",
    );
    refused(json!({"from": "task", "task": "H"}), ".task", "is no task");
    refused(
        json!({"from": "control", "control": "Mail"}),
        ".control",
        "\"Mail\" is of type Email; due dates count from a Date",
    );
    refused(json!({"days": 36_501}), ".days", "at most 36500");
    refused(
        json!({"days": 1, "calendar": {"place": "next", "day": "day"}}),
        ".days",
        "left out with calendar",
    );
    let control = json!({"from": "control", "control": "Day", "before": true, "calendar": {"place": "next", "day": "day"}});
    refused(control, ".before", "left out with calendar");
    refused(
        json!({"time": "25:00"}),
        ".time",
        "no time of day such as 17:00",
    );
    refused(
        json!({"time": "17:00", "hours": 1}),
        ".time",
        "left out with hours",
    );
}

#[test]
fn headings_and_the_first_task_are_told_what_to_do() {
    let first = json!({"name": "T", "tasks": [{"name": "H", "heading": true}, {"name": "A", "due": {"from": "previous"}}]});
    super::refused(first, "tasks[1].due.from", "count from start");
    let heading =
        json!({"name": "T", "tasks": [{"name": "H", "heading": true, "due": {}}, {"name": "A"}]});
    super::refused(heading, "tasks[0].due", "a heading is never done");
}
