//! Files and database know each other.

use futures_util::future::join_all;

use super::{
    super::identity::{Keep, Look, Promise},
    *,
};
use crate::{
    FilesElsewhere, MasterKey, SqliteOptions, Store, StoreError, Write, WriteTx, open_sqlite,
    testing::{source, source_from, things::scene, walk::everything},
};

/// A new database, and the folder that it is in.
fn database() -> (Store, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let key = MasterKey::load_or_create(folder.path(), &source()).unwrap();
    let options = SqliteOptions::new(folder.path(), key, source());
    (open_sqlite(options).unwrap(), folder)
}

/// A test of each case on each keeper.
macro_rules! on_each_keeper {
    ($($case:ident),* $(,)?) => {
        mod folder {
            $(#[tokio::test] async fn $case() { super::$case(super::Keeper::folder).await; })*
        }
        mod bucket {
            $(#[tokio::test] async fn $case() { super::$case(super::Keeper::bucket).await; })*
        }
    };
}

on_each_keeper!(
    what_is_new_belongs_together_from_then_on,
    files_of_another_database_are_refused_and_left_alone,
    a_database_whose_files_are_elsewhere_is_told_so,
    a_first_start_that_was_cut_short_is_made_good,
    nodes_that_start_at_once_agree,
    an_id_that_is_none_is_told,
    a_database_with_files_takes_no_place_without_them,
    what_a_copy_left_is_put_right_or_told,
);

const ID: &str = "checkflow-files";

async fn what_is_new_belongs_together_from_then_on(keeper: fn() -> Keeper) {
    let keeper = keeper();
    let (store, _folder) = database();
    let files = keeper.files().await;
    files.belong_to(&store, &source_from(1)).await.unwrap();
    assert_eq!(keeper.names(), [ID]);
    // The next start finds them as they are, and the sweeper does not take the id for a file.
    keeper
        .files()
        .await
        .belong_to(&store, &source_from(99))
        .await
        .unwrap();
    let listed = files.list_older_than(Timestamp::from_millis(i64::MAX / 2));
    assert_eq!(listed.try_collect::<Vec<_>>().await.unwrap(), []);
}

async fn files_of_another_database_are_refused_and_left_alone(keeper: fn() -> Keeper) {
    let keeper = keeper();
    let files = keeper.files().await;
    let ((one, _one), (two, _two)) = (database(), database());
    files.belong_to(&one, &source_from(1)).await.unwrap();
    let refused = files.belong_to(&two, &source_from(99)).await.unwrap_err();
    assert!(matches!(refused, FilesElsewhere::Taken { .. }), "{refused}");
    let said = refused.to_string();
    assert!(
        said.contains("choose another place") && said.contains(ID),
        "{said}"
    );
    files.belong_to(&one, &source()).await.unwrap();
}

async fn a_database_whose_files_are_elsewhere_is_told_so(keeper: fn() -> Keeper) {
    let (here, empty, others) = (keeper(), keeper(), keeper());
    let ((one, _one), (two, _two)) = (database(), database());
    here.files()
        .await
        .belong_to(&one, &source_from(1))
        .await
        .unwrap();
    others
        .files()
        .await
        .belong_to(&two, &source_from(99))
        .await
        .unwrap();
    let refused = empty
        .files()
        .await
        .belong_to(&one, &source())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, FilesElsewhere::Missing { .. }),
        "{refused}"
    );
    assert!(refused.to_string().contains("--files"), "{refused}");
    // Else the next start would take the empty one for its own.
    assert_eq!(empty.names(), [""; 0]);
    let refused = others
        .files()
        .await
        .belong_to(&one, &source())
        .await
        .unwrap_err();
    assert!(
        matches!(refused, FilesElsewhere::Others { .. }),
        "{refused}"
    );
}

async fn a_first_start_that_was_cut_short_is_made_good(keeper: fn() -> Keeper) {
    let keeper = keeper();
    let files = keeper.files().await;
    // Cut off after the database's promise, and after what was written beside the files.
    let (store, _folder) = database();
    let promised = store.write(Promise(Uuid::from_u128(7))).await.unwrap();
    files.belong_to(&store, &source()).await.unwrap();
    let (store, _folder) = database();
    store.write(Promise(Uuid::from_u128(7))).await.unwrap();
    files.belong_to(&store, &source()).await.unwrap();
    assert!(!promised.is_kept);
    // From then on the id is kept: without it the files are missing.
    let refused = Keeper::folder()
        .files()
        .await
        .belong_to(&store, &source())
        .await;
    assert!(
        matches!(refused, Err(FilesElsewhere::Missing { .. })),
        "{refused:?}"
    );
}

async fn nodes_that_start_at_once_agree(keeper: fn() -> Keeper) {
    let keeper = &keeper();
    let (store, _folder) = &database();
    let start = |node: u8| async move {
        let files = keeper.files().await;
        files
            .belong_to(store, &source_from(node * 16))
            .await
            .unwrap();
    };
    join_all((0..8).map(start)).await;
    assert_eq!(keeper.names(), [ID]);
}

async fn an_id_that_is_none_is_told(keeper: fn() -> Keeper) {
    let keeper = keeper();
    let files = keeper.files().await;
    let (store, _folder) = database();
    store.write(Promise(Uuid::from_u128(7))).await.unwrap();
    store.write(Keep(Uuid::from_u128(7))).await.unwrap();
    for damaged in [
        "",
        "nonsense",
        "0192f3a4-5b6c-7d8e-9f01-23456789abc",
        &"7".repeat(65),
    ] {
        keeper.put(ID, damaged);
        let refused = files.belong_to(&store, &source()).await.unwrap_err();
        assert!(
            matches!(refused, FilesElsewhere::NoId(_)),
            "{damaged:?}: {refused}"
        );
    }
}

struct Fill;

impl Write for Fill {
    type Done = Vec<FileKey>;
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<Vec<FileKey>, StoreError> {
        scene(tx).await;
        everything(tx).await;
        tx.file_newest(2).await
    }
}

/// A database in which a file is, and its key.
async fn with_a_file() -> (Store, TempDir, FileKey) {
    let (store, folder) = database();
    let [key] = store.write(Fill).await.unwrap()[..] else {
        panic!("one file");
    };
    (store, folder, key)
}

async fn a_database_with_files_takes_no_place_without_them(keeper: fn() -> Keeper) {
    let (here, elsewhere) = (keeper(), keeper());
    let (store, _folder, key) = with_a_file().await;
    put(&here.files().await, key, content(1)).await.unwrap();
    // Whether it has promised an id before, or not.
    for _ in 0..2 {
        let refused = elsewhere.files().await.belong_to(&store, &source()).await;
        let refused = refused.unwrap_err();
        assert!(matches!(refused, FilesElsewhere::NotHere(_)), "{refused}");
        assert!(refused.to_string().contains("--files s3://"), "{refused}");
        assert_eq!(elsewhere.names(), [""; 0]);
        assert!(
            store
                .read(Look)
                .await
                .unwrap()
                .0
                .is_none_or(|known| !known.is_kept)
        );
        store.write(Promise(Uuid::from_u128(7))).await.unwrap();
    }
    here.files()
        .await
        .belong_to(&store, &source())
        .await
        .unwrap();
    let refused = elsewhere.files().await.belong_to(&store, &source()).await;
    assert!(
        matches!(refused, Err(FilesElsewhere::Missing { .. })),
        "{refused:?}"
    );
}

async fn what_a_copy_left_is_put_right_or_told(keeper: fn() -> Keeper) {
    let keeper = keeper();
    let files = keeper.files().await;
    let id = Uuid::from_u128(7);
    files.copy_begun(Uuid::from_u128(6)).await.unwrap();
    // The next copy takes over.
    files.copy_begun(id).await.unwrap();
    let (other, _other) = database();
    let refused = files.belong_to(&other, &source_from(99)).await.unwrap_err();
    assert!(matches!(refused, FilesElsewhere::Copying(_)), "{refused}");
    // The database was kept, and nobody said so here.
    let (store, _folder) = database();
    store.write(Promise(id)).await.unwrap();
    store.write(Keep(id)).await.unwrap();
    files.belong_to(&store, &source()).await.unwrap();
    let refused = files.copy_begun(Uuid::from_u128(8)).await.unwrap_err();
    assert!(
        matches!(refused, FilesElsewhere::Taken { there, .. } if there == id),
        "{refused}"
    );
    files.belong_to(&store, &source()).await.unwrap();
}
