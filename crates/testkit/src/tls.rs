//! A judge of what is set for TLS, for tests in which nothing is sent.

use domain::{FieldError, Timestamp, TlsJudge, TlsPems, TlsSettings, fingerprint};

/// Until when every certificate is good.
const VALID_UNTIL: Timestamp = Timestamp::from_millis(1_893_456_000_000);

/// Takes every text that looks like PEM, and tells them apart by what they are.
#[derive(Clone, Copy, Debug)]
pub struct TestTls;

impl TlsJudge for TestTls {
    fn judge(&self, pems: TlsPems<'_>) -> Result<TlsSettings, FieldError> {
        let known = |text: &str, member: &str| {
            if text.starts_with("-----BEGIN") {
                Ok(fingerprint(text.as_bytes()))
            } else {
                Err(FieldError::new(format!("tls.{member}"), "is not PEM"))
            }
        };
        let ca = pems.ca.map(|text| known(text, "ca")).transpose()?;
        let client = pems.client.map(|(chain, key)| {
            known(key.reveal(), "key")?;
            known(chain, "certificate")
        });
        Ok(TlsSettings {
            ca_sha256: ca.into_iter().collect(),
            certificate_sha256: client.transpose()?,
            certificate_valid_until: pems.client.map(|_| VALID_UNTIL),
        })
    }
}
