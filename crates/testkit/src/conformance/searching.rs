//! Checklists by a part of their name.

use domain::{ChecklistFilter, ChecklistId};
use store::{ChecklistQuery, Page};

use crate::{Scene, World, reading};

async fn by_name(world: &World, scene: &Scene, name: &str) -> Vec<ChecklistId> {
    let query = ChecklistQuery {
        team: scene.team,
        template: scene.template.key,
        key: None,
        name: Some(name.to_owned()),
        status: ChecklistFilter::All,
        now: world.now(),
        page: Page {
            number: 1,
            size: 100,
        },
    };
    world
        .read(reading!([query] tx => tx.checklist_page(query).await))
        .await
}

pub(super) async fn a_name_is_searched_whatever_its_case(world: &World) {
    let scene = world.scene().await;
    let made = world.checklist(&scene, "Order for ACME Ltd").await.head.id;
    for part in ["acme", "ACME", "Acme", "order FOR acme ltd", "ER F"] {
        assert_eq!(by_name(world, &scene, part).await, [made], "{part:?}");
    }
    assert_eq!(by_name(world, &scene, "acme inc").await, []);
    assert_eq!(
        by_name(world, &scene, "o").await,
        [made, scene.list.head.id]
    );
}

pub(super) async fn case_is_passed_over_beyond_ascii_as_well(world: &World) {
    let scene = world.scene().await;
    let made = world.checklist(&scene, "Ölwechsel für Žofie").await.head.id;
    for part in ["ölwechsel", "ÖLWECHSEL", "FÜR", "žofie"] {
        assert_eq!(by_name(world, &scene, part).await, [made], "{part:?}");
    }
}

pub(super) async fn signs_of_a_pattern_are_plain_characters_in_a_search(world: &World) {
    let scene = world.scene().await;
    let percent = world.checklist(&scene, "100% done").await.head.id;
    let under = world.checklist(&scene, "snake_case").await.head.id;
    let back = world.checklist(&scene, r"C:\temp").await.head.id;
    let other = world.checklist(&scene, "a*b?[c]").await.head.id;
    let cases = [
        ("%", vec![percent]),
        ("0% D", vec![percent]),
        ("_", vec![under]),
        ("e_c", vec![under]),
        (r"\", vec![back]),
        (r":\t", vec![back]),
        ("*", vec![other]),
        ("?", vec![other]),
        ("[c]", vec![other]),
        ("100%done", vec![]),
        ("snake%case", vec![]),
        ("'; --", vec![]),
    ];
    for (part, expected) in cases {
        assert_eq!(by_name(world, &scene, part).await, expected, "{part:?}");
    }
}
