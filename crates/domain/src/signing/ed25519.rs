//! Keys of which the receiver has the public half alone: Ed25519 (RFC 8032), `v1a` in Standard Webhooks.

use std::{fmt, sync::Arc};

use base64::{
    Engine as _,
    prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD},
};
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use subtle::ConstantTimeEq as _;

use super::secret::NotASecret;
use crate::Source;

/// Bytes of a private key: the seed that all of it follows from.
pub const SEED_BYTES: usize = 32;

/// Bytes of a public key.
pub const PUBLIC_KEY_BYTES: usize = 32;

/// What every public key begins with.
pub const PUBLIC_KEY_MARK: &str = "whpk_";

/// A secret of the kind `ed25519`. Cheap to clone.
#[derive(Clone)]
pub struct Ed25519Secret(Arc<Halves>);

struct Halves {
    seed: [u8; SEED_BYTES],
    pair: Ed25519KeyPair,
}

impl Ed25519Secret {
    pub(super) fn generate(source: &Source) -> Self {
        Self::from_seed(source.random())
    }

    fn from_seed(seed: [u8; SEED_BYTES]) -> Self {
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed)
            .expect("every 32 bytes are a seed (RFC 8032, section 5.1.5)");
        Self(Arc::new(Halves { seed, pair }))
    }

    /// Takes a seed, or a seed with its public key behind, which is how many libraries write a private key.
    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, NotASecret> {
        let wrong = NotASecret::KeyLength(bytes.len());
        let (seed, public) = bytes.split_first_chunk().ok_or(wrong)?;
        let secret = Self::from_seed(*seed);
        match public.len() {
            0 => Ok(secret),
            PUBLIC_KEY_BYTES if public == secret.public_key().0 => Ok(secret),
            PUBLIC_KEY_BYTES => Err(NotASecret::KeyHalves),
            _ => Err(wrong),
        }
    }

    pub(super) fn seed(&self) -> &[u8] {
        &self.0.seed
    }

    /// What verifies its signatures.
    pub fn public_key(&self) -> PublicKey {
        let key = self.0.pair.public_key().as_ref().try_into();
        PublicKey(key.expect("a public key of Ed25519 has 32 bytes"))
    }

    /// The signature over the parts, one after the other.
    pub(super) fn sign(&self, parts: [&[u8]; 5]) -> [u8; 64] {
        let signature = self.0.pair.sign(&parts.concat());
        let bytes = signature.as_ref().try_into();
        bytes.expect("a signature of Ed25519 has 64 bytes")
    }
}

/// In constant time, as for every secret.
impl PartialEq for Ed25519Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.seed.ct_eq(&other.0.seed).into()
    }
}

impl Eq for Ed25519Secret {}

/// What verifies signatures of a secret of the kind `ed25519`; no secret itself. Written as `whpk_` and base64.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey([u8; PUBLIC_KEY_BYTES]);

impl PublicKey {
    /// Takes the bytes of one; none if they are fewer or more than it has.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().map(Self).ok()
    }

    /// Its bytes as a JSON Web Key has them (`x`, RFC 8037).
    pub fn to_base64_url(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.0)
    }

    /// Its bytes.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{PUBLIC_KEY_MARK}{}", BASE64_STANDARD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_has_the_public_key_and_signature_of_rfc_8032() {
        // Section 7.1, test 2.
        let hex = |text: &str| -> Vec<u8> {
            let (pairs, _) = text.as_bytes().as_chunks::<2>();
            let byte = |pair: &[u8; 2]| u8::from_str_radix(str::from_utf8(pair).unwrap(), 16);
            pairs.iter().map(|pair| byte(pair).unwrap()).collect()
        };
        let seed = hex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb");
        let secret = Ed25519Secret::from_bytes(&seed).unwrap();
        let public = hex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c");
        assert_eq!(secret.public_key().bytes(), public);
        let signature = "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
            085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
        let signature = hex(&signature.replace(' ', ""));
        assert_eq!(secret.sign([&[0x72], b"", b"", b"", b""]), signature[..]);
    }
}
