//! Commands that are printed to be pasted into a shell.

/// An option with its value, behind a space.
pub(crate) fn option(name: &str, value: &str) -> String {
    format!(" {name} {}", quoted(value))
}

/// As a shell reads it as one word.
fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-:@%+=,".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shell_reads_one_word_whatever_is_in_it() {
        for text in [
            "",
            "/srv/data",
            "my data",
            "it's",
            "$HOME;`x`\"\\",
            "a?b&c=d",
            "~",
        ] {
            let command = format!("printf %s{}", option("", text).replacen("  ", " ", 1));
            let output = std::process::Command::new("sh")
                .arg("-c")
                .arg(&command)
                .output();
            assert_eq!(
                String::from_utf8(output.unwrap().stdout).unwrap(),
                text,
                "{command}"
            );
        }
    }
}
