//! What the maker of a subscription chose about how it is sent to, beyond what makes it the one it is.
//!
//! Each setting has a default that costs nothing, so that a subscription without wishes is sent to as before there
//! were any. What SQL reads (the order, the rate) has columns of its own; the rest is kept as one JSON text, read when
//! the engine first needs it.

use serde::{Deserialize, Serialize};

use super::{
    masks::HeaderNames,
    proof::Proof,
    request::{RequestChange, RequestSettings},
};
use crate::Timestamp;

/// Most requests a second that a subscription may be limited to; whoever takes more needs no limit.
pub const RATE_PER_SECOND_MAX: u32 = 10_000;

/// Makes an enum of words with its texts; used by the modules behind this one as well.
macro_rules! words {
    ($(#[doc = $doc:literal])* $name:ident, $unknown:ident $message:literal: $($(#[$of:meta])* $case:ident = $word:literal,)+) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        pub enum $name {
            $($(#[$of])* #[serde(rename = $word)] $case,)+
        }

        impl $name {
            /// All of them.
            pub const ALL: &'static [Self] = &[$(Self::$case,)+];

            /// The word for it.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$case => $word,)+ }
            }
        }

        /// By its words: the derive sees the names of a macro's cases alone.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
                utoipa::openapi::schema::ObjectBuilder::new()
                    .schema_type(utoipa::openapi::schema::Type::String)
                    .description(Some([$($doc.trim()),*].join("\n")))
                    .enum_values(Some(Self::ALL.iter().map(|one| one.word())))
                    .into()
            }
        }

        impl utoipa::ToSchema for $name {}

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.word())
            }
        }

        impl std::str::FromStr for $name {
            type Err = $unknown;

            fn from_str(text: &str) -> Result<Self, $unknown> {
                let found = Self::ALL.iter().find(|known| known.word() == text);
                found.copied().ok_or($unknown)
            }
        }

        /// The word is none of these.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
        #[error($message)]
        pub struct $unknown;
    };
}
pub(super) use words;

words! {
    /// In which order a subscription's deliveries are made.
    DeliveryOrder, UnknownDeliveryOrder "must be none or checklist":
    /// First attempts start in order; what is tried again comes after later events.
    #[default]
    Free = "none",
    /// A delivery waits until those before it of the same checklist have ended.
    Checklist = "checklist",
}

words! {
    /// How a subscription's deliveries are signed.
    Signing, UnknownSigning "must be hmac, ed25519 or both":
    /// HMAC-SHA256 with a secret that both sides have (`v1`).
    #[default]
    Hmac = "hmac",
    /// Ed25519 with a key of which the receiver has the public half (`v1a`).
    Ed25519 = "ed25519",
    /// Both, in one header.
    Both = "both",
}

/// Whether this many requests a second are more than that many; none is as many as the receiver takes.
pub(super) fn is_faster(rate: Option<u32>, than: Option<u32>) -> bool {
    than.is_some_and(|than| rate.is_none_or(|rate| rate > than))
}

/// What its maker chose.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SubscriptionSettings {
    /// In which order; a column of its own.
    #[serde(skip)]
    pub ordering: DeliveryOrder,
    /// Most requests a second, from 1 to [`RATE_PER_SECOND_MAX`]; none for as fast as the receiver takes them. A
    /// column of its own.
    #[serde(skip)]
    pub rate_per_second: Option<u32>,
    /// How they are signed.
    pub signing: Signing,
    /// How its target proves that it wants them.
    #[serde(skip_serializing_if = "Proof::is_none")]
    pub proof: Proof,
    /// When it last did; none where it does not have to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_at: Option<Timestamp>,
    /// The name of this server that it was asked by, which each delivery repeats; none for proofs without.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub proven_as: Option<String>,
    /// How its requests are made beyond their signature.
    #[serde(skip_serializing_if = "RequestSettings::is_plain")]
    pub request: RequestSettings,
    /// Whether nothing of answers is kept but their status and how long they took.
    pub forgets_answer: bool,
    /// Headers of answers whose values are not kept, beside [`MASKED_ALWAYS`](crate::MASKED_ALWAYS).
    pub mask_response_headers: HeaderNames,
    /// Whether the body of an event may go once everybody has it.
    pub delete_body_on_success: bool,
    /// Whether what is stored can't be read: all that has no column of its own stands here as by default, and is not what
    /// its maker chose.
    #[serde(skip)]
    pub unreadable: bool,
}

impl SubscriptionSettings {
    /// How many of the names stand for what has a column of its own.
    const IN_COLUMNS: usize = 2;

    /// What they are called in the API: first what has a column of its own, then what is in [`Self::to_text`].
    pub const NAMES: [&str; 15] = [
        "ordering",
        "ratePerSecond",
        "signing",
        "proof",
        "httpsOnly",
        "payload",
        "traceparent",
        "httpVersion",
        "headers",
        "authorization",
        "tls",
        "proxy",
        "keepAnswer",
        "maskResponseHeaders",
        "deleteBodyOnSuccess",
    ];

    /// The names of what is in [`Self::to_text`].
    fn in_text() -> &'static [&'static str] {
        &Self::NAMES[Self::IN_COLUMNS..]
    }

    /// What has no column of its own, as it is stored. What could not be read stays so: a default that stands in for what
    /// nobody knows any more is never stored as if somebody had chosen it.
    ///
    /// # Panics
    /// Never: there is nothing in it that JSON can't say.
    pub fn to_text(&self) -> String {
        if self.unreadable {
            return String::new();
        }
        serde_json::to_string(self).expect("words and numbers are JSON")
    }

    /// The settings from their columns, for whoever shows them: [`Self::read`], or what is left where that finds nothing.
    pub fn shown(ordering: &str, rate_per_second: Option<i64>, text: &str) -> Self {
        Self::read(ordering, rate_per_second, text).unwrap_or_else(|| Self {
            ordering: ordering.parse().unwrap_or_default(),
            rate_per_second: rate_per_second.and_then(|rate| u32::try_from(rate).ok()),
            unreadable: true,
            ..Self::default()
        })
    }

    /// The settings from their columns; none if the text was not made by [`Self::to_text`]. Members that this program
    /// does not know are a newer one's and are passed over.
    pub fn read(ordering: &str, rate_per_second: Option<i64>, text: &str) -> Option<Self> {
        let rate = rate_per_second.map(u32::try_from).transpose().ok()?;
        let rest: Self = serde_json::from_str(text).ok()?;
        Some(Self {
            ordering: ordering.parse().ok()?,
            rate_per_second: rate,
            ..rest
        })
    }
}

/// What of the settings is given or changed; whatever is absent stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SettingsChange {
    /// In which order.
    pub ordering: Option<DeliveryOrder>,
    /// Most requests a second; `Some(None)` takes the limit off.
    pub rate_per_second: Option<Option<u32>>,
    /// How they are signed.
    pub signing: Option<Signing>,
    /// How its target proves that it wants them.
    pub proof: Option<Proof>,
    /// How its requests are made; what comes of it needs what is stored, see [`RequestChange::of`].
    pub request: RequestChange,
    /// Whether answers are kept.
    pub keep_answer: Option<bool>,
    /// Headers of answers whose values are not kept.
    pub mask_response_headers: Option<HeaderNames>,
    /// Whether the body of an event may go once everybody has it.
    pub delete_body_on_success: Option<bool>,
}

impl SettingsChange {
    /// The settings after the change, how its requests are made left out. Whether the target has to be proven for them is
    /// [`must_prove`](crate::must_prove)'s.
    #[must_use]
    pub fn of(&self, before: &SubscriptionSettings) -> SubscriptionSettings {
        let proof = self.proof.unwrap_or(before.proof);
        SubscriptionSettings {
            ordering: self.ordering.unwrap_or(before.ordering),
            rate_per_second: self.rate_per_second.unwrap_or(before.rate_per_second),
            signing: self.signing.unwrap_or(before.signing),
            proof,
            proven_at: before.proven_at.filter(|_| !proof.is_none()),
            proven_as: before.proven_as.clone().filter(|_| !proof.is_none()),
            request: before.request.clone(),
            forgets_answer: self.keep_answer.map_or(before.forgets_answer, |keep| !keep),
            mask_response_headers: self
                .mask_response_headers
                .as_ref()
                .unwrap_or(&before.mask_response_headers)
                .clone(),
            delete_body_on_success: self
                .delete_body_on_success
                .unwrap_or(before.delete_body_on_success),
            unreadable: before.unreadable && !self.absent().is_empty(),
        }
    }

    /// What of all that is read from one text is not given. Settings that can't be read are mended by a change in which
    /// nothing is absent.
    pub fn absent(&self) -> Vec<&'static str> {
        let request = &self.request;
        let given = [
            self.signing.is_some(),
            self.proof.is_some(),
            request.https_only.is_some(),
            request.payload.is_some(),
            request.traceparent.is_some(),
            request.http_version.is_some(),
            request.headers.is_some(),
            request.authorization.is_some(),
            request.tls.is_some(),
            request.proxy.is_some(),
            self.keep_answer.is_some(),
            self.mask_response_headers.is_some(),
            self.delete_body_on_success.is_some(),
        ];
        let names = SubscriptionSettings::in_text()
            .iter()
            .zip(given)
            .filter(|(_, given)| !given);
        names.map(|(name, _)| *name).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_has_the_words_that_are_sent() {
        use utoipa::PartialSchema as _;
        let shown = serde_json::to_value(DeliveryOrder::schema()).unwrap();
        assert_eq!(shown["enum"], serde_json::json!(DeliveryOrder::ALL));
        assert_eq!(shown["enum"], serde_json::json!(["none", "checklist"]));
        assert_eq!(
            shown["description"],
            "In which order a subscription's deliveries are made."
        );
    }

    #[test]
    fn settings_read_back_from_their_columns() {
        for ordering in DeliveryOrder::ALL {
            for signing in Signing::ALL {
                for rate_per_second in [None, Some(1), Some(RATE_PER_SECOND_MAX)] {
                    let settings = SubscriptionSettings {
                        ordering: *ordering,
                        rate_per_second,
                        signing: *signing,
                        proof: rate_per_second.map_or(Proof::None, |_| Proof::Echo),
                        proven_at: rate_per_second.map(|_| Timestamp::from_millis(120)),
                        proven_as: rate_per_second.map(|_| "checks.example.com".to_owned()),
                        request: RequestSettings::default(),
                        forgets_answer: rate_per_second.is_some(),
                        mask_response_headers: "x-a, x-b".parse().unwrap(),
                        delete_body_on_success: rate_per_second == Some(1),
                        unreadable: false,
                    };
                    let rate = rate_per_second.map(i64::from);
                    let text = settings.to_text();
                    let read = SubscriptionSettings::read(ordering.word(), rate, &text);
                    assert_eq!(read, Some(settings), "{text}");
                }
            }
        }
    }

    #[test]
    fn what_older_and_newer_programs_wrote_is_read() {
        let plain = Some(SubscriptionSettings::default());
        let text = SubscriptionSettings::default().to_text();
        assert!(!text.contains("proo") && !text.contains("proven"), "{text}");
        for text in ["{}", r#"{"signing":"hmac","aNewerOne":[1]}"#] {
            let read = SubscriptionSettings::read("none", None, text);
            assert_eq!(read, plain, "{text}");
        }
        for (ordering, rate, text) in [
            ("perhaps", None, "{}"),
            ("none", Some(-1), "{}"),
            ("none", None, ""),
            ("none", None, r#"{"signing":"rot13"}"#),
            ("none", None, r#"{"maskResponseHeaders":["a b"]}"#),
        ] {
            let read = SubscriptionSettings::read(ordering, rate, text);
            assert_eq!(read, None, "{ordering} {rate:?} {text}");
            let shown = SubscriptionSettings::shown(ordering, rate, text);
            assert!(shown.unreadable, "{ordering} {rate:?} {text}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_shown_as_by_default_and_never_stored_as_chosen() {
        let shown = SubscriptionSettings::shown("checklist", Some(5), "{");
        assert_eq!(
            (shown.ordering, shown.rate_per_second),
            (DeliveryOrder::Checklist, Some(5)),
            "what has a column of its own is known"
        );
        let text = shown.to_text();
        assert_eq!(SubscriptionSettings::read("none", None, &text), None);
    }

    #[test]
    fn only_a_change_that_gives_all_of_it_mends_what_cannot_be_read() {
        let broken = SubscriptionSettings::shown("none", None, "");
        let part = SettingsChange {
            signing: Some(Signing::Both),
            ..SettingsChange::default()
        };
        assert!(part.of(&broken).unreadable);
        assert_eq!(part.absent(), SubscriptionSettings::in_text()[1..]);
        let whole = SettingsChange {
            proof: Some(Proof::None),
            request: RequestChange {
                https_only: Some(true),
                payload: Some(crate::Payload::Thin),
                traceparent: Some(false),
                http_version: Some(crate::HttpVersion::default()),
                headers: Some(Vec::new()),
                authorization: Some(None),
                tls: Some(None),
                proxy: Some(None),
            },
            keep_answer: Some(true),
            mask_response_headers: Some(HeaderNames::default()),
            delete_body_on_success: Some(false),
            ..part
        };
        assert_eq!(whole.absent(), [""; 0]);
        assert!(!whole.of(&broken).unreadable);
    }
}
