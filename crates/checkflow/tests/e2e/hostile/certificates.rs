//! Receivers that speak TLS, and those that do not: whom the server trusts, and what it says of the
//! rest.

use std::{path::PathBuf, sync::Arc};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rcgen::{
    BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd,
};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        crypto::ring,
        pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    },
};

use serde_json::json;

use super::*;
use crate::support::line_with;

/// An authority, and the file by which servers are told to trust it.
pub(super) struct Authority {
    certificate: Certificate,
    key: KeyPair,
    folder: TempDir,
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempdir().unwrap();
        let text = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            BASE64_STANDARD.encode(certificate.der())
        );
        std::fs::write(folder.path().join("roots.pem"), text).unwrap();
        Self {
            certificate,
            key,
            folder,
        }
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("roots.pem")
    }

    /// What a receiver proves itself with, of this authority.
    fn signs(&self, params: CertificateParams) -> TlsAcceptor {
        TlsAcceptor::from(Arc::new(self.config(params)))
    }

    /// The same, not yet in use.
    pub(super) fn config(&self, params: CertificateParams) -> ServerConfig {
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.certificate, &self.key);
        config(&leaf.unwrap(), &key)
    }
}

/// What a receiver proves itself with, of its own making.
fn self_signed(params: CertificateParams) -> TlsAcceptor {
    let key = KeyPair::generate().unwrap();
    let config = config(&params.self_signed(&key).unwrap(), &key);
    TlsAcceptor::from(Arc::new(config))
}

fn config(certificate: &Certificate, key: &KeyPair) -> ServerConfig {
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key);
    config.unwrap()
}

pub(super) fn of(name: &str) -> CertificateParams {
    CertificateParams::new([name.to_owned()]).unwrap()
}

/// A scene whose server trusts this authority and nobody else.
pub(super) async fn scene(authority: &Authority) -> Scene {
    let file = authority.file();
    Scene::start(&[("SSL_CERT_FILE", file.to_str().unwrap())]).await
}

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

#[tokio::test]
async fn a_receiver_whose_certificate_is_trusted_gets_its_webhook() {
    let authority = Authority::new("Trusted");
    let scene = scene(&authority).await;
    let receiver = Hostile::secured(Trick::says(OK), authority.signs(of("localhost")));
    let (met, _) = scene.meet(&receiver, &receiver.url()).await;
    assert_eq!((met.outcome(), met.status()), ("delivered", Some(200)));
    assert_eq!(met.attempt["responseBody"], "ok");

    // What is bounded without TLS is so within.
    for (trick, error) in [
        (
            Trick::says("").and_repeats("HTTP/1.1 100 Continue\r\n\r\n"),
            TOO_MUCH,
        ),
        (
            Trick::says("HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"),
            "the receiver closed the connection before its answer was whole",
        ),
    ] {
        let hostile = Hostile::secured(trick, authority.signs(of("localhost")));
        let (met, seen) = scene.meet(&hostile, &hostile.url()).await;
        assert_eq!((met.outcome(), met.error()), ("broken", error));
        assert!(seen.written <= WRITTEN_BYTES_MAX, "{seen:?}");
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn a_certificate_that_proves_nothing_is_told_in_words_and_nothing_is_sent() {
    let authority = Authority::new("Trusted");
    let scene = scene(&authority).await;
    let (mut expired, mut early) = (of("localhost"), of("localhost"));
    expired.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(2100, 1, 1);
    let (stranger, forger) = (Authority::new("Stranger"), Authority::new("Trusted"));
    let untrusted = "the receiver's certificate is from an issuer that this server does not trust";
    for (tls, error) in [
        (self_signed(of("localhost")), untrusted),
        (stranger.signs(of("localhost")), untrusted),
        (
            forger.signs(of("localhost")),
            "the receiver's certificate is not valid: ",
        ),
        (
            authority.signs(of("elsewhere.example")),
            "the receiver's certificate is for another name",
        ),
        (
            authority.signs(expired),
            "the receiver's certificate has expired",
        ),
        (
            authority.signs(early),
            "the receiver's certificate is not valid yet",
        ),
    ] {
        let hostile = Hostile::secured(Trick::says(OK), tls);
        let subscriptions = scene.tell(&[hostile.url()]).await;
        let met = scene.settled(&subscriptions[0]).await;
        assert_eq!(
            (met.outcome(), met.status()),
            ("tls_failed", None),
            "{error}"
        );
        assert!(met.error().starts_with(error), "{}", met.error());
        let seen = hostile.left().await;
        assert_eq!((seen.connections, seen.asked), (1, 0), "{error}");
    }
    scene.server.stop().await;
}

#[tokio::test]
async fn where_tls_is_not_spoken_or_badly_it_is_told_in_words() {
    let authority = Authority::new("Trusted");
    let scene = scene(&authority).await;
    let plain = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\n\r\nplain HTTP on this port";
    let no_tls = "the receiver does not speak TLS on this port";
    // A record as long as may be, of a handshake that never comes to anything.
    let record = [&b"\x16\x03\x03\x40\x00"[..], &[0; 0x4000]].concat();
    for (what, trick, error) in [
        ("plain HTTP", Trick::says(plain), no_tls),
        (
            "garbage",
            Trick::says(&b"\xde\xad\xbe\xef\0\xff\x17garbage"[..]).and_hangs(),
            no_tls,
        ),
        (
            "garbage without end",
            Trick::says("").and_repeats(vec![0xa5; 16 * 1024]),
            no_tls,
        ),
        (
            "nothing",
            Trick::says(""),
            "the connection could not be secured: the receiver closed it",
        ),
        (
            "a reset",
            Trick::says("").and_resets(),
            "the connection could not be secured: the receiver reset it",
        ),
        (
            "a refusal",
            Trick::says(&b"\x15\x03\x03\0\x02\x02\x28"[..]).and_hangs(),
            "the receiver refused the TLS handshake (HandshakeFailure)",
        ),
        (
            "a handshake without end",
            Trick::says("").and_repeats(record),
            "",
        ),
    ] {
        let hostile = Hostile::start(trick.at_once());
        let (met, seen) = scene.meet(&hostile, &hostile.secure_url()).await;
        assert_eq!(
            (met.outcome(), met.status()),
            ("tls_failed", None),
            "{what}: {}",
            met.error()
        );
        assert!(met.error().starts_with(error), "{what}: {}", met.error());
        assert!(seen.written <= WRITTEN_BYTES_MAX, "{what}: {seen:?}");
    }

    // And the other way round.
    let hostile = Hostile::secured(Trick::says(OK), authority.signs(of("localhost")));
    let subscriptions = scene
        .tell(&[format!("http://{}/hook", hostile.address())])
        .await;
    let met = scene.settled(&subscriptions[0]).await;
    assert_eq!(met.outcome(), "broken", "{}", met.error());
    assert_eq!(hostile.left().await.asked, 0);
    scene.server.stop().await;
}

#[tokio::test]
async fn without_any_authority_plain_targets_still_work() {
    let empty = tempdir().unwrap();
    let file = empty.path().join("none.pem");
    std::fs::write(&file, "").unwrap();
    let mut scene = Scene::start(&[("SSL_CERT_FILE", file.to_str().unwrap())]).await;
    let log = &mut scene.server.process.log;
    line_with(log, "no certificate authorities found").await;
    let hostile = Hostile::secured(Trick::says(OK), self_signed(of("localhost")));
    let subscriptions = scene.tell(&[hostile.url()]).await;
    let met = scene.settled(&subscriptions[0]).await;
    assert_eq!(met.outcome(), "tls_failed", "{}", met.error());
    scene.server.stop().await;
}

#[tokio::test]
async fn what_a_subscription_wishes_for_is_kept_where_nobody_reads_it() {
    let (authority, scene) = (Authority::new("Own"), Scene::start(&[]).await);
    let hostile = Hostile::secured(Trick::says(OK), authority.signs(of("localhost")));
    let coming = scene.subscribe(&[hostile.url()]).await;
    let ca = std::fs::read_to_string(authority.file()).unwrap();
    let list = "/api/web-hook/subscriptions";
    let list = scene.client.done("GET", list, &Value::Null).await;
    for made in list.as_array().unwrap() {
        let id = made["id"].as_str().unwrap();
        let path = format!("/api/web-hook/subscription?subscriptionId={id}");
        let wishes = json!({"headers": {"X-Key": "header-secret"}, "traceparent": true,
            "authorization": {"kind": "bearer", "token": "token-secret"}, "tls": {"ca": ca}});
        scene.client.done("PATCH", &path, &wishes).await;
    }
    scene.happen(&coming).await;
    let told = scene.healthy.requests_to(&coming.path).remove(0);
    assert_eq!(told.header("x-key"), Some("header-secret"));
    assert_eq!(told.header("authorization"), Some("Bearer token-secret"));
    assert!(told.header("traceparent").is_some());
    hostile.asked().await;
    hostile.go();
    hostile.left().await;
    let met = scene.settled(&coming.subscriptions[0]).await;
    assert_eq!(met.outcome(), "delivered", "{}", met.error());
    scene.server.stop().await;
    let mut bytes = Vec::new();
    for entry in std::fs::read_dir(scene.folder.path()).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            bytes.extend(std::fs::read(path).unwrap());
        }
    }
    let is_there = |text: &str| {
        bytes
            .windows(text.len())
            .any(|part| part == text.as_bytes())
    };
    assert!(is_there("x-key"), "names are no secret");
    assert!(!is_there("header-secret") && !is_there("token-secret"));
}
