//! Requests with authorities and certificates of a subscription's own.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{Timestamp, TlsJudge as _, TlsPems, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
use testkit::test_source;
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::TlsCheck;

/// An authority, as tests make them.
pub(in super::super) struct Authority(rcgen::Certificate, KeyPair);

fn pem(kind: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")
}

impl Authority {
    pub(in super::super) fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(params.self_signed(&key).unwrap(), key)
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    pub(in super::super) fn roots(&self) -> RootCertStore {
        let mut roots = RootCertStore::empty();
        roots.add(self.0.der().clone()).unwrap();
        roots
    }

    pub(in super::super) fn signs(&self, name: &str) -> (CertificateDer<'static>, Vec<u8>) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new([name.to_owned()]).unwrap();
        let leaf = params.signed_by(&key, &self.0, &self.1).unwrap();
        (leaf.der().clone(), key.serialize_der())
    }

    /// What receivers of this authority speak TLS with. They let in whoever shows a certificate of `clients`, if there
    /// is one.
    pub(in super::super) fn config(&self, clients: Option<&Self>) -> ServerConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ServerConfig::builder_with_provider(provider.clone());
        let builder = builder.with_safe_default_protocol_versions().unwrap();
        let builder = match clients {
            None => builder.with_no_client_auth(),
            Some(clients) => {
                let roots = Arc::new(clients.roots());
                let verifier = WebPkiClientVerifier::builder_with_provider(roots, provider);
                builder.with_client_cert_verifier(verifier.build().unwrap())
            }
        };
        let (certificate, key) = self.signs("localhost");
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key));
        builder.with_single_cert(vec![certificate], key).unwrap()
    }

    /// A receiver of this authority.
    async fn receiver(&self, clients: Option<&Self>) -> Receiver {
        let acceptor = TlsAcceptor::from(Arc::new(self.config(clients)));
        Receiver::start(move |_, stream| {
            let acceptor = acceptor.clone();
            async move {
                let mut stream = acceptor.accept(stream).await?;
                let mut text = Vec::new();
                loop {
                    while !text.ends_with(b"{}") {
                        if stream.read_buf(&mut text).await? == 0 {
                            return Ok(());
                        }
                    }
                    text.clear();
                    stream.write_all(OK.as_bytes()).await?;
                }
            }
        })
        .await
    }
}

fn check() -> TlsCheck {
    TlsCheck::new(test_source().0)
}

pub(in super::super) fn with_tls(
    ca: Option<&Authority>,
    client: Option<&Authority>,
) -> RequestStyle {
    let pair = client.map(|client| client.signs("checkflow"));
    let certificate = pair.as_ref().map(|(der, _)| pem("CERTIFICATE", der));
    let key = pair.map(|(_, key)| Secret::new(pem("PRIVATE KEY", &key)));
    let ca = ca.map(Authority::pem);
    let settings = check().judge(TlsPems {
        ca: ca.as_deref(),
        client: certificate.as_deref().zip(key.as_ref()),
        ca_is_new: true,
        client_is_new: true,
    });
    RequestStyle {
        settings: RequestSettings {
            tls: Some(settings.unwrap()),
            ..RequestSettings::default()
        },
        credentials: Credentials {
            ca,
            certificate,
            key,
            ..Credentials::default()
        },
    }
}

#[tokio::test]
async fn a_receiver_of_an_own_authority_is_trusted_by_that_subscription_alone() {
    let (ours, others) = (Authority::new(), Authority::new());
    let mut receiver = ours.receiver(None).await;
    let client = client();
    let target = format!("https://localhost:{}/", receiver.address.port());
    let plain = post(&client, &target).await;
    assert_eq!(plain.outcome, Outcome::TlsFailed);
    receiver.connections();
    for (number, ca, expected) in [
        (1, &ours, Outcome::Delivered),
        (2, &others, Outcome::TlsFailed),
    ] {
        let answer = post_as(&client, &to(&target, number, 1), &with_tls(Some(ca), None)).await;
        assert_eq!(answer.outcome, expected, "{}", answer.error);
    }
    assert_eq!(receiver.connections(), 2);
    // The connection that is open is of the first one.
    let answer = post(&client, &target).await;
    assert_eq!(answer.outcome, Outcome::TlsFailed, "not on it");
}

#[tokio::test]
async fn a_certificate_is_shown_to_a_receiver_that_asks_for_one() {
    let (ours, clients, others) = (Authority::new(), Authority::new(), Authority::new());
    let receiver = ours.receiver(Some(&clients)).await;
    let target = format!("https://localhost:{}/", receiver.address.port());
    let client = client();
    for (number, shown, delivered) in [
        (1, Some(&clients), true),
        (2, None, false),
        (3, Some(&others), false),
    ] {
        let style = with_tls(Some(&ours), shown);
        let answer = post_as(&client, &to(&target, number, 1), &style).await;
        assert_eq!(
            answer.outcome == Outcome::Delivered,
            delivered,
            "{}",
            answer.error
        );
    }
}

#[test]
fn what_can_not_be_used_for_tls_is_refused_when_it_is_set() {
    let authority = Authority::new();
    let (one, one_key) = authority.signs("one");
    let (_, other_key) = authority.signs("other");
    let chain = pem("CERTIFICATE", &one);
    let key = |der: &[u8]| Secret::new(pem("PRIVATE KEY", der));
    let found = said(Some(&authority.pem()), Some((&chain, &key(&one_key))), true).unwrap();
    assert_eq!(found.ca_sha256, [domain::fingerprint(authority.0.der())]);
    assert_eq!(found.certificate_sha256, Some(domain::fingerprint(&one)));
    let many = authority.pem().repeat(101);
    let encrypted = Secret::new(pem("ENCRYPTED PRIVATE KEY", b"key-secret"));
    for (ca, chain, key, field, says) in [
        (
            Some("nothing"),
            None,
            None,
            "tls.ca",
            "holds no certificate",
        ),
        (
            Some(&*pem("CERTIFICATE", b"x")),
            None,
            None,
            "tls.ca",
            "can't be an authority",
        ),
        (Some(&*many), None, None, "tls.ca", "more than 100"),
        (
            None,
            Some("-----BEGIN CERTIFICATE-----\n*"),
            Some(key(&one_key)),
            "tls.certificate",
            "",
        ),
        (
            None,
            Some(&*chain),
            Some(Secret::new("x")),
            "tls.key",
            "no private key",
        ),
        (
            None,
            Some(&*chain),
            Some(encrypted),
            "tls.key",
            "not encrypted",
        ),
        (
            None,
            Some(&*chain),
            Some(key(&other_key)),
            "tls.key",
            "not the key of the certificate",
        ),
        (None, Some(&*chain), Some(key(b"x")), "tls.key", "of a kind"),
    ] {
        let said = said(ca, chain.zip(key.as_ref()), true).unwrap_err();
        assert!(said.starts_with(field) && said.contains(says), "{said}");
        assert!(!said.contains("secret"), "{said}");
    }
}

/// Who issues certificates, and for whom, by name.
struct Named(rcgen::Certificate, KeyPair);

impl Named {
    /// A certificate of `name` that is good in the years from `from` until `until`, issued by `issuer` or by itself.
    fn new(
        name: &str,
        is_authority: bool,
        issuer: Option<&Self>,
        (from, until): (i32, i32),
    ) -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(from, 1, 1);
        params.not_after = date_time_ymd(until, 1, 1);
        if is_authority {
            params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        }
        let made = match issuer {
            None => params.self_signed(&key),
            Some(Self(issuer, of_issuer)) => params.signed_by(&key, issuer, of_issuer),
        };
        Self(made.unwrap(), key)
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    fn key(&self) -> Secret {
        Secret::new(pem("PRIVATE KEY", &self.1.serialize_der()))
    }
}

/// What is said of a certificate, with its chain and key, or of authorities.
fn said(
    ca: Option<&str>,
    client: Option<(&str, &Secret)>,
    is_new: bool,
) -> Result<TlsSettings, String> {
    let pems = TlsPems {
        ca,
        client,
        ca_is_new: is_new,
        client_is_new: is_new,
    };
    let judged = check().judge(pems);
    judged.map_err(|error| format!("{} {}", error.field, error.message))
}

#[test]
fn a_certificate_is_refused_that_is_not_good_when_it_is_set_and_its_end_is_told() {
    let good = (2020, 2100);
    let root = Named::new("root", true, None, good);
    let year = |year: i64| Timestamp::from_millis((year - 1970) * 31_556_952_000);
    let now = test_source().0.now();
    assert!(year(2025) < now && now < year(2100), "{now}");
    for (years, refused) in [
        (good, None),
        (
            (2000, 2020),
            Some("tls.certificate was good until 2020-01-01T00:00:00.000Z"),
        ),
        (
            (2090, 2100),
            Some("tls.certificate is good from 2090-01-01T00:00:00.000Z on"),
        ),
    ] {
        let one = Named::new("one", false, Some(&root), years);
        let (chain, key) = (one.pem(), one.key());
        let anew = said(None, Some((&chain, &key)), true);
        match refused {
            None => {
                let until = anew.unwrap().certificate_valid_until.unwrap();
                assert_eq!(until.to_string(), "2100-01-01T00:00:00.000Z");
            }
            Some(refused) => {
                let anew = anew.unwrap_err();
                assert!(anew.starts_with(refused), "{anew}");
            }
        }
        // What is stored is not asked again.
        said(None, Some((&chain, &key)), false).unwrap();
    }
}

#[test]
fn what_does_not_belong_into_a_chain_or_among_authorities_is_refused() {
    let good = (2020, 2100);
    let root = Named::new("root", true, None, good);
    let middle = Named::new("middle", true, Some(&root), good);
    let one = Named::new("one", false, Some(&middle), good);
    let stranger = Named::new("stranger", true, None, good);
    let junk = pem("CERTIFICATE", b"junk");
    let key = one.key();
    for (behind, stray) in [
        (vec![], None),
        (vec![middle.pem()], None),
        (vec![middle.pem(), root.pem()], None),
        (vec![root.pem(), middle.pem()], None),
        (vec![stranger.pem()], Some(2)),
        (vec![middle.pem(), stranger.pem()], Some(3)),
        (vec![one.pem()], Some(2)),
        (vec![middle.pem(), junk], Some(3)),
    ] {
        let chain = format!("{}{}", one.pem(), behind.concat());
        let judged = said(None, Some((&chain, &key)), true);
        match stray {
            None => assert!(judged.is_ok(), "{judged:?}"),
            Some(number) => {
                let judged = judged.unwrap_err();
                let expected =
                    format!("tls.certificate holds a certificate (number {number}) that");
                assert!(judged.starts_with(&expected), "{judged}");
            }
        }
        said(None, Some((&chain, &key)), false).unwrap();
    }
    // A receiver may be its own authority.
    let own = Named::new("own", false, None, good);
    for (ca, leaf) in [
        (vec![root.pem()], None),
        (vec![root.pem(), middle.pem(), own.pem()], None),
        (vec![one.pem()], Some(1)),
        (vec![root.pem(), one.pem()], Some(2)),
    ] {
        let ca = ca.concat();
        let judged = said(Some(&ca), None, true);
        match leaf {
            None => assert!(judged.is_ok(), "{judged:?}"),
            Some(number) => {
                let judged = judged.unwrap_err();
                let expected = format!("tls.ca holds a certificate (number {number}) that is no");
                assert!(judged.starts_with(&expected), "{judged}");
            }
        }
        said(Some(&ca), None, false).unwrap();
    }
}
