//! Deliveries through a proxy and with a token that is fetched: both are asked for no more than is needed.

use std::net::SocketAddr;

use serde_json::json;
use tempfile::tempdir;
use testkit::{Receiver, Reply};

use crate::support::{Client, Server, Tunnels, serve, team_and_key};

/// Deliveries with one token, before it is refused and after.
const COUNT: usize = 20;

fn token(name: &str) -> Reply {
    let body = json!({"access_token": name, "token_type": "Bearer", "expires_in": 3600});
    Reply::ok()
        .header("content-type", "application/json")
        .body(body.to_string())
}

#[tokio::test]
async fn a_proxy_is_asked_for_addresses_and_a_token_server_once_until_its_token_is_refused() {
    let folder = tempdir().unwrap();
    let (receiver, tokens) = (Receiver::start().await, Receiver::start().await);
    tokens.script("/token", [token("first"), token("second")]);
    tokens.always("/token", token("too-many"));
    let proxy = Tunnels::start().await;
    let mut command = serve(folder.path(), "127.0.0.0/8");
    command
        .args(["--allow-target", "::1/128"])
        .env("CHECKFLOW_DELIVERY__SCHEDULE", r#"["0s", "100ms"]"#);
    let server = Server::start_by(command).await;
    let (_, key) = team_and_key(folder.path()).await;
    let client = Client::new(server.address, &key);
    let template = client.template().await;
    let scope = format!("templateKey={}", template["templateKey"].as_str().unwrap());
    // By name, so that there is a choice of what to ask the proxy for.
    let host = format!("localhost:{}", receiver.address().port());
    let target = format!("http://{host}/hook");
    let made = client.subscribe("new_checklist", &scope, &target).await;
    let path = format!(
        "/api/web-hook/subscription?subscriptionId={}",
        made["id"].as_str().unwrap()
    );
    let change = json!({
        "proxy": {"url": format!("http://{}", proxy.address)},
        "authorization": {"kind": "oauth2", "tokenUrl": tokens.url("/token"), "clientId": "me", "clientSecret": "s3cr3t"},
    });
    client.done("PATCH", &path, &change).await;

    for number in 0..COUNT {
        client.checklist(&template, &format!("list-{number}")).await;
    }
    receiver.wait_for(COUNT).await;
    client.wait_settled().await;
    assert_eq!(tokens.requests().len(), 1, "one token for all");
    receiver.script("/hook", [Reply::status(401)]);
    client.checklist(&template, "refused").await;
    receiver.wait_for(COUNT + 2).await;
    for number in 0..COUNT {
        client.checklist(&template, &format!("late-{number}")).await;
    }
    let all = receiver.wait_for(2 * COUNT + 2).await;
    client.wait_settled().await;

    assert_eq!(receiver.requests().len(), 2 * COUNT + 2);
    assert_eq!(tokens.requests().len(), 2, "one more after the refusal");
    for (number, request) in all.iter().enumerate() {
        let (token, attempt) = match number {
            ..=COUNT => ("Bearer first", "1"),
            _ if number == COUNT + 1 => ("Bearer second", "2"),
            _ => ("Bearer second", "1"),
        };
        assert_eq!(request.header("authorization"), Some(token), "{request}");
        assert_eq!(request.header("checkflow-attempt"), Some(attempt));
        assert_eq!(request.header("host"), Some(&*host));
    }
    // Whoever is asked for a name decides where it leads to.
    let asked: Vec<SocketAddr> = proxy
        .asked()
        .iter()
        .map(|asked| asked.parse().unwrap_or_else(|_| panic!("{asked}")))
        .collect();
    assert!(asked.iter().all(|asked| asked.ip().is_loopback()));
    for one in [&receiver, &tokens] {
        let port = one.address().port();
        let tunnels = asked.iter().filter(|asked| asked.port() == port).count();
        assert_eq!(tunnels, one.connections(), "nothing goes past the proxy");
    }
    server.stop().await;
}
