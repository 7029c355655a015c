//! What was promised against what came.

use std::collections::BTreeSet;

use serde_json::Value;

/// What a webhook is about, read from its row, which is also what the API answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Subject {
    pub(crate) event: String,
    /// Tells it from every other one of the same event.
    pub(crate) id: String,
    /// For people.
    pub(crate) shown: String,
}

impl Subject {
    /// Reads it from a row of the list that the event corresponds to.
    pub(crate) fn of(event: &str, row: &Value) -> Option<Self> {
        let (id, shown) = match event {
            "new_checklist" => (
                row["checklistId"].as_i64()?.to_string(),
                row["checklistName"].as_str()?,
            ),
            "task_completed" => {
                let (task, count) = (row["taskId"].as_i64()?, row["completionCount"].as_u64()?);
                // Completing a task again is another event.
                (format!("{task}, time {count}"), row["taskName"].as_str()?)
            }
            "file_uploaded" => (
                row["fileKey"].as_str()?.to_owned(),
                row["fileName"].as_str()?,
            ),
            _ => return None,
        };
        Some(Self {
            event: event.to_owned(),
            id,
            shown: shown.to_owned(),
        })
    }
}

/// An event that a subscription is to get.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Expected {
    pub(crate) subscription: String,
    event: String,
    id: String,
}

impl Expected {
    pub(crate) fn new(subscription: &str, subject: &Subject) -> Self {
        Self {
            subscription: subscription.to_owned(),
            event: subject.event.clone(),
            id: subject.id.clone(),
        }
    }
}

/// A webhook that the receiver took.
pub(crate) struct Taken {
    pub(crate) expected: Expected,
    pub(crate) webhook_id: String,
    pub(crate) verified: bool,
}

/// What was promised against what came.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Account {
    pub(crate) expected: usize,
    pub(crate) received: usize,
    pub(crate) retried: usize,
    pub(crate) lost: usize,
    pub(crate) repeated: usize,
    pub(crate) unexpected: usize,
    pub(crate) verified: usize,
}

impl Account {
    /// Holds `expected` against what the receiver took.
    pub(crate) fn of(expected: &[Expected], taken: &[Taken], refused: usize) -> Self {
        let promised: BTreeSet<_> = expected.iter().collect();
        let came: BTreeSet<_> = taken.iter().map(|one| &one.expected).collect();
        let verified: BTreeSet<_> = taken
            .iter()
            .filter(|one| one.verified)
            .map(|one| &one.expected)
            .collect();
        let messages: BTreeSet<_> = taken
            .iter()
            .map(|one| (&one.webhook_id, &one.expected.subscription))
            .collect();
        Self {
            expected: promised.len(),
            received: came.len(),
            retried: refused,
            lost: promised.difference(&came).count(),
            repeated: taken.len() - messages.len(),
            unexpected: came.difference(&promised).count(),
            verified: verified.len(),
        }
    }

    /// Whether each event that was promised came and was verified, and nothing else came. At least
    /// once is what is promised, so a repeated one is no fault.
    pub(crate) const fn is_right(&self) -> bool {
        self.expected > 0
            && self.lost == 0
            && self.unexpected == 0
            && self.verified == self.received
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn expected(id: i64) -> Expected {
        let row = json!({ "checklistId": id, "checklistName": "March" });
        Expected::new("subscription", &Subject::of("new_checklist", &row).unwrap())
    }

    fn taken(id: i64, webhook: &str, verified: bool) -> Taken {
        Taken {
            expected: expected(id),
            webhook_id: webhook.to_owned(),
            verified,
        }
    }

    #[test]
    fn an_account_is_right_when_all_that_was_promised_came_verified_and_nothing_else() {
        let promised = [expected(1), expected(2)];
        for (came, right) in [
            (vec![taken(1, "a", true), taken(2, "b", true)], true),
            // Sent again after a lost answer: at least once is what is promised.
            (
                vec![
                    taken(1, "a", true),
                    taken(2, "b", true),
                    taken(1, "a", true),
                ],
                true,
            ),
            (vec![taken(1, "a", true)], false),
            (vec![taken(1, "a", true), taken(2, "b", false)], false),
            (
                vec![
                    taken(1, "a", true),
                    taken(2, "b", true),
                    taken(3, "c", true),
                ],
                false,
            ),
            (vec![], false),
        ] {
            assert_eq!(Account::of(&promised, &came, 0).is_right(), right);
        }
        assert!(
            !Account::of(&[], &[], 0).is_right(),
            "a demo without events shows nothing"
        );
    }

    #[test]
    fn the_figures_of_an_account_add_up() {
        let promised = [expected(1), expected(2), expected(3)];
        let came = [
            taken(1, "a", true),
            taken(1, "a", true),
            taken(2, "b", false),
            taken(9, "c", true),
        ];
        let account = Account::of(&promised, &came, 1);
        let figures = Account {
            expected: 3,
            received: 3,
            retried: 1,
            lost: 1,
            repeated: 1,
            unexpected: 1,
            verified: 2,
        };
        assert_eq!(account, figures);
    }
}
