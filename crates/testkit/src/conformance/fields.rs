//! What the controls of a checklist hold, and how much of it is loaded.

use domain::{FieldId, FieldState};
use store::Fields;

use crate::{Scene, World, reading, writing};

pub(super) async fn a_value_is_stored_replaced_and_removed(world: &World) {
    let scene = world.scene().await;
    let field = FieldId::of(scene.list.head.id, Scene::NUMBER);
    for value in ["INV-1", "INV-2 with 'quotes', ünïcode\nand\tmore", ""] {
        let text = value.to_owned();
        world
            .write(writing!([field, text] tx => tx.field_put(*field, text).await))
            .await;
        let stored = world.stored(scene.team, scene.list.head.id).await;
        let expected = (!value.is_empty()).then(|| {
            (
                Scene::NUMBER,
                FieldState {
                    value: text.clone(),
                    files: Vec::new(),
                },
            )
        });
        assert_eq!(stored.fields.into_iter().next(), expected);
    }
}

pub(super) async fn as_much_of_the_fields_is_loaded_as_was_asked_for(world: &World) {
    let scene = world.scene().await;
    let (team, id) = (scene.team, scene.list.head.id);
    for place in [Scene::NUMBER, Scene::DECISION] {
        let field = FieldId::of(id, place);
        world
            .write(writing!([field] tx => tx.field_put(*field, "Approve").await))
            .await;
    }
    let other = world.checklist(&scene, "Other").await;
    let field = FieldId::of(other.head.id, Scene::NUMBER);
    world
        .write(writing!([field] tx => tx.field_put(*field, "other").await))
        .await;
    let cases = [
        (Fields::None, vec![]),
        (Fields::OfTask(Scene::RECEIVE), vec![Scene::NUMBER]),
        (Fields::OfTask(Scene::HEADING), vec![]),
        (Fields::OfTask(Scene::APPROVE), vec![Scene::DECISION]),
        (Fields::OfTask(Scene::PAY), vec![]),
        (Fields::At(Scene::NUMBER), vec![Scene::NUMBER]),
        (Fields::At(Scene::DECISION), vec![Scene::DECISION]),
        (Fields::At(usize::MAX), vec![]),
        (Fields::All, vec![Scene::NUMBER, Scene::DECISION]),
    ];
    for (fields, places) in cases {
        let look = reading!([team, id, fields] tx => tx.checklist_get(*team, *id, *fields).await);
        let list = world.read(look).await.expect("the checklist is there");
        assert_eq!(
            list.fields.into_keys().collect::<Vec<_>>(),
            places,
            "{fields:?}"
        );
    }
}

pub(super) async fn what_rules_look_at_is_loaded_whatever_was_asked_for(world: &World) {
    let team = world.team("Red").await;
    let control = |name: &str| serde_json::json!({"type": "ShortText", "name": name});
    let task = |name: &str, controls: [&str; 2]| serde_json::json!({"name": name, "controls": controls.map(control)});
    let document = serde_json::json!({
        "name": "Rules",
        "tasks": [task("A", ["a", "b"]), task("B", ["c", "d"]), task("C", ["e", "f"]), {"name": "D"}],
        "conditions": [{"when": [{"control": "c", "operator": "isFilled"}], "hide": ["D"]}],
    });
    let document = serde_json::from_value(document).expect("a template document");
    let (version, template) = world.template(team, None, document).await;
    let seed = crate::SeedChecklist {
        team,
        version,
        template,
        name: "One".to_owned(),
        source: world.source.clone(),
    };
    let list = world.store.write(seed).await.expect("a checklist is made");
    let id = list.head.id;
    for place in 0..6 {
        let field = FieldId::of(id, place);
        world
            .write(writing!([field] tx => tx.field_put(*field, "x").await))
            .await;
    }
    // Once as it is first read, and once as it is read when its edition is known.
    for _ in 0..2 {
        for (fields, places) in [
            (Fields::None, vec![2]),
            (Fields::OfTask(0), vec![0, 1, 2]),
            (Fields::OfTask(3), vec![2]),
            (Fields::At(4), vec![2, 3, 4]),
        ] {
            let look =
                reading!([team, id, fields] tx => tx.checklist_get(*team, *id, *fields).await);
            let list = world.read(look).await.expect("the checklist is there");
            assert!(list.hidden().task(3), "{fields:?}");
            assert_eq!(
                list.fields.into_keys().collect::<Vec<_>>(),
                places,
                "{fields:?}"
            );
        }
    }
}
