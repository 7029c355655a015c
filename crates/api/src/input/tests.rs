use domain::{EventType, TemplateKey};

use super::*;
use crate::Code;

const KEY: &str = "0192f3a4-5b6c-7d8e-9f01-23456789abcd";

fn input(query: &str, body: &str) -> Input {
    let mut input = Input::of_query(query).unwrap();
    if !body.is_empty() {
        input.add_body(body.as_bytes()).unwrap();
    }
    input
}

fn messages(input: &Input) -> Vec<String> {
    input
        .errors
        .iter()
        .map(|error| format!("{} {}", error.field, error.message))
        .collect()
}

#[test]
fn names_are_found_without_regard_to_case() {
    let mut given = input("TASKid=7", r#"{"Status":"Complete"}"#);
    assert_eq!(given.number("taskId"), Some(7));
    assert_eq!(given.text("status").as_deref(), Some("Complete"));
    given.done().unwrap();
}

#[test]
fn numbers_and_flags_are_read_from_text_and_from_json() {
    for (query, body) in [
        ("n=7&f=true", ""),
        ("", r#"{"n":7,"f":true}"#),
        ("", r#"{"n":"7","f":"True"}"#),
    ] {
        let mut given = input(query, body);
        assert_eq!(given.number("n"), Some(7));
        assert_eq!(given.flag("f"), Some(true));
        given.done().unwrap();
    }
}

#[test]
fn the_same_name_twice_is_fine_only_with_the_same_value() {
    input("a=1&A=1", r#"{"a":1}"#).done().unwrap();
    for given in [
        input("a=1&a=2", ""),
        input("a=1", r#"{"a":2}"#),
        input("", r#"{"a":1,"A":2}"#),
    ] {
        assert_eq!(
            messages(&given),
            ["a is given twice with different values; give it once"]
                .map(|text| { text.replacen('a', &given.errors[0].field, 1) })
        );
        assert_eq!(given.done().unwrap_err().code(), Code::InvalidRequest);
    }
}

#[test]
fn null_and_empty_are_the_same_as_absent() {
    let mut given = input("k=&n=&w=&f=", r#"{"t":null}"#);
    assert_eq!(given.key::<TemplateKey>("k"), None);
    assert_eq!(given.number("n"), None);
    assert_eq!(given.word::<EventType>("w"), None);
    assert_eq!(given.flag("f"), None);
    assert_eq!(given.text("t"), None);
    given.done().unwrap();
}

#[test]
fn everything_that_is_wrong_is_said_at_once() {
    let mut given = input(
        "templateKey=7&pageSize=many&createIfNotExists=maybe&eventType=x&size=11",
        "",
    );
    let key = given.need("templateKey", Input::key::<TemplateKey>);
    assert!(given.number("pageSize").is_none());
    assert!(given.flag("createIfNotExists").is_none());
    assert!(given.word_or_all::<EventType>("eventType").is_none());
    assert!(given.number_in("size", 1, 10).is_none());
    let name = given.need("checklistName", Input::filled);
    assert!(given.all((key, name)).is_err());
    assert_eq!(
        messages(&given),
        [
            "templateKey \"7\" is not a GUID such as 0192f3a4-5b6c-7d8e-9f01-23456789abcd; GET /api/template/templates lists them",
            "pageSize must be a whole number, but is \"many\"",
            "createIfNotExists must be true or false, but is \"maybe\"",
            "eventType must be new_checklist, task_completed, file_uploaded, subscription_failing, subscription_paused or subscription_recovered, or ALL; but is \"x\"",
            "size must be from 1 to 10, but is 11",
            "checklistName must be given",
        ]
    );
}

#[test]
fn what_is_needed_comes_out_whole() {
    let mut given = input(&format!("templateKey={KEY}&name=x"), "");
    let key = given.need("templateKey", Input::key::<TemplateKey>);
    let name = given.need("name", Input::filled);
    let (key, name) = given.all((key, name)).unwrap();
    assert_eq!((key.to_string().as_str(), name.as_str()), (KEY, "x"));
}

#[test]
fn values_of_the_wrong_json_type_are_refused() {
    let mut given = input("", r#"{"text":{"a":1},"n":1.5,"k":[1],"f":"x"}"#);
    assert!(given.text("text").is_none());
    assert!(given.number("n").is_none());
    assert!(given.key::<TemplateKey>("k").is_none());
    assert!(given.flag("f").is_none());
    assert_eq!(given.errors.len(), 4, "{:?}", messages(&given));
}

#[test]
fn complaints_are_bounded_and_repeat_little_of_what_was_given() {
    let long = "x".repeat(500);
    let mut given = input(&format!("n={long}"), "");
    given.number("n");
    assert!(messages(&given)[0].len() < 200);
    for index in 0..200 {
        given.wrong(&format!("f{index}"), "is wrong");
    }
    assert_eq!(given.errors.len(), ERRORS_MAX);
}
