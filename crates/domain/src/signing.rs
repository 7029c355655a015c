//! Signatures of webhooks as Standard Webhooks 1.0.0 says: symmetric (`v1`) and asymmetric (`v1a`).
//!
//! The engine calls [`Signed::of`] for each attempt with all secrets of the subscription that are still good, so that
//! a receiver may change over in its own time. Keeping secrets encrypted is the store's work; which there are, and
//! until when, the rules' in `subscription/secrets.rs`.

mod ed25519;
mod secret;

use base64::{Engine as _, prelude::BASE64_STANDARD};

use crate::{Signing, SubscriptionSecret, Timestamp};

pub use ed25519::{Ed25519Secret, PUBLIC_KEY_BYTES, PUBLIC_KEY_MARK, PublicKey, SEED_BYTES};
pub use secret::{
    HmacSecret, NotASecret, PRIVATE_KEY_MARK, SECRET_BYTES_MADE, SECRET_BYTES_MAX,
    SECRET_BYTES_MIN, SECRET_MARK, SigningSecret,
};

/// The value of `webhook-signature`: an entry `v1,<base64>` or `v1a,<base64>` for each secret, with spaces between.
///
/// Signed are `id`, `timestamp_seconds` and `body`, joined by full stops. The body has to be sent
/// byte for byte as it was signed. `id` must hold no full stop, else the parts could be cut
/// differently; ours are UUIDs with at most the mark of a test before them.
pub fn sign<'a>(
    secrets: impl IntoIterator<Item = &'a SigningSecret>,
    id: &str,
    timestamp_seconds: i64,
    body: &[u8],
) -> String {
    debug_assert!(
        !id.contains('.'),
        "an id with a full stop makes the signed text ambiguous"
    );
    let timestamp = timestamp_seconds.to_string();
    let parts = [id.as_bytes(), b".", timestamp.as_bytes(), b".", body];
    let mut header = String::with_capacity(ENTRY_CHARS);
    for secret in secrets {
        if !header.is_empty() {
            header.push(' ');
        }
        match secret {
            SigningSecret::Hmac(secret) => {
                header.push_str("v1,");
                BASE64_STANDARD.encode_string(secret.sign(parts), &mut header);
            }
            SigningSecret::Ed25519(secret) => {
                header.push_str("v1a,");
                BASE64_STANDARD.encode_string(secret.sign(parts), &mut header);
            }
        }
    }
    header
}

// `v1,` and 44 characters of base64, which is all that most deliveries carry.
const ENTRY_CHARS: usize = 47;

/// What a request carries to prove where it comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Signed {
    /// `webhook-signature`; empty where nothing was signed.
    pub signature: String,
    /// `checkflow-key`: which public keys verify the entries `v1a`, in their order, with spaces between. Empty where
    /// there are none, and then the header is not sent.
    pub keys: String,
}

impl Signed {
    /// Signs with those of `secrets` that are good at `at` and of a kind that is in use, in the order they stand.
    pub fn of(
        secrets: &[SubscriptionSecret],
        signing: Signing,
        id: &str,
        at: Timestamp,
        body: &[u8],
    ) -> Self {
        let signing = |held: &&SubscriptionSecret| {
            signing.kinds().contains(&held.secret.kind()) && held.is_valid(at)
        };
        let held = || secrets.iter().filter(signing);
        let asymmetric = held().filter(|held| held.secret.public_key().is_some());
        let keys: Vec<String> = asymmetric.map(|held| held.id.to_string()).collect();
        Self {
            signature: sign(held().map(|held| &held.secret), id, at.as_seconds(), body),
            keys: keys.join(" "),
        }
    }

    /// Both as one text, as the log keeps them: the keys, if there are any, on a line of their own.
    pub fn into_text(self) -> String {
        if self.keys.is_empty() {
            self.signature
        } else {
            format!("{}\n{}", self.signature, self.keys)
        }
    }

    /// Reads back what [`Self::into_text`] wrote.
    pub fn read(text: &str) -> Self {
        let (signature, keys) = text.split_once('\n').unwrap_or((text, ""));
        Self {
            signature: signature.to_owned(),
            keys: keys.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::{SecretKind, test_source};

    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    const ID: &str = "msg_p5jXN8AQM9LWM0D4loKWxJek";
    const SIGNATURE: &str = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=";
    const BODY: &[u8] = br#"{"test": 2432232314}"#;
    const AT: i64 = 1_614_265_330;

    fn made(kind: SecretKind) -> SubscriptionSecret {
        SubscriptionSecret::generate(kind, &test_source())
    }

    #[test]
    fn the_signature_is_that_of_the_standard_webhooks_libraries() {
        let secret: SigningSecret = SECRET.parse().unwrap();
        assert_eq!(sign(&[secret], ID, AT, BODY), SIGNATURE);
    }

    #[test]
    fn while_rolling_both_secrets_sign() {
        let old: SigningSecret = SECRET.parse().unwrap();
        let new = SigningSecret::generate(SecretKind::Hmac, &test_source());
        let both = sign(&[new.clone(), old], ID, AT, BODY);
        let entries: Vec<&str> = both.split(' ').collect();
        assert_eq!(entries, [&sign(&[new], ID, AT, BODY), SIGNATURE]);
        assert_eq!(sign(&[], ID, 0, BODY), "");
    }

    #[test]
    fn whatever_is_signed_changes_the_signature() {
        let secret = || [SECRET.parse().unwrap()];
        for changed in [
            sign(&secret(), "msg_p5jXN8AQM9LWM0D4loKWxJel", AT, BODY),
            sign(&secret(), ID, AT + 1, BODY),
            sign(&secret(), ID, AT, b"{}"),
        ] {
            assert_ne!(changed, SIGNATURE);
        }
    }

    #[test]
    fn an_asymmetric_signature_holds_with_the_public_key_alone() {
        let held = made(SecretKind::Ed25519);
        let header = sign([&held.secret], ID, AT, BODY);
        let signature = BASE64_STANDARD.decode(header.strip_prefix("v1a,").unwrap());
        let signature = signature.unwrap();
        let key = held.secret.public_key().unwrap();
        let key = ring::signature::UnparsedPublicKey::new(&ring::signature::ED25519, key.bytes());
        let signed = [ID.as_bytes(), b".1614265330.", BODY].concat();
        assert!(key.verify(&signed, &signature).is_ok());
        assert!(key.verify(&signed[1..], &signature).is_err());
    }

    #[test]
    fn only_kinds_in_use_and_what_has_not_run_out_signs() {
        let at = Timestamp::from_millis(AT * 1_000);
        let later = at.after(Duration::from_millis(1));
        let (hmac, key) = (made(SecretKind::Hmac), made(SecretKind::Ed25519));
        let ended = SubscriptionSecret {
            valid_until: Some(later),
            ..made(SecretKind::Hmac)
        };
        let all = [ended, key.clone(), hmac];
        let marks = |signing, at| {
            let signed = Signed::of(&all, signing, ID, at, BODY);
            let entries = signed.signature.split(' ');
            let marks: Vec<_> = entries
                .map(|entry| entry.split_once(',').unwrap().0.to_owned())
                .collect();
            (marks.join(" "), signed.keys)
        };
        let id = key.id.to_string();
        for (signing, at, expected, keys) in [
            (Signing::Hmac, at, "v1 v1", ""),
            (Signing::Hmac, later, "v1", ""),
            (Signing::Ed25519, at, "v1a", &*id),
            (Signing::Both, at, "v1 v1a v1", &*id),
            (Signing::Both, later, "v1a v1", &*id),
        ] {
            let found = marks(signing, at);
            assert_eq!(found, (expected.to_owned(), keys.to_owned()), "{signing}");
        }
    }

    #[test]
    fn what_the_log_keeps_of_a_signature_reads_back() {
        let plain = Signed {
            signature: SIGNATURE.to_owned(),
            keys: String::new(),
        };
        let keyed = Signed {
            keys: "a b".to_owned(),
            ..plain.clone()
        };
        for signed in [Signed::default(), plain, keyed] {
            assert_eq!(Signed::read(&signed.clone().into_text()), signed);
        }
    }
}
