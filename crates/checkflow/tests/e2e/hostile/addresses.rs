//! Private addresses, however they are written: refused when they are saved, and again when they
//! would be called.

use serde_json::json;

use super::*;
use crate::support::checkflow;

/// Asks to be told at `target`; answers status, code and rule.
async fn asked(client: &Client, template: &Value, target: &str) -> (u16, Value, Value) {
    let body = json!({
        "source": "test",
        "eventType": "new_checklist",
        "templateKey": template["templateKey"],
        "targetUrl": target,
    });
    let answer = client.ask("POST", "/api/web-hook/subscribe", &body).await;
    let member = |name: &str| answer.body[name].clone();
    (answer.status, member("code"), member("rule"))
}

/// Hosts that all mean this machine, or might, by the rule that refuses each.
const OURS: [(&str, &[&str]); 8] = [
    (
        "loopback",
        &[
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "2130706433",
            "0x7f000001",
            "0X7F.0x0.0x0.0x1",
            "0x7f.1",
            "0177.0.0.1",
            "017700000001",
            "00000177.0.0.1",
            "127.0.0.1.",
            "2130706433.",
            // Digits and dots of other scripts.
            "１２７.０.０.１",
            "127。0。0。1",
            "127．0｡0.1",
            "①②⑦.⓪.⓪.①",
            "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
            "0ｘ7ｆ.1",
            // Percent-encoded.
            "%31%32%37.0.0.1",
            "127%2e0%2E0.1",
            "%EF%BC%91%EF%BC%92%EF%BC%97.0.0.1",
            // What the URL standard drops.
            "127.0.\t0.1",
            "127.0.0\n.1",
            "127.0\u{ad}.0.1",
            // IPv4 within IPv6.
            "[::1]",
            "[0:0:0:0:0:0:0:1]",
            "[::ffff:127.0.0.1]",
            "[::FFFF:7f00:1]",
            "[0:0:0:0:0:ffff:7f00:0001]",
            "[::127.0.0.1]",
            "[::ffff:0:127.0.0.1]",
            "[64:ff9b::127.0.0.1]",
            "[64:ff9b::7f00:1]",
            "[2002:7f00:1::]",
            "[2002:7f00:0001::1]",
            "[2001:0:808:808::80ff:fffe]",
            // Names that no one is asked about.
            "localhost",
            "LOCALHOST.",
            "hooks.localhost",
            "ⓛocalhost",
            "loc\u{ad}alhost",
            "%6cocalhost",
        ],
    ),
    (
        "unspecified",
        &["0", "0.0.0.0", "0x0", "[::]", "[::ffff:0.0.0.0]"],
    ),
    (
        "nat64_local",
        &["[64:ff9b:1::127.0.0.1]", "[64:ff9b:1:7f00:0:100::]"],
    ),
    ("teredo", &["[2001:0:808:808::f7f7:f7f7]"]),
    ("six_to_four", &["[2002:808:808::]"]),
    (
        "private",
        &[
            "10.0.0.1",
            "012.1",
            "192.168.1",
            "3232235521",
            "[::ffff:ac10:1]",
            "[2002:a00:1::]",
        ],
    ),
    (
        "metadata",
        &[
            "169.254.169.254",
            "2852039166",
            "0xa9fea9fe",
            "0251.0376.0251.0376",
            "[::ffff:a9fe:a9fe]",
            "[fd00:ec2::254]",
        ],
    ),
    ("link_local", &["169.254.1.1", "[fe80::1]"]),
];

#[tokio::test]
async fn no_way_of_writing_a_private_address_is_saved() {
    let folder = tempdir().unwrap();
    let data = folder.path().to_str().unwrap();
    let args = ["serve", "--data", data, "--listen", "127.0.0.1:0"];
    let command = checkflow(&args);
    let scene = Scene::start_by(folder, command).await;
    let template = scene.client.template().await;
    let port = scene.healthy.address().port();
    let refused = json!("target_refused");
    for (rule, hosts) in OURS {
        for host in hosts {
            let (status, code, by) =
                asked(&scene.client, &template, &format!("http://{host}:{port}/")).await;
            assert_eq!(
                (status, code, by),
                (400, refused.clone(), json!(rule)),
                "{host:?}"
            );
        }
    }
    for (target, rule) in [
        ("http://8.8.8.8@127.0.0.1:PORT/", "credentials"),
        ("http://8.8.8.8:80@127.0.0.1:PORT/", "credentials"),
        ("http://127.0.0.1:PORT@8.8.8.8/", "credentials"),
        ("http://8.8.8.8%40127.0.0.1:PORT/", "not_a_url"),
        ("http://8.8.8.8&@127.0.0.1:PORT#@8.8.8.8/", "credentials"),
        ("http://127.0.0.1:PORT#.example.com/", "fragment"),
        ("http://127.0.0.1:PORT?.example.com/", "loopback"),
        ("http://127.0.0.1:PORT\\@8.8.8.8/", "loopback"),
        ("http://127.0.0.1%00.example.com:PORT/", "not_a_url"),
        ("http://127.0.0.1%0d%0ahost:example.com/", "not_a_url"),
        ("http://[::1%25lo]:PORT/", "not_a_url"),
        ("http://[::ffff:127.0.0.1:PORT/", "not_a_url"),
        ("http://256.0.0.1:PORT/", "not_a_url"),
        ("http://127.0.0.1.2130706433:PORT/", "not_a_url"),
        ("http:127.0.0.1:PORT/", "not_absolute"),
        ("http:\\\\127.0.0.1:PORT\\", "not_absolute"),
        ("//127.0.0.1:PORT/", "not_absolute"),
        ("gopher://127.0.0.1:PORT/", "not_http"),
        ("file:///etc/passwd", "not_http"),
        ("http://localhost.:PORT/", "loopback"),
        ("https://localhost:PORT/", "loopback"),
    ] {
        let target = target.replace("PORT", &port.to_string());
        let (status, code, by) = asked(&scene.client, &template, &target).await;
        assert_eq!(
            (status, code, by),
            (400, refused.clone(), json!(rule)),
            "{target:?}"
        );
    }
    let path = "/api/web-hook/subscriptions";
    let none = scene.client.ask("GET", path, &Value::Null).await;
    assert_eq!(none.status, 404, "{}", none.body);
    assert_eq!(scene.healthy.connections(), 0);
    scene.server.stop().await;
}

#[tokio::test]
async fn what_was_allowed_once_is_judged_anew_when_it_is_called() {
    let mut scene = Scene::start(&[]).await;
    let trap = Receiver::start_on(([127, 0, 0, 2], 0).into()).await;
    let port = trap.address().port();
    let hosts = ["127.0.0.2", "[::ffff:127.0.0.2]"];
    let targets = hosts.map(|host| format!("http://{host}:{port}/"));
    scene.tell(&targets).await;
    trap.wait_for(hosts.len()).await;
    let connections = trap.connections();
    let coming = scene.subscribe(&targets).await;
    scene.server.stop().await;

    let command = serve_once(scene.folder.path(), "127.0.0.1");
    scene.server = Server::start_by(command).await;
    scene.client = scene.client.at(scene.server.address);
    scene.happen(&coming).await;
    for subscription in &coming.subscriptions {
        let met = scene.settled(subscription).await;
        assert_eq!(
            (met.state.as_str(), met.outcome()),
            ("refused", "address_refused")
        );
        assert!(
            met.error().contains("127.0.0.2") && met.error().contains("webhook.allow_targets"),
            "{}",
            met.error()
        );
    }
    assert_eq!(trap.connections(), connections);
    scene.server.stop().await;
}
