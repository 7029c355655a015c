//! What the examples in other languages need (`docs/examples`), in the versions that are pinned there: installed into
//! `target/tools` by the languages' own installers, which compare what they fetch with the hashes beside the versions.

use std::{env, fs, path::Path, process::Command};

use anyhow::{Context as _, ensure};

use crate::shell::{self, Workspace};

/// Where the examples are, and what they need.
const EXAMPLES: &str = "docs/examples";

/// Which example's libraries were installed last, so that they are when that changes and not every time.
const STAMP: &str = "installed";

/// Installs what is not there, or not as it is pinned now.
pub(crate) fn provide(workspace: &Workspace) -> anyhow::Result<()> {
    let examples = workspace.root().join(EXAMPLES);
    let tools = workspace.tools();
    let folder = tools.join("python");
    let pinned = examples.join("requirements.txt");
    kept(&folder, &[&pinned], || python(&folder, &pinned))?;
    let folder = tools.join("node");
    let pinned = ["package.json", "package-lock.json"].map(|name| examples.join(name));
    let [package, lock] = &pinned;
    kept(&folder, &[package, lock], || node(&folder, &pinned))
}

/// Does `install` unless it was done from these texts, into an empty folder.
fn kept(
    folder: &Path,
    pinned: &[&Path],
    install: impl FnOnce() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let texts = pinned
        .iter()
        .map(|path| fs::read_to_string(path).with_context(|| path.display().to_string()));
    let texts = texts.collect::<anyhow::Result<Vec<_>>>()?.concat();
    let stamp = folder.join(STAMP);
    if fs::read_to_string(&stamp).is_ok_and(|before| before == texts) {
        return Ok(());
    }
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)?;
    install()?;
    fs::write(stamp, texts)?;
    Ok(())
}

fn python(folder: &Path, pinned: &Path) -> anyhow::Result<()> {
    let mut make = named("PYTHON", "python3");
    run(make.args(["-m", "venv"]).arg(folder))?;
    let mut install = Command::new(folder.join("bin").join("python3"));
    let quietly = ["--quiet", "--disable-pip-version-check"];
    let safely = ["--require-hashes", "--only-binary", ":all:"];
    install.args(["-m", "pip", "install"]).args(quietly);
    run(install.args(safely).arg("--requirement").arg(pinned))
}

fn node(folder: &Path, pinned: &[std::path::PathBuf; 2]) -> anyhow::Result<()> {
    for path in pinned {
        fs::copy(path, folder.join(path.file_name().context("a file")?))?;
    }
    let mut install = named("NPM", "npm");
    let quietly = ["--no-audit", "--no-fund", "--no-update-notifier"];
    install.args(["ci", "--ignore-scripts"]).args(quietly);
    run(install.current_dir(folder))
}

/// The program that a variable names, or else this one on the `PATH`.
fn named(variable: &str, program: &str) -> Command {
    let named = env::var_os(variable).filter(|name| !name.is_empty());
    Command::new(named.unwrap_or_else(|| program.into()))
}

fn run(command: &mut Command) -> anyhow::Result<()> {
    ensure!(shell::succeeds(command)?, "{command:?} failed; see above");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_is_installed_once_and_anew_when_it_changes() {
        let place = env::temp_dir().join(format!("xtask-libraries-{}", std::process::id()));
        let (folder, pinned) = (place.join("tools"), place.join("pinned"));
        fs::create_dir_all(&place).unwrap();
        let installed = |text: &str, works: bool| {
            fs::write(&pinned, text).unwrap();
            let mut done = false;
            let result = kept(&folder, &[&pinned], || {
                done = true;
                assert!(fs::read_dir(&folder)?.next().is_none(), "it is empty");
                ensure!(works, "the network is away");
                Ok(())
            });
            (done, result.is_ok())
        };
        assert_eq!(installed("one", false), (true, false));
        assert_eq!(installed("one", true), (true, true));
        assert_eq!(installed("one", true), (false, true));
        assert_eq!(installed("two", true), (true, true));
        fs::remove_dir_all(&place).unwrap();
    }
}
