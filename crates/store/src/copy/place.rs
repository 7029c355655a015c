//! Where a database is, as the operator says it.

use std::{
    fmt,
    path::{Path, PathBuf},
};

use crate::{DATABASE_FILE, postgres::shown};

/// A database that is copied from or to. Shown without what opens it.
#[derive(Clone)]
pub struct CopyPlace(pub(super) Kind);

#[derive(Clone)]
pub(super) enum Kind {
    Folder(PathBuf),
    Server(String),
}

/// What was said names no database. It is not repeated, since it may hold a password.
#[derive(Debug, thiserror::Error)]
pub enum CopyPlaceError {
    /// Neither of the two.
    #[error(
        "it names no database; write the path of a data folder (./it if its name has a colon), sqlite:///path/of/it, \
         or postgres://user:password@host:port/name"
    )]
    NotAPlace,
    /// Another file than the database of a folder.
    #[error("{} is a file; name the data folder, in which the database is called {DATABASE_FILE}",
        .0.display())]
    NotAFolder(PathBuf),
}

impl CopyPlace {
    /// Reads `/path/of/folder`, `sqlite:///path/of/folder` (either may end with the name of the database in it), or
    /// `postgres://…`.
    pub fn parse(text: &str) -> Result<Self, CopyPlaceError> {
        if ["postgres://", "postgresql://"]
            .iter()
            .any(|scheme| text.starts_with(scheme))
        {
            return Ok(Self(Kind::Server(text.to_owned())));
        }
        let path = match text.strip_prefix("sqlite:") {
            Some(path) => path.strip_prefix("//").unwrap_or(path),
            None if is_address_like(text) => return Err(CopyPlaceError::NotAPlace),
            None => text,
        };
        if path.is_empty() {
            return Err(CopyPlaceError::NotAPlace);
        }
        let path = Path::new(path);
        let folder = if path.file_name().is_some_and(|name| name == DATABASE_FILE) && !path.is_dir()
        {
            path.parent()
                .filter(|parent| !parent.as_os_str().is_empty())
                .unwrap_or(Path::new("."))
        } else if path.is_file() {
            return Err(CopyPlaceError::NotAFolder(path.to_owned()));
        } else {
            path
        };
        Ok(Self(Kind::Folder(folder.to_owned())))
    }

    /// The data folder that the database lies in, if it lies in one.
    pub fn folder(&self) -> Option<&Path> {
        match &self.0 {
            Kind::Folder(folder) => Some(folder),
            Kind::Server(_) => None,
        }
    }
}

/// Whether `text` looks like an address of something elsewhere, well spelt or not, so that nobody makes a folder of
/// that name: it begins with a word or an address and a colon, with a word and two slashes, or with one of libpq's
/// settings.
pub fn is_address_like(text: &str) -> bool {
    let in_word = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    let end = text.find(|c| !in_word(c)).unwrap_or(text.len());
    let (word, rest) = text.split_at(end);
    let settings = [
        "host", "hostaddr", "port", "dbname", "user", "password", "service",
    ];
    text.contains("://")
        || text.starts_with('[')
        || !word.is_empty()
            && (rest.starts_with(':')
                || (rest.starts_with("//") && word != "." && word != "..")
                || (rest.starts_with('=') && settings.contains(&word)))
}

impl fmt::Display for CopyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Folder(folder) => write!(f, "{}", folder.display()),
            Kind::Server(url) => f.write_str(&shown(url)),
        }
    }
}

impl fmt::Debug for CopyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CopyPlace({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_a_folder_or_a_server_and_never_shows_a_password() {
        for (text, expected) in [
            ("/var/lib/checkflow", "/var/lib/checkflow"),
            ("sqlite:///var/lib/checkflow", "/var/lib/checkflow"),
            ("sqlite:/var/lib/checkflow", "/var/lib/checkflow"),
            (
                "sqlite:///var/lib/checkflow/checkflow.db",
                "/var/lib/checkflow",
            ),
            ("sqlite:data", "data"),
            ("sqlite://data", "data"),
            ("checkflow.db", "."),
            ("./na:me", "./na:me"),
            ("/srv/na:me", "/srv/na:me"),
            ("a=b", "a=b"),
            (".//data", ".//data"),
            ("2026/data", "2026/data"),
            ("postgres://me:secret@db/x", "postgres://db:5432/x"),
            (
                "postgresql://me:secret@a:1,b:2/x?sslmode=require",
                "postgres://a:1,b:2/x",
            ),
            ("postgres://me:secret@db:x", "postgres://…"),
        ] {
            let place = CopyPlace::parse(text).unwrap();
            assert_eq!(place.to_string(), expected, "{text}");
            assert!(!format!("{place:?}").contains("secret"));
            let is_folder = !expected.contains("://");
            assert_eq!(place.folder().is_some(), is_folder, "{text}");
        }
        for bad in [
            "",
            "sqlite:",
            "sqlite://",
            "mysql://me:secret@db/x",
            "postgres:/me:secret@db/x",
            "postgres:me:secret@db/x",
            "postgres//me:secret@db/x",
            "postgre://me:secret@db/x",
            "Postgres://me:secret@db/x",
            "SQLite:/data",
            "me:secret@db/x",
            "127.0.0.1:5432/x",
            "db.internal:5432/x",
            "[::1]:5432/x",
            "host=db password=secret",
        ] {
            let error = CopyPlace::parse(bad).unwrap_err().to_string();
            assert!(
                error.starts_with("it names no database; "),
                "{bad}: {error}"
            );
            assert!(!error.contains("secret"), "{error}");
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("backup.db");
        std::fs::write(&file, "").unwrap();
        let error = CopyPlace::parse(file.to_str().unwrap()).unwrap_err();
        assert!(matches!(error, CopyPlaceError::NotAFolder(_)), "{error}");
    }
}
