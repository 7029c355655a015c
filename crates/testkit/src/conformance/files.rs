//! Files in the controls of checklists; where their bytes are is not told here.

use domain::{Checklist, Done, FieldId, FileKey, StoredFile, TeamId};
use store::Page;

use crate::{Scene, World, person, reading, writing};

async fn upload(world: &World, scene: &Scene, list: &Checklist, name: &str) -> StoredFile {
    let mut by = person("Ann");
    by.email = Some("ann@example.com".to_owned());
    let file = StoredFile {
        key: FileKey::new(world.source.uuid()),
        field: FieldId::of(list.head.id, Scene::SCAN),
        name: name.to_owned(),
        size: 5_000_000_000,
        media_type: "application/pdf".to_owned(),
        sha256: std::array::from_fn(|place| u8::try_from(place * 8).expect("below 256")),
        uploaded: Done {
            at: world.tick(),
            by,
        },
    };
    let (team, control) = (scene.team, scene.upload());
    let unit = writing!([team, control, file] tx => tx.file_insert(*team, *control, file).await);
    world.write(unit).await;
    file
}

async fn get(world: &World, team: TeamId, key: FileKey) -> Option<StoredFile> {
    world
        .read(reading!([team, key] tx => tx.file_get(*team, *key).await))
        .await
}

pub(super) async fn a_file_is_read_back_whole_and_by_its_team_alone(world: &World) {
    let scene = world.scene().await;
    let red = world.team("Red").await;
    let file = upload(world, &scene, &scene.list, "Rechnung ‘17’ €.pdf").await;
    assert_eq!(get(world, scene.team, file.key).await, Some(file.clone()));
    assert_eq!(get(world, red, file.key).await, None);
    assert_eq!(
        get(world, scene.team, FileKey::new(world.source.uuid())).await,
        None
    );
}

pub(super) async fn a_checklist_is_loaded_with_its_files_oldest_first(world: &World) {
    let scene = world.scene().await;
    let other = world.checklist(&scene, "Other").await;
    let first = upload(world, &scene, &scene.list, "zulu.pdf").await;
    upload(world, &scene, &other, "other.pdf").await;
    let second = upload(world, &scene, &scene.list, "alpha.pdf").await;
    let stored = world.stored(scene.team, scene.list.head.id).await;
    let places: Vec<usize> = stored.fields.keys().copied().collect();
    assert_eq!(places, [Scene::SCAN]);
    let field = &stored.fields[&Scene::SCAN];
    assert_eq!(field.files, [first, second]);
    assert_eq!(field.value, "");
}

pub(super) async fn files_of_a_control_are_listed_newest_first_over_all_checklists(world: &World) {
    let scene = world.scene().await;
    let other = world.checklist(&scene, "Other").await;
    let elsewhere = world.scene().await;
    let mut made = Vec::new();
    for (list, name) in [(&scene.list, "a"), (&other, "b"), (&scene.list, "c")] {
        made.insert(0, upload(world, &scene, list, name).await);
    }
    upload(world, &elsewhere, &elsewhere.list, "theirs").await;
    let page = async |team: TeamId, number, size| {
        let (control, page) = (scene.upload(), Page { number, size });
        let look = reading!([team, control, page] tx => tx.file_page(*team, *control, *page).await);
        world.read(look).await
    };
    assert_eq!(page(scene.team, 1, 10).await, made);
    assert_eq!(page(scene.team, 1, 2).await, made[..2]);
    assert_eq!(page(scene.team, 2, 2).await, made[2..]);
    assert_eq!(page(scene.team, 3, 2).await, []);
    assert_eq!(
        page(elsewhere.team, 1, 10).await,
        [],
        "another team's control holds nothing"
    );
}

pub(super) async fn orphans_are_the_keys_without_a_row(world: &World) {
    let (scene, other) = (world.scene().await, world.scene().await);
    let ours = upload(world, &scene, &scene.list, "a").await.key;
    let theirs = upload(world, &other, &other.list, "b").await.key;
    let (one, two) = (
        FileKey::new(world.source.uuid()),
        FileKey::new(world.source.uuid()),
    );
    let keys = vec![one, ours, two, theirs];
    let mut orphans = world
        .read(reading!([keys] tx => tx.file_orphans(keys).await))
        .await;
    orphans.sort();
    assert_eq!(orphans, [one, two]);
    assert_eq!(
        world
            .read(reading!([] tx => tx.file_orphans(&[]).await))
            .await,
        []
    );
}

pub(super) async fn the_newest_are_of_whichever_team(world: &World) {
    let (scene, other) = (world.scene().await, world.scene().await);
    let newest = async |count: u32| {
        world
            .read(reading!([count] tx => tx.file_newest(*count).await))
            .await
    };
    let one = upload(world, &scene, &scene.list, "a").await.key;
    let two = upload(world, &other, &other.list, "b").await.key;
    let three = upload(world, &scene, &scene.list, "c").await.key;
    assert_eq!(newest(2).await, [three, two]);
    assert_eq!(newest(3).await, [three, two, one]);
}
