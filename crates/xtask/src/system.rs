//! Programs of the system that the tests need, and how they get there.
//!
//! Where apt-get is and we may use it, what is missing is installed; elsewhere the step fails and
//! says what to do. Never is a test skipped instead: "it passes" would mean something else on each
//! machine. Left out: which version. The tests work with what Debian's stable release brings.

use std::{
    env,
    ffi::OsStr,
    fmt::Write as _,
    fs,
    path::Path,
    process::{Command, Output, Stdio},
};

use anyhow::{bail, ensure};

use crate::shell;

/// A program and where it comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Program {
    /// What it is called on the `PATH`.
    command: &'static str,
    /// Where else it may be: in `bin` of a folder for each version, as Debian has it of PostgreSQL.
    versions: Option<&'static str>,
    /// The variable in which the tests take another path instead: that of the program, or where there
    /// are versions that of the folder it is in.
    variable: &'static str,
    /// The Debian package that brings it.
    package: &'static str,
    /// Arguments with which it ends well if all is there that the package brings; none where being there is enough.
    proof: &'static [&'static str],
}

/// All of them. The names and variables are those the tests look for.
const PROGRAMS: [Program; 7] = [
    Program {
        command: "chromium",
        versions: None,
        variable: "CHROME",
        package: "chromium",
        proof: &[],
    },
    Program {
        command: "chromedriver",
        versions: None,
        variable: "CHROMEDRIVER",
        package: "chromium-driver",
        proof: &[],
    },
    Program {
        command: "postgres",
        versions: Some("/usr/lib/postgresql"),
        variable: "POSTGRES_BIN",
        package: "postgresql",
        proof: &[],
    },
    Program {
        command: "pgbouncer",
        versions: None,
        variable: "PGBOUNCER",
        package: "pgbouncer",
        proof: &[],
    },
    Program {
        command: "python3",
        versions: None,
        variable: "PYTHON",
        // With what an environment of its own is made from, which Debian has apart.
        package: "python3-venv",
        proof: &["-c", "import ensurepip"],
    },
    Program {
        command: "node",
        versions: None,
        variable: "NODE",
        package: "nodejs",
        proof: &[],
    },
    Program {
        command: "npm",
        versions: None,
        variable: "NPM",
        package: "npm",
        proof: &[],
    },
];

/// Where programs are that only servers run, which is on the `PATH` of few.
const SYSTEM: &str = "/usr/sbin";

const APT_GET: &str = "apt-get";

/// What goes before the packages. Without what they merely recommend, which is a desktop's.
const INSTALL: [&str; 3] = ["install", "-y", "--no-install-recommends"];

/// In what way packages can be installed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Means {
    /// By us, who are root.
    Root,
    /// By us, through a sudo that does not ask for a password.
    Sudo,
    /// By a person: apt-get is there, but is not for us.
    ByHand,
    /// There is no apt-get.
    None,
}

/// What has to be done before the tests can run.
#[derive(Debug, PartialEq, Eq)]
enum Plan {
    /// Nothing is missing.
    Ready,
    /// These commands have to be run, in this order.
    Install([Vec<&'static str>; 2]),
    /// We can't; this is what a person has to do.
    Tell(String),
}

/// Installs what is missing; fails, saying what to do, where it cannot.
pub(crate) fn provide() -> anyhow::Result<()> {
    let missing = missing(is_there);
    // Asking whether we may use sudo is not for those who need nothing.
    let means = if missing.is_empty() {
        Means::None
    } else {
        means()
    };
    match plan(&missing, means) {
        Plan::Ready => return Ok(()),
        Plan::Tell(what) => bail!(what),
        Plan::Install(commands) => {
            for words in &commands {
                println!("$ {}", words.join(" "));
                run(words)?;
            }
        }
    }
    missing_still(&missing, is_there)
}

/// Fails when a package did not bring the program it stands for in the table.
fn missing_still(installed: &[Program], is_there: impl Fn(&Program) -> bool) -> anyhow::Result<()> {
    for program in installed {
        let Program {
            command,
            variable,
            package,
            ..
        } = program;
        ensure!(
            is_there(program),
            "{package} was installed and {command} is still not on the PATH; put its path into {variable}"
        );
    }
    Ok(())
}

fn run(words: &[&str]) -> anyhow::Result<()> {
    let mut command = Command::new(words[0]);
    // Nobody is there to answer a package's questions.
    command
        .args(&words[1..])
        .env("DEBIAN_FRONTEND", "noninteractive")
        .stdin(Stdio::null());
    ensure!(
        shell::succeeds(&mut command)?,
        "{} failed; see above",
        words.join(" ")
    );
    Ok(())
}

fn missing(is_there: impl Fn(&Program) -> bool) -> Vec<Program> {
    PROGRAMS
        .into_iter()
        .filter(|program| !is_there(program))
        .collect()
}

/// A program named by its variable counts as there: should the name be wrong, the tests say so.
fn is_there(program: &Program) -> bool {
    let named = env::var_os(program.variable).is_some_and(|path| !path.is_empty());
    named
        || env::var_os("PATH")
            .is_some_and(|path| is_on(&path, program.command) && is_whole(program))
        || is_on(OsStr::new(SYSTEM), program.command)
        || program
            .versions
            .is_some_and(|folder| is_in_versions(Path::new(folder), program.command))
}

fn is_whole(program: &Program) -> bool {
    program.proof.is_empty() || succeeds_silently(program.command, program.proof).is_some()
}

fn is_in_versions(folder: &Path, command: &str) -> bool {
    let versions = fs::read_dir(folder).into_iter().flatten().flatten();
    versions
        .map(|version| version.path().join("bin").join(command))
        .any(|program| program.is_file())
}

fn is_on(path: &OsStr, command: &str) -> bool {
    env::split_paths(path).any(|folder| Path::is_file(&folder.join(command)))
}

fn means() -> Means {
    let has_apt = env::var_os("PATH").is_some_and(|path| is_on(&path, APT_GET));
    if !has_apt {
        Means::None
    } else if succeeds_silently("id", &["-u"]).is_some_and(|output| output.stdout == b"0\n") {
        Means::Root
    } else if succeeds_silently("sudo", &["-n", "true"]).is_some() {
        Means::Sudo
    } else {
        Means::ByHand
    }
}

/// What a program said that ended well.
fn succeeds_silently(program: &str, args: &[&str]) -> Option<Output> {
    let output = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .output();
    output.ok().filter(|output| output.status.success())
}

fn plan(missing: &[Program], means: Means) -> Plan {
    if missing.is_empty() {
        return Plan::Ready;
    }
    match means {
        Means::Root => Plan::Install(commands(missing, &[])),
        Means::Sudo => Plan::Install(commands(missing, &["sudo", "-n"])),
        Means::ByHand => {
            let line = commands(missing, &["sudo"]).map(|words| words.join(" "));
            let lack = lack(missing);
            Plan::Tell(format!("{lack} Run: {}", line.join(" && ")))
        }
        Means::None => {
            let mut text = lack(missing);
            for program in missing {
                let Program {
                    command, variable, ..
                } = program;
                let what = if program.versions.is_some() {
                    "its folder"
                } else {
                    "its path"
                };
                write!(
                    text,
                    " Put {command} on the PATH, or {what} into {variable}."
                )
                .expect("writing to a text does not fail");
            }
            Plan::Tell(text)
        }
    }
}

fn lack(missing: &[Program]) -> String {
    let names: Vec<_> = missing.iter().map(|program| program.command).collect();
    format!("The tests need {}.", names.join(" and "))
}

/// The lists of packages are fetched first; an image often comes without any.
fn commands(missing: &[Program], before: &[&'static str]) -> [Vec<&'static str>; 2] {
    let packages: Vec<_> = missing.iter().map(|program| program.package).collect();
    [
        [before, &[APT_GET, "update"]].concat(),
        [before, &[APT_GET], &INSTALL, &packages].concat(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn install(words: [&'static str; 2]) -> Plan {
        Plan::Install(words.map(|words| words.split(' ').collect()))
    }

    fn told(missing: &[Program], means: Means) -> String {
        match plan(missing, means) {
            Plan::Tell(what) => what,
            other => panic!("nobody is told: {other:?}"),
        }
    }

    #[test]
    fn nothing_is_done_where_nothing_is_missing() {
        for means in [Means::Root, Means::Sudo, Means::ByHand, Means::None] {
            assert_eq!(plan(&[], means), Plan::Ready, "{means:?}");
        }
    }

    #[test]
    fn only_what_is_missing_is_installed() {
        let lacking = missing(|program| program.command != "chromedriver");
        assert_eq!(
            plan(&lacking, Means::Root),
            install([
                "apt-get update",
                "apt-get install -y --no-install-recommends chromium-driver"
            ])
        );
        assert_eq!(missing(|_| true), []);
    }

    #[test]
    fn a_sudo_that_asks_for_a_password_is_never_waited_for() {
        assert_eq!(
            plan(&PROGRAMS, Means::Sudo),
            install([
                "sudo -n apt-get update",
                "sudo -n apt-get install -y --no-install-recommends chromium chromium-driver postgresql pgbouncer python3-venv nodejs npm"
            ])
        );
    }

    #[test]
    fn who_may_not_install_is_told_the_exact_command() {
        assert_eq!(
            told(&PROGRAMS, Means::ByHand),
            "The tests need chromium and chromedriver and postgres and pgbouncer and python3 and node and npm. Run: sudo apt-get update && sudo \
             apt-get install -y --no-install-recommends chromium chromium-driver postgresql pgbouncer python3-venv nodejs npm"
        );
    }

    #[test]
    fn without_apt_get_the_programs_and_their_variables_are_named() {
        assert_eq!(
            told(&PROGRAMS[1..2], Means::None),
            "The tests need chromedriver. Put chromedriver on the PATH, or its path into \
             CHROMEDRIVER."
        );
    }

    #[test]
    fn a_package_that_does_not_bring_its_program_is_named() {
        let error = missing_still(&PROGRAMS, |program| program.command == "chromium");
        assert_eq!(
            error.unwrap_err().to_string(),
            "chromium-driver was installed and chromedriver is still not on the PATH; put its \
             path into CHROMEDRIVER"
        );
        missing_still(&PROGRAMS, |_| true).unwrap();
    }

    #[test]
    fn a_program_is_found_in_any_folder_of_the_path() {
        let program = env::current_exe().unwrap();
        let name = program.file_name().unwrap().to_str().unwrap();
        let folders = [Path::new("/nowhere"), program.parent().unwrap()];
        let path = env::join_paths(folders).unwrap();
        assert!(is_on(&path, name));
        assert!(!is_on(&path, "no-such-program"));
        assert!(!is_on(OsStr::new(""), "no-such-program"));
    }

    #[test]
    fn a_program_is_found_in_the_folder_of_any_version() {
        let folder = env::temp_dir().join(format!("xtask-versions-{}", std::process::id()));
        let bin = folder.join("15").join("bin");
        fs::create_dir_all(&bin).unwrap();
        assert!(!is_in_versions(&folder, "postgres"));
        fs::write(bin.join("postgres"), "").unwrap();
        assert!(is_in_versions(&folder, "postgres"));
        fs::remove_dir_all(&folder).unwrap();
        assert!(!is_in_versions(&folder, "postgres"));
    }

    #[test]
    fn a_command_that_fails_is_named_with_its_arguments() {
        let error = run(&["false", "install", "it"]).unwrap_err();
        assert_eq!(error.to_string(), "false install it failed; see above");
        run(&["true"]).unwrap();
    }
}
