//! Names and labels that people and scripts give: trimmed, bounded, without control characters.

/// Longest name of a team, key, template, task, control or checklist, in characters.
pub const NAME_CHARS_MAX: usize = 250;
/// Longest `source` label of a subscription, in characters.
pub const SOURCE_CHARS_MAX: usize = 100;

/// Why a name can't be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NameRefusal {
    /// Nothing but white space.
    #[error("must not be empty")]
    Empty,
    /// Longer than allowed.
    #[error("must be at most {max} characters long, this has {len}")]
    TooLong {
        /// Characters allowed.
        max: usize,
        /// Characters given.
        len: usize,
    },
    /// A line break, a tab or another control character is in it.
    #[error("must be one line without control characters")]
    Control,
}

/// Trims `text` and takes it as a name of at most `max` characters.
pub fn name(text: &str, max: usize) -> Result<String, NameRefusal> {
    let text = text.trim();
    if text.chars().all(|c| c.is_whitespace() || is_invisible(c)) {
        return Err(NameRefusal::Empty);
    }
    let len = text.chars().count();
    if len > max {
        return Err(NameRefusal::TooLong { max, len });
    }
    if text.chars().any(|c| c.is_control() || is_override(c)) {
        return Err(NameRefusal::Control);
    }
    Ok(text.to_owned())
}

/// Characters of no width; alone they make a name that nobody can see.
const fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2060}'..='\u{2064}' | '\u{feff}') || is_override(c)
}

/// Characters that have what follows them shown backwards, as nothing but deceit needs in a name.
const fn is_override(c: char) -> bool {
    matches!(c, '\u{202d}' | '\u{202e}')
}

/// The name of an uploaded file: no folders, no control characters, at most
/// [`NAME_CHARS_MAX`] characters with the extension kept; `file` when nothing is left.
///
/// Never fails: a person who photographs with a phone can't choose the name.
pub fn file_name(text: &str) -> String {
    let last = text.rsplit(['/', '\\']).next().unwrap_or_default();
    let clean: String = last
        .chars()
        .filter(|c| !c.is_control() && !is_override(*c))
        .collect();
    let clean = clean.trim().trim_start_matches('.');
    if clean.is_empty() {
        return "file".to_owned();
    }
    let len = clean.chars().count();
    if len <= NAME_CHARS_MAX {
        return clean.to_owned();
    }
    let extension = clean.rsplit_once('.').map_or("", |(_, end)| end);
    let kept = extension.chars().count() + 1;
    if extension.is_empty() || kept > 16 {
        return clean.chars().take(NAME_CHARS_MAX).collect();
    }
    let stem: String = clean.chars().take(NAME_CHARS_MAX - kept).collect();
    format!("{stem}.{extension}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded() {
        assert_eq!(name("  Pay \n", 10).unwrap(), "Pay");
        assert_eq!(name(" \t", 10), Err(NameRefusal::Empty));
        assert_eq!(name("a\nb", 10), Err(NameRefusal::Control));
        assert_eq!(name("\u{200b}", 10), Err(NameRefusal::Empty));
        assert_eq!(name("a\u{202e}b", 10), Err(NameRefusal::Control));
        assert_eq!(name("äöü", 2), Err(NameRefusal::TooLong { max: 2, len: 3 }));
    }

    #[test]
    fn file_names_lose_folders_and_keep_extensions() {
        let cases = [
            ("../../etc/passwd", "passwd"),
            ("C:\\scans\\März 1.pdf", "März 1.pdf"),
            (".htaccess", "htaccess"),
            ("a\r\nb.png", "ab.png"),
            ("/", "file"),
            ("gpj.\u{202e}exe", "gpj.exe"),
        ];
        for (given, expected) in cases {
            assert_eq!(file_name(given), expected, "{given:?}");
        }
        let long = format!("{}.pdf", "x".repeat(400));
        let cut = file_name(&long);
        assert_eq!(cut.chars().count(), NAME_CHARS_MAX);
        assert!(cut.ends_with("x.pdf"));
    }
}
