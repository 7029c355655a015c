//! What signs deliveries, encrypted: bound to its kind, its own id and its subscription, so that nobody with the
//! database alone can put one in another's place.

use domain::{SecretId, SecretKind, SigningSecret, Source, SubscriptionId, SubscriptionSecret};

use super::{Cell, MasterKey};

/// Where a secret lies, and whose it is.
struct Lies {
    kind: SecretKind,
    row: Vec<u8>,
}

impl Lies {
    fn of(subscription: SubscriptionId, id: SecretId, kind: SecretKind) -> Self {
        let (of, id) = (subscription.uuid(), id.uuid());
        Self {
            kind,
            row: if id == of {
                of.as_bytes().to_vec()
            } else {
                [*id.as_bytes(), *of.as_bytes()].concat()
            },
        }
    }

    fn cell(&self) -> Cell<'_> {
        // One that has the subscription's id was that subscription's only one, before it could have several.
        let (table, column) = if self.row.len() == 16 {
            ("subscription", "secret")
        } else {
            ("subscription_secret", self.kind.word())
        };
        Cell {
            table,
            column,
            row: &self.row,
        }
    }
}

impl MasterKey {
    /// Encrypts a secret of a subscription.
    pub(crate) fn seal_secret(
        &self,
        source: &Source,
        subscription: SubscriptionId,
        secret: &SubscriptionSecret,
    ) -> Vec<u8> {
        let lies = Lies::of(subscription, secret.id, secret.secret.kind());
        self.seal(source, lies.cell(), secret.secret.bytes())
    }

    /// Decrypts a secret of a subscription; none if it is not this one.
    pub(crate) fn open_secret(
        &self,
        subscription: SubscriptionId,
        id: SecretId,
        kind: SecretKind,
        sealed: &[u8],
    ) -> Option<SigningSecret> {
        let lies = Lies::of(subscription, id, kind);
        let bytes = self.open(lies.cell(), sealed).ok()?;
        SigningSecret::from_bytes(kind, &bytes).ok()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::testing::source;

    #[test]
    fn a_secret_opens_only_as_what_it_is_and_for_whom() {
        let source = source();
        let key = MasterKey::generate(&source);
        let [one, two] = [1, 2].map(|id| SubscriptionId::new(Uuid::from_u128(id)));
        let made = SubscriptionSecret::generate(SecretKind::Ed25519, &source);
        let sealed = key.seal_secret(&source, one, &made);
        let open = |of, id, kind| key.open_secret(of, id, kind, &sealed);
        let kind = SecretKind::Ed25519;
        assert_eq!(open(one, made.id, kind), Some(made.secret.clone()));
        assert_eq!(open(two, made.id, kind), None);
        assert_eq!(open(one, SecretId::new(two.uuid()), kind), None);
        assert_eq!(open(one, SecretId::new(one.uuid()), kind), None);
        assert_eq!(open(one, made.id, SecretKind::Hmac), None);
    }

    #[test]
    fn one_from_before_there_could_be_several_opens_under_its_subscriptions_id() {
        let source = source();
        let key = MasterKey::generate(&source);
        let id = Uuid::from_u128(7);
        let cell = Cell {
            table: "subscription",
            column: "secret",
            row: id.as_bytes(),
        };
        let secret = SigningSecret::generate(SecretKind::Hmac, &source);
        let sealed = key.seal(&source, cell, secret.bytes());
        let (of, id) = (SubscriptionId::new(id), SecretId::new(id));
        let opened = key.open_secret(of, id, SecretKind::Hmac, &sealed);
        assert_eq!(opened, Some(secret));
    }
}
