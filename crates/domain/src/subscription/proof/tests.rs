//! What a handshake asks, what is taken for an answer, and when one is needed.

use super::*;
use crate::test_source;

const ORIGIN: &str = "checks.example.com";

fn settings(proof: Proof, rate_per_second: Option<u32>) -> SubscriptionSettings {
    SubscriptionSettings {
        rate_per_second,
        proof,
        ..SubscriptionSettings::default()
    }
}

fn handshake(proof: Proof) -> Handshake {
    Handshake::of(&settings(proof, None), ORIGIN, &test_source()).unwrap()
}

fn judge(handshake: &Handshake, headers: &[(&str, &str)]) -> Result<Granted, String> {
    let headers: Vec<_> = headers.iter().map(|(n, v)| (*n, v.as_bytes())).collect();
    let judged = handshake.judge(200, &headers);
    judged.map_err(|refusal| refusal.to_string())
}

fn sent(handshake: &Handshake) -> Vec<(&'static str, String)> {
    let headers = handshake.headers().into_iter();
    let shown = |(name, value): (_, Secret)| (name, value.reveal().to_owned());
    headers.map(shown).collect()
}

#[test]
fn options_says_who_asks_and_how_often_it_will() {
    let asked =
        |rate| Handshake::of(&settings(Proof::Options, rate), ORIGIN, &test_source()).unwrap();
    assert_eq!(asked(None).method(), "OPTIONS");
    let origin = ("webhook-request-origin", ORIGIN.to_owned());
    assert_eq!(sent(&asked(None)), std::slice::from_ref(&origin));
    let rate = ("webhook-request-rate", "120".to_owned());
    assert_eq!(sent(&asked(Some(2))), [origin, rate]);
    let none = Handshake::of(&settings(Proof::None, None), ORIGIN, &test_source());
    assert_eq!(none, None);
}

#[test]
fn options_is_granted_to_this_server_or_to_all() {
    let asked = handshake(Proof::Options);
    for allowed in ["*", ORIGIN, "Checks.Example.COM", " * "] {
        let judged = judge(&asked, &[("Webhook-allowed-origin", allowed)]);
        assert_eq!(judged, Ok(Granted::default()), "{allowed}");
    }
    for (headers, refusal) in [
        (
            &[][..],
            "the answer has no WebHook-Allowed-Origin; it must be \"checks.example.com\", which is this server, or *",
        ),
        (
            &[("webhook-allowed-origin", "example.com")],
            "WebHook-Allowed-Origin is \"example.com\"; it must be \"checks.example.com\", which is this server, or *",
        ),
        (
            &[
                ("webhook-allowed-origin", "*"),
                ("WebHook-Allowed-Origin", "*"),
            ],
            "the answer has WebHook-Allowed-Origin more than once, so it can't be told which one is meant; once is right",
        ),
    ] {
        assert_eq!(judge(&asked, headers), Err(refusal.to_owned()));
    }
    for allowed in [
        "",
        "**",
        "*, *",
        "*.example.com",
        "checks.example.com.",
        "checks.example.com, a",
    ] {
        let judged = judge(&asked, &[("webhook-allowed-origin", allowed)]);
        assert!(judged.is_err(), "{allowed}");
    }
}

#[test]
fn what_a_refusal_repeats_is_short_and_can_be_printed() {
    let long = format!("\n\u{7f}{}", "x".repeat(10_000));
    let refusal = judge(
        &handshake(Proof::Options),
        &[("webhook-allowed-origin", &long)],
    );
    let refusal = refusal.unwrap_err();
    assert!(refusal.len() < 300, "{refusal}");
    assert!(!refusal.chars().any(char::is_control), "{refusal}");
    let asked = handshake(Proof::Options);
    let bytes: &[(&str, &[u8])] = &[("webhook-allowed-origin", b"\xff\xfe")];
    assert!(asked.judge(200, bytes).is_err());
}

#[test]
fn an_allowed_rate_is_a_ceiling() {
    let asked = handshake(Proof::Options);
    let granted = |rate: &str| {
        let headers = [
            ("webhook-allowed-origin", "*"),
            ("webhook-allowed-rate", rate),
        ];
        judge(&asked, &headers)
    };
    let digits = "9".repeat(400);
    for (allowed, max) in [
        ("*", None),
        ("60", Some(1)),
        ("119", Some(1)),
        ("120", Some(2)),
        ("600000", Some(10_000)),
        ("600060", None),
        ("18446744073709551616", None),
        (&digits, None),
    ] {
        let rate_per_second_max = max;
        assert_eq!(
            granted(allowed),
            Ok(Granted {
                rate_per_second_max
            }),
            "{allowed}"
        );
    }
    for allowed in ["0", "59", "", "-60", "+60", "1e3", "60.0", "60, 60", "many"] {
        let refusal = granted(allowed).unwrap_err();
        assert!(refusal.contains("a minute"), "{allowed}: {refusal}");
    }
    let two = Granted {
        rate_per_second_max: Some(2),
    };
    for (granted, wished, rate) in [
        (two, None, Some(2)),
        (two, Some(3), Some(2)),
        (two, Some(2), Some(2)),
        (two, Some(1), Some(1)),
        (Granted::default(), None, None),
        (Granted::default(), Some(9), Some(9)),
    ] {
        assert_eq!(granted.rate(wished), rate, "{granted:?} {wished:?}");
    }
}

#[test]
fn an_echo_is_the_same_letter_by_letter_and_there_once() {
    let asked = handshake(Proof::Echo);
    assert_eq!(asked.method(), "POST");
    let headers = sent(&asked);
    let [(name, secret)] = &headers[..] else {
        panic!("{headers:?}");
    };
    assert_eq!((*name, secret.len()), ("x-hook-secret", 43));
    let echo = |value: &str| judge(&asked, &[("X-Hook-Secret", value)]);
    assert_eq!(echo(secret), Ok(Granted::default()));
    assert_eq!(echo(&format!(" {secret} ")), Ok(Granted::default()));
    let other = "the X-Hook-Secret of the answer is another one; it must be that of the request, letter by letter";
    let (upper, doubled) = (secret.to_ascii_uppercase(), format!("{secret}, {secret}"));
    for wrong in [
        "",
        "*",
        &upper,
        &doubled,
        &secret[1..],
        &format!("{secret}x"),
    ] {
        assert_eq!(echo(wrong), Err(other.to_owned()), "{wrong}");
    }
    let none = "the answer has no X-Hook-Secret; it must be that of the request";
    assert_eq!(judge(&asked, &[]), Err(none.to_owned()));
    let twice = [("x-hook-secret", &**secret), ("x-hook-secret", secret)];
    assert!(
        judge(&asked, &twice)
            .unwrap_err()
            .contains("more than once")
    );
    let shown = format!("{asked:?}");
    assert!(!shown.contains(&**secret), "{shown}");
}

#[test]
fn the_secret_of_each_handshake_is_another_one() {
    let source = test_source();
    let echo = settings(Proof::Echo, None);
    let one = Handshake::of(&echo, ORIGIN, &source);
    assert_ne!(one, Handshake::of(&echo, ORIGIN, &source));
}

#[test]
fn nothing_but_a_success_is_an_answer() {
    for proof in [Proof::Options, Proof::Echo] {
        let asked = handshake(proof);
        let headers = sent(&asked);
        let mut all: Vec<(&str, &[u8])> = vec![("webhook-allowed-origin", b"*")];
        all.extend(headers.iter().map(|(n, v)| (*n, v.as_bytes())));
        for status in [200, 201, 204, 299] {
            assert_eq!(
                asked.judge(status, &all),
                Ok(Granted::default()),
                "{status}"
            );
        }
        for status in [100, 199, 300, 302, 307, 400, 405, 410, 429, 500] {
            let refusal = asked.judge(status, &all).unwrap_err().to_string();
            let said = format!("answered {} with {status}; it must", asked.method());
            assert!(refusal.contains(&said), "{refusal}");
            let redirects = (300..400).contains(&status);
            assert_eq!(refusal.contains("not followed"), redirects, "{refusal}");
        }
    }
}

#[test]
fn a_proof_is_of_a_target_by_its_kind_and_at_most_at_its_rate() {
    use Proof::{Echo, None as Not, Options};
    let target = |text: &str| TargetUrl::parse(text).unwrap();
    let (one, other) = (
        target("https://example.com/a"),
        target("https://example.com/b"),
    );
    let needs = |before: (&TargetUrl, Proof, Option<u32>),
                 after: (&TargetUrl, Proof, Option<u32>)| {
        let of = |(_, proof, rate): (&TargetUrl, Proof, Option<u32>)| settings(proof, rate);
        let (old, new) = (of(before), of(after));
        must_prove(Some((before.0, &old)), (after.0, &new))
    };
    for proof in [Not, Options, Echo] {
        assert_eq!(
            must_prove(None, (&one, &settings(proof, None))),
            proof != Not
        );
        assert!(
            !needs((&one, proof, Some(1)), (&other, Not, None)),
            "{proof}"
        );
        assert!(!needs((&one, proof, None), (&one, proof, None)), "{proof}");
        assert!(
            !needs((&one, proof, None), (&one, proof, Some(9))),
            "slower"
        );
        let faster = needs((&one, proof, Some(2)), (&one, proof, Some(3)));
        assert_eq!(faster, proof == Options);
        let unbound = needs((&one, proof, Some(2)), (&one, proof, None));
        assert_eq!(unbound, proof == Options);
        assert_eq!(
            needs((&one, proof, None), (&other, proof, None)),
            proof != Not
        );
    }
    for (from, to) in [
        (Not, Echo),
        (Not, Options),
        (Echo, Options),
        (Options, Echo),
    ] {
        assert!(needs((&one, from, None), (&one, to, None)), "{from} {to}");
    }
}
