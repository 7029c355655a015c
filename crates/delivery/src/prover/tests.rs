//! Handshakes with receivers that answer in every way there is.

use std::{collections::BTreeMap, net::IpAddr};

use domain::{Authorization, Credentials, Proof, Proxy, RequestSettings, Secret};
use testkit::{Gate, Receiver, Reply, test_source};

use super::*;

const ORIGIN: &str = "checks.example.com";

/// Knows one name, which leads inside.
struct Names;

impl Resolver for Names {
    fn resolve<'a>(&'a self, host: &'a str) -> domain::Answer<'a> {
        let found: Vec<IpAddr> = match host {
            "intranet.example.com" => vec![[10, 0, 0, 7].into()],
            _ => vec![[127, 0, 0, 1].into()],
        };
        Box::pin(std::future::ready(Ok(found)))
    }
}

fn prover_with(change: impl FnOnce(&mut DeliverySettings)) -> TargetProver {
    let mut settings = DeliverySettings::default();
    change(&mut settings);
    let policy = AddressPolicy::new(&["127.0.0.0/8"]).unwrap();
    TargetProver::new(&settings, policy, Arc::new(Names))
}

fn prover() -> TargetProver {
    prover_with(|_| {})
}

fn handshake(proof: Proof) -> Handshake {
    let settings = SubscriptionSettings {
        proof,
        ..SubscriptionSettings::default()
    };
    Handshake::of(&settings, ORIGIN, &test_source().0).unwrap()
}

/// The same with what grants the proof.
fn granting(proof: Proof, reply: Reply) -> Reply {
    match proof {
        Proof::Echo => reply.echoing("x-hook-secret"),
        _ => reply.header("WebHook-Allowed-Origin", ORIGIN),
    }
}

async fn prove(target: &TargetUrl, proof: Proof) -> Result<Granted, ProofRefusal> {
    prover().prove(target, None, &handshake(proof)).await
}

/// What is said of a receiver that answers so.
async fn refusal(proof: Proof, reply: Reply) -> String {
    let receiver = Receiver::start().await;
    receiver.always("/hook", reply);
    let refused = prove(&receiver.target("/hook"), proof).await;
    assert_eq!(receiver.requests().len(), 1, "asked once, and nowhere else");
    refused.unwrap_err().to_string()
}

const BOTH: [Proof; 2] = [Proof::Options, Proof::Echo];

#[tokio::test]
async fn options_goes_to_the_target_with_the_name_of_this_server() {
    let receiver = Receiver::start().await;
    receiver.always("/hook", granting(Proof::Options, Reply::status(204)));
    let target = receiver.target("/hook?a=b");
    assert_eq!(prove(&target, Proof::Options).await, Ok(Granted::default()));
    let request = &receiver.requests()[0];
    assert_eq!(request.method, Method::OPTIONS);
    assert_eq!(request.uri, "/hook?a=b");
    assert_eq!(request.header("webhook-request-origin"), Some(ORIGIN));
    assert_eq!(request.header("user-agent"), Some(USER_AGENT));
    for absent in [
        "webhook-request-callback",
        "webhook-request-rate",
        "webhook-id",
    ] {
        assert_eq!(request.header(absent), None);
    }
    assert!(request.body.is_empty());
}

#[tokio::test]
async fn an_echo_has_no_body_and_another_secret_each_time() {
    let receiver = Receiver::start().await;
    receiver.always("/hook", granting(Proof::Echo, Reply::ok()));
    let (target, source) = (receiver.target("/hook"), test_source().0);
    let settings = SubscriptionSettings {
        proof: Proof::Echo,
        ..SubscriptionSettings::default()
    };
    for _ in 0..2 {
        let handshake = Handshake::of(&settings, ORIGIN, &source).unwrap();
        let proven = prover().prove(&target, None, &handshake).await;
        assert_eq!(proven, Ok(Granted::default()));
    }
    let requests = receiver.requests();
    let secret = |at: usize| requests[at].header("x-hook-secret").unwrap();
    assert_ne!(secret(0), secret(1));
    for request in &requests {
        assert_eq!((&request.method, request.body.len()), (&Method::POST, 0));
        assert_eq!(request.header("content-length"), Some("0"));
        assert_eq!(request.header("webhook-id"), None);
    }
    assert_eq!(receiver.connections(), 2, "each ends its connection");
}

#[tokio::test]
async fn a_receiver_that_says_something_else_proves_nothing() {
    let echo = || Reply::ok().echoing("x-hook-secret");
    let other = Reply::ok().header("x-hook-secret", "AAAA");
    let twice = echo().header("x-hook-secret", "AAAA");
    let huge = Reply::ok().header("x-hook-secret", &"x".repeat(300 * 1024));
    for (proof, reply, said) in [
        (Proof::Echo, Reply::ok(), "no X-Hook-Secret"),
        (Proof::Echo, other, "another one"),
        (Proof::Echo, twice, "more than once"),
        (
            Proof::Echo,
            Reply::ok().echoing("user-agent"),
            "no X-Hook-Secret",
        ),
        (Proof::Echo, huge, "larger than is taken"),
        (Proof::Options, Reply::ok(), "no WebHook-Allowed-Origin"),
        (
            Proof::Options,
            Reply::ok().header("webhook-allowed-origin", "example.com"),
            "WebHook-Allowed-Origin is \"example.com\"",
        ),
        (
            Proof::Options,
            Reply::ok().header("allow", "POST, OPTIONS"),
            "no WebHook-Allowed-Origin",
        ),
    ] {
        let refused = refusal(proof, reply).await;
        assert!(refused.contains(said), "{refused}");
    }
    for proof in BOTH {
        for status in [301, 302, 307, 308, 400, 405, 410, 500, 503] {
            let elsewhere = Receiver::start().await;
            elsewhere.always("/", granting(proof, Reply::ok()));
            let reply = granting(proof, Reply::status(status));
            let reply = reply.header("location", &elsewhere.url("/"));
            let refused = refusal(proof, reply).await;
            assert!(refused.contains(&format!(" with {status};")), "{refused}");
            assert_eq!(elsewhere.requests().len(), 0, "no redirect is followed");
        }
        for (reply, said) in [
            (Reply::close(), "closed the connection"),
            (Reply::raw("nonsense\r\n\r\n"), "is not HTTP"),
            (
                Reply::raw("HTTP/1.1 200 OK\r\nwebhook-"),
                "closed the connection",
            ),
        ] {
            let refused = refusal(proof, reply).await;
            assert!(refused.contains(said), "{refused}");
        }
    }
}

#[tokio::test]
async fn what_follows_the_head_is_not_waited_for() {
    for proof in BOTH {
        let receiver = Receiver::start().await;
        for reply in [Reply::endless(), Reply::drip(&Gate::closed())] {
            receiver.script("/hook", [granting(proof, reply)]);
            let proven = prove(&receiver.target("/hook"), proof).await;
            assert_eq!(proven, Ok(Granted::default()), "{proof}");
            receiver.wait_idle().await;
        }
    }
}

#[tokio::test]
async fn a_receiver_that_hangs_is_given_up() {
    let receiver = Receiver::start().await;
    let gate = Gate::closed();
    receiver.always("/hook", granting(Proof::Echo, Reply::ok()).after(&gate));
    let at_work = prover_with(|settings| settings.request_timeout = Duration::from_millis(200));
    let (target, handshake) = (receiver.target("/hook"), handshake(Proof::Echo));
    let refused = at_work.prove(&target, None, &handshake);
    let refused = tokio::time::timeout(testkit::PATIENCE, refused).await;
    let refused = refused.expect("it is given up").unwrap_err().to_string();
    assert!(refused.contains("did not answer within 200ms"), "{refused}");
    receiver.wait_idle().await;
    let longest = prover_with(|settings| settings.request_timeout = Duration::from_secs(30));
    assert_eq!(longest.settings.request_timeout, HANDSHAKE_TIME_MAX);
    gate.open();
}

#[tokio::test]
async fn a_handshake_that_nobody_waits_for_any_more_ends() {
    let receiver = Receiver::start().await;
    let reply = granting(Proof::Echo, Reply::ok()).after(&Gate::closed());
    receiver.always("/hook", reply);
    let (target, handshake) = (receiver.target("/hook"), handshake(Proof::Echo));
    let at_work = prover();
    let proving = at_work.prove(&target, None, &handshake);
    tokio::select! {
        _ = proving => unreachable!("it hangs"),
        requests = receiver.wait_for(1) => assert_eq!(requests.len(), 1),
    }
    receiver.wait_idle().await;
}

#[tokio::test]
async fn what_the_address_rule_forbids_is_not_asked() {
    for (target, said) in [
        ("http://10.0.0.7/", "10.0.0.7"),
        ("http://intranet.example.com/", "10.0.0.7"),
        ("http://169.254.169.254/latest", "169.254.169.254"),
    ] {
        let target = TargetUrl::parse(target).unwrap();
        for proof in BOTH {
            let refused = prove(&target, proof).await.unwrap_err().to_string();
            assert!(refused.contains(said), "{refused}");
        }
    }
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let target = format!("http://{}/", nobody.local_addr().unwrap());
    drop(nobody);
    let target = TargetUrl::parse(&target).unwrap();
    let refused = prove(&target, Proof::Echo).await.unwrap_err().to_string();
    assert!(
        refused.contains("connection refused; a receiver must be there"),
        "{refused}"
    );
}

fn styled(
    settings: RequestSettings,
    headers: &[(&str, &str)],
    secret: Option<&str>,
) -> RequestStyle {
    let pairs = headers.iter();
    let pairs = pairs.map(|(name, value)| ((*name).to_owned(), Secret::new(*value)));
    let headers: BTreeMap<_, _> = pairs.collect();
    RequestStyle {
        settings: RequestSettings {
            headers: headers.keys().cloned().collect(),
            ..settings
        },
        credentials: Credentials {
            headers,
            authorization: secret.map(Secret::new),
            ..Credentials::default()
        },
    }
}

#[tokio::test]
async fn it_is_asked_as_the_subscription_asks() {
    let receiver = Receiver::start().await;
    for proof in BOTH {
        receiver.always("/hook", granting(proof, Reply::ok()));
        let user = "me".to_owned();
        let authorization = Some(Authorization::Basic { user });
        let settings = RequestSettings {
            authorization,
            ..RequestSettings::default()
        };
        // What proves is never what the subscription has of its own.
        let own = [("x-tenant", "blue"), ("x-hook-secret", "own")];
        let style = styled(settings, &own, Some("secret"));
        let (target, handshake) = (receiver.target("/hook"), handshake(proof));
        let proven = prover().prove(&target, Some(&style), &handshake).await;
        assert_eq!(proven, Ok(Granted::default()));
        let requests = receiver.requests();
        let request = requests.last().unwrap();
        assert_eq!(request.header("x-tenant"), Some("blue"));
        let basic = request.header("authorization").unwrap();
        assert!(basic.starts_with("Basic "), "{basic}");
        assert_eq!(request.headers.get_all("x-hook-secret").iter().count(), 1);
        assert_eq!(
            request.header("x-hook-secret") == Some("own"),
            proof == Proof::Options
        );
    }
}

#[tokio::test]
async fn a_token_is_fetched_for_it_and_its_lack_is_told() {
    let receiver = Receiver::start().await;
    receiver.always("/hook", granting(Proof::Echo, Reply::ok()));
    let oauth2 = Authorization::Oauth2 {
        token_url: receiver.target("/token"),
        client_id: "checkflow".to_owned(),
        scopes: Vec::new(),
        client_auth: domain::ClientAuth::Basic,
    };
    let settings = RequestSettings {
        authorization: Some(oauth2),
        ..RequestSettings::default()
    };
    let style = styled(settings, &[], Some("client-secret"));
    let token = Reply::ok().body(r#"{"access_token": "t0k3n", "token_type": "bearer"}"#);
    receiver.script("/token", [token, Reply::status(401)]);
    let (target, handshake) = (receiver.target("/hook"), handshake(Proof::Echo));
    let at_work = prover();
    let proven = at_work.prove(&target, Some(&style), &handshake).await;
    assert_eq!(proven, Ok(Granted::default()));
    let asked = receiver.requests_to("/hook");
    assert_eq!(asked[0].header("authorization"), Some("Bearer t0k3n"));
    // No token is kept, for nothing of it is stored yet.
    let refused = at_work.prove(&target, Some(&style), &handshake).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.starts_with("no token: "), "{refused}");
    assert_eq!(receiver.requests_to("/hook").len(), 1);
}

#[tokio::test]
async fn its_proxy_is_gone_through_and_judged() {
    let receiver = Receiver::start().await;
    receiver.always("/hook", granting(Proof::Echo, Reply::ok()));
    let style = |url: &str| {
        let proxy = Proxy {
            url: TargetUrl::parse(url).unwrap(),
            user: None,
        };
        let settings = RequestSettings {
            proxy: Some(proxy),
            ..RequestSettings::default()
        };
        styled(settings, &[], None)
    };
    let (target, handshake) = (receiver.target("/hook"), handshake(Proof::Echo));
    let at_work = prover();
    let inside = style("http://intranet.example.com:3128");
    let refused = at_work.prove(&target, Some(&inside), &handshake).await;
    let refused = refused.unwrap_err().to_string();
    assert!(refused.contains("10.0.0.7"), "{refused}");
    let proxy = testkit::Proxy::start(receiver.address()).await;
    let not_one = style(&format!("http://{}", proxy.address()));
    let refused = at_work.prove(&target, Some(&not_one), &handshake).await;
    assert!(refused.is_err(), "the receiver is no proxy");
    assert!(receiver.requests_to("/hook").is_empty());
}
