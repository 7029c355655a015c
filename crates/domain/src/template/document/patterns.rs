//! The patterns of a document, which take time to check.

use super::{ControlDocument, ERRORS_MAX, FieldError, TemplateDocument};
use crate::{PATTERNS_BYTES_MAX, Pattern};

/// What the whole value of the control must match.
pub(super) fn pattern(document: &ControlDocument) -> Option<Pattern> {
    document.pattern.as_deref().map(Pattern::new)
}

impl TemplateDocument {
    /// Checks the patterns, apart from [`Template::from_document`](crate::Template::from_document): compiling them takes time, which
    /// nobody who waits for the database should wait for.
    pub fn check_patterns(&self) -> Result<(), Vec<FieldError>> {
        let mut errors = Vec::new();
        let mut bytes = 0;
        for (t, task) in self.tasks.iter().enumerate() {
            for (c, control) in task.controls.iter().enumerate() {
                let Some(pattern) = pattern(control) else {
                    continue;
                };
                let at = || format!("tasks[{t}].controls[{c}].pattern");
                match pattern.check() {
                    Ok(one) => bytes += one,
                    Err(message) => errors.push(FieldError::new(at(), message)),
                }
                if bytes > PATTERNS_BYTES_MAX {
                    let message = "is one too many: the patterns of this template together take \
                        too much memory; write simpler ones, with [0-9] for \\d";
                    errors.push(FieldError::new(at(), message));
                }
                if bytes > PATTERNS_BYTES_MAX || errors.len() >= ERRORS_MAX {
                    return Err(errors);
                }
            }
        }
        if errors.is_empty() {
            Ok(())
        } else {
            Err(errors)
        }
    }
}
