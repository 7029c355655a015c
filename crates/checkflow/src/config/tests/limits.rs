//! The table of limits in the documents, beside the default file.

use std::collections::BTreeMap;

use super::DEFAULT_FILE;

/// What the default file says of each setting: its comment, and its default as it is written there.
fn explained() -> BTreeMap<String, (String, String)> {
    let (mut found, mut section, mut comment) = (BTreeMap::new(), String::new(), String::new());
    for line in DEFAULT_FILE.lines() {
        if let Some(name) = line.strip_prefix('[') {
            section = format!("{}.", name.trim_end_matches(']'));
        } else if let Some(prose) = line.strip_prefix("# ") {
            comment = comment + " " + prose;
            continue;
        } else if let Some((key, value)) =
            line.strip_prefix('#').and_then(|it| it.split_once(" = "))
        {
            let value = value.trim_matches('"').to_owned();
            found.insert(format!("{section}{key}"), (comment, value));
        }
        comment = String::new();
    }
    found
}

/// The limits of the settings of webhooks, as their table in the documents has them: what, by default, and least to most.
fn limits() -> BTreeMap<String, [String; 3]> {
    let text = include_str!("../../../../../docs/webhooks.md");
    let (_, table) = text.split_once("\n## Limits\n").unwrap();
    let rows = table.lines().filter(|line| line.starts_with('|')).skip(2);
    let cells = rows.map(|row| {
        row.split('|')
            .map(str::trim)
            .map(str::to_owned)
            .collect::<Vec<_>>()
    });
    let of_setting = |cells: Vec<String>| {
        let [_, what, default, range, by, _] = cells.try_into().unwrap();
        let key = by.strip_prefix('`')?.strip_suffix('`')?.to_owned();
        Some((key, [what, default, range]))
    };
    cells.filter_map(of_setting).collect()
}

#[test]
fn the_table_of_limits_says_what_the_default_file_says() {
    let (explained, limits) = (explained(), limits());
    for (key, [_, default, range]) in &limits {
        if !key.contains('.') {
            // Not the operator's.
            continue;
        }
        let (comment, value) = explained
            .get(key)
            .unwrap_or_else(|| panic!("there is no {key}"));
        if value.starts_with('[') {
            // A list is told of in words.
            continue;
        }
        assert_eq!(default, value, "{key}");
        let words = ["or for ever", "at most the log"];
        if words.iter().all(|words| !range.contains(words)) {
            assert!(
                comment.contains(range),
                "{key}: {range:?} is not in {comment:?}"
            );
        }
    }
    for key in explained.keys() {
        let of_webhooks = key.starts_with("delivery.") || key.starts_with("keeping.");
        assert!(
            !of_webhooks || limits.contains_key(key),
            "the table lacks {key}"
        );
    }
}
