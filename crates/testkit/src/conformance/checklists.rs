//! Checklists: making, finding and listing them.

use std::time::Duration;

use domain::{Checklist, ChecklistFilter, ChecklistId, ChecklistKey, Done, TaskState, TaskStatus};
use store::{ChecklistQuery, Fields, Page};

use crate::{Scene, World, invoice_review, person, reading, writing};

fn query(world: &World, scene: &Scene) -> ChecklistQuery {
    ChecklistQuery {
        team: scene.team,
        template: scene.template.key,
        key: None,
        name: None,
        status: ChecklistFilter::All,
        now: world.now(),
        page: Page {
            number: 1,
            size: 100,
        },
    }
}

async fn page(world: &World, query: &ChecklistQuery) -> Vec<ChecklistId> {
    let query = query.clone();
    world
        .read(reading!([query] tx => tx.checklist_page(query).await))
        .await
}

async fn insert(world: &World, list: Checklist) -> ChecklistId {
    world
        .write(writing!([list] tx => tx.checklist_insert(list).await))
        .await
}

pub(super) async fn a_checklist_is_read_back_whole(world: &World) {
    let scene = world.scene().await;
    let at = |seconds| world.now().after(Duration::from_secs(seconds));
    let mut list = world
        .unstored_checklist(&scene, "Rechnung \"17\" €")
        .unstored();
    list.head.created.by.email = Some("ann@example.com".to_owned());
    list.head.scheduled_at = Some(at(1));
    list.head.started_at = Some(at(2));
    list.head.archived_at = Some(at(4));
    let id = insert(world, list.clone()).await;
    let stored = world.stored(scene.team, id).await;
    list.head.id = id;
    assert_eq!(stored.head, list.head);
    assert_eq!(stored.template, scene.template);
    assert_eq!(stored.tasks, vec![TaskState::default(); 4]);
    assert!(stored.fields.is_empty());
}

pub(super) async fn a_checklist_gets_a_number_of_its_own(world: &World) {
    let scene = world.scene().await;
    let mut list = world.unstored_checklist(&scene, "Second").unstored();
    // The number of another one must neither be taken nor disturb that one.
    list.head.id = scene.list.head.id;
    let id = insert(world, list).await;
    assert_ne!(id, scene.list.head.id);
    assert_eq!(world.stored(scene.team, id).await.head.name, "Second");
    assert_eq!(
        world.stored(scene.team, scene.list.head.id).await.head.name,
        "Invoice 17"
    );
}

pub(super) async fn a_checklist_of_another_team_is_not_there(world: &World) {
    let scene = world.scene().await;
    let (red, id) = (world.team("Red").await, scene.list.head.id);
    let get = async |team, id| {
        let look = reading!([team, id] tx => tx.checklist_get(*team, *id, Fields::All).await);
        world.read(look).await.is_some()
    };
    assert!(get(scene.team, id).await);
    assert!(!get(red, id).await);
    assert!(
        !get(scene.team, ChecklistId::new(id.get() + 1_000)).await,
        "nor one never made"
    );
    let others = ChecklistQuery {
        team: red,
        ..query(world, &scene)
    };
    assert_eq!(page(world, &others).await, []);
}

pub(super) async fn checklists_are_listed_newest_first_page_by_page(world: &World) {
    let scene = world.scene().await;
    let mut made = vec![scene.list.head.id];
    for number in 2..=5 {
        made.push(
            world
                .checklist(&scene, &format!("Invoice {number}"))
                .await
                .head
                .id,
        );
    }
    made.reverse();
    let mut seen = Vec::new();
    for (number, rows) in [(1, 2), (2, 2), (3, 1), (4, 0)] {
        let found = ChecklistQuery {
            page: Page { number, size: 2 },
            ..query(world, &scene)
        };
        let found = page(world, &found).await;
        assert_eq!(found.len(), rows, "rows on page {number}");
        seen.extend(found);
    }
    assert_eq!(seen, made);
    assert_eq!(
        page(world, &query(world, &scene)).await,
        made,
        "and all on one page"
    );
}

pub(super) async fn a_list_is_about_one_template(world: &World) {
    let scene = world.scene().await;
    let (version, template) = world.template(scene.team, None, invoice_review()).await;
    let other = Scene {
        version,
        template,
        ..scene.clone()
    };
    let made = world.checklist(&other, "Other").await.head.id;
    assert_eq!(
        page(world, &query(world, &scene)).await,
        [scene.list.head.id]
    );
    assert_eq!(page(world, &query(world, &other)).await, [made]);

    // Editions of the same template are listed together.
    let key = scene.template.key;
    let (version, template) = world
        .template(scene.team, Some(key), invoice_review())
        .await;
    let newer = Scene {
        version,
        template,
        ..scene.clone()
    };
    let made = world.checklist(&newer, "Newer").await.head.id;
    assert_eq!(
        page(world, &query(world, &scene)).await,
        [made, scene.list.head.id]
    );
}

pub(super) async fn a_checklist_is_found_by_its_key(world: &World) {
    let scene = world.scene().await;
    let made = world.checklist(&scene, "Second").await;
    let with = |key| ChecklistQuery {
        key: Some(key),
        ..query(world, &scene)
    };
    assert_eq!(page(world, &with(made.head.key)).await, [made.head.id]);
    let unknown = ChecklistKey::new(world.source.uuid());
    assert_eq!(page(world, &with(unknown)).await, []);
}

pub(super) async fn a_list_is_filtered_by_how_its_checklists_stand(world: &World) {
    let scene = world.scene().await;
    let open = scene.list.head.id;
    let days = |days: u64| world.now().before(Duration::from_hours(24 * days));
    let mut list = world.unstored_checklist(&scene, "Later").unstored();
    list.head.started_at = None;
    list.head.scheduled_at = Some(world.now().after(Duration::from_hours(24)));
    let scheduled = insert(world, list).await;
    let mut ended = Vec::new();
    for ago in [1, 8] {
        let list = world.checklist(&scene, "Ended").await;
        let (id, mut head) = (list.task_id(Scene::PAY), list.head);
        head.ended_at = Some(days(ago));
        let done = Some(Done {
            at: days(ago),
            by: person("Ann"),
        });
        let state = TaskState {
            status: TaskStatus::NotApplicable,
            done,
            completions: 0,
            due_at: None,
        };
        world
            .write(writing!([id, state, head] tx => {
                tx.task_put(*id, state).await?;
                tx.checklist_end_put(head.id, head.ended_at).await
            }))
            .await;
        ended.push(head.id);
    }
    let found = async |status| {
        page(
            world,
            &ChecklistQuery {
                status,
                ..query(world, &scene)
            },
        )
        .await
    };
    assert_eq!(
        found(ChecklistFilter::All).await,
        [ended[1], ended[0], scheduled, open]
    );
    assert_eq!(found(ChecklistFilter::Scheduled).await, [scheduled]);
    assert_eq!(found(ChecklistFilter::Complete).await, [ended[1], ended[0]]);
    assert_eq!(found(ChecklistFilter::RecentlyComplete).await, [ended[0]]);
    let going = found(ChecklistFilter::InProgress).await;
    assert!(going.contains(&open) && !going.contains(&ended[0]) && !going.contains(&ended[1]));
}

pub(super) async fn filters_of_a_list_hold_together(world: &World) {
    let scene = world.scene().await;
    let wanted = world.checklist(&scene, "Order 1").await;
    let other = world.checklist(&scene, "Order 2").await;
    let both = ChecklistQuery {
        name: Some("order".to_owned()),
        key: Some(wanted.head.key),
        status: ChecklistFilter::InProgress,
        ..query(world, &scene)
    };
    assert_eq!(page(world, &both).await, [wanted.head.id]);
    let neither = ChecklistQuery {
        name: Some("2".to_owned()),
        ..both
    };
    assert_eq!(page(world, &neither).await, []);
    let second = ChecklistQuery {
        name: Some("order".to_owned()),
        page: Page { number: 2, size: 1 },
        ..query(world, &scene)
    };
    assert_eq!(
        page(world, &second).await,
        [wanted.head.id],
        "pages count what passes"
    );
    assert_ne!(other.head.id, wanted.head.id);
}

pub(super) async fn what_a_checklist_was_made_with_is_kept_for_its_team(world: &World) {
    let scene = world.scene().await;
    let other = world.team("Red").await;
    let (team, id) = (scene.team, scene.list.head.id);
    let look = |team| reading!([team, id] tx => tx.checklist_parameters(*team, *id).await);
    assert!(world.read(look(team)).await.is_empty());
    let values: domain::ParameterValues = [("Customer", "Acme \"ü\" & Co"), ("Day", "2026-11-25")]
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into();
    let kept = values.clone();
    world
        .write(writing!([id, kept] tx => tx.checklist_parameters_put(*id, kept).await))
        .await;
    assert_eq!(world.read(look(team)).await, values);
    assert!(world.read(look(other)).await.is_empty());
    assert_eq!(world.stored(team, id).await.head, scene.list.head);
}
