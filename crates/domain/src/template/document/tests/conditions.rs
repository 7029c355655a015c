//! Conditions in documents.

#![expect(
    clippy::needless_pass_by_value,
    reason = "what `json!` makes is written where it is used"
)]

use super::*;
use crate::Element;

fn with_conditions(conditions: Value) -> Result<Template, Vec<FieldError>> {
    read(json!({"name": "T", "tasks": [
        {"name": "Decide", "controls": [
            {"type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"]},
            {"type": "Date", "name": "Day"}, {"type": "FileUpload", "name": "Scan"}, {"type": "Text", "name": "Note"}]},
        {"name": "Pay", "controls": [{"type": "LongText", "name": "Note"}]},
        {"name": "Pay"}],
        "conditions": conditions}))
}

fn one(test: Value, show: Value) -> Value {
    json!([{"when": [test], "show": show}])
}

#[track_caller]
fn refused(conditions: Value, field: &str, says: &str) {
    let errors = with_conditions(conditions.clone()).unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    let (found, message) = (&errors[0].field, &errors[0].message);
    assert!(
        found == field && message.contains(says),
        "{found} {message}"
    );
}

#[test]
fn parts_are_named_by_key_by_name_or_with_their_task() {
    let test = |control: &str| json!({"control": control, "operator": "isFilled"});
    let template = with_conditions(one(
        test(" Decision "),
        json!(["Pay / Note", "Decide / Note", "Scan"]),
    ));
    let template = template.unwrap();
    assert_eq!(
        template.rules.conditions[0].show,
        [4, 3, 2].map(Element::Control)
    );
    // Read back by its keys it is the same.
    let known = known(&template);
    let document = template.to_document();
    assert_eq!(
        document.conditions[0].show[0],
        template.tasks[1].controls[0].key.to_string()
    );
    let again = Template::from_document(&document, template.key, &known, &test_source()).unwrap();
    assert_eq!(again, template);
    let capitals = document.conditions[0].show[0].to_uppercase();
    let mut capital = document.clone();
    capital.conditions[0].show[0] = capitals;
    let again = Template::from_document(&capital, template.key, &known, &test_source()).unwrap();
    assert_eq!(again, template);
}

#[test]
fn references_to_nothing_or_to_several_are_refused() {
    let test = || json!({"control": "Decision", "operator": "isFilled"});
    let show = "conditions[0].show[0]";
    refused(
        one(test(), json!(["Pai"])),
        show,
        "\"Pai\" is no task, heading or control",
    );
    refused(
        one(test(), json!(["Pay"])),
        show,
        "\"Pay\" is the name of 2; give the key",
    );
    refused(one(test(), json!(["Note"])), show, "is the name of 2");
    refused(
        one(test(), json!(["Scan", "Scan"])),
        "conditions[0].show[1]",
        "there twice",
    );
    let both = json!([{"when": [test()], "show": ["Scan"], "hide": ["Decide / Scan"]}]);
    refused(both, "conditions[0].hide[0]", "there twice");
    let control = |control: &str| json!({"control": control, "operator": "isFilled"});
    let at = "conditions[0].when[0].control";
    refused(one(control("Decide"), json!(["Scan"])), at, "is no control");
    refused(
        one(control("Scan"), json!(["Day"])),
        at,
        "\"Scan\" is a FileUpload",
    );
    refused(
        one(control("Decide / Note"), json!(["Day"])),
        at,
        "is a Text",
    );
}

#[test]
fn tests_that_can_never_hold_are_refused() {
    let test = |control: &str, operator: &str, value: &str| {
        let test = json!({"control": control, "operator": operator, "value": value});
        one(test, json!(["Scan"]))
    };
    let value = "conditions[0].when[0].value";
    refused(
        test("Decision", "is", "approve"),
        value,
        "\"approve\" is not an option; there are \"Approve\"",
    );
    refused(test("Decision", "is", ""), value, "must be given");
    refused(test("Decision", "isFilled", "x"), value, "must be left out");
    refused(test("Day", "after", "today"), value, "must be a date");
    refused(
        test("Pay / Note", "is", &"x".repeat(1_001)),
        value,
        "at most 1000",
    );
    let operator = "conditions[0].when[0].operator";
    refused(
        test("Decision", "before", "Approve"),
        operator,
        "must be one of is, isNot, isEmpty, isFilled for a DropDown",
    );
    refused(
        test("Day", "contains", "2026"),
        operator,
        "is, isNot, isEmpty, isFilled, before, after",
    );
}

#[test]
fn conditions_are_bounded() {
    let test = || json!({"control": "Decision", "operator": "isFilled"});
    refused(
        json!([{"when": [], "show": ["Scan"]}]),
        "conditions[0].when",
        "1 to 10",
    );
    refused(
        json!([{"when": vec![test(); 11], "show": ["Scan"]}]),
        "conditions[0].when",
        "1 to 10",
    );
    refused(
        json!([{"when": [test()]}]),
        "conditions[0].show",
        "1 to 100 parts",
    );
    let many = vec!["Scan"; 101];
    refused(
        json!([{"when": [test()], "hide": many}]),
        "conditions[0].show",
        "1 to 100 parts",
    );
    let many = vec![json!({"when": [test()], "show": ["Scan"]}); 201];
    refused(many.into(), "conditions", "at most 200");
}
