use serde_json::{Value, json};

use super::{super::TASKS_MAX, *};
use crate::test_source;

mod conditions;
mod due;

fn read(document: Value) -> Result<Template, Vec<FieldError>> {
    let document: TemplateDocument = serde_json::from_value(document).unwrap();
    let key = TemplateKey::new(uuid::Uuid::from_u128(7));
    Template::from_document(&document, key, &KnownKeys::default(), &test_source())
}

/// The keys that the template has.
fn known(template: &Template) -> KnownKeys {
    KnownKeys {
        tasks: template.tasks.iter().map(|task| task.key).collect(),
        controls: template
            .controls()
            .map(|(_, control)| (control.key, (control.id, control.kind.kind())))
            .collect(),
    }
}

/// The document is refused with a complaint about `field` that says `message`.
#[track_caller]
fn refused(document: Value, field: &str, message: &str) {
    let errors = read(document).unwrap_err();
    let found = errors
        .iter()
        .any(|e| e.field == field && e.message.contains(message));
    assert!(
        found,
        "no complaint about {field} saying {message:?} in {errors:?}"
    );
}

fn with_control(control: Value) -> Value {
    json!({"name": "T", "tasks": [{"name": "A", "controls": Value::Array(vec![control])}]})
}

#[test]
fn a_document_reads_back_the_same_with_every_key() {
    let template = read(json!({"name": "Invoice review", "tasks": [
        {"name": "Receive", "controls": [
            {"type": "shorttext", "name": "Number", "required": true, "pattern": "INV-[0-9]+"},
            {"type": "FileUpload", "name": "Scan", "minFiles": 1, "maxFiles": 3}]},
        {"name": "Approval", "heading": true},
        {"name": "Approve", "halt": "task", "controls": [
            {"type": "DropDown", "name": "Decision", "options": ["Approve", "Reject"]}]},
        {"name": "Pay"},
    ]}))
    .unwrap();
    let document = template.to_document();
    assert_eq!(document.tasks[0].controls[0].kind, "ShortText");
    assert_eq!(template.unnumbered(), 3);

    let known = known(&template);
    let again = Template::from_document(&document, template.key, &known, &test_source());
    assert_eq!(again.unwrap(), template);
}

#[test]
fn places_of_controls_count_over_the_whole_template() {
    let template = read(json!({"name": "T", "tasks": [
        {"name": "A"},
        {"name": "B", "controls": [{"type": "Date", "name": "b0"}, {"type": "Date", "name": "b1"}]},
        {"name": "C"},
        {"name": "D", "controls": [{"type": "Date", "name": "d0"}]},
        {"name": "E"},
    ]}))
    .unwrap();
    let at = |index| {
        template
            .control_at(index)
            .map(|(task, control)| (task, control.name.as_str()))
    };
    assert_eq!(at(0), Some((1, "b0")));
    assert_eq!(at(1), Some((1, "b1")));
    assert_eq!(at(2), Some((3, "d0")));
    assert_eq!(at(3), None);
    for (index, (_, control)) in template.controls().enumerate() {
        assert_eq!(
            template.control(control.key).map(|(place, _)| place),
            Some(index)
        );
    }
}

#[test]
fn whatever_is_wrong_is_said_with_its_place() {
    refused(
        json!({"name": " ", "tasks": [{"name": "A"}]}),
        "name",
        "must not be empty",
    );
    refused(json!({"name": "T"}), "tasks", "at least one task");
    refused(
        json!({"name": "T", "tasks": [{"name": "H", "heading": true}]}),
        "tasks",
        "not a heading",
    );
    let halting = json!({"name": "T", "tasks": [{"name": "H", "heading": true, "halt": "task"}, {"name": "A"}]});
    refused(halting, "tasks[0].halt", "for ever");
    let control = json!({"type": "Date", "name": "d"});
    let filled =
        json!({"name": "T", "tasks": [{"name": "H", "heading": true, "controls": [control]}]});
    refused(filled, "tasks[0].controls", "a heading has no controls");
    let stranger = json!({"name": "T", "tasks": [{"name": "A", "key": uuid::Uuid::from_u128(9)}]});
    refused(stranger, "tasks[0].key", "leave it out");
    let many: Vec<Value> = (0..=TASKS_MAX).map(|_| json!({"name": "A"})).collect();
    refused(
        json!({"name": "T", "tasks": many}),
        "tasks",
        "at most 1000 tasks",
    );
}

#[test]
fn settings_must_fit_the_type() {
    let at = "tasks[0].controls[0]";
    let refused = |control, field: &str, message| {
        refused(with_control(control), &format!("{at}.{field}"), message);
    };
    refused(
        json!({"type": "Signature", "name": "x"}),
        "type",
        "not a control type",
    );
    refused(
        json!({"type": "Date", "name": "x", "pattern": "a"}),
        "pattern",
        "belongs to ShortText",
    );
    refused(
        json!({"type": "DropDown", "name": "x"}),
        "options",
        "1 to 200 options",
    );
    refused(
        json!({"type": "DropDown", "name": "x", "options": ["a", "a "]}),
        "options[1]",
        "twice",
    );
    refused(
        json!({"type": "FileUpload", "name": "x", "maxFiles": 0}),
        "maxFiles",
        "from 1 to 100",
    );
    refused(
        json!({"type": "FileUpload", "name": "x", "minFiles": 3, "maxFiles": 2}),
        "minFiles",
        "at most",
    );
    refused(
        json!({"type": "Text", "name": "x", "required": true}),
        "required",
        "takes no value",
    );
}

#[test]
fn what_files_images_dates_and_members_are_given_is_kept() {
    let template = read(json!({"name": "T", "tasks": [{"name": "A", "controls": [
        {"type": "Image", "name": "Plan", "url": " https://example.com/plan.png"},
        {"type": "File", "name": "Form", "url": "https://example.com/form.pdf"},
        {"type": "Date", "name": "When", "withTime": true},
        {"type": "Members", "name": "Who", "multiple": true, "required": true}]}]}));
    let template = template.unwrap();
    let document = template.to_document();
    let controls = &document.tasks[0].controls;
    assert_eq!(
        controls[0].url.as_deref(),
        Some("https://example.com/plan.png")
    );
    assert_eq!(
        (controls[2].with_time, controls[3].multiple),
        (Some(true), Some(true))
    );
    let again = Template::from_document(&document, template.key, &known(&template), &test_source());
    assert_eq!(again.unwrap(), template);
}

#[test]
fn parameters_read_back_the_same() {
    let template = read(json!({"name": "T", "parameters": [
        {"name": "Speed", "type": "dropdown", "options": ["slow", "fast"], "default": "slow", "required": true},
        {"name": "Who", "type": "Members", "multiple": true}, {"name": "When", "type": "Date", "withTime": true}],
        "tasks": [{"name": "A", "controls": [{"type": "ShortText", "name": "c", "value": "{{ speed }}!"}]}]}));
    let template = template.unwrap();
    let document = template.to_document();
    let again = Template::from_document(&document, template.key, &known(&template), &test_source());
    assert_eq!(again.unwrap(), template);
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(
        serde_json::from_str::<TemplateDocument>(&text).unwrap(),
        document
    );
}

#[test]
fn what_is_shown_has_an_address_and_takes_no_value() {
    let image = |more: Value| {
        let mut image = json!({"type": "Image", "name": "x"});
        image
            .as_object_mut()
            .unwrap()
            .extend(more.as_object().unwrap().clone());
        with_control(image)
    };
    let at = |member: &str| format!("tasks[0].controls[0].{member}");
    refused(image(json!({})), &at("url"), "must be a web address");
    refused(
        image(json!({"url": "javascript:alert(1)"})),
        &at("url"),
        "must be a web address",
    );
    let long = format!("https://example.com/{}", "x".repeat(2_000));
    refused(image(json!({"url": long})), &at("url"), "at most 2000");
    let required = image(json!({"url": "https://example.com", "required": true}));
    refused(required, &at("required"), "takes no value");
    let date = json!({"type": "Date", "name": "x", "multiple": true});
    refused(with_control(date), &at("multiple"), "belongs to Members");
}

#[test]
fn a_control_that_keeps_its_key_keeps_its_type() {
    let before = read(with_control(json!({"type": "Date", "name": "d"}))).unwrap();
    let (_, control) = before.control_at(0).unwrap();
    let known = KnownKeys {
        controls: [(control.key, (ControlId::new(5), ControlType::Date))].into(),
        ..KnownKeys::default()
    };
    let edit = |kind: &str| {
        let document = with_control(json!({"type": kind, "name": "d", "key": control.key}));
        let document: TemplateDocument = serde_json::from_value(document).unwrap();
        Template::from_document(&document, before.key, &known, &test_source())
    };
    assert_eq!(
        edit("Date").unwrap().tasks[0].controls[0].id,
        ControlId::new(5)
    );
    let errors = edit("Email").unwrap_err();
    assert!(
        errors[0]
            .message
            .contains("was Date and can't become Email"),
        "{errors:?}"
    );
}

#[test]
fn unknown_members_are_not_passed_over() {
    let typo = json!({"name": "T", "tasks": [{"name": "A", "controlls": []}]});
    let error = serde_json::from_value::<TemplateDocument>(typo)
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `controlls`"), "{error}");
}

#[test]
fn patterns_are_checked_one_by_one_and_together() {
    let check = |patterns: &[&str]| {
        let controls: Vec<Value> = patterns
            .iter()
            .map(|pattern| json!({"type": "ShortText", "name": "x", "pattern": pattern}))
            .collect();
        let tasks = json!([{"name": "A"}, {"name": "B", "controls": controls}]);
        let document = TemplateDocument {
            name: "T".to_owned(),
            tasks: serde_json::from_value(tasks).unwrap(),
            ..TemplateDocument::default()
        };
        document.check_patterns()
    };
    assert_eq!(check(&["INV-[0-9]+"; 1_000]), Ok(()));
    let errors = check(&["a", "[", "b", ")"]).unwrap_err();
    let fields: Vec<&str> = errors.iter().map(|error| error.field.as_str()).collect();
    assert_eq!(
        fields,
        [
            "tasks[1].controls[1].pattern",
            "tasks[1].controls[3].pattern"
        ]
    );
    // Enough is enough, whether they are wrong or too many.
    assert_eq!(check(&vec!["["; 2_000]).unwrap_err().len(), ERRORS_MAX);
    let errors = check(&vec![r"\w{5}"; 2_000]).unwrap_err();
    assert!(errors[0].message.contains("too much memory"), "{errors:?}");
}
