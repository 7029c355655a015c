//! What checklists are made with.

use super::{conditions::of, *};
use crate::{ParameterValues, PublicUrl, TaskRow};

fn with(parameters: &Value, controls: &Value) -> Result<Checklist, String> {
    of(
        json!({"name": "T", "parameters": parameters, "tasks": [{"name": "a", "controls": controls}]}),
    )
}

fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    let owned = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
    pairs.iter().map(owned).collect()
}

fn shown(list: &Checklist, values: &ParameterValues) -> Vec<String> {
    let url = PublicUrl::new("http://x").unwrap();
    let row = TaskRow::with_shown(list, 0, values, &url);
    row.shown.into_iter().map(|shown| shown.value).collect()
}

#[test]
fn what_is_not_given_is_as_the_template_says() {
    let parameters = json!([
        {"name": "Who", "type": "ShortText", "default": "Ann"},
        {"name": "Mail", "type": "Email", "required": true}, {"name": "Day", "type": "Date"}]);
    let list = with(&parameters, &json!([])).unwrap();
    let values = |pairs: &[(&str, &str)]| list.template.parameter_values(&given(pairs));
    let made = values(&[(" mAIL ", "a@example.com"), ("WHO", "")]).unwrap();
    let expected = given(&[("Mail", "a@example.com"), ("Who", "Ann")]);
    assert_eq!(made.into_iter().collect::<Vec<_>>(), expected);
    let messages = |pairs: &[(&str, &str)]| {
        let errors = values(pairs).unwrap_err();
        errors
            .into_iter()
            .map(|error| error.message)
            .collect::<Vec<_>>()
    };
    assert_eq!(messages(&[]), ["\"Mail\" is required"]);
    assert_eq!(
        messages(&[("Mail", "Ann")]),
        ["\"Mail\" must be an email address such as ann@example.com"]
    );
    let many = vec![("Who", "x"); 51];
    assert_eq!(messages(&many), ["must hold at most 50 parameters"]);
}

#[test]
fn controls_begin_with_parameters_or_with_what_the_template_says() {
    let parameters = json!([{"name": "Pick", "type": "MultiChoice", "options": ["a", "b"]}, {"name": "Free", "type": "LongText"}]);
    let controls = json!([
        {"type": "MultiChoice", "name": "c", "options": ["a", "b"], "value": "{{pick}}"},
        {"type": "ShortText", "name": "d", "value": "always"},
        {"type": "ShortText", "name": "e", "value": "{{Free}}"},
        {"type": "ShortText", "name": "f", "value": "<{{Free}}{{Pick}}>"}]);
    let list = with(&parameters, &controls).unwrap();
    let begin = |pairs: &[(&str, &str)]| {
        let values = list.template.parameter_values(&given(pairs)).unwrap();
        list.template.beginnings(&values)
    };
    let values = |pairs: &[(&str, &str)]| {
        let fields = begin(pairs).unwrap();
        fields
            .into_iter()
            .map(|(place, field)| (place, field.value))
            .collect::<Vec<_>>()
    };
    let pick = r#"["a"]"#;
    let own = |value: &str| value.to_owned();
    assert_eq!(
        values(&[("Pick", pick)]),
        [(0, own(pick)), (1, own("always")), (3, own(r#"<["a"]>"#))]
    );
    assert_eq!(values(&[]), [(1, own("always")), (3, own("<>"))]);
    let errors = begin(&[("Free", "two\nlines")]).unwrap_err();
    assert_eq!(
        errors[0].message,
        "the control \"e\" can't begin with them: must be one line"
    );
}

#[test]
fn a_text_shows_parameters_and_fields_by_their_names() {
    let parameters = json!([{"name": "Who", "type": "ShortText"}]);
    let controls = json!([
        {"type": "Text", "name": "t", "text": "{{who}}: {{ c }}, {{a / d}}{{h}}; {{x}} {{ {{c}} {{"},
        {"type": "MultiChoice", "name": "c", "options": ["a", "b"]},
        {"type": "ShortText", "name": "d"}, {"type": "ShortText", "name": "h", "hidden": true}]);
    let mut list = with(&parameters, &controls).unwrap();
    let values = list
        .template
        .parameter_values(&given(&[("Who", "{{d}}")]))
        .unwrap();
    for (place, value) in [(1, r#"["a","b"]"#), (2, "7"), (3, "secret")] {
        list.set_field(place, value.to_owned(), Timestamp::from_millis(7));
    }
    // What is put in is not looked through again.
    assert_eq!(shown(&list, &values), ["{{d}}: a, b, 7; {{x}} {{ {{c}} {{"]);
}

#[test]
fn a_text_grows_within_a_bound() {
    let names = "{{c}}".repeat(4_000);
    let controls =
        json!([{"type": "Text", "name": "t", "text": names}, {"type": "LongText", "name": "c"}]);
    let mut list = with(&json!([]), &controls).unwrap();
    list.set_field(1, "x".repeat(50_000), Timestamp::from_millis(7));
    let shown = shown(&list, &ParameterValues::new());
    assert!(shown[0].len() < 512 * 1024, "{} bytes", shown[0].len());
}

#[test]
fn parameters_and_beginnings_that_mean_nothing_are_refused() {
    let refused = |parameters: Value, controls: Value, says: &str| {
        let refusal = with(&parameters, &controls).unwrap_err();
        assert!(refusal.contains(says), "{refusal}");
    };
    let who = || json!({"name": "Who", "type": "ShortText"});
    let text =
        |value: &str| json!([{"type": "DropDown", "name": "c", "options": ["a"], "value": value}]);
    refused(
        json!([who(), {"name": "WHO", "type": "Date"}]),
        json!([]),
        "parameters[1].name \"WHO\" is there twice",
    );
    refused(
        json!([{"name": "a{b", "type": "Date"}]),
        json!([]),
        "must have no braces",
    );
    refused(
        json!([{"name": "f", "type": "FileUpload"}]),
        json!([]),
        "parameters[0].type FileUpload can't be given by name",
    );
    refused(
        json!([{"name": "f", "type": "Date", "default": "soon"}]),
        json!([]),
        "parameters[0].default must be a date",
    );
    refused(vec![who(); 51].into(), json!([]), "at most 50");
    refused(
        json!([who()]),
        text("{{Whom}}"),
        "controls[0].value \"Whom\" is no parameter of this template; there are \"Who\"",
    );
    refused(json!([]), text("{{Who}}"), "which has none");
    refused(json!([]), text("b"), "\"b\" is not an option");
    let shows = json!([{"type": "Text", "name": "c", "value": "x"}]);
    refused(json!([]), shows, "Text takes no value");
}
