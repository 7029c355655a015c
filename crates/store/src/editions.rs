//! Editions of templates as they are stored: the document that people read, with every key, read back by
//! the same function that takes theirs.

use domain::{KnownKeys, Source, Template, TemplateDocument, TemplateKey};

/// The edition that `document` was stored for. Its keys are known, because only what has been taken is
/// stored.
pub(crate) fn edition_read(
    key: TemplateKey,
    document: &TemplateDocument,
    source: &Source,
) -> Option<Template> {
    let mut known = KnownKeys::default();
    for task in &document.tasks {
        known.tasks.insert(task.key?);
        for control in &task.controls {
            let numbered = (control.content_id?, control.kind.parse().ok()?);
            known.controls.insert(control.key?, numbered);
        }
    }
    Template::from_document(document, key, &known, source).ok()
}
