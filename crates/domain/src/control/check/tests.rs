use super::*;
use crate::{ControlId, ControlKey, PATTERN_CHARS_MAX, Pattern, UnknownControlType};

fn control(kind: ControlKind, required: bool) -> Control {
    Control {
        key: ControlKey::ZERO,
        id: ControlId::new(1),
        name: "Field".to_owned(),
        required,
        hidden: false,
        value: String::new(),
        kind,
    }
}

fn options() -> Vec<String> {
    ["Approve", "Reject"].map(str::to_owned).to_vec()
}

#[track_caller]
fn check(kind: ControlKind, value: &str, expected: &str) {
    let control = control(kind, false);
    let result = control.check(value, 0);
    let got = result.as_ref().map_or_else(Unsatisfied::code, |()| "ok");
    assert_eq!(got, expected, "{control:?} with {value:?}");
}

#[test]
fn words_and_numbers_are_each_once_and_read_back() {
    for (index, kind) in ControlType::ALL.into_iter().enumerate() {
        assert_eq!(usize::from(kind.number()), index + 1);
        assert_eq!(kind.word().to_lowercase().parse(), Ok(kind));
    }
    assert_eq!("Signature".parse::<ControlType>(), Err(UnknownControlType));
}

#[test]
fn a_pattern_means_the_whole_value() {
    let pattern = || Some(Pattern::new("INV-[0-9]+"));
    check(ControlKind::ShortText { pattern: pattern() }, "INV-7", "ok");
    check(
        ControlKind::ShortText { pattern: pattern() },
        "xINV-7",
        "pattern",
    );
    check(
        ControlKind::ShortText { pattern: pattern() },
        "INV-7x",
        "pattern",
    );
    check(
        ControlKind::LongText { pattern: pattern() },
        "INV-7\nINV-8",
        "pattern",
    );
    check(
        ControlKind::LongText { pattern: pattern() },
        "INV-7\n",
        "pattern",
    );
    // Alternatives stay inside the anchors.
    let either = Pattern::new("a|b");
    assert!(either.matches("b") && !either.matches("ab"));
}

#[test]
fn broken_and_huge_patterns_are_refused() {
    for (pattern, reason) in [
        ("a)|(b", "is not a pattern"),
        ("[", "is not a pattern"),
        ("(((a{100}){100}){100})", "too many texts"),
        (r"(\w{40}){9}", "too many texts"),
        (&"a".repeat(PATTERN_CHARS_MAX + 1), "characters long"),
    ] {
        let message = Pattern::new(pattern).check().unwrap_err();
        assert!(message.contains(reason), "{pattern}: {message}");
    }
}

#[test]
fn a_pattern_weighs_what_it_takes_when_compiled() {
    assert_eq!(Pattern::new("INV-[0-9]+").check(), Ok(1024));
    assert!(Pattern::new(r"\w{5}").check().unwrap() > 64 * 1024);
}

#[test]
fn no_flag_makes_a_pattern_match_a_part() {
    assert!(!Pattern::new("(?m)a$").matches("a\nb"));
    assert!(!Pattern::new("(?m)^b").matches("a\nb"));
    assert!(!Pattern::new("(?s)a.*").matches("\na"));
}

#[test]
fn values_are_checked_by_type() {
    check(ControlKind::Email, "ann@example.com", "ok");
    check(ControlKind::Email, "ann@example", "email");
    check(ControlKind::Email, "ann@@example.com", "email");
    check(ControlKind::Website, "https://example.com/a?b", "ok");
    check(ControlKind::Website, "example.com", "website");
    check(ControlKind::Website, "javascript:alert(1)", "website");
    check(ControlKind::Date { with_time: None }, "2026-11-23", "ok");
    check(
        ControlKind::Date { with_time: None },
        "2026-11-23T09:30:00+01:00",
        "ok",
    );
    check(ControlKind::Date { with_time: None }, "2026-02-30", "value");
    check(ControlKind::Date { with_time: None }, "tomorrow", "value");
    check(
        ControlKind::DropDown { options: options() },
        "Approve",
        "ok",
    );
    check(
        ControlKind::DropDown { options: options() },
        "approve",
        "value",
    );
    check(
        ControlKind::MultiChoice { options: options() },
        r#"["Reject"]"#,
        "ok",
    );
    check(
        ControlKind::MultiChoice { options: options() },
        "Reject",
        "value",
    );
    check(
        ControlKind::MultiChoice { options: options() },
        r#"["x"]"#,
        "value",
    );
    check(ControlKind::ShortText { pattern: None }, "a\nb", "value");
    check(ControlKind::ShortText { pattern: None }, "a\0", "value");
    check(ControlKind::LongText { pattern: None }, "a\0", "value");
    check(ControlKind::LongText { pattern: None }, "a\r\n\tb", "ok");
    check(
        ControlKind::Text {
            text: String::new(),
        },
        "",
        "ok",
    );
}

#[test]
fn several_choices_are_stored_in_the_order_of_the_options() {
    let control = control(ControlKind::MultiChoice { options: options() }, true);
    assert_eq!(
        control.accept(r#"["Reject","Approve","Reject"]"#).unwrap(),
        r#"["Approve","Reject"]"#
    );
    assert_eq!(control.accept("[]").unwrap(), "");
    assert_eq!(control.check("", 0), Err(Unsatisfied::Required));
}

#[test]
fn required_means_not_blank() {
    let control = control(ControlKind::ShortText { pattern: None }, true);
    assert_eq!(control.check("  ", 0), Err(Unsatisfied::Required));
    assert_eq!(control.check("x", 0), Ok(()));
}

#[test]
fn files_are_counted() {
    let kind = ControlKind::FileUpload {
        min_files: 1,
        max_files: 2,
    };
    let upload = control(kind, false);
    assert_eq!(
        upload.check("", 0),
        Err(Unsatisfied::TooFewFiles { min: 1, has: 0 })
    );
    assert_eq!(upload.check("", 1), Ok(()));
    assert_eq!(
        upload.check("", 3),
        Err(Unsatisfied::TooManyFiles { max: 2, has: 3 })
    );
    let required = control(
        ControlKind::FileUpload {
            min_files: 0,
            max_files: 2,
        },
        true,
    );
    assert_eq!(
        required.check("", 0),
        Err(Unsatisfied::TooFewFiles { min: 1, has: 0 })
    );
    assert_eq!(
        Unsatisfied::TooFewFiles { min: 1, has: 0 }.to_string(),
        "needs at least 1 file, has 0"
    );
}

#[test]
fn what_takes_no_value_says_where_files_go() {
    let upload = control(
        ControlKind::FileUpload {
            min_files: 0,
            max_files: 1,
        },
        false,
    );
    assert!(
        upload
            .accept("x")
            .unwrap_err()
            .to_string()
            .contains("upload-file")
    );
    let text = control(
        ControlKind::Text {
            text: "Hi".to_owned(),
        },
        false,
    );
    assert_eq!(
        text.accept("").unwrap_err(),
        ValueRefusal::NoValue(ControlType::Text)
    );
}

#[test]
fn a_date_has_a_time_or_not_as_its_author_wants() {
    let date = |with_time, value, expected| {
        check(ControlKind::Date { with_time }, value, expected);
    };
    let (day, moment) = ("2026-11-23", "2026-11-23T09:30:00+01:00");
    date(Some(true), day, "value");
    date(Some(true), moment, "ok");
    date(Some(false), day, "ok");
    date(Some(false), moment, "value");
    let wants_time = ControlKind::Date {
        with_time: Some(true),
    };
    let refusal = control(wants_time, false).accept(day).unwrap_err();
    assert_eq!(refusal, ValueRefusal::NoTime);
}

#[test]
fn members_are_numbers_each_once() {
    let members = |multiple| control(ControlKind::Members { multiple }, true);
    assert_eq!(members(true).accept(" [7, 3,7]").unwrap(), "[7,3]");
    assert_eq!(members(true).accept("[]").unwrap(), "");
    assert_eq!(members(false).accept("[3]").unwrap(), "[3]");
    let one = Err(ValueRefusal::TooManyMembers { max: 1 });
    assert_eq!(members(false).accept("[3,7]"), one);
    for bad in ["3", "[0]", "[-1]", "[\"3\"]", "[3.5]", "Ann", "[3"] {
        assert_eq!(
            members(true).accept(bad),
            Err(ValueRefusal::NotMembers),
            "{bad}"
        );
    }
    let many: Vec<i64> = (1..=101).collect();
    let many = serde_json::to_string(&many).unwrap();
    let refusal = members(true).accept(&many).unwrap_err();
    assert_eq!(refusal.to_string(), "takes at most 100 members");
    assert_eq!(members(true).check("", 0), Err(Unsatisfied::Required));
}

#[test]
fn files_and_images_only_show_something() {
    let url = || "https://example.com/plan.png".to_owned();
    for kind in [
        ControlKind::File { url: url() },
        ControlKind::Image { url: url() },
    ] {
        let shown = control(kind, false);
        assert_eq!(shown.check("", 0), Ok(()));
        let refusal = shown.accept("x").unwrap_err();
        assert_eq!(refusal, ValueRefusal::NoValue(shown.kind.kind()));
    }
}
