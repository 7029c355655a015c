//! Members of a team, at the command line beside a server.

use serde_json::{Value, json};
use tempfile::tempdir;

use crate::support::{Client, Server, complaint, json, run, team_and_key};

#[tokio::test]
async fn members_are_added_listed_and_deactivated_beside_a_server() {
    let folder = tempdir().unwrap();
    let (team, key) = team_and_key(folder.path()).await;
    let server = Server::start(folder.path()).await;
    let client = Client::new(server.address, &key);
    let data = folder.path().to_str().unwrap();
    let place = ["--team", &team, "--data", data];
    let call = |words: &[&'static str]| -> Vec<String> {
        let words = ["member"].iter().chain(words).chain(&place);
        words.map(ToString::to_string).collect()
    };
    let as_json = async |words: &[&'static str]| {
        let words = call(words);
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        json(&[&words[..], &["--json"]].concat()).await
    };
    let none = call(&["list"]);
    let none: Vec<&str> = none.iter().map(String::as_str).collect();
    let none = run(&none).await;
    let none = String::from_utf8(none.stdout).unwrap();
    assert!(
        none.starts_with("no members; `checkflow member add"),
        "{none}"
    );
    let add = ["add", "--name", "Ann", "--email", "ann@example.com"];
    let ann = as_json(&[&add[..], &["--role", "administrator"]].concat()).await;
    assert_eq!(ann["role"], "Administrator", "{ann}");
    let known = client.done("GET", "/api/team/members", &Value::Null).await;
    assert_eq!(known[0]["assigneeName"], "Ann", "{known}");

    let twice = call(&add);
    let twice: Vec<&str> = twice.iter().map(String::as_str).collect();
    let twice = complaint(&twice).await;
    assert!(twice.contains("is the address of member 1"), "{twice}");
    let last = call(&["deactivate", "1"]);
    let last: Vec<&str> = last.iter().map(String::as_str).collect();
    let last = complaint(&last).await;
    assert!(last.contains("the only active Administrator"), "{last}");

    as_json(&["add", "--name", "Bob", "--email", "bob@example.com"]).await;
    for now in [true, false] {
        let gone = as_json(&["deactivate", "2"]).await;
        assert_eq!(gone, json!({"memberId": 2, "deactivatedNow": now}));
    }
    let all = as_json(&["list"]).await;
    assert_eq!(all[1]["isActive"], false, "{all}");
    server.stop().await;
}
