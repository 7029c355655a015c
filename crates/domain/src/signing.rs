//! Signatures of webhooks as Standard Webhooks 1.0.0 says, symmetric part (`v1`).
//!
//! The engine calls [`sign`] for each attempt with all secrets of the subscription that are still
//! good, so that a receiver may change over in its own time. Keeping secrets encrypted is the
//! store's work, ending an old one the use case's.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::Source;

/// What every secret begins with.
pub const SECRET_MARK: &str = "whsec_";

/// Fewest bytes of a secret.
pub const SECRET_BYTES_MIN: usize = 24;

/// Most bytes of a secret.
pub const SECRET_BYTES_MAX: usize = 64;

/// Bytes of the secrets that are made here: the output length of SHA-256, beyond which a longer key
/// adds nothing (RFC 2104, section 3).
pub const SECRET_BYTES_MADE: usize = 32;

// Some senders write their secrets without padding; a secret that is brought along should be taken.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A text or byte string that is no signing secret. It never repeats what was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotASecret {
    /// The mark is missing.
    #[error("a signing secret begins with {SECRET_MARK}, followed by base64")]
    Mark,
    /// What follows the mark is not base64.
    #[error("what follows {SECRET_MARK} in the signing secret is not base64")]
    Base64,
    /// Too short or too long.
    #[error("a signing secret holds {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, this one {0}")]
    Length(usize),
}

/// The secret that a subscription's deliveries are signed with.
///
/// It has no `Display`, and its `Debug` shows nothing, so that it reaches no log by mistake.
#[derive(Clone)]
pub struct SigningSecret(Box<[u8]>);

impl SigningSecret {
    /// Makes a secret.
    pub fn generate(source: &Source) -> Self {
        let bytes: [u8; SECRET_BYTES_MADE] = source.random();
        Self(bytes.into())
    }

    /// Takes the bytes of a secret as they were stored.
    ///
    /// # Errors
    /// Fewer than [`SECRET_BYTES_MIN`] or more than [`SECRET_BYTES_MAX`] bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, NotASecret> {
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(NotASecret::Length(bytes.len()))
        }
    }

    /// The secret as its owner is shown it, once: `whsec_` and base64.
    pub fn reveal(&self) -> String {
        format!("{SECRET_MARK}{}", BASE64_STANDARD.encode(&self.0))
    }

    /// The key itself, to be stored encrypted.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for SigningSecret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let encoded = text
            .trim()
            .strip_prefix(SECRET_MARK)
            .ok_or(NotASecret::Mark)?;
        let bytes = LENIENT.decode(encoded).map_err(|_| NotASecret::Base64)?;
        Self::from_bytes(&bytes)
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// In constant time, so that nobody finds a secret by measuring comparisons. Lengths may leak.
impl PartialEq for SigningSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for SigningSecret {}

/// The value of `webhook-signature`: an entry `v1,<base64>` for each secret, with spaces between.
///
/// Signed are `id`, `timestamp_seconds` and `body`, joined by full stops. The body has to be sent
/// byte for byte as it was signed. `id` must hold no full stop, else the parts could be cut
/// differently; ours are UUIDs with at most the mark of a test before them.
///
/// # Panics
/// Never: HMAC takes keys of any length.
pub fn sign(secrets: &[SigningSecret], id: &str, timestamp_seconds: i64, body: &[u8]) -> String {
    debug_assert!(
        !id.contains('.'),
        "an id with a full stop makes the signed text ambiguous"
    );
    let timestamp = timestamp_seconds.to_string();
    let mut header = String::with_capacity(secrets.len() * ENTRY_CHARS);
    for secret in secrets {
        let mut mac = Hmac::<Sha256>::new_from_slice(&secret.0)
            .expect("HMAC takes keys of any length (RFC 2104, section 2)");
        for part in [id.as_bytes(), b".", timestamp.as_bytes(), b".", body] {
            mac.update(part);
        }
        if !header.is_empty() {
            header.push(' ');
        }
        header.push_str("v1,");
        BASE64_STANDARD.encode_string(mac.finalize().into_bytes(), &mut header);
    }
    header
}

// `v1,`, 44 characters of base64 and a space.
const ENTRY_CHARS: usize = 48;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_source;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks_libraries() {
        let secret: SigningSecret = SECRET.parse().unwrap();
        assert_eq!(sign(&[secret], ID, 1_614_265_330, BODY), SIGNATURE);
    }

    #[test]
    fn while_rolling_both_secrets_sign() {
        let old: SigningSecret = SECRET.parse().unwrap();
        let new = SigningSecret::generate(&test_source());
        let both = sign(&[new.clone(), old], ID, 1_614_265_330, BODY);
        let entries: Vec<&str> = both.split(' ').collect();
        assert_eq!(entries, [&sign(&[new], ID, 1_614_265_330, BODY), SIGNATURE]);
        assert_eq!(sign(&[], ID, 0, BODY), "");
    }

    #[test]
    fn whatever_is_signed_changes_the_signature() {
        let secret = || [SECRET.parse().unwrap()];
        for changed in [
            sign(
                &secret(),
                "msg_p5jXN8AQM9LWM0D4loKWxJel",
                1_614_265_330,
                BODY,
            ),
            sign(&secret(), ID, 1_614_265_331, BODY),
            sign(&secret(), ID, 1_614_265_330, b"{}"),
        ] {
            assert_ne!(changed, SIGNATURE);
        }
    }

    #[test]
    fn a_secret_is_read_with_or_without_padding_and_written_with_it() {
        let secret = SigningSecret::generate(&test_source());
        let shown = secret.reveal();
        assert_eq!(shown, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        assert_eq!(shown.parse::<SigningSecret>().unwrap(), secret);
        assert_eq!(
            shown
                .trim_end_matches('=')
                .parse::<SigningSecret>()
                .unwrap(),
            secret
        );
        assert_eq!(SECRET.parse::<SigningSecret>().unwrap().reveal(), SECRET);
        assert_ne!(SECRET.parse::<SigningSecret>().unwrap(), secret);
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        let of = |length: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; length]));
        for (text, expected) in [
            (
                "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".to_owned(),
                Err(NotASecret::Mark),
            ),
            (
                "whsk_MfKQ9r8GKYqrTwjUPD8ILPZI".to_owned(),
                Err(NotASecret::Mark),
            ),
            ("whsec_not base64".to_owned(), Err(NotASecret::Base64)),
            ("whsec_".to_owned(), Err(NotASecret::Length(0))),
            (of(23), Err(NotASecret::Length(23))),
            (of(24), Ok(24)),
            (of(64), Ok(64)),
            (of(65), Err(NotASecret::Length(65))),
        ] {
            let read = text
                .parse::<SigningSecret>()
                .map(|secret| secret.bytes().len());
            assert_eq!(read, expected, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        let secret: SigningSecret = SECRET.parse().unwrap();
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }

    proptest! {
        #[test]
        fn a_shown_secret_reads_back(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = SigningSecret::from_bytes(&bytes).unwrap();
            let read: SigningSecret = secret.reveal().parse().unwrap();
            prop_assert_eq!(read.bytes(), &bytes[..]);
        }
    }
}
