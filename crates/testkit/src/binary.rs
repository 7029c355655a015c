//! Which program the tests start.

use std::{env, path::PathBuf};

/// Names the program in place of the one that cargo built for the tests.
const VARIABLE: &str = "CHECKFLOW_BINARY";

/// The program that `CHECKFLOW_BINARY` names, such as one that was built for release; else `built`.
pub fn binary(built: &str) -> PathBuf {
    let named = env::var_os(VARIABLE).filter(|path| !path.is_empty());
    let Some(path) = named.map(PathBuf::from) else {
        return built.into();
    };
    let shown = path.display();
    assert!(
        path.is_file(),
        "{VARIABLE} says {shown}, where no program is"
    );
    path
}
