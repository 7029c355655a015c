//! The rules in a template document: conditions.

use domain::{ConditionDocument, Operator, TestDocument};

use super::values::{Members, Reader};
use crate::input::tree::Tree;

/// Members of a condition.
const CONDITION: &[&str] = &["when", "show", "hide"];
/// Members of a test.
const TEST: &[&str] = &["control", "operator", "value"];

impl Reader {
    pub(super) fn condition(&mut self, path: &str, tree: Tree) -> ConditionDocument {
        let Some(mut members) = self.members(path, tree, CONDITION) else {
            return ConditionDocument::default();
        };
        ConditionDocument {
            when: self
                .each(&mut members, "when", Self::test)
                .unwrap_or_default(),
            show: self.parts(&mut members, "show"),
            hide: self.parts(&mut members, "hide"),
        }
    }

    fn parts(&mut self, members: &mut Members, name: &str) -> Vec<String> {
        self.each(members, name, Self::option).unwrap_or_default()
    }

    fn test(&mut self, path: &str, tree: Tree) -> TestDocument {
        let Some(mut members) = self.members(path, tree, TEST) else {
            return TestDocument::default();
        };
        let known = members.has("operator");
        let words = Operator::ALL.map(|operator| (operator.word(), operator));
        let operator = self.word(&mut members, "operator", &words);
        if !known {
            self.wrong(&members.path("operator"), "must be given");
        }
        TestDocument {
            control: self.needed(&mut members, "control"),
            operator: operator.unwrap_or_default(),
            value: self.text(&mut members, "value"),
        }
    }
}
