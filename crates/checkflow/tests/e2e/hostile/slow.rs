//! Receivers that take their time: each is left when the time for an exchange is over, and until
//! then nobody waits for them.

use super::*;

/// Long enough that the healthy receiver's webhook comes first on a busy machine too.
const TIMEOUT: [(&str, &str); 2] = [
    ("CHECKFLOW_DELIVERY__REQUEST_TIMEOUT", "5s"),
    ("CHECKFLOW_DELIVERY__CONNECT_TIMEOUT", "5s"),
];

/// What each does, and the status that it gets out in time.
fn tricks() -> [(&'static str, Trick, Option<u64>); 7] {
    let head = "HTTP/1.1 200 OK\r\n";
    let sized = format!("{head}content-length: 1000000\r\n\r\n");
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let early = "HTTP/1.1 100 Continue\r\n\r\n";
    let half = format!("{sized}half");
    let drop_by_drop = |says: String, what: &'static str| Trick::says(says).and_drips(what);
    [
        ("no answer", Trick::says("").and_hangs(), None),
        ("half a head", Trick::says(head).and_hangs(), None),
        ("a header", drop_by_drop(format!("{head}x: "), "y"), None),
        ("1xx", drop_by_drop(String::new(), early), None),
        ("half a body", Trick::says(half).and_hangs(), Some(200)),
        ("a body", drop_by_drop(sized, "x"), Some(200)),
        ("chunks", drop_by_drop(chunked, "1\r\nx\r\n"), Some(200)),
    ]
}

#[tokio::test]
async fn slow_receivers_are_left_in_time_and_hold_nobody_up() {
    let scene = Scene::start(&TIMEOUT).await;
    let tricks = tricks();
    let start = |trick: &Trick| Hostile::start(trick.clone());
    let mut hostile: Vec<_> = tricks.iter().map(|(_, trick, _)| start(trick)).collect();
    let mut targets: Vec<_> = hostile.iter().map(Hostile::url).collect();
    // The last says nothing where TLS should be spoken.
    let silent = Hostile::start(Trick::says("").and_hangs().at_once());
    targets.push(silent.secure_url());
    hostile.push(silent);
    hostile.iter().for_each(Hostile::go);

    let subscriptions = scene.tell(&targets).await;
    let healthy = scene.healthy.requests()[0].arrived;
    let expected = tricks.iter().map(|(what, _, status)| (*what, *status));
    let expected = expected.chain([("no TLS", None)]);
    for ((what, status), (hostile, subscription)) in
        expected.zip(hostile.iter().zip(&subscriptions))
    {
        let left = hostile.left().await.left_at;
        assert!(left.unwrap() > healthy, "{what}: it was not waited for");
        let met = scene.settled(subscription).await;
        let told = (met.outcome(), met.status());
        assert_eq!(told, ("timed_out", status), "{what}");
        let words = [
            "the receiver did not answer within 5s",
            "no connection within 5s: the receiver took it, and did not finish the TLS handshake",
        ];
        assert!(words.contains(&met.error()), "{what}: {}", met.error());
    }
    scene.server.stop().await;
}
