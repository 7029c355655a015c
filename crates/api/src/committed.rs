//! Files that are generated and committed: a test compares them with what the code makes.

use std::{env, fs, path::Path};

/// The variable that has the files written anew instead of compared.
const UPDATE: &str = "CHECKFLOW_UPDATE";

/// Compares the file at `path`, relative to this crate, with `expected`.
pub(crate) fn check(path: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    if env::var_os(UPDATE).is_some() {
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).unwrap();
        }
        fs::write(&path, expected).unwrap();
        return;
    }
    let found = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        found == expected,
        "{} is not what the code makes; `{UPDATE}=1 cargo test -p api` writes it anew",
        path.display()
    );
}
