//! Names that nothing is called by: refused where passing one over would be taken for having done what it says.

use serde_json::Value;

use super::Input;

/// The distance from which on a name is no slip of another one's.
const SLIP_MAX: usize = 2;

impl Input {
    /// Says of each name that is not among `known` that nothing is called so, and which it is near to.
    pub(crate) fn known(&mut self, known: &[&str]) {
        let why = format!("is unknown; there are {}", known.join(", "));
        self.only(known, &why);
    }

    /// The same, with another word of why.
    pub(crate) fn only(&mut self, known: &[&str], why: &str) {
        for name in self.strange(known) {
            let said = match nearest(&name, known) {
                Some(near) => format!("{why}; do you mean {near}?"),
                None => why.to_owned(),
            };
            self.wrong(&name, said);
        }
    }

    /// The same for an operation of CheckFlow's, with which scripts send more than is needed: only of names in a body, and
    /// of those that are a slip of a known one.
    pub(crate) fn mostly_known(&mut self, known: &[&str]) {
        for name in self.strange(known) {
            match nearest(&name, known) {
                Some(near) => self.wrong(&name, format!("is unknown; do you mean {near}?")),
                None if self.is_in_query(&name) => {}
                None => self.wrong(&name, format!("is unknown; there are {}", known.join(", "))),
            }
        }
    }

    /// What is given under those of `names` that are, null included.
    pub(crate) fn given_of(&self, names: &[&'static str]) -> Vec<(&'static str, Value)> {
        let of = |name: &&'static str| {
            let known = name.to_ascii_lowercase();
            let null = || self.cleared.contains(&known).then_some(Value::Null);
            let value = self.given.get(&known).cloned().or_else(null)?;
            Some((*name, value))
        };
        names.iter().filter_map(of).collect()
    }

    fn strange(&self, known: &[&str]) -> Vec<String> {
        let is_known = |name: &String| known.iter().any(|known| known.eq_ignore_ascii_case(name));
        let names = self.given.keys().chain(&self.cleared);
        names.filter(|name| !is_known(name)).cloned().collect()
    }

    /// Says of `name`, if it is given as an empty text, that leaving it out is something else: what is wider or longer than
    /// anybody may have wanted who had nothing to put there.
    pub(crate) fn not_empty(&mut self, name: &str, why: &str) {
        let given = self.given.get(&name.to_ascii_lowercase());
        let text = given.and_then(|given| given.as_str());
        if text.is_some_and(|text| text.trim().is_empty()) {
            self.wrong(name, why);
        }
    }
}

/// The one of `known` that `name` is a slip of: of a short name one letter is wrong, of a longer one two.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let near = known.iter().filter_map(|known| {
        let most = (known.len() / 3).min(SLIP_MAX);
        let far = distance(&name.to_ascii_lowercase(), &known.to_ascii_lowercase());
        (far <= most).then_some((far, *known))
    });
    near.min().map(|(_, known)| known)
}

/// How many letters have to be put in, left out or replaced to make one of the other; more than [`SLIP_MAX`] for names
/// that are far from each other in length, without having looked.
fn distance(one: &str, other: &str) -> usize {
    let (one, other): (Vec<char>, Vec<char>) = (one.chars().collect(), other.chars().collect());
    let apart = one.len().abs_diff(other.len());
    if apart > SLIP_MAX {
        return apart;
    }
    let mut row: Vec<usize> = (0..=other.len()).collect();
    for (at, letter) in one.iter().enumerate() {
        let mut corner = row[0];
        row[0] = at + 1;
        for (place, against) in other.iter().enumerate() {
            let replaced = corner + usize::from(letter != against);
            corner = row[place + 1];
            row[place + 1] = replaced.min(corner + 1).min(row[place] + 1);
        }
    }
    row[other.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_told_from_another_name() {
        let known = ["name", "scopes", "expiresAt", "proof", "action", "tls"];
        for (name, near) in [
            ("scope", Some("scopes")),
            ("expires", Some("expiresAt")),
            ("expires_at", Some("expiresAt")),
            ("PROOOF", Some("proof")),
            ("acton", Some("action")),
            ("tl", Some("tls")),
            ("url", None),
            ("label", None),
            ("", None),
        ] {
            assert_eq!(nearest(name, &known), near, "{name}");
        }
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        for (one, other, far) in [
            ("", "", 0),
            ("ab", "", 2),
            ("kitten", "sittin", 2),
            ("sunday", "saturday", 3),
            ("flaw", "lawn", 2),
            ("same", "same", 0),
        ] {
            assert_eq!(distance(one, other), far, "{one} {other}");
            assert_eq!(distance(other, one), far, "{other} {one}");
        }
        assert!(distance("a", &"x".repeat(10_000)) > SLIP_MAX);
    }
}
