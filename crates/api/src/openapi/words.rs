//! The words that a parameter takes beside those of its type, as the document lists them.

use std::iter::once;

use domain::{DeliveryState, EventType, TaskStatus};
use utoipa::{
    PartialSchema,
    openapi::{
        RefOr,
        schema::{ObjectBuilder, Schema, Type},
    },
};

/// What leaves nothing out.
const ALL: &str = "ALL";

macro_rules! words {
    ($($(#[doc = $doc:literal])* $name:ident: $words:expr;)+) => {$(
        $(#[doc = $doc])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                ObjectBuilder::new()
                    .schema_type(Type::String)
                    .enum_values(Some($words))
                    .into()
            }
        }
    )+};
}

words! {
    /// An event's type, or any.
    AnyEventType: once(ALL).chain(EventType::ALL.iter().map(|kind| kind.word()));
    /// How a delivery stands, or any way.
    AnyState: once(ALL).chain(DeliveryState::ALL.iter().map(|state| state.word()));
    /// How a delivery stands, any way, or any but `delivered`.
    AnyStateOrUndelivered: once(ALL)
        .chain(DeliveryState::ALL.iter().map(|state| state.word()))
        .chain(once("undelivered"));
    /// The class of an answer's status.
    StatusClassWord: ["2xx", "3xx", "4xx", "5xx"];
    /// What a subscription is about, where no key says it.
    ScopeWord: ["team"];
    /// How a checklist stands, or any way.
    AnyChecklistStatus: [ALL, "SCHEDULED", "INPROGRESS", "RECENTLYCOMPLETE", "COMPLETE"];
    /// How a task stands, or any way.
    AnyTaskStatus: once(ALL).chain(TaskStatus::ALL.iter().map(|status| status.word()));
}
