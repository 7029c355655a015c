//! The nodes on one database: what each tells the others of itself, and what it hears of them.
//!
//! A node says which settings it was given, so that it is seen when one was given others: what one would
//! send, another refuses for good. What they are is not told, only whether they are the same.

use std::collections::BTreeMap;

use domain::NodeId;
use sha2::{Digest as _, Sha256};

/// Bytes of a digest that are kept. They tell settings apart that people wrote, and protect nothing.
const DIGEST_BYTES: usize = 8;

/// The settings of a node that others have to have as well: by name, each as a digest.
///
/// What a setting is made into text by must not change from one version of the program to the next, or
/// nodes of both would be told to differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NodeSettings(BTreeMap<String, String>);

impl NodeSettings {
    /// The same with one more, whose value is written as `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        let digest = Sha256::digest(format!("{name}={value}"));
        let text = digest[..DIGEST_BYTES]
            .iter()
            .map(|byte| format!("{byte:02x}"));
        self.0.insert(name.to_owned(), text.collect());
        self
    }

    /// Which of the settings that both tell of are not the same. What only one tells of the other has no
    /// use for, or its version does not know it.
    pub fn differing(&self, other: &Self) -> Vec<String> {
        let both = self
            .0
            .iter()
            .filter_map(|(name, own)| Some((name, own, other.0.get(name)?)));
        both.filter(|(_, own, others)| own != others)
            .map(|(name, ..)| name.clone())
            .collect()
    }

    /// As it is stored; the same settings are the same text.
    pub(crate) fn to_text(&self) -> String {
        serde_json::json!(self.0).to_string()
    }

    /// What was stored. What can't be read was written by a version that has another way, and tells nothing.
    pub(crate) fn of_text(text: &str) -> Self {
        Self(serde_json::from_str(text).unwrap_or_default())
    }
}

/// The nodes that are alive, as one of them sees them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Company {
    /// How many send, the one that sees them included.
    pub sending: u32,
    /// Those that were given other settings than it.
    pub differing: Vec<Differing>,
}

/// A node that was given other settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Differing {
    /// Which.
    pub node: NodeId,
    /// The names of the settings, in their order; at least one.
    pub settings: Vec<String>,
}

/// A node, as the store tells the others of it. All calls return at once.
///
/// Where only one can open the database, it is told of nothing.
pub trait Node: Send + Sync + 'static {
    /// What it is called.
    fn node(&self) -> NodeId;

    /// What it was given.
    fn settings(&self) -> NodeSettings {
        NodeSettings::default()
    }

    /// Others may be on the database, of which nothing is known yet. Said before it is handed anything.
    fn joined(&self) {}

    /// These are alive now, itself included. Said again and again.
    fn saw(&self, company: &Company);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_differ_where_both_tell_of_them_and_survive_being_stored() {
        let one = NodeSettings::default().with("a", "1").with("b", "1");
        let other = NodeSettings::default().with("b", "2").with("c", "3");
        assert_eq!(one.differing(&other), ["b"]);
        assert_eq!(other.differing(&one), ["b"]);
        assert!(one.differing(&one.clone()).is_empty());
        assert_eq!(NodeSettings::of_text(&one.to_text()), one);
        assert!(
            one.differing(&NodeSettings::of_text("what is this"))
                .is_empty()
        );
        // As the version before wrote it: another text would have nodes of both differ.
        assert_eq!(
            one.to_text(),
            r#"{"a":"c22fea5d7428e5cf","b":"cbe78bac8689bf95"}"#
        );
    }

    #[test]
    fn a_value_can_not_be_read_from_what_is_told() {
        let told = NodeSettings::default().with("webhook.allow_targets", "hooks.internal");
        assert!(!told.to_text().contains("hooks"));
    }
}
