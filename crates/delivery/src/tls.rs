//! TLS of requests: with the machine's authorities for everybody, and with a subscription's own wishes.

mod certificate;

use std::sync::Arc;

use domain::{
    Credentials, FieldError, Source, Timestamp, TlsJudge, TlsPems, TlsSettings, fingerprint,
};
use hyper_rustls::ConfigBuilderExt as _;
use rustls::{
    ClientConfig, ConfigBuilder, RootCertStore,
    client::{Resumption, WantsClientCert},
    crypto::ring,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject as _},
    sign::CertifiedKey,
};

/// Most certificates in one text.
const CERTIFICATES_MAX: usize = 100;

/// The name of HTTP/2 where TLS agrees on what is spoken inside (RFC 9113, section 3.2).
pub(crate) const HTTP2_PROTOCOL: &[u8] = b"h2";

/// TLS sessions that a subscription with wishes of its own keeps to resume.
const SESSIONS_MAX: usize = 8;

/// What every TLS connection is made with.
#[derive(Clone)]
pub(crate) struct Tls {
    /// The authorities that hold where nobody names others.
    rooted: ConfigBuilder<ClientConfig, WantsClientCert>,
    /// For all subscriptions without wishes.
    pub(crate) shared: Arc<ClientConfig>,
}

impl Tls {
    /// With the machine's own list of authorities. Without one, `https` targets fail, each with its reason in its
    /// log, and everything else works.
    pub(crate) fn of_this_machine() -> Self {
        let rooted = versions().with_native_roots().unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "no certificate authorities found: webhooks to https targets will fail; install the \
                 ca-certificates package, or name a file in SSL_CERT_FILE"
            );
            versions().with_root_certificates(RootCertStore::empty())
        });
        Self::from(rooted)
    }

    /// With what a subscription has of its own.
    ///
    /// # Errors
    /// What can't be used of it. It was judged when it was set, so that is a fault of ours.
    pub(crate) fn own(&self, of: &Credentials) -> Result<Arc<ClientConfig>, FieldError> {
        let rooted = match &of.ca {
            Some(text) => versions().with_root_certificates(authorities(text)?.0),
            None => self.rooted.clone(),
        };
        let client = of.certificate.as_deref().zip(of.key.as_ref());
        let mut config = match client {
            Some((chain, key)) => {
                let (chain, key) = client_pair(chain, key.reveal())?;
                let with = rooted.with_client_auth_cert(chain, key);
                with.map_err(|error| wrong("certificate", format!("can't be used: {error}")))?
            }
            None => rooted.with_no_client_auth(),
        };
        config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
        Ok(Arc::new(config))
    }
}

impl From<ConfigBuilder<ClientConfig, WantsClientCert>> for Tls {
    fn from(rooted: ConfigBuilder<ClientConfig, WantsClientCert>) -> Self {
        let shared = Arc::new(rooted.clone().with_no_client_auth());
        Self { rooted, shared }
    }
}

/// The same, with HTTP/2 offered to the receiver, and HTTP/1.1 should it not speak that.
pub(crate) fn offering_http2(config: &ClientConfig) -> Arc<ClientConfig> {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(SESSIONS_MAX);
    config.alpn_protocols = vec![HTTP2_PROTOCOL.to_vec(), b"http/1.1".to_vec()];
    Arc::new(config)
}

pub(crate) fn versions() -> ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring's provider has the cipher suites of the default versions")
}

/// Says whether requests can be made with what is set for TLS: by reading it as it is read for a request, and what is
/// given anew as its owner would.
#[derive(Clone, Debug)]
pub struct TlsCheck {
    source: Source,
}

impl TlsCheck {
    /// Takes the time from `source`.
    pub const fn new(source: Source) -> Self {
        Self { source }
    }
}

impl TlsJudge for TlsCheck {
    fn judge(&self, pems: TlsPems<'_>) -> Result<TlsSettings, FieldError> {
        let mut found = TlsSettings::default();
        if let Some(text) = pems.ca {
            let (_, certificates) = authorities(text)?;
            found.ca_sha256 = certificates.iter().map(|der| fingerprint(der)).collect();
            if pems.ca_is_new {
                refuse_leaves(&certificates)?;
            }
        }
        if let Some((chain, key)) = pems.client {
            let (chain, key) = client_pair(chain, key.reveal())?;
            let own = chain.first();
            found.certificate_sha256 = own.map(|der| fingerprint(der));
            let validity = own.and_then(certificate::read);
            let validity = validity.as_ref().map(certificate::validity);
            found.certificate_valid_until = validity.map(|(_, until)| until);
            if pems.client_is_new {
                refuse_lapsed(validity, self.source.now())?;
                refuse_stray(&chain)?;
            }
            let provider = ring::default_provider();
            CertifiedKey::from_der(chain, key, &provider).map_err(|error| match error {
                rustls::Error::InconsistentKeys(_) => wrong(
                    "key",
                    "is not the key of the certificate: give the one it was made for",
                ),
                rustls::Error::InvalidCertificate(why) => wrong(
                    "certificate",
                    format!("can't be read as a certificate: {why}"),
                ),
                error => wrong("key", format!("is of a kind that can't be used: {error}")),
            })?;
        }
        Ok(found)
    }
}

/// Refuses certificates of servers where authorities are asked for.
fn refuse_leaves(certificates: &[CertificateDer<'_>]) -> Result<(), FieldError> {
    let is_leaf = |der| certificate::read(der).is_some_and(|read| certificate::is_leaf(&read));
    match certificates.iter().position(is_leaf) {
        None => Ok(()),
        Some(index) => {
            let number = index + 1;
            let why = format!(
                "holds a certificate (number {number}) that is no authority's, so no receiver could be known by it: give that of whoever issued it"
            );
            Err(wrong("ca", why))
        }
    }
}

/// Refuses a certificate that is not good now, from when until when it is good.
fn refuse_lapsed(
    validity: Option<(Timestamp, Timestamp)>,
    now: Timestamp,
) -> Result<(), FieldError> {
    match validity {
        Some((_, until)) if until < now => {
            let why =
                format!("was good until {until} and no receiver takes it: give one that is good");
            Err(wrong("certificate", why))
        }
        Some((from, _)) if now < from => {
            let why =
                format!("is good from {from} on and no receiver takes it before: set it then");
            Err(wrong("certificate", why))
        }
        _ => Ok(()),
    }
}

/// Refuses what does not belong into a chain.
fn refuse_stray(chain: &[CertificateDer<'_>]) -> Result<(), FieldError> {
    match certificate::stray(chain) {
        None => Ok(()),
        Some(number) => {
            let why = format!(
                "holds a certificate (number {number}) that has issued none of the others: the first is your own, and behind it are those that lead to its authority"
            );
            Err(wrong("certificate", why))
        }
    }
}

fn authorities(text: &str) -> Result<(RootCertStore, Vec<CertificateDer<'static>>), FieldError> {
    let certificates = certificates("ca", text)?;
    let mut store = RootCertStore::empty();
    for (index, certificate) in certificates.iter().enumerate() {
        store.add(certificate.clone()).map_err(|error| {
            let number = index + 1;
            wrong(
                "ca",
                format!(
                    "holds a certificate (number {number}) that can't be an authority: {error}"
                ),
            )
        })?;
    }
    Ok((store, certificates))
}

fn client_pair(
    chain: &str,
    key: &str,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>), FieldError> {
    let chain = certificates("certificate", chain)?;
    // What is wrong with a key is not repeated: it might be a part of it.
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| {
        wrong(
            "key",
            "holds no private key that can be read: give one as PEM in PKCS#8, PKCS#1 or SEC1, not encrypted",
        )
    })?;
    Ok((chain, key))
}

fn certificates(member: &str, text: &str) -> Result<Vec<CertificateDer<'static>>, FieldError> {
    let read = CertificateDer::pem_slice_iter(text.as_bytes()).take(CERTIFICATES_MAX + 1);
    let read: Result<Vec<_>, _> = read.collect();
    let certificates = read.map_err(|_| {
        wrong(
            member,
            "is not PEM: write certificates between BEGIN CERTIFICATE and END CERTIFICATE",
        )
    })?;
    match certificates.len() {
        0 => Err(wrong(
            member,
            "holds no certificate: write it as PEM, between BEGIN CERTIFICATE and END CERTIFICATE",
        )),
        1..=CERTIFICATES_MAX => Ok(certificates),
        _ => Err(wrong(
            member,
            format!("holds more than {CERTIFICATES_MAX} certificates, the most that are taken"),
        )),
    }
}

fn wrong(member: &str, why: impl Into<String>) -> FieldError {
    FieldError::new(format!("tls.{member}"), why)
}
