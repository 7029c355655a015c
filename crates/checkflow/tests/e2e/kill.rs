//! SIGKILL, ten times: what was answered is done and told, and nothing else is.

mod account;
mod dice;
mod stage;

use serde_json::{Value, json};
use tempfile::tempdir;

pub(crate) use self::dice::Dice;
use self::stage::{End, Stage};

use crate::support::{Client, Server, line_with, team_and_key};

/// Tasks completed after the last kill.
const AFTERWARDS: usize = 100;

/// Ten kills in some order: one at each step that has a name, the others after some answers.
fn ends(dice: &mut Dice) -> Vec<End> {
    let mut ends = vec![
        End::Step("before-commit", dice.between(2, 100)),
        End::Step("before-answer", dice.between(2, 100)),
        End::Sending(dice.between(10, 200)),
        // Outcomes are settled many at once, so there are fewer of these.
        End::Step("before-settle", dice.between(2, 6)),
    ];
    ends.extend((0..6).map(|_| End::Answers(dice.between(10, 300))));
    dice.shuffle(&mut ends);
    ends
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_answered_is_lost_in_ten_kills() {
    let ends = ends(&mut Dice::new());
    let mut stage = Stage::set().await;
    for end in ends {
        stage.live_until(end).await;
    }
    let left = stage.finish(AFTERWARDS).await;
    let arrived = stage.receiver.requests();
    stage
        .account
        .check(&arrived, &stage.subscription, &left, &stage.cut);
}

#[tokio::test]
async fn a_server_that_is_armed_says_so_and_ends_at_the_step_and_the_time_it_was_told() {
    let folder = tempdir().unwrap();
    let armed = [("CHECKFLOW_CRASH_AT", "before-answer:2")];
    let mut server = Server::start_with(folder.path(), &armed).await;
    let line = line_with(&mut server.process.log, "crash drill").await;
    assert!(line.contains("before-answer:2"), "{line}");
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    client.template().await;
    let refused = client
        .ask("PUT", "/api/template", &json!({ "name": "" }))
        .await;
    assert_eq!(
        refused.status, 400,
        "what is refused is no step: {}",
        refused.body
    );
    let document = json!({ "name": "Second", "tasks": [{ "name": "Pay" }] });
    let answer = client.try_ask("PUT", "/api/template", &document).await;
    assert!(answer.is_err(), "{answer:?}");
    server.process.killed().await;

    let server = Server::start(folder.path()).await;
    let client = client.at(server.address);
    let templates = client
        .done("GET", "/api/template/templates", &Value::Null)
        .await;
    let names: Vec<_> = templates
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["name"])
        .collect();
    assert_eq!(
        names,
        ["Invoice review", "Second"],
        "it was on disk by then"
    );
    server.stop().await;
}
