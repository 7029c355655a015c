use domain::{
    CalendarDocument, ConditionDocument, ControlDocument, DueDay, DueDocument, DueFrom, DuePlace,
    FieldError, Halt, Operator, ParameterDocument, TaskDocument, TemplateDocument, TestDocument,
};
use serde_json::{Value, json};

use super::*;
use crate::{Code, input::ERRORS_MAX};

const KEY: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";

fn read(text: &str) -> Result<TemplateDocument, Vec<String>> {
    let tree: Tree = serde_json::from_str(text).unwrap();
    let mut reader = Reader::default();
    let document = reader.template(tree);
    let shown = |error: &FieldError| format!("{} {}", error.field, error.message);
    if reader.errors.is_empty() {
        Ok(document)
    } else {
        Err(reader.errors.iter().map(shown).collect())
    }
}

fn errors(document: &Value) -> Vec<String> {
    read(&document.to_string()).unwrap_err()
}

/// A document with one task that has `member`.
fn task(member: &str, value: &Value) -> Value {
    json!({"name": "T", "tasks": [{"name": "A", member: value}]})
}

/// A document with one control that has `member`.
fn control(member: &str, value: &Value) -> Value {
    task(
        "controls",
        &json!([{"name": "C", "type": "Date", member: value}]),
    )
}

#[test]
fn names_and_halts_have_no_case() {
    let text = format!(
        r#"{{"TEMPLATEKEY": "{KEY}", "Name": "T",
        "PARAMETERS": [{{"NAME": "P", "Type": "DropDown", "Required": true, "DEFAULT": "o", "Options": ["o"]}}], "TASKS": [{{"KEY": "{KEY}", "NAME": "A",
        "Heading": false, "HALT": "Preceding", "Hidden": true,
        "DUE": {{"From": "TASK", "Task": "A", "days": "2", "Calendar": {{"PLACE": "Last", "day": "WEEKDAY"}}, "Time": "17:00"}},
        "Controls": [{{"Key": "{KEY}", "contentId": 7,
        "TYPE": "FileUpload", "nAme": "C", "REQUIRED": true, "HIDDEN": "true", "VALUE": "v", "Text": "t", "Pattern": "p",
        "OPTIONS": ["o"], "WITHTIME": "False", "Multiple": true, "URL": "u", "minfiles": 1, "MaxFiles": "2"}}]}}],
        "Conditions": [{{"WHEN": [{{"Control": "C", "OPERATOR": "ISNOT", "Value": "x"}}], "Show": ["A"], "hide": []}}]}}"#
    );
    let expected = TemplateDocument {
        template_key: Some(KEY.parse().unwrap()),
        name: "T".to_owned(),
        parameters: vec![ParameterDocument {
            name: "P".to_owned(),
            kind: "DropDown".to_owned(),
            required: true,
            default: Some("o".to_owned()),
            options: Some(vec!["o".to_owned()]),
            ..ParameterDocument::default()
        }],
        tasks: vec![TaskDocument {
            key: Some(KEY.parse().unwrap()),
            name: "A".to_owned(),
            heading: false,
            halt: Halt::Preceding,
            hidden: true,
            due: Some(DueDocument {
                from: DueFrom::Task,
                task: Some("A".to_owned()),
                days: Some(2),
                calendar: Some(CalendarDocument {
                    place: DuePlace::Last,
                    day: DueDay::Weekday,
                }),
                time: Some("17:00".to_owned()),
                ..DueDocument::default()
            }),
            controls: vec![ControlDocument {
                key: Some(KEY.parse().unwrap()),
                content_id: Some(ControlId::new(7)),
                kind: "FileUpload".to_owned(),
                name: "C".to_owned(),
                required: true,
                hidden: true,
                value: Some("v".to_owned()),
                text: Some("t".to_owned()),
                pattern: Some("p".to_owned()),
                options: Some(vec!["o".to_owned()]),
                with_time: Some(false),
                multiple: Some(true),
                url: Some("u".to_owned()),
                min_files: Some(1),
                max_files: Some(2),
            }],
        }],
        conditions: vec![ConditionDocument {
            when: vec![TestDocument {
                control: "C".to_owned(),
                operator: Operator::IsNot,
                value: Some("x".to_owned()),
            }],
            show: vec!["A".to_owned()],
            hide: Vec::new(),
        }],
    };
    assert_eq!(read(&text).unwrap(), expected);
}

#[test]
fn a_document_that_is_answered_is_taken() {
    let mut document = testkit::invoice_review();
    document.template_key = Some(KEY.parse().unwrap());
    let text = serde_json::to_string(&document).unwrap();
    assert_eq!(read(&text).unwrap(), document);
}

#[test]
fn null_and_empty_words_say_nothing() {
    let given = json!({"name": "T", "templateKey": null, "tasks": [
        {"name": "A", "key": "", "halt": "", "heading": null, "controls": null},
    ]});
    let plain = json!({"name": "T", "tasks": [{"name": "A"}]});
    assert_eq!(
        read(&given.to_string()).unwrap(),
        read(&plain.to_string()).unwrap()
    );
    assert_eq!(errors(&json!({"name": null})), ["name must be given"]);
}

#[test]
fn an_array_is_no_object_at_any_level() {
    for (document, expected) in [
        (json!(["T", []]), "body must be an object, but is an array"),
        (json!("T"), "body must be an object, but is a string"),
        (json!(null), "body must be an object, but is null"),
        (
            json!({"name": "T", "tasks": [["A"]]}),
            "tasks[0] must be an object, but is an array",
        ),
        (
            task("controls", &json!([[null, 1, "Date", "C"]])),
            "tasks[0].controls[0] must be an object, but is an array",
        ),
        (
            json!({"name": "T", "tasks": {}}),
            "tasks must be an array, but is an object",
        ),
    ] {
        assert_eq!(errors(&document), [expected], "{document}");
    }
}

#[test]
fn a_member_that_is_there_twice_is_refused_whatever_its_case() {
    for text in [
        r#"{"name": "T", "name": "T"}"#,
        r#"{"name": "T", "NAME": "U"}"#,
        r#"{"Name": null, "name": "U"}"#,
    ] {
        let errors = read(text).unwrap_err();
        let expected = "name is there twice (names have no case); give it once";
        assert!(errors.iter().any(|error| error == expected), "{errors:?}");
    }
    let errors = read(r#"{"name": "T", "tasks": [{"name": "A", "halt": "task", "Halt": "none"}]}"#);
    assert!(errors.unwrap_err()[0].starts_with("tasks[0].halt is there twice"));
}

#[test]
fn a_wrong_type_is_named_with_its_path_in_words_of_ours() {
    for (document, expected) in [
        (json!({"name": 7}), "name must be a string, but is a number"),
        (
            json!({"name": "T", "templateKey": "x"}),
            "templateKey \"x\" is not a GUID",
        ),
        (
            task("halt", &json!("maybe")),
            "tasks[0].halt must be one of none, task, preceding, but is \"maybe\"",
        ),
        (
            task("halt", &json!(1)),
            "tasks[0].halt must be one of none, task, preceding, but is 1",
        ),
        (
            task("heading", &json!("perhaps")),
            "tasks[0].heading must be true or false, but is \"perhaps\"",
        ),
        (
            task("colour", &json!(1)),
            "tasks[0].colour is not known here; known are key, name, heading, halt, hidden, due, controls",
        ),
        (
            json!({"name": "T", "conditions": [{"when": [{"control": "C", "operator": "has"}]}]}),
            "conditions[0].when[0].operator must be one of is, isNot, contains, isEmpty, isFilled, before, after, but is \"has\"",
        ),
        (
            json!({"name": "T", "conditions": [{"when": [{"control": "C"}]}]}),
            "conditions[0].when[0].operator must be given",
        ),
        (
            task("due", &json!("tomorrow")),
            "tasks[0].due must be an object, but is a string",
        ),
        (
            task("due", &json!({"calendar": {"place": "last"}})),
            "tasks[0].due.calendar.day must be given",
        ),
        (
            task("due", &json!({"from": "birth"})),
            "tasks[0].due.from must be one of start, previous, task, control, but is \"birth\"",
        ),
        (
            control("required", &json!(1)),
            "tasks[0].controls[0].required must be true or false, but is 1",
        ),
        (
            control("minFiles", &json!(1.5)),
            "tasks[0].controls[0].minFiles must be a whole number, but is a number that is not whole or too large",
        ),
        (
            control("maxFiles", &json!(-1)),
            "tasks[0].controls[0].maxFiles must be a number from 0 to 4294967295, but is -1",
        ),
        (
            control("options", &json!(["a", 3])),
            "tasks[0].controls[0].options[1] must be a string, but is a number",
        ),
        (
            control("key", &json!("x")),
            "tasks[0].controls[0].key \"x\" is not a GUID",
        ),
    ] {
        let found = errors(&document);
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].starts_with(expected), "{found:?}");
    }
}

#[test]
fn everything_is_said_at_once_up_to_a_bound() {
    let document = json!({"tasks": [{"name": 1}, {"halt": "x", "name": "B"}, {"name": "C", "controls": [{}]}]});
    let found = errors(&document);
    let fields: Vec<&str> = found
        .iter()
        .filter_map(|error| error.split(' ').next())
        .collect();
    assert_eq!(
        fields,
        [
            "name",
            "tasks[0].name",
            "tasks[1].halt",
            "tasks[2].controls[0].type",
            "tasks[2].controls[0].name"
        ]
    );
    let many = json!({"name": "T", "tasks": vec![json!(1); ERRORS_MAX + 1]});
    assert_eq!(errors(&many).len(), ERRORS_MAX);
}

#[test]
fn what_is_not_json_is_refused_as_that() {
    let code = |text: &str| template(text.as_bytes()).unwrap_err().code();
    assert_eq!(code("{"), Code::MalformedJson);
    assert_eq!(code("{} x"), Code::MalformedJson);
    assert_eq!(code("[]"), Code::InvalidRequest);
}
