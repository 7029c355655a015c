//! A text that nobody is shown.

use std::fmt;

use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq as _;

/// What stands where a secret is, in whatever is read; sent back, it means the secret that is there.
pub const MASK: &str = "********";

/// A secret of a subscription: the value of a header, a password, a token, a key.
///
/// It has no `Display`, and its `Debug` shows nothing, so that it reaches no log by mistake. Written as JSON it is
/// itself, for the one text that it is in is encrypted before it is stored ([`super::Credentials`]).
#[derive(Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Takes a text in.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text, for whom it is meant.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is the mask, which stands for what is stored.
    pub fn is_mask(&self) -> bool {
        self.0 == MASK
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// In constant time, as secrets are compared. Lengths may leak.
impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_bytes().ct_eq(other.0.as_bytes()).into()
    }
}

impl Eq for Secret {}
