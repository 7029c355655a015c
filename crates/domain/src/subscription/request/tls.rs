//! A subscription's own side of TLS: which authorities its receiver must be known to, and the certificate it shows.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::{Credentials, Secret, authorization::secret_or_stored};
use crate::{FieldError, Timestamp};

/// Most bytes of each of the texts in PEM.
pub const PEM_BYTES_MAX: usize = 64 * 1024;

/// What people are shown of it; the texts are in [`super::Credentials`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct TlsSettings {
    /// SHA-256 of each authority, in hex; empty for those of the system.
    pub ca_sha256: Vec<String>,
    /// SHA-256 of the certificate that is shown, in hex.
    pub certificate_sha256: Option<String>,
    /// Until when that is good; none if it was set when nobody looked.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificate_valid_until: Option<Timestamp>,
}

/// What is asked for; each may be the mask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsAsk {
    /// The authorities.
    pub ca: Option<Secret>,
    /// The certificate with its chain.
    pub certificate: Option<Secret>,
    /// Its key.
    pub key: Option<Secret>,
}

/// The texts, to be judged.
#[derive(Clone, Copy, Debug)]
pub struct TlsPems<'a> {
    /// The authorities.
    pub ca: Option<&'a str>,
    /// The certificate with its chain, and its key.
    pub client: Option<(&'a str, &'a Secret)>,
    /// Whether the authorities are given anew, and not those that are stored.
    pub ca_is_new: bool,
    /// Whether the certificate is given anew. One that is stored stays though it is good no more, so that what was read
    /// can be sent back.
    pub client_is_new: bool,
}

/// Says whether TLS can be done with these texts. It is the sender's to know, and asked when they are set.
pub trait TlsJudge: Send + Sync {
    /// What people are shown of them.
    ///
    /// # Errors
    /// What is wrong with which of them (`tls.ca`, `tls.certificate`, `tls.key`), and what to do about it.
    fn judge(&self, pems: TlsPems<'_>) -> Result<TlsSettings, FieldError>;
}

/// What a certificate is known by: the SHA-256 of it, in hex.
pub fn fingerprint(der: &[u8]) -> String {
    crate::hex(&Sha256::digest(der))
}

impl TlsAsk {
    /// Puts what is asked for in the place of what is stored.
    pub(super) fn take(
        &self,
        stored: &mut Credentials,
        judge: &dyn TlsJudge,
    ) -> Result<TlsSettings, FieldError> {
        let text = |name: &str, given: &Option<Secret>, stored: Option<&str>| {
            let Some(given) = given else { return Ok(None) };
            let field = format!("tls.{name}");
            if given.reveal().len() > PEM_BYTES_MAX {
                let why = format!(
                    "has more than {PEM_BYTES_MAX} bytes, the most that is taken: leave out what is not needed"
                );
                return Err(FieldError::new(field, why));
            }
            let stored = stored.map(Secret::new);
            secret_or_stored(&field, given, stored.as_ref()).map(Some)
        };
        let ca = text("ca", &self.ca, stored.ca.as_deref())?;
        let certificate = text(
            "certificate",
            &self.certificate,
            stored.certificate.as_deref(),
        )?;
        let key = text("key", &self.key, stored.key.as_ref().map(Secret::reveal))?;
        let client = match (&certificate, &key) {
            (Some(certificate), Some(key)) => Some((certificate.reveal(), key)),
            (None, None) => None,
            (Some(_), None) => {
                let why =
                    "must be given with the certificate: the key that it was made for, as PEM";
                return Err(FieldError::new("tls.key", why));
            }
            (None, Some(_)) => {
                let why = "must be given with the key: the certificate with its chain, as PEM";
                return Err(FieldError::new("tls.certificate", why));
            }
        };
        if ca.is_none() && client.is_none() {
            let why = "must hold ca, or certificate and key; null takes all of them away";
            return Err(FieldError::new("tls", why));
        }
        let is_new = |given: &Option<Secret>| given.as_ref().is_some_and(|text| !text.is_mask());
        let settings = judge.judge(TlsPems {
            ca: ca.as_ref().map(Secret::reveal),
            client,
            ca_is_new: is_new(&self.ca),
            client_is_new: is_new(&self.certificate),
        })?;
        let plain = |text: Option<Secret>| text.map(|text| text.reveal().to_owned());
        (stored.ca, stored.certificate, stored.key) = (plain(ca), plain(certificate), key);
        Ok(settings)
    }
}
