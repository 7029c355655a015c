//! Where the browser and its driver are.

use std::{
    env,
    path::{Path, PathBuf},
};

/// What to do when one of them is missing.
pub(crate) const MISSING: &str = "the browser tests need Chromium and chromedriver. `cargo xtask test` \
    installs them on Debian and its kin; by hand: `sudo apt-get update && sudo apt-get install -y \
    --no-install-recommends chromium chromium-driver`. Where they are not on the PATH, name the \
    programs in the variables CHROME and CHROMEDRIVER";

/// The driver: `CHROMEDRIVER`, or the one on the `PATH`.
pub(crate) fn chromedriver() -> PathBuf {
    find("CHROMEDRIVER", "chromedriver")
}

/// The browser: `CHROME`, or the one on the `PATH`. The driver wants the whole path, and left to
/// itself it would look for Google's Chrome instead.
pub(crate) fn chromium() -> PathBuf {
    find("CHROME", "chromium")
}

fn find(variable: &str, command: &str) -> PathBuf {
    let named = env::var_os(variable).filter(|path| !path.is_empty());
    if let Some(path) = named {
        let path = PathBuf::from(path);
        assert!(
            path.is_file(),
            "{variable} says {}, where no program is; {MISSING}",
            path.display()
        );
        return path;
    }
    on_path(command).unwrap_or_else(|| panic!("{command} is not on the PATH; {MISSING}"))
}

fn on_path(command: &str) -> Option<PathBuf> {
    let folders = env::var_os("PATH")?;
    let mut candidates = env::split_paths(&folders).map(|folder| folder.join(command));
    candidates.find(|path| Path::is_file(path))
}
