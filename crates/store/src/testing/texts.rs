//! The statements in the sources of a backend, to find one that no test explains.

use std::{collections::BTreeSet, fs, path::Path};

use super::walk::GROWING;

/// How a statement begins.
const BEGINS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

/// One step from the end of an index, when a store is opened.
const AT_THE_START: [&str; 2] = [
    "SELECT max(id) FROM delivery",
    "SELECT id FROM delivery ORDER BY id DESC LIMIT 1",
];

/// Pieces of statements about tables that grow, in the files of `folder` (within the crate's `src`), that none of
/// `walked` contains. A statement may be put together of several texts, or have holes for others: each piece is looked for by itself.
pub(crate) fn unexplained(folder: &str, walked: &BTreeSet<String>) -> Vec<String> {
    let walked: Vec<String> = walked.iter().map(|text| squeezed(text)).collect();
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut sources = Vec::new();
    sources.extend(source(&root.join("sql.rs")));
    read(&root.join(folder), &mut sources);
    let pieces = sources.iter().flat_map(|source| statements(source));
    let is_walked = |piece: &String| walked.iter().any(|text| text.contains(piece.as_str()));
    pieces
        .filter(|piece| is_about_much(piece) && !is_walked(piece))
        .filter(|piece| !AT_THE_START.contains(&piece.as_str()))
        .collect()
}

fn is_about_much(piece: &str) -> bool {
    let words = piece.split(|sign: char| !sign.is_ascii_alphanumeric() && sign != '_');
    let mut words = words.filter(|word| !word.is_empty());
    words.any(|word| GROWING.contains(&word))
}

/// All sources of a folder but its tests.
fn read(folder: &Path, sources: &mut Vec<String>) {
    for entry in fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // Copying a database reads all of it.
        if path.is_dir() && !["tests", "copying"].contains(&name.as_str()) {
            read(&path, sources);
        } else if path.extension().is_some_and(|end| end == "rs")
            && !["tests.rs", "copying.rs"].contains(&name.as_str())
        {
            sources.extend(source(&path));
        }
    }
}

/// A source without its tests.
fn source(path: &Path) -> Option<String> {
    let text = fs::read_to_string(path).expect("a source");
    let code = text.split("#[cfg(test)]\nmod tests {").next();
    code.map(ToOwned::to_owned)
}

/// The pieces of statements in a source, between their holes.
fn statements(source: &str) -> Vec<String> {
    let code: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .collect();
    let code = code.join("\n").replace("\\\n", "\n");
    // Every other part lies within quotes; no statement has one in it.
    let literals = code.split('"').skip(1).step_by(2);
    literals
        .map(squeezed)
        .filter(|text| BEGINS.iter().any(|begin| text.starts_with(begin)))
        .flat_map(|text| holed(&text))
        .collect()
}

fn holed(text: &str) -> Vec<String> {
    let parts = text.split(['{', '}']).step_by(2);
    parts.map(|part| part.trim().to_owned()).collect()
}

fn squeezed(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[test]
fn a_statement_that_nobody_explains_is_found() {
    let source = "let a = \"SELECT x\n    FROM y\";  let b = format!(\"UPDATE {z} SET x = 1\");";
    assert_eq!(
        statements(source),
        ["SELECT x FROM y", "UPDATE", "SET x = 1"]
    );
    let none = unexplained("sqlite", &BTreeSet::new());
    assert!(none.len() > 20, "{}", none.len());
}
