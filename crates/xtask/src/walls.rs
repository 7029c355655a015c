//! The walls of the house: which crate of ours may see which, and what from outside it never sees.
//!
//! `ARCHITECTURE.md` draws the map; this table holds it. The compiler lets through whatever a
//! manifest asks for, so the manifests themselves are read, as `cargo metadata` gives them. Left
//! out are `[dev-dependencies]`, since tests may come in by any door, and what stands behind a
//! dependency: who may use a package at all, however far down, is in `deny.toml`.

use std::fmt;

use cargo_metadata::{DependencyKind, Metadata, Package};

/// What one crate may see.
struct Room {
    name: &'static str,
    /// The crates of ours that it may depend on.
    ours: &'static [&'static str],
    /// The packages from outside that it never depends on.
    never: &'static [&'static [&'static str]],
}

const SQLITE: &[&str] = &["rusqlite", "rusqlite_migration"];
const POSTGRES: &[&str] = &["deadpool-postgres", "tokio-postgres"];
const RUNTIME: &[&str] = &["tokio"];
const ROUTER: &[&str] = &["axum"];
const HTTP: &[&str] = &["h2", "hyper"];
/// What makes a client of it, which `store` has for its object store (adr 9).
const CLIENT: &[&str] = &["hyper-rustls", "hyper-util"];
/// Errors that a caller cannot tell apart are for programs; a library's errors are enums.
const ANY_ERROR: &[&str] = &["anyhow"];

/// The crate for tests. No row lists it, so nothing that is shipped can hold it.
const TESTKIT: &str = "testkit";
/// The crate that builds when no other does, and so depends on none, for its tests neither.
const XTASK: &str = "xtask";

/// A row may stand here before its crate does; a crate without a row is a breach.
const ROOMS: [Room; 9] = [
    Room {
        name: "domain",
        ours: &[],
        never: &[RUNTIME, SQLITE, POSTGRES, ROUTER, HTTP, CLIENT, ANY_ERROR],
    },
    Room {
        name: "store",
        ours: &["domain"],
        never: &[ROUTER, HTTP, ANY_ERROR],
    },
    Room {
        name: "app",
        ours: &["domain", "store"],
        never: &[SQLITE, POSTGRES, ROUTER, ANY_ERROR],
    },
    Room {
        name: "delivery",
        ours: &["domain", "store"],
        never: &[SQLITE, POSTGRES, ROUTER, ANY_ERROR],
    },
    Room {
        name: "api",
        ours: &["domain", "app"],
        never: &[SQLITE, POSTGRES, HTTP, CLIENT, ANY_ERROR],
    },
    Room {
        name: "web",
        ours: &["domain", "app"],
        never: &[SQLITE, POSTGRES, HTTP, CLIENT, ANY_ERROR],
    },
    Room {
        name: "checkflow",
        ours: &["domain", "store", "app", "delivery", "api", "web"],
        never: &[SQLITE, POSTGRES],
    },
    Room {
        name: TESTKIT,
        ours: &["domain", "store"],
        never: &[SQLITE, POSTGRES],
    },
    Room {
        name: XTASK,
        ours: &[],
        never: &[],
    },
];

/// A dependency that must not be, or a crate that the table does not know.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Breach {
    /// The crate has no row.
    NoRow { of: String },
    /// The crate depends on one of ours that its row does not list.
    Imports { of: String, what: String },
    /// The crate depends on a package that its row rules out.
    Never { of: String, what: String },
    /// Something that is shipped depends on the crate for tests.
    TestsShipped { of: String },
}

impl fmt::Display for Breach {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoRow { of } => {
                write!(
                    f,
                    "{of}: give it a row in crates/xtask/src/walls.rs: what may it see?"
                )
            }
            Self::Imports { of, what } if of == XTASK => {
                write!(
                    f,
                    "{of} depends on {what}: it must build when nothing of ours does"
                )
            }
            Self::Imports { of, what } => {
                let may = row(of).map_or(String::new(), |room| room.ours.join(", "));
                write!(
                    f,
                    "{of} depends on {what}: of our crates it may see only [{may}]"
                )
            }
            Self::Never { of, what } => {
                write!(
                    f,
                    "{of} depends on {what}, which it must never see; ask a crate that may"
                )
            }
            Self::TestsShipped { of } => {
                write!(
                    f,
                    "{of} depends on {TESTKIT}: move it under [dev-dependencies]"
                )
            }
        }
    }
}

fn row(name: &str) -> Option<&'static Room> {
    ROOMS.iter().find(|room| room.name == name)
}

/// Every place where the workspace breaks the table, in order of names.
pub(crate) fn breaches(metadata: &Metadata) -> Vec<Breach> {
    let ours = metadata.workspace_packages();
    let names: Vec<&str> = ours.iter().map(|package| package.name.as_str()).collect();
    let mut found: Vec<_> = ours
        .iter()
        .flat_map(|package| of_package(package, &names))
        .collect();
    // A package can be asked for more than once, by target or for the build script.
    found.sort();
    found.dedup();
    found
}

/// Where `package` breaks its row; `names` are all the crates of ours.
fn of_package(package: &Package, names: &[&str]) -> Vec<Breach> {
    let of = || package.name.to_string();
    let Some(room) = row(&package.name) else {
        return vec![Breach::NoRow { of: of() }];
    };
    let judged = |dependency: &&cargo_metadata::Dependency| {
        dependency.kind != DependencyKind::Development || room.name == XTASK
    };
    let breach = |dependency: &cargo_metadata::Dependency| {
        // The package's own name, whatever the manifest renames it to.
        let name = dependency.name.as_str();
        let what = || name.to_owned();
        if names.contains(&name) {
            match name {
                _ if room.ours.contains(&name) => None,
                TESTKIT if room.name != XTASK => Some(Breach::TestsShipped { of: of() }),
                _ => Some(Breach::Imports {
                    of: of(),
                    what: what(),
                }),
            }
        } else {
            let never = room.never.iter().any(|family| family.contains(&name));
            never.then(|| Breach::Never {
                of: of(),
                what: what(),
            })
        }
    };
    package
        .dependencies
        .iter()
        .filter(judged)
        .filter_map(breach)
        .collect()
}

#[cfg(test)]
mod tests {
    use cargo_metadata::MetadataCommand;

    use super::*;

    /// A dependency as `cargo metadata` writes it; `kind` is its JSON: `null`, `"dev"`, `"build"`.
    fn dependency(name: &str, kind: &str) -> String {
        format!(
            r#"{{"name": "{name}", "source": null, "req": "*", "kind": {kind}, "rename": "other",
                "optional": true, "uses_default_features": true, "features": [],
                "target": "cfg(unix)", "registry": null}}"#
        )
    }

    /// A workspace of these crates, each with its dependencies.
    fn workspace(crates: &[(&str, &[(&str, &str)])]) -> Metadata {
        let package = |(name, dependencies): &(&str, &[(&str, &str)])| {
            let dependencies: Vec<_> = dependencies
                .iter()
                .map(|(name, kind)| dependency(name, kind))
                .collect();
            format!(
                r#"{{"name": "{name}", "version": "0.1.0", "id": "{name}", "source": null,
                    "dependencies": [{}], "targets": [], "features": {{}},
                    "manifest_path": "/{name}/Cargo.toml"}}"#,
                dependencies.join(",")
            )
        };
        let packages: Vec<_> = crates.iter().map(package).collect();
        let members: Vec<_> = crates.iter().map(|(name, _)| format!("{name:?}")).collect();
        let json = format!(
            r#"{{"packages": [{}], "workspace_members": [{}], "resolve": null, "version": 1,
                "workspace_root": "/", "target_directory": "/target"}}"#,
            packages.join(","),
            members.join(",")
        );
        MetadataCommand::parse(json).unwrap()
    }

    /// What is found when `of`, in a workspace with all our crates, has this one dependency.
    fn check(of: &str, what: &str, kind: &str, expected: &[Breach]) {
        let one = [(what, kind)];
        let crates: Vec<(&str, &[(&str, &str)])> = ROOMS
            .iter()
            .map(|room| (room.name, if room.name == of { &one[..] } else { &[] }))
            .collect();
        assert_eq!(
            breaches(&workspace(&crates)),
            expected,
            "{of} on {what}, kind {kind}"
        );
    }

    fn imports(of: &str, what: &str) -> Breach {
        Breach::Imports {
            of: of.to_owned(),
            what: what.to_owned(),
        }
    }

    #[test]
    fn a_crate_may_depend_on_those_its_row_lists() {
        check("store", "domain", "null", &[]);
        check("app", "store", "null", &[]);
        check("api", "app", "null", &[]);
        check("checkflow", "delivery", "null", &[]);
        check("testkit", "store", "null", &[]);
    }

    #[test]
    fn any_other_crate_of_ours_is_a_breach() {
        for (of, what) in [
            ("domain", "store"),
            ("store", "app"),
            ("app", "delivery"),
            ("delivery", "app"),
            ("api", "store"),
            ("api", "delivery"),
            ("api", "web"),
            ("web", "api"),
            ("web", "store"),
            ("testkit", "app"),
            ("checkflow", "xtask"),
        ] {
            check(of, what, "null", &[imports(of, what)]);
            check(of, what, r#""build""#, &[imports(of, what)]);
        }
    }

    #[test]
    fn a_package_that_a_row_rules_out_is_a_breach() {
        for (of, what) in [
            ("domain", "tokio"),
            ("domain", "rusqlite"),
            ("domain", "tokio-postgres"),
            ("domain", "axum"),
            ("domain", "hyper"),
            ("api", "h2"),
            ("domain", "hyper-util"),
            ("store", "axum"),
            ("store", "hyper"),
            ("app", "rusqlite"),
            ("app", "tokio-postgres"),
            ("app", "axum"),
            ("delivery", "rusqlite"),
            ("delivery", "tokio-postgres"),
            ("delivery", "axum"),
            ("api", "rusqlite"),
            ("api", "tokio-postgres"),
            ("api", "hyper"),
            ("web", "rusqlite"),
            ("web", "tokio-postgres"),
            ("web", "hyper"),
            ("web", "hyper-util"),
            ("api", "anyhow"),
        ] {
            let never = Breach::Never {
                of: of.to_owned(),
                what: what.to_owned(),
            };
            check(of, what, "null", &[never]);
        }
        check("store", "rusqlite", "null", &[]);
        check("store", "hyper-util", "null", &[]);
        check("delivery", "hyper", "null", &[]);
        check("api", "axum", "null", &[]);
    }

    #[test]
    fn the_crate_for_tests_is_never_shipped() {
        for room in ROOMS
            .iter()
            .filter(|room| ![XTASK, TESTKIT].contains(&room.name))
        {
            let shipped = Breach::TestsShipped {
                of: room.name.to_owned(),
            };
            check(room.name, TESTKIT, "null", &[shipped]);
            check(room.name, TESTKIT, r#""dev""#, &[]);
        }
    }

    #[test]
    fn tests_may_come_in_by_any_door() {
        check("api", "store", r#""dev""#, &[]);
        check("domain", "tokio", r#""dev""#, &[]);
    }

    #[test]
    fn the_crate_that_judges_imports_nothing_of_ours_for_its_tests_neither() {
        for kind in ["null", r#""dev""#, r#""build""#] {
            check(XTASK, "domain", kind, &[imports(XTASK, "domain")]);
            check(XTASK, TESTKIT, kind, &[imports(XTASK, TESTKIT)]);
        }
    }

    #[test]
    fn a_crate_without_a_row_is_a_breach() {
        let found = breaches(&workspace(&[("domain", &[]), ("utils", &[])]));
        assert_eq!(
            found,
            [Breach::NoRow {
                of: "utils".to_owned()
            }]
        );
    }

    #[test]
    fn one_dependency_asked_for_twice_is_one_breach() {
        let twice = workspace(&[("domain", &[("axum", "null"), ("axum", r#""build""#)])]);
        assert_eq!(breaches(&twice).len(), 1);
    }

    #[test]
    fn a_package_from_outside_with_the_name_of_a_row_is_not_taken_for_ours() {
        assert_eq!(breaches(&workspace(&[("store", &[("web", "null")])])), []);
    }

    #[test]
    fn a_breach_says_what_to_do() {
        let said = imports("api", "store").to_string();
        assert_eq!(
            said,
            "api depends on store: of our crates it may see only [domain, app]"
        );
        let shipped = Breach::TestsShipped {
            of: "app".to_owned(),
        }
        .to_string();
        assert!(shipped.contains("[dev-dependencies]"), "{shipped}");
    }
}
