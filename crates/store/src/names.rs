//! Names as they are compared and searched, the same for every backend.

/// `name` as names are compared without regard to case. Unicode's simple lower case, by the same
/// function for what is stored and what is looked for; SQLite's own knows ASCII only, and
/// PostgreSQL's depends on how the database was made.
pub(crate) fn folded(name: &str) -> String {
    name.to_lowercase()
}

/// A LIKE pattern (with `\` as escape) for what has `text` anywhere in it.
pub(crate) fn containing(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len() + 2);
    pattern.push('%');
    for c in text.chars() {
        if matches!(c, '%' | '_' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern.push('%');
    pattern
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wildcards_in_a_name_stand_for_themselves() {
        let db = rusqlite::Connection::open_in_memory().unwrap();
        let found = |name: &str, looked_for: &str| -> bool {
            let sql = r"SELECT ?1 LIKE ?2 ESCAPE '\'";
            let pattern = containing(&folded(looked_for));
            db.query_row(sql, (folded(name), pattern), |row| row.get(0))
                .unwrap()
        };
        for (name, looked_for, expected) in [
            ("50% done", "0% D", true),
            ("50 per cent", "0%", false),
            ("a_b", "A_B", true),
            ("axb", "a_b", false),
            (r"a\b", r"\", true),
            ("ab", r"\", false),
            ("ÄRGER im Büro", "ärger IM bÜ", true),
            ("anything", "", true),
        ] {
            assert_eq!(
                found(name, looked_for),
                expected,
                "{looked_for:?} in {name:?}"
            );
        }
    }
}
