//! Templates and their editions.

use std::sync::Arc;

use domain::{ControlKey, ControlType, TaskKey, TeamId, TemplateDocument, TemplateKey};
use serde_json::json;
use store::Named;

use crate::{World, document, invoice_review, reading, writing};

fn names<K>(named: &[Named<K>]) -> Vec<&str> {
    named.iter().map(|named| named.name.as_str()).collect()
}

fn plain(name: &str) -> TemplateDocument {
    document(json!({ "name": name, "tasks": [{ "name": "Do it" }] }))
}

/// The template without its second task and without its upload, its first task under a new name.
fn shortened(template: &domain::Template) -> TemplateDocument {
    let mut edited = template.to_document();
    edited.template_key = None;
    "Invoice review 2".clone_into(&mut edited.name);
    "Take the invoice in".clone_into(&mut edited.tasks[0].name);
    edited.tasks[0].controls.remove(1);
    edited.tasks.remove(3);
    edited
}

pub(super) async fn a_template_is_read_back_whole(world: &World) {
    let team = world.team("Blue").await;
    let every_kind = document(json!({ "name": "Häuser \"A\" & B", "tasks": [
        { "name": "All controls", "halt": "preceding", "controls": [
            { "type": "Text", "name": "Hint", "text": "Line one\nline two" },
            { "type": "ShortText", "name": "Number", "required": true, "pattern": "[A-Z]{2}\\d+" },
            { "type": "LongText", "name": "Story", "pattern": "(?s).+" },
            { "type": "DropDown", "name": "One", "options": ["b", "a", "ö"] },
            { "type": "MultiChoice", "name": "Some", "required": true, "options": ["x", "y"] },
            { "type": "Date", "name": "Day" },
            { "type": "Email", "name": "Mail" },
            { "type": "Website", "name": "Page" },
            { "type": "FileUpload", "name": "Files", "minFiles": 2, "maxFiles": 7 },
        ]},
        { "name": "Group", "heading": true },
        { "name": "Last", "halt": "task" },
    ]}));
    let (version, template) = world.template(team, None, every_kind).await;
    let key = template.key;
    let found = world
        .read(reading!([team, key] tx => tx.template_get(*team, *key).await))
        .await;
    let found = found.expect("the template is there");
    assert_eq!((found.team, found.version), (team, version));
    assert_eq!(found.template, template);
}

pub(super) async fn a_template_of_another_team_is_not_there(world: &World) {
    let (blue, red) = (world.team("Blue").await, world.team("Red").await);
    let (_, template) = world.template(blue, None, invoice_review()).await;
    let key = template.key;
    let (task, control) = (template.tasks[0].key, template.tasks[0].controls[0].key);
    let look = reading!([red, key, task, control] tx => Ok((
        tx.template_get(*red, *key).await?.is_some(),
        tx.template_list(*red, 10).await?.len(),
        tx.task_find(*red, *task).await?,
        tx.control_find(*red, *control).await?,
        tx.task_suggest(*red, 10).await?.len(),
        tx.control_suggest(*red, ControlType::ShortText, 10).await?.len(),
    )));
    assert_eq!(world.read(look).await, (false, 0, None, None, 0, 0));
    let key = TemplateKey::new(world.source.uuid());
    let look = reading!([blue, key] tx => Ok((
        tx.template_get(*blue, *key).await?.is_some(),
        tx.template_known_keys(*key).await?.tasks.len(),
        tx.template_known_keys(*key).await?.controls.len(),
    )));
    assert_eq!(
        world.read(look).await,
        (false, 0, 0),
        "nor one that was never made"
    );
}

pub(super) async fn templates_are_listed_by_name(world: &World) {
    let team = world.team("Blue").await;
    for name in ["Cellar", "Attic", "Door", "Balcony"] {
        world.template(team, None, plain(name)).await;
    }
    let list = world
        .read(reading!([team] tx => tx.template_list(*team, 3).await))
        .await;
    assert_eq!(names(&list), ["Attic", "Balcony", "Cellar"]);
    let (_, edited) = world
        .template(team, Some(list[0].key), plain("Eaves"))
        .await;
    let list = world
        .read(reading!([team] tx => tx.template_list(*team, 10).await))
        .await;
    assert_eq!(
        names(&list),
        ["Balcony", "Cellar", "Door", "Eaves"],
        "the newest name, once"
    );
    assert_eq!(list[3].key, edited.key);
    let other = world.team("Red").await;
    let count = reading!([team, other] tx => Ok((
        tx.template_count(*team).await?,
        tx.template_count(*other).await?,
    )));
    assert_eq!(
        world.read(count).await,
        (4, 0),
        "an edit is no other template"
    );
}

pub(super) async fn a_checklist_keeps_the_edition_it_was_made_from(world: &World) {
    let scene = world.scene().await;
    let (team, key, old) = (scene.team, scene.template.key, scene.template.clone());
    let (version, new) = world.template(team, Some(key), shortened(&old)).await;
    assert_ne!(version, scene.version);

    let newest = world
        .read(reading!([team, key] tx => tx.template_get(*team, *key).await))
        .await;
    let newest = newest.expect("the template is there");
    assert_eq!((newest.version, newest.template), (version, new));
    let running = world.stored(team, scene.list.head.id).await;
    assert_eq!(
        (running.head.version, running.template),
        (scene.version, old)
    );
    assert_eq!(running.tasks.len(), 4);
}

pub(super) async fn known_keys_are_those_of_any_edition(world: &World) {
    let scene = world.scene().await;
    let key = scene.template.key;
    let mut edited = shortened(&scene.template);
    edited.tasks.push(domain::TaskDocument {
        name: "New".to_owned(),
        ..Default::default()
    });
    let (_, new) = world.template(scene.team, Some(key), edited).await;
    world.template(scene.team, None, invoice_review()).await;

    let known = world
        .read(reading!([key] tx => tx.template_known_keys(*key).await))
        .await;
    let both = || scene.template.tasks.iter().chain(&new.tasks);
    let tasks = both().map(|task| task.key).collect();
    assert_eq!(known.tasks, tasks);
    let controls = both().flat_map(|task| &task.controls);
    let controls = controls.map(|control| (control.key, (control.id, control.kind.kind())));
    assert_eq!(known.controls, controls.collect());
}

pub(super) async fn what_an_edit_took_out_stays_findable(world: &World) {
    let scene = world.scene().await;
    let (team, old) = (scene.team, scene.template.clone());
    world.template(team, Some(old.key), shortened(&old)).await;

    let task =
        |key: TaskKey| world.read(reading!([team, key] tx => tx.task_find(*team, *key).await));
    let found = async |index: usize| task(old.tasks[index].key).await.expect("it is findable");
    let first = found(0).await;
    assert_eq!((first.template, first.heading), (old.key, false));
    assert_eq!(first.name, "Take the invoice in", "by the newest name");
    assert!(found(1).await.heading);
    assert_eq!(
        found(3).await.name,
        "Pay",
        "though it is in no newest edition"
    );
    assert_eq!(task(TaskKey::new(world.source.uuid())).await, None);

    let control = old.tasks[0].controls[1].key;
    let find = |key: ControlKey| {
        world.read(reading!([team, key] tx => tx.control_find(*team, *key).await))
    };
    let place = find(control).await.expect("it is findable");
    assert_eq!((place.template, place.task), (old.key, old.tasks[0].key));
    assert_eq!(
        (place.name.as_str(), place.kind),
        ("Scan", ControlType::FileUpload)
    );
    assert_eq!(find(ControlKey::new(world.source.uuid())).await, None);
}

pub(super) async fn suggestions_are_of_the_newest_editions_by_name(world: &World) {
    let scene = world.scene().await;
    let team = scene.team;
    world
        .template(team, Some(scene.template.key), shortened(&scene.template))
        .await;
    let more = document(
        json!({ "name": "More", "tasks": [{ "name": "Bring it back", "controls": [
            { "type": "ShortText", "name": "Cost centre" },
            { "type": "FileUpload", "name": "Photo" },
        ]}]}),
    );
    let (_, more) = world.template(team, None, more).await;

    let tasks = world
        .read(reading!([team] tx => tx.task_suggest(*team, 10).await))
        .await;
    assert_eq!(
        names(&tasks),
        ["Approve", "Bring it back", "Take the invoice in"]
    );
    assert_eq!(tasks[1].key, more.tasks[0].key);
    let first = world
        .read(reading!([team] tx => tx.task_suggest(*team, 1).await))
        .await;
    assert_eq!(first, tasks[..1]);

    let suggest = |kind: ControlType| {
        world.read(reading!([team, kind] tx => tx.control_suggest(*team, *kind, 10).await))
    };
    let texts = suggest(ControlType::ShortText).await;
    assert_eq!(names(&texts), ["Cost centre", "Invoice number"]);
    let uploads = suggest(ControlType::FileUpload).await;
    assert_eq!(names(&uploads), ["Photo"], "the other was taken out");
    assert_eq!(uploads[0].key, more.tasks[0].controls[1].key);
    assert_eq!(names(&suggest(ControlType::Email).await), [""; 0]);
}

pub(super) async fn a_number_for_a_control_is_given_once(world: &World) {
    let store = Arc::new(world.store.clone());
    let reserve = |count: u32| {
        let store = store.clone();
        tokio::spawn(async move {
            let unit: crate::Unit<_, _, store::StoreError> =
                writing!([count] tx => tx.control_ids_reserve(*count).await);
            (store.write(unit).await.expect("numbers"), count)
        })
    };
    let reserving: Vec<_> = [3, 1, 5, 2, 4, 7].map(reserve).into();
    let mut numbers = Vec::new();
    for reserved in reserving {
        let (first, count) = reserved.await.expect("the task ends");
        numbers.extend(first.get()..first.get() + i64::from(count));
    }
    assert_eq!(numbers.len(), 22);
    assert!(
        numbers.iter().all(|number| *number > 0),
        "0 stands for no number"
    );
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(
        numbers.len(),
        22,
        "nobody else gets a number that was set aside"
    );
}

pub(super) async fn a_control_keeps_its_number_across_editions(world: &World) {
    let scene = world.scene().await;
    let (_, new) = world
        .template(
            scene.team,
            Some(scene.template.key),
            shortened(&scene.template),
        )
        .await;
    let kept = &new.tasks[0].controls[0];
    assert_eq!(kept.id, scene.template.tasks[0].controls[0].id);
    let (team, key) = (scene.team, scene.template.key);
    let read = world
        .read(reading!([team, key] tx => tx.template_get(*team, *key).await))
        .await;
    let read: TeamId = read
        .as_ref()
        .map(|found| {
            assert_eq!(found.template.tasks[0].controls[0].id, kept.id);
            found.team
        })
        .expect("the template is there");
    assert_eq!(read, team);
}
