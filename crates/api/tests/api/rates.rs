//! Limits on how much is asked: by key, by address, and what answers say of them.

use std::net::IpAddr;

use api::Peer;

use crate::harness::{Answer, Server, text};

const VALIDATE: &str = "/api/authentication/validate";

fn is_limited(answer: &Answer) -> bool {
    answer.status == 429 && answer.problem()["code"] == "rate_limited"
}

async fn validate(server: &Server, key: &str, from: &str) -> Answer {
    let address: IpAddr = from.parse().unwrap();
    let ask = server.get(VALIDATE).header("x-api-key", key);
    ask.extension(Peer(address)).answer().await
}

#[tokio::test]
async fn a_key_that_has_asked_for_enough_hears_when_it_may_again_and_others_do_not_notice() {
    let server = Server::with(|settings| {
        settings.limits.requests_per_minute_per_key = 2;
    })
    .await;
    for left in [1, 0] {
        let answer = validate(&server, &server.key, "192.0.2.1").await;
        let limit = answer.header("ratelimit").to_owned();
        assert!(
            limit.starts_with(&format!(r#""key";r={left};t="#)),
            "{limit}"
        );
        assert_eq!(answer.header("ratelimit-policy"), r#""key";q=2;w=60"#);
        answer.ok();
    }
    let refused = validate(&server, &server.key, "192.0.2.2").await;
    let wait: u64 = refused.header("retry-after").parse().unwrap();
    assert!((1..=30).contains(&wait), "{wait}");
    assert_eq!(refused.header("ratelimit"), r#""key";r=0;t=60"#);
    assert_eq!(refused.header("x-request-id").len(), 36);
    assert!(is_limited(&refused), "{}", refused.shown());
    let problem = refused.problem();
    let detail = text(&problem["detail"]);
    assert!(
        detail.starts_with("this key has sent more than 2 requests within a minute"),
        "{detail}"
    );
    validate(&server, &server.other_key, "192.0.2.2").await.ok();
}

#[tokio::test]
async fn an_address_has_one_limit_for_all_keys_that_it_tries() {
    let server = Server::with(|settings| {
        settings.limits.requests_per_minute_per_address = 3;
        settings.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    for guess in ["ck_a", "ck_b"] {
        let answer = validate(&server, guess, "192.0.2.1").await;
        assert_eq!(answer.problem()["code"], "key_unknown");
    }
    validate(&server, &server.key, "192.0.2.1").await.ok();
    let refused = validate(&server, &server.key, "192.0.2.1").await;
    assert!(is_limited(&refused), "{}", refused.shown());
    // The same caller behind a trusted proxy, and another one behind it.
    let by_proxy = |whom: &'static str| {
        let ask = server.get(VALIDATE).header("x-forwarded-for", whom);
        ask.extension(Peer([10, 0, 0, 1].into())).answer()
    };
    let refused = by_proxy("192.0.2.1").await;
    assert!(is_limited(&refused), "{}", refused.shown());
    by_proxy("192.0.2.9").await.ok();
}

#[tokio::test]
async fn without_limits_nothing_is_said_of_them() {
    let server = Server::start().await;
    let answer = validate(&server, &server.key, "192.0.2.1").await;
    assert_eq!(answer.headers.get("ratelimit"), None);
    assert_eq!(answer.headers.get("ratelimit-policy"), None);
    answer.ok();
}
