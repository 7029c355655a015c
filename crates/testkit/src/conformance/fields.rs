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
