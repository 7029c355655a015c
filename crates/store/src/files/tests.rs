//! Files are stored whole or not at all.

use std::{fs, os::unix::fs::PermissionsExt as _};

use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::*;

const KEY: FileKey = FileKey::new(Uuid::from_u128(0x0192_f3a4_5b6c_7d8e_9f01_2345_6789_abcd));

fn pieces(count: usize, bytes: usize) -> impl Stream<Item = Result<Bytes, io::Error>> {
    stream::iter((0..count).map(move |_| Ok(Bytes::from(vec![7; bytes]))))
}

/// All files below the data folder.
fn names(data: &Path) -> Vec<String> {
    let mut names = Vec::new();
    let mut folders = vec![data.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                names.push(
                    path.strip_prefix(data)
                        .unwrap()
                        .to_str()
                        .unwrap()
                        .to_owned(),
                );
            }
        }
    }
    names.sort();
    names
}

async fn read(files: &FileStore, range: Option<Range<u64>>) -> Vec<u8> {
    let found = files.get(KEY, range).await.unwrap();
    let pieces: Vec<Bytes> = found.bytes.try_collect().await.unwrap();
    pieces.concat()
}

#[tokio::test]
async fn a_file_is_hashed_on_its_way_and_read_back() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    let bytes = 3 * PART_BYTES / 2;
    let stored = files
        .put(KEY, pieces(3, bytes / 3), bytes as u64)
        .await
        .unwrap();
    let sha256: [u8; 32] = Sha256::digest(vec![7; bytes]).into();
    assert_eq!(
        stored,
        StoredBytes {
            size: bytes as u64,
            sha256
        }
    );
    assert_eq!(read(&files, None).await, vec![7; bytes]);
    assert_eq!(names(data.path()), [format!("files/cd/{KEY}")]);
    let mode = fs::metadata(data.path().join("files"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn a_range_is_cut_at_the_end_of_the_file() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    let bytes = stream::iter([Ok::<_, io::Error>(Bytes::from_static(b"0123456789"))]);
    files.put(KEY, bytes, 10).await.unwrap();
    assert_eq!(read(&files, Some(2..5)).await, b"234");
    assert_eq!(read(&files, Some(7..99)).await, b"789");
    let found = files.get(KEY, Some(7..99)).await.unwrap();
    assert_eq!((found.size, found.range), (10, 7..10));
    for beyond in [10..11, 5..5] {
        let error = files.get(KEY, Some(beyond)).await.err();
        assert!(
            matches!(error, Some(FileStoreError::OutOfRange)),
            "{error:?}"
        );
    }
}

#[tokio::test]
async fn an_empty_file_is_a_file() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    assert_eq!(files.put(KEY, pieces(0, 0), 10).await.unwrap().size, 0);
    assert_eq!(read(&files, None).await, b"");
}

#[tokio::test]
async fn what_is_too_large_or_cut_off_leaves_nothing() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    let error = files
        .put(KEY, pieces(3, PART_BYTES), 2 * PART_BYTES as u64)
        .await
        .unwrap_err();
    let max = 2 * PART_BYTES as u64;
    assert!(matches!(error, FileStoreError::TooLarge { max: told } if told == max));
    assert_eq!(names(data.path()), [""; 0]);
    let cut = stream::iter([Err(io::Error::from(io::ErrorKind::ConnectionReset))]);
    let error = files
        .put(KEY, pieces(2, PART_BYTES).chain(cut), max)
        .await
        .unwrap_err();
    assert!(matches!(error, FileStoreError::Interrupted(_)), "{error:?}");
    assert_eq!(names(data.path()), [""; 0]);
}

#[tokio::test]
async fn a_file_is_removed_once_and_asked_for_in_vain_afterwards() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    files.put(KEY, pieces(1, 5), 10).await.unwrap();
    files.delete(KEY).await.unwrap();
    files.delete(KEY).await.unwrap();
    assert!(matches!(
        files.get(KEY, None).await,
        Err(FileStoreError::NotThere)
    ));
}

#[tokio::test]
async fn the_sweeper_sees_old_files_and_removes_what_was_cut_off() {
    let data = tempfile::tempdir().unwrap();
    let files = FileStore::open(data.path()).unwrap();
    files.put(KEY, pieces(1, 5), 10).await.unwrap();
    let left = data.path().join("files/cd").join(format!("{KEY}#1"));
    fs::write(&left, "half").unwrap();
    fs::write(data.path().join("files/notes.txt"), "not ours").unwrap();
    let (past, future) = (
        Timestamp::from_millis(0),
        Timestamp::from_millis(i64::MAX / 2),
    );
    let old = |before| files.list_older_than(before).try_collect::<Vec<_>>();
    assert_eq!(old(past).await.unwrap(), []);
    assert_eq!(old(future).await.unwrap(), [KEY]);
    assert_eq!(files.sweep_partial(past).await.unwrap(), 0);
    assert_eq!(files.sweep_partial(future).await.unwrap(), 1);
    assert_eq!(
        names(data.path()),
        [format!("files/cd/{KEY}"), "files/notes.txt".to_owned()]
    );
}

#[test]
fn a_full_disk_is_told_from_other_failures() {
    let told = |kind| {
        let source = Box::new(io::Error::from(kind));
        refused(object_store::Error::Generic {
            store: "test",
            source,
        })
    };
    assert!(matches!(
        told(io::ErrorKind::StorageFull),
        FileStoreError::Full(_)
    ));
    assert!(matches!(
        told(io::ErrorKind::ReadOnlyFilesystem),
        FileStoreError::Full(_)
    ));
    assert!(matches!(
        told(io::ErrorKind::Other),
        FileStoreError::Failed(_)
    ));
}
