//! What is left of uploads whose process ended under them. The object store hides such files from
//! its lists, so they are looked for on the disk.

use std::{
    fs, io,
    path::Path,
    time::{Duration, UNIX_EPOCH},
};

use domain::Timestamp;

/// Removes partial uploads in the folders of `root` that were last written before `before`.
pub(super) fn sweep(root: &Path, before: Timestamp) -> io::Result<u64> {
    let before = UNIX_EPOCH + Duration::from_millis(u64::try_from(before.as_millis()).unwrap_or(0));
    let mut swept = 0;
    for folder in fs::read_dir(root)? {
        let folder = folder?;
        if !folder.file_type()?.is_dir() {
            continue;
        }
        for file in fs::read_dir(folder.path())? {
            let file = file?;
            // Named by the object store: the file's own name, a hash and a number.
            let partial = file.file_name().to_string_lossy().contains('#');
            if partial && file.metadata()?.modified()? < before {
                fs::remove_file(file.path())?;
                swept += 1;
            }
        }
    }
    Ok(swept)
}
