//! The state of a delivery as it is shown, which follows from its own and that of its subscription.

use domain::{DeliveryState, SubscriptionState};

/// Whose reason it is that a delivery is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Its own.
    OfDelivery,
    /// That of its subscription: it is held, or cancelled, with it.
    OfSubscription,
}

/// The state of a delivery that is stored as `stored`, of a subscription that is `of`.
pub(crate) const fn shown(
    stored: DeliveryState,
    of: SubscriptionState,
    delivered_before: bool,
) -> (DeliveryState, Why) {
    match (stored, of) {
        (DeliveryState::Waiting, SubscriptionState::Paused) => {
            (DeliveryState::Held, Why::OfSubscription)
        }
        (DeliveryState::Waiting, SubscriptionState::Gone) if delivered_before => {
            (DeliveryState::Delivered, Why::OfDelivery)
        }
        (DeliveryState::Waiting, SubscriptionState::Gone) => {
            (DeliveryState::Cancelled, Why::OfSubscription)
        }
        (DeliveryState::Held, _) => (DeliveryState::Held, Why::OfSubscription),
        (stored, _) => (stored, Why::OfDelivery),
    }
}

/// The conditions for a state as it is shown, each of which keeps the order of an index. That of the
/// partial index is said word for word, else the database does not see that it may be used.
pub(crate) fn state_terms(state: Option<DeliveryState>) -> Vec<Option<&'static str>> {
    macro_rules! open {
        ($rest:literal) => {
            concat!("d.state <> 'delivered' AND d.state <> 'leased' AND ", $rest)
        };
    }
    let Some(state) = state else {
        return vec![None];
    };
    let terms: &[&'static str] = match state {
        DeliveryState::Waiting => &[open!(
            "d.state = 'waiting' AND s.state IN ('active', 'failing')"
        )],
        DeliveryState::Held => &[open!("d.state = 'waiting' AND s.state = 'paused'")],
        DeliveryState::Leased => &["d.state = 'leased'"],
        DeliveryState::Delivered => &["(d.state = 'delivered' OR d.state = 'waiting'
            AND d.delivered_at IS NOT NULL AND s.state = 'gone')"],
        DeliveryState::Exhausted => &[open!("d.state = 'exhausted'")],
        DeliveryState::Cancelled => &[
            open!("d.state = 'cancelled'"),
            open!("d.state = 'waiting' AND s.state = 'gone' AND d.delivered_at IS NULL"),
        ],
        DeliveryState::Refused => &[open!("d.state = 'refused'")],
        DeliveryState::Expired => &[open!("d.state = 'expired'")],
    };
    terms.iter().copied().map(Some).collect()
}
