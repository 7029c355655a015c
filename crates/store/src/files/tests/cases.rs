//! What holds of a file store, on the local folder and on an S3-compatible server.

use std::{future::poll_fn, os::unix::fs::PermissionsExt as _, pin::Pin};

use futures_util::future::join_all;
use sha2::{Digest as _, Sha256};

use super::*;

/// A test of each case on each keeper.
macro_rules! on_each_keeper {
    ($($case:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test] async fn $case() { super::$case(&super::Keeper::folder()).await; })*
        }
        mod bucket {
            $(#[tokio::test] async fn $case() { super::$case(&super::Keeper::bucket()).await; })*
        }
    };
}

on_each_keeper!(
    a_file_of_any_size_is_hashed_on_its_way_and_read_back,
    a_range_is_cut_at_the_end_of_the_file,
    a_range_may_lie_across_parts,
    an_empty_file_is_a_file,
    what_is_too_large_leaves_nothing,
    what_is_cut_off_leaves_nothing,
    an_upload_that_is_dropped_leaves_nothing,
    a_file_is_not_there_before_all_of_it_is,
    a_file_is_removed_once_and_asked_for_in_vain_afterwards,
    files_that_come_at_once_do_not_mix,
    the_sweeper_sees_old_files_and_nothing_else,
);

async fn a_file_of_any_size_is_hashed_on_its_way_and_read_back(keeper: &Keeper) {
    let files = keeper.files().await;
    for size in [1, PART - 1, PART, PART + 1, 2 * PART + PART / 2] {
        let bytes = content(size);
        let sha256: [u8; 32] = Sha256::digest(&bytes).into();
        let stored = files.put(KEY, pieces(bytes.clone()), size as u64).await;
        let size = size as u64;
        assert_eq!(stored.unwrap(), StoredBytes { size, sha256 });
        assert!(read(&files, KEY, None).await == bytes, "{size}");
        assert_eq!(keeper.names(), [format!("cd/{KEY}")]);
        files.delete(KEY).await.unwrap();
    }
}

async fn a_range_is_cut_at_the_end_of_the_file(keeper: &Keeper) {
    let files = keeper.files().await;
    put(&files, KEY, b"0123456789".to_vec()).await.unwrap();
    assert_eq!(read(&files, KEY, Some(2..5)).await, b"234");
    assert_eq!(read(&files, KEY, Some(7..99)).await, b"789");
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

async fn a_range_may_lie_across_parts(keeper: &Keeper) {
    let files = keeper.files().await;
    let bytes = content(2 * PART);
    put(&files, KEY, bytes.clone()).await.unwrap();
    let range = PART - 10..PART + 10;
    let got = read(&files, KEY, Some(range.start as u64..range.end as u64)).await;
    assert_eq!(got, bytes[range]);
}

async fn an_empty_file_is_a_file(keeper: &Keeper) {
    let files = keeper.files().await;
    assert_eq!(put(&files, KEY, Vec::new()).await.unwrap().size, 0);
    assert_eq!(read(&files, KEY, None).await, b"");
    assert_eq!(read(&files, KEY, Some(0..0)).await, b"");
    assert_eq!(read(&files, KEY, Some(0..9)).await, b"");
}

async fn what_is_too_large_leaves_nothing(keeper: &Keeper) {
    let files = keeper.files().await;
    for max in [10, PART, 2 * PART + 1] {
        let max = max as u64;
        let error = files
            .put(KEY, pieces(content(3 * PART)), max)
            .await
            .unwrap_err();
        assert!(matches!(error, FileStoreError::TooLarge { max: told } if told == max));
        assert_eq!(keeper.names(), [""; 0]);
    }
}

async fn what_is_cut_off_leaves_nothing(keeper: &Keeper) {
    let files = keeper.files().await;
    for size in [10, 2 * PART + 1] {
        let cut = async {
            // What is large is cut off once something of it is kept.
            while size > PART && keeper.names().is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            Err(io::Error::from(io::ErrorKind::ConnectionReset))
        };
        let bytes = pieces(content(size)).chain(stream::once(cut));
        let error = in_time(files.put(KEY, bytes, u64::MAX)).await.unwrap_err();
        assert!(matches!(error, FileStoreError::Interrupted(_)), "{error:?}");
        files.settle().await;
        assert_eq!(keeper.names(), [""; 0]);
    }
}

async fn an_upload_that_is_dropped_leaves_nothing(keeper: &Keeper) {
    let files = keeper.files().await;
    let mut upload = Box::pin(files.put(KEY, stalling(2 * PART + 1), u64::MAX));
    until(|| !keeper.names().is_empty(), &mut upload).await;
    drop(upload);
    files.settle().await;
    let gone = std::future::pending::<()>();
    until(|| keeper.names().is_empty(), &mut Box::pin(gone)).await;
}

async fn a_file_is_not_there_before_all_of_it_is(keeper: &Keeper) {
    let files = keeper.files().await;
    let mut upload = Box::pin(files.put(KEY, stalling(2 * PART + 1), u64::MAX));
    until(|| !keeper.names().is_empty(), &mut upload).await;
    let found = files.get(KEY, None).await.err();
    assert!(matches!(found, Some(FileStoreError::NotThere)), "{found:?}");
    let listed: Vec<_> = files.list_older_than(FUTURE).try_collect().await.unwrap();
    assert_eq!(listed, []);
}

async fn a_file_is_removed_once_and_asked_for_in_vain_afterwards(keeper: &Keeper) {
    let files = keeper.files().await;
    put(&files, KEY, content(5)).await.unwrap();
    files.delete(KEY).await.unwrap();
    files.delete(KEY).await.unwrap();
    for range in [None, Some(0..3), Some(0..0)] {
        let found = files.get(KEY, range).await.err();
        assert!(matches!(found, Some(FileStoreError::NotThere)), "{found:?}");
    }
    assert_eq!(keeper.names(), [""; 0]);
}

async fn files_that_come_at_once_do_not_mix(keeper: &Keeper) {
    let files = &keeper.files().await;
    let key = |number: usize| FileKey::new(Uuid::from_u128(number as u128));
    let bytes = |number: usize| content(number * PART / 2 + number);
    let put = |number| async move { put(files, key(number), bytes(number)).await.unwrap() };
    join_all((0..5).map(put)).await;
    for number in 0..5 {
        assert!(
            read(files, key(number), None).await == bytes(number),
            "{number}"
        );
    }
}

const PAST: Timestamp = Timestamp::from_millis(0);
const FUTURE: Timestamp = Timestamp::from_millis(i64::MAX / 2);

async fn the_sweeper_sees_old_files_and_nothing_else(keeper: &Keeper) {
    let files = keeper.files().await;
    put(&files, KEY, content(5)).await.unwrap();
    keeper.add_stranger();
    let old = |before| files.list_older_than(before).try_collect::<Vec<_>>();
    assert_eq!(old(PAST).await.unwrap(), []);
    assert_eq!(old(FUTURE).await.unwrap(), [KEY]);
}

#[tokio::test]
async fn what_a_dead_process_left_in_the_folder_is_swept() {
    let keeper = Keeper::folder();
    let files = keeper.files().await;
    put(&files, KEY, content(5)).await.unwrap();
    let Keeper::Folder(data) = &keeper else {
        unreachable!("it was made so")
    };
    fs::write(
        data.path().join("files/cd").join(format!("{KEY}#1")),
        "half",
    )
    .unwrap();
    assert_eq!(files.sweep_partial(PAST).await.unwrap(), 0);
    assert_eq!(files.sweep_partial(FUTURE).await.unwrap(), 1);
    assert_eq!(keeper.names(), [format!("cd/{KEY}")]);
    let mode = fs::metadata(data.path().join("files"))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn two_prefixes_of_a_bucket_do_not_see_each_other() {
    let server = S3Server::start();
    let open = async |prefix| FileStore::open_s3(&options(&server, prefix)).await.unwrap();
    let (one, two) = (open("").await, open("two").await);
    put(&two, KEY, content(5)).await.unwrap();
    assert!(matches!(
        one.get(KEY, None).await,
        Err(FileStoreError::NotThere)
    ));
    // Neither sweeps what is the other's.
    let old = |files: &FileStore| files.list_older_than(FUTURE).try_collect::<Vec<_>>();
    assert_eq!(old(&one).await.unwrap(), []);
    assert_eq!(old(&two).await.unwrap(), [KEY]);
    one.delete(KEY).await.unwrap();
    assert_eq!(read(&two, KEY, None).await, content(5));
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
    let full = |error| matches!(error, FileStoreError::Full(_));
    assert!(full(told(io::ErrorKind::StorageFull)));
    assert!(full(told(io::ErrorKind::ReadOnlyFilesystem)));
    assert!(matches!(
        told(io::ErrorKind::Other),
        FileStoreError::Failed(_)
    ));
}

/// Brings so many bytes, and then nothing more, without an end.
fn stalling(size: usize) -> impl Stream<Item = Result<Bytes, io::Error>> {
    pieces(content(size)).chain(stream::pending())
}

/// Drives `work`, which does not end, until `is` says so.
pub(super) async fn until<F: Future + Unpin>(is: impl Fn() -> bool, work: &mut F) {
    let look = async {
        while !is() {
            tokio::task::yield_now().await;
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    };
    tokio::pin!(look);
    let both = poll_fn(|cx| {
        let ended = Pin::new(&mut *work).poll(cx).is_ready();
        assert!(!ended, "it ended");
        look.as_mut().poll(cx)
    });
    let within = tokio::time::timeout(testkit::PATIENCE, both).await;
    within.expect("it came in time");
}
