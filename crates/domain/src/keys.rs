//! The keys that scripts call the API with.
//!
//! A key is shown once and kept as its SHA-256 alone. A slow password hash would add nothing: the
//! key is 256 random bits, so there is nothing to guess, and every request would pay for it.

use std::fmt;

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest, Sha256};

use crate::Source;

/// What every key begins with, so that people and secret scanners know one when they see it.
pub const API_KEY_MARK: &str = "ck_";

/// Random bytes in a key.
pub const API_KEY_BYTES: usize = 32;

/// Characters of a key that lists show: the mark and eight of the 43 that follow.
pub const API_KEY_PREFIX_CHARS: usize = 11;

/// A new API key, while it may still be shown.
#[derive(Clone)]
pub struct ApiKeySecret(String);

impl ApiKeySecret {
    /// Makes a key.
    pub fn generate(source: &Source) -> Self {
        let bytes: [u8; API_KEY_BYTES] = source.random();
        Self(format!(
            "{API_KEY_MARK}{}",
            BASE64_URL_SAFE_NO_PAD.encode(bytes)
        ))
    }

    /// The whole key, to be shown this once.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// The beginning of the key, by which people tell their keys apart.
    pub fn prefix(&self) -> &str {
        self.0.get(..API_KEY_PREFIX_CHARS).unwrap_or(API_KEY_MARK)
    }

    /// What is stored of it.
    pub fn hash(&self) -> KeyHash {
        KeyHash::of(&self.0)
    }
}

impl fmt::Debug for ApiKeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ApiKeySecret({}…)", self.prefix())
    }
}

/// The SHA-256 of a key: what the store keeps and looks keys up by.
///
/// Comparing needs no constant time. Whoever measures how far two hashes agree learns about the
/// hash of a guess, and can't steer that towards the hash of a key.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyHash([u8; 32]);

impl KeyHash {
    /// Hashes what a caller presented; anything may be presented.
    pub fn of(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }

    /// Takes the hash as it was stored.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash as it is stored.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for KeyHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyHash(")?;
        for byte in self.0 {
            write!(f, "{byte:02x}")?;
        }
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Entropy, SystemClock};

    struct Same(u8);

    impl Entropy for Same {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(self.0);
        }
    }

    fn key(byte: u8) -> ApiKeySecret {
        ApiKeySecret::generate(&Source::new(SystemClock, Same(byte)))
    }

    #[test]
    fn a_key_is_marked_and_safe_in_a_url() {
        let key = key(0xff);
        assert_eq!(key.reveal(), format!("ck_{}8", "_".repeat(42)));
        assert_eq!(key.reveal().len(), 46);
        assert_eq!(key.prefix(), "ck_________");
    }

    #[test]
    fn what_is_presented_is_found_by_the_hash_of_what_was_shown() {
        let key = key(7);
        assert_eq!(KeyHash::of(key.reveal()), key.hash());
        assert_eq!(KeyHash::new(*key.hash().bytes()), key.hash());
        assert_ne!(KeyHash::of(key.prefix()), key.hash());
        // FIPS 180-4's own example.
        assert_eq!(
            format!("{:?}", KeyHash::of("abc")),
            "KeyHash(ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad)"
        );
    }

    #[test]
    fn a_log_line_shows_no_more_than_the_prefix() {
        let key = key(7);
        assert_eq!(format!("{key:?}"), "ApiKeySecret(ck_BwcHBwcH…)");
    }
}
