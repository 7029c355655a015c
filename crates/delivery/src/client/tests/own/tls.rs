//! Requests with authorities and certificates of a subscription's own.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use domain::{TlsJudge as _, TlsPems, TlsSettings};
use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use rustls::{
    RootCertStore, ServerConfig,
    pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer},
    server::WebPkiClientVerifier,
};
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

pub(in super::super) fn with_tls(
    ca: Option<&Authority>,
    client: Option<&Authority>,
) -> RequestStyle {
    let pair = client.map(|client| client.signs("checkflow"));
    let certificate = pair.as_ref().map(|(der, _)| pem("CERTIFICATE", der));
    let key = pair.map(|(_, key)| Secret::new(pem("PRIVATE KEY", &key)));
    let ca = ca.map(Authority::pem);
    let settings = TlsCheck.judge(TlsPems {
        ca: ca.as_deref(),
        client: certificate.as_deref().zip(key.as_ref()),
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
    let good = TlsPems {
        ca: Some(&authority.pem()),
        client: Some((&chain, &key(&one_key))),
    };
    let found: TlsSettings = TlsCheck.judge(good).unwrap();
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
        let pems = TlsPems {
            ca,
            client: chain.zip(key.as_ref()),
        };
        let error = TlsCheck.judge(pems).unwrap_err();
        assert_eq!(error.field, field, "{says}");
        assert!(error.message.contains(says), "{}", error.message);
        assert!(!error.message.contains("secret"), "{}", error.message);
    }
}
