//! Errors as people read them, on standard error and in the log.

/// An error and what led to it, on one line whatever it holds, so that logs and scripts see one.
/// A reason that what stands before it has already told is left out.
pub(crate) fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for reason in error.chain() {
        let reason = reason.to_string();
        let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
        if line.contains(&reason) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&reason);
    }
    line
}

#[cfg(test)]
mod tests {
    use anyhow::anyhow;

    use super::*;

    #[test]
    fn an_error_is_one_line_that_tells_each_reason_once() {
        for (reasons, expected) in [
            (&["it broke"][..], "it broke"),
            (&["opening", "no such file"], "opening: no such file"),
            (
                &["a/b can't be written (denied); ask", "denied"],
                "a/b can't be written (denied); ask",
            ),
            (
                &["the name must not be empty", "must not be empty"],
                "the name must not be empty",
            ),
            (
                &["outer", "middle (inner)", "inner"],
                "outer: middle (inner)",
            ),
            (&["two\n lines", "two lines", "end\n"], "two lines: end"),
        ] {
            let (root, around) = reasons.split_last().unwrap();
            let error = around
                .iter()
                .rev()
                .fold(anyhow!(root.to_string()), |error, reason| {
                    error.context(*reason)
                });
            assert_eq!(one_line(&error), expected);
        }
    }
}
