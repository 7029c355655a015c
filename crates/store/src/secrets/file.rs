//! The file that the master key is in when the configuration does not hold it.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write as _},
    os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _},
    path::{Path, PathBuf},
};

use domain::{Source, hex};

use super::MasterKey;
use crate::sqlite::{DATABASE_FILE, OpenError, folder_make, not_writable};

/// The name of the file, in the data folder.
const KEY_FILE: &str = "master.key";

/// Why there is no master key. Each is one line that says what to do.
#[derive(Debug, thiserror::Error)]
pub enum MasterKeyError {
    /// Not base64 of 32 bytes.
    #[error("the master key must be the base64 of 32 bytes; `openssl rand -base64 32` makes one")]
    NotAKey,
    /// The file holds something else.
    #[error(
        "{} holds no master key; put back the file as it was (from a backup), one line of base64",
        .0.display()
    )]
    Damaged(PathBuf),
    /// Others than its owner can read the file.
    #[error(
        "{} can be read by others (its mode is {mode:03o}); run chmod 600 on it",
        path.display()
    )]
    Permissions {
        /// The file.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// There is a database, and its key is not there.
    #[error(
        "{} is missing, but the database beside it was made with a key; put the file back, or give \
         the key in the configuration",
        .0.display()
    )]
    Missing(PathBuf),
    /// The file can't be read or made.
    #[error("{} can't be read or made ({source}); check the folder's owner and free space",
        path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The folder can't be made or used.
    #[error(transparent)]
    Folder(#[from] OpenError),
}

impl MasterKey {
    /// The key in the file `master.key` of `folder`; the first start makes both, readable by their
    /// owner alone.
    pub fn load_or_create(folder: &Path, source: &Source) -> Result<Self, MasterKeyError> {
        folder_make(folder)?;
        let path = folder.join(KEY_FILE);
        let fail = |source| MasterKeyError::Io {
            path: path.clone(),
            source,
        };
        if let Some(key) = Self::load(folder)? {
            return Ok(key);
        }
        // A new key would open nothing of a database that another one was used for.
        if folder.join(DATABASE_FILE).exists() && !path.exists() {
            return Err(MasterKeyError::Missing(path));
        }
        let draft = hex(&source.random::<8>());
        create(folder, &Self::generate(source), &draft)?;
        // Whichever of two processes was first, both take what is there now.
        read(&path, File::open(&path).map_err(fail)?)
    }

    /// The file that the key of `folder` is in.
    pub(crate) fn file_in(folder: &Path) -> PathBuf {
        folder.join(KEY_FILE)
    }

    /// The key in the file of `folder`, if there is one.
    pub(crate) fn load(folder: &Path) -> Result<Option<Self>, MasterKeyError> {
        let path = folder.join(KEY_FILE);
        match File::open(&path) {
            Ok(file) => read(&path, file).map(Some),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(MasterKeyError::Io { path, source }),
        }
    }

    /// Copies the key of one folder into another, which has none.
    pub(crate) fn copy(from: &Path, to: &Path) -> Result<(), MasterKeyError> {
        let key = Self::load(from)?.ok_or_else(|| MasterKeyError::Missing(from.join(KEY_FILE)))?;
        // One that was cut off may have left its draft.
        let draft = "copy";
        match fs::remove_file(to.join(format!("{KEY_FILE}.{draft}"))) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(not_writable(to, error).into())
            }
            _ => create(to, &key, draft),
        }
    }
}

fn read(path: &Path, file: File) -> Result<MasterKey, MasterKeyError> {
    let fail = |source| MasterKeyError::Io {
        path: path.to_owned(),
        source,
    };
    let mode = file.metadata().map_err(fail)?.permissions().mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(MasterKeyError::Permissions {
            path: path.to_owned(),
            mode,
        });
    }
    let text = io::read_to_string(file).map_err(fail)?;
    MasterKey::from_text(&text).map_err(|_| MasterKeyError::Damaged(path.to_owned()))
}

/// Makes the file in `folder`, unless there is one.
fn create(folder: &Path, key: &MasterKey, draft: &str) -> Result<(), MasterKeyError> {
    write_new(folder, key, draft).map_err(|error| match not_writable(folder, error) {
        OpenError::NotWritable { source, .. } => MasterKeyError::Io {
            path: folder.join(KEY_FILE),
            source,
        },
        full => full.into(),
    })
}

/// Makes the file whole or not at all: written and synced under another name, then linked to its
/// own, which fails where there is one already.
fn write_new(folder: &Path, key: &MasterKey, draft: &str) -> io::Result<()> {
    let path = folder.join(KEY_FILE);
    let draft = folder.join(format!("{KEY_FILE}.{draft}"));
    let text = format!("{}\n", key.to_text());
    let made = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)
        .and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.sync_all()
        });
    let linked = made.and_then(|()| fs::hard_link(&draft, &path));
    let removed = fs::remove_file(&draft);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => removed?,
    }
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::source;

    #[test]
    fn the_first_start_makes_a_key_that_the_next_one_finds() {
        let parent = tempfile::tempdir().unwrap();
        let folder = parent.path().join("data");
        let made = MasterKey::load_or_create(&folder, &source()).unwrap();
        let found = MasterKey::load_or_create(&folder, &source()).unwrap();
        assert_eq!(made.id(), found.id());
        let bits = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(
            (bits(&folder), bits(&folder.join(KEY_FILE))),
            (0o700, 0o600)
        );
        let names: Vec<_> = fs::read_dir(&folder)
            .unwrap()
            .map(|e| e.unwrap().file_name())
            .collect();
        assert_eq!(names, [KEY_FILE], "no draft is left behind");
    }

    #[test]
    fn a_key_that_others_can_read_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        MasterKey::load_or_create(folder.path(), &source()).unwrap();
        let path = folder.path().join(KEY_FILE);
        for mode in [0o640, 0o604, 0o660] {
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            let error = MasterKey::load_or_create(folder.path(), &source()).unwrap_err();
            assert!(matches!(error, MasterKeyError::Permissions { mode: m, .. } if m == mode));
            assert!(
                error.to_string().ends_with("run chmod 600 on it"),
                "{error}"
            );
        }
    }

    #[test]
    fn a_lost_or_damaged_key_is_never_replaced() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join(DATABASE_FILE), "").unwrap();
        let load = || MasterKey::load_or_create(folder.path(), &source());
        assert!(matches!(load(), Err(MasterKeyError::Missing(_))));
        let path = folder.path().join(KEY_FILE);
        fs::write(&path, "oops").unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        assert!(matches!(load(), Err(MasterKeyError::Damaged(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "oops");
    }
}
