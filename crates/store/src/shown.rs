//! What a delivery is shown as, which follows from its own row and that of its subscription.

use domain::{DeliveryState, Outcome, ReasonCode, ReasonFacts, StateCode, SubscriptionState};

use crate::DeliveryQuery;

/// Whose reason it is that a delivery is shown with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Why {
    /// Its own.
    OfDelivery,
    /// That of its subscription: it is held, or cancelled, with it.
    OfSubscription,
}

/// The state of a delivery that is stored as `stored`, of a subscription that is `of`.
const fn shown(
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

/// The state that a delivery is shown in that is stored as `stored`, of a subscription that is `of`.
pub(crate) const fn state_shown(
    stored: DeliveryState,
    of: SubscriptionState,
    delivered_before: bool,
) -> DeliveryState {
    shown(stored, of, delivered_before).0
}

/// What is stored of a delivery, as far as it decides how it is shown.
#[derive(Clone, Debug)]
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a column, and any may go with any other"
)]
pub(crate) struct Stored {
    pub(crate) state: DeliveryState,
    pub(crate) delivered_before: bool,
    pub(crate) last_outcome: Option<Outcome>,
    /// Whether its next attempt was asked for by hand.
    pub(crate) asked_for: bool,
    /// Who stopped its retries.
    pub(crate) cancelled_by: Option<String>,
    /// Whether another of its chain is before it.
    pub(crate) behind: bool,
    /// Whether its reason is that its subscription can't be read.
    pub(crate) unreadable: bool,
    /// Most requests a second of its subscription.
    pub(crate) per_second: Option<i64>,
    /// How its subscription stands.
    pub(crate) of: SubscriptionState,
    pub(crate) code: StateCode,
}

impl Stored {
    /// The state that it is shown in.
    pub(crate) const fn state(&self) -> DeliveryState {
        shown(self.state, self.of, self.delivered_before).0
    }

    /// Why, as a word for programs.
    pub(crate) const fn reason_code(&self) -> ReasonCode {
        ReasonCode::of(ReasonFacts {
            state: self.state(),
            subscription: self.code,
            last_outcome: self.last_outcome,
            asked_for: self.asked_for,
            behind: self.behind,
            unreadable: self.unreadable,
            paced: self.per_second.is_some(),
            // What is cancelled with its subscription was not stopped by itself.
            cancelled: self.cancelled_by.is_some() && !matches!(self.state, DeliveryState::Waiting),
        })
    }

    /// Why, in words: the delivery's own, or its subscription's.
    pub(crate) fn reason(&self, own: String, of_subscription: String) -> String {
        let (state, why) = shown(self.state, self.of, self.delivered_before);
        match (&self.cancelled_by, state, why) {
            (_, _, Why::OfSubscription) => of_subscription,
            (Some(by), DeliveryState::Leased, _) => {
                format!("{by} stopped its retries; the attempt that runs may still deliver it")
            }
            (Some(by), DeliveryState::Cancelled, _) => format!("{by} stopped its retries"),
            _ if own.is_empty() => self.turn(),
            _ => own,
        }
    }

    /// That it waits for its turn, if it does: nobody writes that down for each that waits.
    fn turn(&self) -> String {
        match (self.reason_code(), self.per_second) {
            (ReasonCode::Paced, Some(rate)) => {
                format!("waits for its turn: at most {rate} a second, as its subscription asks")
            }
            _ => String::new(),
        }
    }
}

/// Which deliveries a list is about, by how they are shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    All,
    Undelivered,
    State(DeliveryState),
}

impl Wanted {
    pub(crate) fn of(query: &DeliveryQuery) -> Self {
        match query.state {
            Some(state) => Self::State(state),
            None if query.undelivered => Self::Undelivered,
            None => Self::All,
        }
    }
}

/// A condition on the state as it is shown, and by what rows that meet it are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Term {
    /// No condition, or one that most rows meet.
    Most(Option<&'static str>),
    /// Those that are being sent.
    Leased(&'static str),
    /// Those that wait.
    Waiting(&'static str),
    /// Those that ended badly.
    Ended(&'static str),
}

impl Term {
    /// The condition, if there is one.
    pub(crate) const fn text(self) -> Option<&'static str> {
        match self {
            Self::Most(text) => text,
            Self::Leased(text) | Self::Waiting(text) | Self::Ended(text) => Some(text),
        }
    }
}

macro_rules! open {
    ($rest:literal) => {
        concat!("d.state <> 'delivered' AND d.state <> 'leased' AND ", $rest)
    };
}

macro_rules! ended {
    ($state:literal) => {
        concat!(
            "d.state <> 'delivered' AND d.state <> 'leased' AND d.state <> 'waiting' AND d.state = '",
            $state,
            "'"
        )
    };
}

pub(crate) use ended;

/// The conditions for what is wanted, each of which keeps the order of an index. That of a partial
/// index is said word for word, else the database does not see that it may be used.
pub(crate) fn state_terms(wanted: Wanted) -> Vec<Term> {
    const LEASED: Term = Term::Leased("d.state = 'leased'");
    const EXHAUSTED: Term = Term::Ended(ended!("exhausted"));
    const CANCELLED: Term = Term::Ended(ended!("cancelled"));
    const REFUSED: Term = Term::Ended(ended!("refused"));
    const EXPIRED: Term = Term::Ended(ended!("expired"));
    let state = match wanted {
        Wanted::All => return vec![Term::Most(None)],
        Wanted::Undelivered => {
            let waiting =
                open!("d.state = 'waiting' AND (s.state <> 'gone' OR d.delivered_at IS NULL)");
            return vec![
                LEASED,
                Term::Waiting(waiting),
                EXHAUSTED,
                CANCELLED,
                REFUSED,
                EXPIRED,
            ];
        }
        Wanted::State(state) => state,
    };
    match state {
        DeliveryState::Waiting => vec![Term::Waiting(open!(
            "d.state = 'waiting' AND s.state IN ('active', 'failing')"
        ))],
        DeliveryState::Held => vec![Term::Waiting(open!(
            "d.state = 'waiting' AND s.state = 'paused'"
        ))],
        DeliveryState::Leased => vec![LEASED],
        DeliveryState::Delivered => vec![Term::Most(Some(
            "(d.state = 'delivered' OR d.state = 'waiting'
            AND d.delivered_at IS NOT NULL AND s.state = 'gone')",
        ))],
        DeliveryState::Exhausted => vec![EXHAUSTED],
        DeliveryState::Cancelled => vec![
            CANCELLED,
            Term::Waiting(open!(
                "d.state = 'waiting' AND s.state = 'gone' AND d.delivered_at IS NULL"
            )),
        ],
        DeliveryState::Refused => vec![REFUSED],
        DeliveryState::Expired => vec![EXPIRED],
    }
}

/// What a page of the log is put together from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Part {
    /// The condition on the state.
    pub(crate) term: Term,
    /// Whether it is of the deliveries that redelivery jobs made. The row of an event, by which those of an event or
    /// a checklist are found, does not tell of these.
    pub(crate) copies: bool,
}

/// The parts that a page of the log is put together from.
pub(crate) fn parts(query: &DeliveryQuery) -> Vec<Part> {
    let of: &[bool] = if query.of_event() {
        &[false, true]
    } else {
        &[false]
    };
    let terms = state_terms(Wanted::of(query)).into_iter();
    terms
        .flat_map(|term| {
            of.iter().map(move |copies| Part {
                term,
                copies: *copies,
            })
        })
        .collect()
}
