//! The demo, judged by what it shows.

use std::{collections::BTreeSet, path::Path};

use serde_json::Value;
use testkit::PATIENCE;
use tokio::time::timeout;

use crate::support::{Client, Process, checkflow, line_with, run};

/// A line about a webhook: event, subject, attempt, whether it was verified, the answer.
fn arrivals(text: &str) -> Vec<[String; 5]> {
    let mut arrivals = Vec::new();
    for line in text.lines().filter_map(|line| line.strip_prefix("  → ")) {
        // Columns are parted by at least two blanks, save where one is as wide as its column.
        let words: Vec<&str> = line.split_whitespace().collect();
        let [event, subject @ .., attempt, _, "ms", signature, answer] = &words[..] else {
            continue;
        };
        arrivals.push(
            [event, &*subject.join(" "), attempt, signature, answer].map(ToString::to_string),
        );
    }
    arrivals
}

/// A figure of the account.
fn figure(text: &str, name: &str) -> usize {
    let line = text
        .lines()
        .find_map(|line| line.trim_start().strip_prefix(name));
    let number = line.and_then(|rest| rest.split_whitespace().next());
    number
        .and_then(|number| number.parse().ok())
        .unwrap_or_else(|| panic!("no {name} in:\n{text}"))
}

#[tokio::test]
async fn each_event_that_the_api_promised_arrives_verified() {
    let output = run(&["demo", "--exit"]).await;
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{text}\n{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(!text.contains('\x1b'), "colours are for terminals");

    // What was done, as the demo shows it, is what must have been told.
    let steps = |word: &str| {
        text.lines()
            .filter(|line| line.starts_with(&format!("  {word} ")) && !line.contains("refused"))
            .count()
    };
    let promised = steps("start") + steps("upload") + steps("complete");
    assert!(
        steps("start") == 2 && steps("upload") == 2 && steps("complete") >= 6,
        "{text}"
    );
    assert!(
        text.contains("refused, 409 task_halted")
            && text.contains("refused, 422 controls_unsatisfied"),
        "{text}"
    );

    let arrivals = arrivals(&text);
    let taken: Vec<_> = arrivals
        .iter()
        .filter(|[.., answer]| answer == "204")
        .collect();
    assert_eq!(taken.len(), promised, "{text}");
    assert!(
        arrivals
            .iter()
            .all(|[.., signature, _]| signature == "verified"),
        "{text}"
    );
    let events: BTreeSet<_> = taken.iter().map(|[event, ..]| event.as_str()).collect();
    assert_eq!(
        events,
        BTreeSet::from(["file_uploaded", "new_checklist", "task_completed"])
    );

    let refused: Vec<_> = arrivals
        .iter()
        .filter(|[.., answer]| answer == "503")
        .collect();
    assert!(!refused.is_empty(), "{text}");
    for [event, subject, attempt, ..] in refused {
        assert_eq!(attempt, "1", "only first attempts are refused");
        let again = |[e, s, a, _, answer]: &&[String; 5]| {
            e == event && s == subject && a == "2" && answer == "204"
        };
        assert!(
            arrivals.iter().any(|one| again(&one)),
            "{event} of {subject} did not come again:\n{text}"
        );
    }
    for (name, expected) in [
        ("expected", promised),
        ("received", promised),
        ("verified", promised),
        ("retried", arrivals.len() - promised),
        ("lost", 0),
        ("repeated", 0),
        ("unexpected", 0),
    ] {
        assert_eq!(figure(&text, name), expected, "{name} in:\n{text}");
    }
}

#[tokio::test]
async fn it_stays_up_and_the_lines_it_prints_work() {
    let mut demo = Process::start(checkflow(&["demo"]));
    let server = line_with(&mut demo.out, "  server ").await;
    let folder = server
        .split("data in ")
        .nth(1)
        .and_then(|rest| rest.split(',').next())
        .unwrap()
        .to_owned();
    assert!(Path::new(&folder).is_dir());
    line_with(&mut demo.out, "Swagger").await;
    let key = line_with(&mut demo.out, "  key ").await;
    let key = key.split_whitespace().last().unwrap().to_owned();

    let mut lines = Vec::new();
    for _ in 0..3 {
        lines.push(line_with(&mut demo.out, "curl ").await);
    }
    for line in lines {
        assert!(line.contains(&key), "{line}");
        let method = if line.contains("-X POST") {
            "POST"
        } else {
            "GET"
        };
        let url = url::Url::parse(line.rsplit('\'').nth(1).unwrap()).unwrap();
        let address = url.socket_addrs(|| None).unwrap()[0];
        let client = Client::new(address, &serde_json::json!({ "key": key }));
        let path = format!("{}?{}", url.path(), url.query().unwrap_or_default());
        client.done(method, &path, &Value::Null).await;
        if method == "POST" {
            let arrival = line_with(&mut demo.out, "Invoice 2043 ").await;
            assert!(arrival.contains("new_checklist"), "{arrival}");
        }
    }
    demo.terminate();
    assert!(timeout(PATIENCE, demo.ended()).await.unwrap().success());
    assert!(!Path::new(&folder).exists(), "it leaves nothing behind");
}
