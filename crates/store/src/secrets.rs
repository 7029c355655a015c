//! Secrets at rest: the master key, and what is encrypted with it.
//!
//! XChaCha20-Poly1305, whose nonces are long enough to be random. Each value is bound to the table,
//! column and row it lies in, so that nobody with the database alone can move one somewhere else.
//! The key comes from the configuration or from a file that the first start makes.

mod file;
mod signing;

use base64::{Engine as _, prelude::BASE64_STANDARD};
use chacha20poly1305::{
    Key, KeyInit as _, XChaCha20Poly1305, XNonce,
    aead::{Aead as _, Payload},
};
use domain::Source;
use sha2::{Digest as _, Sha256};

pub use file::MasterKeyError;

/// Bytes of the master key.
const KEY_BYTES: usize = 32;
/// Bytes of a nonce of XChaCha20-Poly1305.
const NONCE_BYTES: usize = 24;
/// Bytes of the master key's id.
pub(crate) const KEY_ID_BYTES: usize = 8;

/// The key that secrets in the database are encrypted with.
#[derive(Clone)]
pub struct MasterKey([u8; KEY_BYTES]);

/// Where an encrypted value lies.
#[derive(Clone, Copy)]
pub(crate) struct Cell<'a> {
    pub(crate) table: &'static str,
    pub(crate) column: &'static str,
    pub(crate) row: &'a [u8],
}

/// Where what is secret of the wishes of the subscription `row` lies.
pub(crate) fn credentials_cell(row: &[u8]) -> Cell<'_> {
    Cell {
        table: "subscription",
        column: "credentials",
        row,
    }
}

/// Where the answer `row` lies.
pub(crate) fn answer_cell(row: &[u8]) -> Cell<'_> {
    Cell {
        table: "kept_answer",
        column: "answer",
        row,
    }
}

/// The name under which a database keeps what its key is known by.
pub(crate) const KEY_NAME: &str = "master_key";
/// What the check value of the master key decrypts to.
const CHECK: &[u8] = b"checkflow";
const CHECK_CELL: Cell<'static> = Cell {
    table: "meta",
    column: "value",
    row: KEY_NAME.as_bytes(),
};

impl MasterKey {
    /// What a database keeps to know the key by: its id and a check value.
    pub(crate) fn known_by(&self, source: &Source) -> Vec<u8> {
        [&self.id()[..], &self.seal(source, CHECK_CELL, CHECK)].concat()
    }

    /// Whether `known` was kept of this key.
    pub(crate) fn is_known_by(&self, known: &[u8]) -> bool {
        let sealed = known.strip_prefix(&self.id()[..]);
        let opened = sealed.and_then(|sealed| self.open(CHECK_CELL, sealed).ok());
        opened.as_deref() == Some(CHECK)
    }
}

/// The value was not encrypted with this key for this place.
#[derive(Debug)]
pub(crate) struct NotOurs;

impl MasterKey {
    /// Reads a key from configuration: the base64 of 32 bytes, such as `openssl rand -base64 32`
    /// makes.
    pub fn from_text(text: &str) -> Result<Self, MasterKeyError> {
        let bytes = BASE64_STANDARD
            .decode(text.trim())
            .map_err(|_| MasterKeyError::NotAKey)?;
        Ok(Self(bytes.try_into().map_err(|_| MasterKeyError::NotAKey)?))
    }

    pub(crate) fn generate(source: &Source) -> Self {
        Self(source.random())
    }

    pub(crate) fn to_text(&self) -> String {
        BASE64_STANDARD.encode(self.0)
    }

    /// What tells keys apart without telling anything of them.
    pub(crate) fn id(&self) -> [u8; KEY_ID_BYTES] {
        let hash = Sha256::new()
            .chain_update(b"checkflow master key id\0")
            .chain_update(self.0);
        let hash: [u8; 32] = hash.finalize().into();
        let mut id = [0; KEY_ID_BYTES];
        id.copy_from_slice(&hash[..KEY_ID_BYTES]);
        id
    }

    /// Encrypts `plain` for `cell`: a fresh nonce, then the sealed bytes.
    pub(crate) fn seal(&self, source: &Source, cell: Cell<'_>, plain: &[u8]) -> Vec<u8> {
        let nonce: [u8; NONCE_BYTES] = source.random();
        let aad = cell.aad();
        let sealed = self
            .cipher()
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: plain,
                    aad: &aad,
                },
            )
            .expect("ChaCha20-Poly1305 takes messages of up to 256 GiB");
        [&nonce[..], &sealed].concat()
    }

    /// Decrypts what was sealed for `cell`.
    pub(crate) fn open(&self, cell: Cell<'_>, sealed: &[u8]) -> Result<Vec<u8>, NotOurs> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_BYTES>().ok_or(NotOurs)?;
        let payload = Payload {
            msg: sealed,
            aad: &cell.aad(),
        };
        self.cipher()
            .decrypt(&XNonce::from(*nonce), payload)
            .map_err(|_| NotOurs)
    }

    fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(&Key::from(self.0))
    }
}

impl Cell<'_> {
    fn aad(self) -> Vec<u8> {
        [
            self.table.as_bytes(),
            b"/",
            self.column.as_bytes(),
            b"/",
            self.row,
        ]
        .concat()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MasterKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::source;

    #[test]
    fn a_value_opens_only_with_its_key_in_its_place() {
        let key = MasterKey([7; KEY_BYTES]);
        let cell = Cell {
            table: "subscription",
            column: "secret",
            row: b"one",
        };
        let sealed = key.seal(&source(), cell, b"plain");
        assert_eq!(key.open(cell, &sealed).unwrap(), b"plain");
        assert_ne!(
            sealed,
            key.seal(
                &source(),
                Cell {
                    row: b"two",
                    ..cell
                },
                b"plain"
            )
        );
        assert!(
            key.open(
                Cell {
                    row: b"two",
                    ..cell
                },
                &sealed
            )
            .is_err()
        );
        assert!(
            key.open(
                Cell {
                    column: "other",
                    ..cell
                },
                &sealed
            )
            .is_err()
        );
        assert!(MasterKey([8; KEY_BYTES]).open(cell, &sealed).is_err());
        assert!(key.open(cell, &sealed[..20]).is_err());
    }

    #[test]
    fn a_key_is_read_from_base64_of_32_bytes() {
        let key = MasterKey([7; KEY_BYTES]);
        let read = MasterKey::from_text(&format!(" {}\n", key.to_text())).unwrap();
        assert_eq!(read.id(), key.id());
        for bad in ["", "abc", "AAAA", "not base64 at all!"] {
            assert!(
                matches!(MasterKey::from_text(bad), Err(MasterKeyError::NotAKey)),
                "{bad}"
            );
        }
        assert_eq!(format!("{key:?}"), "MasterKey(…)");
    }
}
