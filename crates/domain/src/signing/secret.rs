//! The secrets themselves: how they are made, read and shown.

use std::{fmt, str::FromStr};

use base64::{
    Engine as _,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
    prelude::BASE64_STANDARD,
};
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use super::ed25519::{Ed25519Secret, PublicKey};
use crate::{SecretKind, Source};

/// What every secret of the kind `hmac` begins with.
pub const SECRET_MARK: &str = "whsec_";

/// What every private key of the kind `ed25519` begins with.
pub const PRIVATE_KEY_MARK: &str = "whsk_";

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
    #[error("must begin with {SECRET_MARK} or {PRIVATE_KEY_MARK}, followed by base64")]
    Mark,
    /// The mark is that of a public key.
    #[error(
        "is a public key (whpk_), which can't sign; a private key begins with {PRIVATE_KEY_MARK}"
    )]
    Public,
    /// What follows the mark is not base64.
    #[error("must have base64 after {0}")]
    Base64(&'static str),
    /// Too short or too long.
    #[error("must hold {SECRET_BYTES_MIN} to {SECRET_BYTES_MAX} bytes, but holds {0}")]
    Length(usize),
    /// A private key has one length.
    #[error(
        "must hold the 32 bytes of a seed, with or without the 32 of its public key behind them, but holds {0}"
    )]
    KeyLength(usize),
    /// The public key behind the seed is another one's.
    #[error("has two halves that do not belong together")]
    KeyHalves,
}

/// What a subscription's deliveries are signed with.
///
/// It has no `Display`, and its `Debug` shows nothing, so that it reaches no log by mistake.
#[derive(Clone, PartialEq, Eq)]
pub enum SigningSecret {
    /// A secret that both sides have.
    Hmac(HmacSecret),
    /// A key of which the receiver has the public half.
    Ed25519(Ed25519Secret),
}

impl SigningSecret {
    /// Makes a secret.
    pub fn generate(kind: SecretKind, source: &Source) -> Self {
        match kind {
            SecretKind::Hmac => Self::Hmac(HmacSecret::generate(source)),
            SecretKind::Ed25519 => Self::Ed25519(Ed25519Secret::generate(source)),
        }
    }

    /// Takes the bytes of a secret as they were stored.
    ///
    /// # Errors
    /// Fewer bytes or more than a secret of the kind has.
    pub fn from_bytes(kind: SecretKind, bytes: &[u8]) -> Result<Self, NotASecret> {
        Ok(match kind {
            SecretKind::Hmac => Self::Hmac(HmacSecret::from_bytes(bytes)?),
            SecretKind::Ed25519 => Self::Ed25519(Ed25519Secret::from_bytes(bytes)?),
        })
    }

    /// Reads a secret that somebody brings along: by its mark, or without one as that of the kind `hmac`.
    ///
    /// # Errors
    /// Says what is wrong with it, without repeating it.
    pub fn read(text: &str) -> Result<Self, NotASecret> {
        let text = text.trim();
        // An underscore is no letter of base64.
        if text.contains('_') {
            return text.parse();
        }
        let bytes = decode(SECRET_MARK, text)?;
        Self::from_bytes(SecretKind::Hmac, &bytes)
    }

    /// Of which kind it is.
    pub const fn kind(&self) -> SecretKind {
        match self {
            Self::Hmac(_) => SecretKind::Hmac,
            Self::Ed25519(_) => SecretKind::Ed25519,
        }
    }

    /// The secret as its owner is shown it, once: its mark and base64.
    pub fn reveal(&self) -> String {
        let mark = match self {
            Self::Hmac(_) => SECRET_MARK,
            Self::Ed25519(_) => PRIVATE_KEY_MARK,
        };
        format!("{mark}{}", BASE64_STANDARD.encode(self.bytes()))
    }

    /// The key itself, to be stored encrypted.
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Hmac(secret) => &secret.0,
            Self::Ed25519(secret) => secret.seed(),
        }
    }

    /// What verifies its signatures, if that is another key.
    pub fn public_key(&self) -> Option<PublicKey> {
        match self {
            Self::Hmac(_) => None,
            Self::Ed25519(secret) => Some(secret.public_key()),
        }
    }
}

impl FromStr for SigningSecret {
    type Err = NotASecret;

    fn from_str(text: &str) -> Result<Self, NotASecret> {
        let text = text.trim();
        if let Some(encoded) = text.strip_prefix(SECRET_MARK) {
            return Self::from_bytes(SecretKind::Hmac, &decode(SECRET_MARK, encoded)?);
        }
        if let Some(encoded) = text.strip_prefix(PRIVATE_KEY_MARK) {
            return Self::from_bytes(SecretKind::Ed25519, &decode(PRIVATE_KEY_MARK, encoded)?);
        }
        Err(if text.starts_with(super::PUBLIC_KEY_MARK) {
            NotASecret::Public
        } else {
            NotASecret::Mark
        })
    }
}

fn decode(mark: &'static str, encoded: &str) -> Result<Vec<u8>, NotASecret> {
    LENIENT
        .decode(encoded)
        .map_err(|_| NotASecret::Base64(mark))
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

/// A secret of the kind `hmac`.
#[derive(Clone)]
pub struct HmacSecret(Box<[u8]>);

impl HmacSecret {
    fn generate(source: &Source) -> Self {
        let bytes: [u8; SECRET_BYTES_MADE] = source.random();
        Self(bytes.into())
    }

    fn from_bytes(bytes: &[u8]) -> Result<Self, NotASecret> {
        if (SECRET_BYTES_MIN..=SECRET_BYTES_MAX).contains(&bytes.len()) {
            Ok(Self(bytes.into()))
        } else {
            Err(NotASecret::Length(bytes.len()))
        }
    }

    /// The HMAC-SHA256 over the parts, one after the other.
    pub(super) fn sign(&self, parts: [&[u8]; 5]) -> [u8; 32] {
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0)
            .expect("HMAC takes keys of any length (RFC 2104, section 2)");
        for part in parts {
            mac.update(part);
        }
        mac.finalize().into_bytes().into()
    }
}

/// In constant time, so that nobody finds a secret by measuring comparisons. Lengths may leak.
impl PartialEq for HmacSecret {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for HmacSecret {}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::test_source;

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

    #[test]
    fn a_secret_is_read_with_or_without_padding_and_written_with_it() {
        let secret = SigningSecret::generate(SecretKind::Hmac, &test_source());
        let shown = secret.reveal();
        assert_eq!(shown, "whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
        for text in [&*shown, shown.trim_end_matches('=')] {
            assert_eq!(text.parse::<SigningSecret>().unwrap(), secret, "{text}");
        }
        assert_eq!(SECRET.parse::<SigningSecret>().unwrap().reveal(), SECRET);
        assert_ne!(SECRET.parse::<SigningSecret>().unwrap(), secret);
    }

    #[test]
    fn one_that_is_brought_along_needs_no_mark() {
        let secret = SigningSecret::generate(SecretKind::Hmac, &test_source());
        let shown = secret.reveal();
        let bare = shown.strip_prefix(SECRET_MARK).unwrap();
        for text in [&*shown, bare, &format!(" {bare}\n")] {
            assert_eq!(SigningSecret::read(text), Ok(secret.clone()), "{text}");
        }
        assert_eq!(bare.parse::<SigningSecret>(), Err(NotASecret::Mark));
        let key = SigningSecret::generate(SecretKind::Ed25519, &test_source());
        assert_eq!(SigningSecret::read(&key.reveal()), Ok(key));
        assert_eq!(SigningSecret::read("whsex_AAAA"), Err(NotASecret::Mark));
    }

    #[test]
    fn a_private_key_is_its_seed_alone_or_with_its_public_key_behind() {
        let key = SigningSecret::generate(SecretKind::Ed25519, &test_source());
        let public = key.public_key().unwrap();
        let of = |bytes: &[u8]| format!("whsk_{}", BASE64_STANDARD.encode(bytes));
        let whole = [key.bytes(), public.bytes()].concat();
        for bytes in [key.bytes(), &whole] {
            let read: SigningSecret = of(bytes).parse().unwrap();
            assert_eq!(
                (read.bytes(), read.public_key()),
                (key.bytes(), Some(public))
            );
        }
        let mut other = whole.clone();
        other[40] ^= 1;
        for (bytes, expected) in [
            (&other[..], NotASecret::KeyHalves),
            (&whole[..31], NotASecret::KeyLength(31)),
            (&whole[..63], NotASecret::KeyLength(63)),
        ] {
            assert_eq!(of(bytes).parse::<SigningSecret>(), Err(expected));
        }
        let shown = public.to_string();
        assert_eq!(shown.parse::<SigningSecret>(), Err(NotASecret::Public));
    }

    #[test]
    fn what_is_no_secret_is_refused_without_being_repeated() {
        let of = |length: usize| format!("whsec_{}", BASE64_STANDARD.encode(vec![7; length]));
        for (text, expected) in [
            ("MfKQ9r8GKYqrTwjUPD8ILPZI".to_owned(), Err(NotASecret::Mark)),
            (
                "whsec_not base64".to_owned(),
                Err(NotASecret::Base64(SECRET_MARK)),
            ),
            ("whsec_".to_owned(), Err(NotASecret::Length(0))),
            (of(23), Err(NotASecret::Length(23))),
            (of(24), Ok(24)),
            (of(64), Ok(64)),
            (of(65), Err(NotASecret::Length(65))),
        ] {
            let read = text.parse::<SigningSecret>();
            assert_eq!(read.map(|secret| secret.bytes().len()), expected, "{text}");
        }
    }

    #[test]
    fn debug_shows_nothing_of_the_secret() {
        for kind in SecretKind::ALL {
            let secret = SigningSecret::generate(*kind, &test_source());
            assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
        }
    }

    proptest! {
        #[test]
        fn a_shown_secret_reads_back(bytes in proptest::collection::vec(any::<u8>(), 24..=64)) {
            let secret = SigningSecret::from_bytes(SecretKind::Hmac, &bytes).unwrap();
            let read: SigningSecret = secret.reveal().parse().unwrap();
            prop_assert_eq!(read.bytes(), &bytes[..]);
        }
    }
}
