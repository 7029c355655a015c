//! The secrets of a subscription: which there are, until when each signs, and the rules of changing them.
//!
//! A secret without an end signs until it is rolled. Rolling puts a new one beside it and gives it an end, so that a
//! receiver may change over in between. Nothing has to be done when an end comes: what has run out no longer signs,
//! and goes with the next change.

use std::time::Duration;

use serde::Serialize;
use utoipa::ToSchema;

use super::{Signing, settings::words};
use crate::{PublicKey, SecretId, SigningSecret, Source, Timestamp};

/// Most secrets of a subscription that sign at once.
pub const SECRETS_MAX: usize = 10;

/// How long a secret that is rolled goes on signing, in seconds, where nothing is said.
pub const KEEP_OLD_SECONDS_DEFAULT: u32 = 24 * 60 * 60;

/// How long a secret that is rolled can go on signing, in seconds.
pub const KEEP_OLD_SECONDS_MAX: u32 = 30 * 24 * 60 * 60;

/// Most public keys of a team that are published; the newest.
pub const PUBLISHED_KEYS_MAX: u32 = 1_000;

words! {
    /// What a secret is, and so how it signs.
    SecretKind, UnknownSecretKind "must be hmac or ed25519":
    /// A secret that both sides have, for HMAC-SHA256 (`v1`).
    #[default]
    Hmac = "hmac",
    /// A key of which the receiver has the public half, for Ed25519 (`v1a`).
    Ed25519 = "ed25519",
}

impl Signing {
    /// The kinds of secrets that sign.
    pub const fn kinds(self) -> &'static [SecretKind] {
        match self {
            Self::Hmac => &[SecretKind::Hmac],
            Self::Ed25519 => &[SecretKind::Ed25519],
            Self::Both => &[SecretKind::Hmac, SecretKind::Ed25519],
        }
    }
}

/// A secret of a subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SubscriptionSecret {
    /// Its identifier.
    pub id: SecretId,
    /// What signs.
    pub secret: SigningSecret,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer signs, if that is known.
    pub valid_until: Option<Timestamp>,
}

impl SubscriptionSecret {
    /// Takes a secret for a new one of a subscription.
    pub fn new(secret: SigningSecret, source: &Source) -> Self {
        Self {
            id: SecretId::new(source.uuid()),
            secret,
            created_at: source.now(),
            valid_until: None,
        }
    }

    /// Makes a new one.
    pub fn generate(kind: SecretKind, source: &Source) -> Self {
        Self::new(SigningSecret::generate(kind, source), source)
    }

    /// Whether it signs at `at`.
    pub fn is_valid(&self, at: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| at < until)
    }

    /// What may be known of it.
    pub fn head(&self) -> SecretHead {
        SecretHead {
            id: self.id,
            kind: self.secret.kind(),
            public_key: self.secret.public_key(),
            created_at: self.created_at,
            valid_until: self.valid_until,
        }
    }
}

/// What may be known of a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretHead {
    /// Its identifier.
    pub id: SecretId,
    /// What it is.
    pub kind: SecretKind,
    /// What verifies its signatures, if that is another key.
    pub public_key: Option<PublicKey>,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it no longer signs, if that is known.
    pub valid_until: Option<Timestamp>,
}

impl SecretHead {
    /// Whether it signs at `at`.
    pub fn is_valid(&self, at: Timestamp) -> bool {
        self.valid_until.is_none_or(|until| at < until)
    }

    /// Whether it signs until it is rolled.
    fn is_endless(&self) -> bool {
        self.valid_until.is_none()
    }
}

/// A secret as the API lists it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretRow {
    /// Its identifier; `secretId` where it is asked for, and the `kid` of a public key.
    pub id: SecretId,
    /// What it is.
    pub kind: SecretKind,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created_date_time: Timestamp,
    /// From when on it no longer signs; null for one that signs until it is rolled.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub valid_until_date_time: Option<Timestamp>,
    /// What verifies its signatures (`whpk_…`); null for `hmac`.
    pub public_key: Option<String>,
}

impl From<&SecretHead> for SecretRow {
    fn from(head: &SecretHead) -> Self {
        Self {
            id: head.id,
            kind: head.kind,
            created_date_time: head.created_at,
            valid_until_date_time: head.valid_until,
            public_key: head.public_key.map(|key| key.to_string()),
        }
    }
}

/// Why the secrets of a subscription stay as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SecretRefusal {
    /// As many sign as may.
    #[error(
        "the subscription has {SECRETS_MAX} secrets that sign, which is the most: revoke one that is no longer needed, or roll with a keepOldFor of 0"
    )]
    Full,
    /// Without it deliveries could not be signed.
    #[error(
        "the secret {0} has no end and deliveries are signed with its kind: roll first, which puts a new one in its place (with a keepOldFor of 0 at once)"
    )]
    InUse(SecretId),
}

/// What becomes of the secrets there are when a new one comes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MakingRoom {
    /// These no longer sign and go.
    pub remove: Vec<SecretId>,
    /// These get an end.
    pub end: Vec<SecretId>,
}

/// Rolling: a new secret of `kind` comes, and those of the kind in `held` sign until `until` at the longest.
///
/// # Errors
/// More would sign than may.
pub fn roll(
    held: &[SecretHead],
    kind: SecretKind,
    now: Timestamp,
    until: Timestamp,
) -> Result<MakingRoom, SecretRefusal> {
    let goes = |head: &SecretHead| !head.is_valid(now) || (head.kind == kind && until <= now);
    let (remove, stay): (Vec<_>, Vec<_>) = held.iter().partition(|head| goes(head));
    let ends = |head: &&&SecretHead| head.kind == kind && head.is_valid(until);
    room(&stay)?;
    Ok(MakingRoom {
        remove: ids(&remove),
        end: ids(&stay.iter().filter(ends).copied().collect::<Vec<_>>()),
    })
}

/// A new secret comes beside those in `held`.
///
/// # Errors
/// More would sign than may.
pub fn add(held: &[SecretHead], now: Timestamp) -> Result<MakingRoom, SecretRefusal> {
    let (stay, remove): (Vec<_>, Vec<_>) = held.iter().partition(|head| head.is_valid(now));
    room(&stay)?;
    Ok(MakingRoom {
        remove: ids(&remove),
        end: Vec::new(),
    })
}

fn room(stay: &[&SecretHead]) -> Result<(), SecretRefusal> {
    if stay.len() < SECRETS_MAX {
        Ok(())
    } else {
        Err(SecretRefusal::Full)
    }
}

fn ids(heads: &[&SecretHead]) -> Vec<SecretId> {
    heads.iter().map(|head| head.id).collect()
}

/// The kinds that `signing` needs a secret of and that `held` has none of without an end.
pub fn lacking(held: &[SecretHead], signing: Signing) -> Vec<SecretKind> {
    let has = |kind: &SecretKind| held.iter().any(|one| one.kind == *kind && one.is_endless());
    let kinds = signing.kinds().iter().copied();
    kinds.filter(|kind| !has(kind)).collect()
}

/// Whether `head` can go at once.
///
/// # Errors
/// Deliveries could not be signed without it.
pub fn revoke(head: &SecretHead, signing: Signing) -> Result<(), SecretRefusal> {
    if head.is_endless() && signing.kinds().contains(&head.kind) {
        Err(SecretRefusal::InUse(head.id))
    } else {
        Ok(())
    }
}

/// Until when a secret signs that is rolled at `now` and kept for `seconds`.
pub fn kept_until(now: Timestamp, seconds: u32) -> Timestamp {
    now.after(Duration::from_secs(seconds.into()))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_795_455_715_120);

    fn head(id: u128, kind: SecretKind, until: Option<Timestamp>) -> SecretHead {
        SecretHead {
            id: SecretId::new(Uuid::from_u128(id)),
            kind,
            public_key: None,
            created_at: NOW,
            valid_until: until,
        }
    }

    fn id(id: u128) -> SecretId {
        SecretId::new(Uuid::from_u128(id))
    }

    #[test]
    fn rolling_ends_those_of_the_kind_and_never_lengthens_one() {
        use SecretKind::{Ed25519, Hmac};
        let (soon, later) = (kept_until(NOW, 60), kept_until(NOW, 3_600));
        let held = [
            head(1, Hmac, None),
            head(2, Hmac, Some(soon)),
            head(3, Hmac, Some(later)),
            head(4, Hmac, Some(NOW)),
            head(5, Ed25519, None),
        ];
        let kept = |seconds| roll(&held, Hmac, NOW, kept_until(NOW, seconds)).unwrap();
        for (seconds, remove, end) in [
            (600, vec![4], vec![1, 3]),
            (60, vec![4], vec![1, 3]),
            (59, vec![4], vec![1, 2, 3]),
            (0, vec![1, 2, 3, 4], vec![]),
        ] {
            let expected = MakingRoom {
                remove: remove.into_iter().map(id).collect(),
                end: end.into_iter().map(id).collect(),
            };
            assert_eq!(kept(seconds), expected, "{seconds}");
        }
        let made = roll(&held, Ed25519, NOW, NOW).unwrap();
        assert_eq!(made.remove, [id(4), id(5)]);
        assert_eq!(made.end, []);
    }

    #[test]
    fn ten_may_sign_at_once_and_no_more() {
        let until = Some(kept_until(NOW, 60));
        let nine = || (1..10).map(|id| head(id, SecretKind::Hmac, until));
        let ended = head(20, SecretKind::Hmac, Some(NOW));
        let mut held: Vec<_> = nine().chain([ended]).collect();
        let later = kept_until(NOW, 3_600);
        let rolled = roll(&held, SecretKind::Ed25519, NOW, later).unwrap();
        assert_eq!(rolled.remove, [id(20)]);
        assert_eq!(add(&held, NOW).unwrap().remove, [id(20)]);
        held.push(head(10, SecretKind::Hmac, None));
        let full = Err(SecretRefusal::Full);
        assert_eq!(roll(&held, SecretKind::Hmac, NOW, later), full);
        assert_eq!(add(&held, NOW), full);
        // At once makes room by itself.
        assert_eq!(
            roll(&held, SecretKind::Hmac, NOW, NOW)
                .unwrap()
                .remove
                .len(),
            11
        );
    }

    #[test]
    fn what_signing_needs_stays_and_what_it_lacks_is_told() {
        use SecretKind::{Ed25519, Hmac};
        let until = Some(kept_until(NOW, 60));
        let (endless, ending) = (head(1, Hmac, None), head(2, Hmac, until));
        let in_use = Err(SecretRefusal::InUse(id(1)));
        for (signing, expected) in [
            (Signing::Hmac, in_use),
            (Signing::Both, in_use),
            (Signing::Ed25519, Ok(())),
        ] {
            assert_eq!(revoke(&endless, signing), expected, "{signing}");
            assert_eq!(revoke(&ending, signing), Ok(()), "{signing}");
        }
        for (held, signing, expected) in [
            (&endless, Signing::Hmac, vec![]),
            (&ending, Signing::Hmac, vec![Hmac]),
            (&endless, Signing::Ed25519, vec![Ed25519]),
            (&endless, Signing::Both, vec![Ed25519]),
            (&ending, Signing::Both, vec![Hmac, Ed25519]),
        ] {
            let found = lacking(std::slice::from_ref(held), signing);
            assert_eq!(found, expected, "{signing}");
        }
    }
}
