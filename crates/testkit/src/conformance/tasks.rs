//! Tasks of checklists: their state, the lists of them, and two people at once.

use domain::{Done, StatusChange, TaskId, TaskKey, TaskState, TaskStatus, TeamId};
use store::{Fields, Page};

use crate::{Refused, Scene, World, document, person, reading, writing};

/// The page of tasks with these filters that holds them all.
async fn tasks(
    world: &World,
    team: TeamId,
    key: Option<TaskKey>,
    status: Option<TaskStatus>,
) -> Vec<TaskId> {
    page(
        world,
        team,
        (key, status),
        Page {
            number: 1,
            size: 100,
        },
    )
    .await
}

async fn page(
    world: &World,
    team: TeamId,
    filter: (Option<TaskKey>, Option<TaskStatus>),
    page: Page,
) -> Vec<TaskId> {
    let look = reading!([team, filter, page] tx => {
        tx.task_page(*team, filter.0, filter.1, *page).await
    });
    world.read(look).await
}

/// A use case in small: sets a task's status by the rules.
async fn set(
    world: &World,
    team: TeamId,
    task: TaskId,
    status: TaskStatus,
) -> Result<StatusChange, Refused> {
    let done = Done {
        at: world.tick(),
        by: person("Ann"),
    };
    let unit = writing!([team, task, status, done] tx => {
        let list = tx.checklist_hold(*team, task.checklist(), Fields::OfTask(task.index())).await?;
        let mut list = list.ok_or(Refused::Because("no such checklist"))?;
        let change = list.set_status(task.index(), *status, done.clone());
        let change = change.map_err(|_| Refused::Because("the rules"))?;
        tx.task_put(*task, &list.tasks[task.index()]).await?;
        tx.checklist_end_put(task.checklist(), list.head.ended_at).await?;
        Ok(change)
    });
    world.attempt(unit).await
}

pub(super) async fn the_state_of_a_task_is_stored_with_who_and_when(world: &World) {
    let scene = world.scene().await;
    let id = scene.list.task_id(Scene::APPROVE);
    let mut by = person("Björn \"B\"");
    let states = [
        (TaskStatus::Complete, None, 1),
        (TaskStatus::Incomplete, None, 1),
        (
            TaskStatus::NotApplicable,
            Some("b@example.com".to_owned()),
            1,
        ),
        (TaskStatus::Complete, Some("b@example.com".to_owned()), 2),
    ];
    for (status, email, completions) in states {
        by.email = email;
        let done = Done {
            at: world.tick(),
            by: by.clone(),
        };
        let done = (status != TaskStatus::Incomplete).then_some(done);
        let state = TaskState {
            status,
            done,
            completions,
            due_at: None,
        };
        world
            .write(writing!([id, state] tx => tx.task_put(*id, state).await))
            .await;
        let stored = world.stored(scene.team, scene.list.head.id).await;
        assert_eq!(stored.tasks[Scene::APPROVE], state);
        let others = [Scene::RECEIVE, Scene::HEADING, Scene::PAY];
        assert!(
            others
                .iter()
                .all(|index| stored.tasks[*index] == TaskState::default())
        );
    }
}

pub(super) async fn a_due_date_by_hand_outlives_the_state_of_its_task(world: &World) {
    let scene = world.scene().await;
    let id = scene.list.task_id(Scene::APPROVE);
    let complete = TaskState {
        status: TaskStatus::Complete,
        done: Some(Done {
            at: world.tick(),
            by: person("Ann"),
        }),
        completions: 1,
        due_at: None,
    };
    for due_at in [Some(world.now()), None] {
        world
            .write(writing!([id, due_at, complete] tx => {
                tx.task_due_put(*id, *due_at).await?;
                tx.task_put(*id, complete).await
            }))
            .await;
        let stored = world.stored(scene.team, scene.list.head.id).await;
        let state = TaskState {
            due_at,
            ..complete.clone()
        };
        assert_eq!(stored.tasks[Scene::APPROVE], state);
        assert_eq!(stored.tasks[Scene::PAY], TaskState::default());
    }
    // Headings have no row.
    let heading = scene.list.task_id(Scene::HEADING);
    let due_at = Some(world.now());
    let unit = writing!([heading, due_at] tx => {
        tx.task_due_put(*heading, *due_at).await?;
        Ok(())
    });
    let refused: Result<(), Refused> = world.attempt(unit).await;
    assert!(refused.is_err());
}

pub(super) async fn the_end_time_is_stored_and_cleared(world: &World) {
    let scene = world.scene().await;
    let mut head = scene.list.head.clone();
    for ended_at in [Some(world.now()), None] {
        head.ended_at = ended_at;
        let id = head.id;
        world
            .write(writing!([id, ended_at] tx => tx.checklist_end_put(*id, *ended_at).await))
            .await;
        assert_eq!(world.stored(scene.team, head.id).await.head, head);
    }
}

pub(super) async fn tasks_are_listed_newest_checklist_first_without_headings(world: &World) {
    let scene = world.scene().await;
    let newer = world.checklist(&scene, "Newer").await;
    let of = |list: &domain::Checklist| {
        [Scene::RECEIVE, Scene::APPROVE, Scene::PAY].map(|index| list.task_id(index))
    };
    let all = [of(&newer), of(&scene.list)].concat();
    assert_eq!(tasks(world, scene.team, None, None).await, all);

    let mut seen = Vec::new();
    for (number, rows) in [(1, 4), (2, 2), (3, 0)] {
        let found = page(world, scene.team, (None, None), Page { number, size: 4 }).await;
        assert_eq!(found.len(), rows, "rows on page {number}");
        seen.extend(found);
    }
    assert_eq!(seen, all, "pages walk all, each once");
}

pub(super) async fn tasks_are_filtered_by_key_and_by_status(world: &World) {
    let scene = world.scene().await;
    let newer = world.checklist(&scene, "Newer").await;
    let task = |list: &domain::Checklist, index| list.task_id(index);
    let (old_approve, new_approve) = (
        task(&scene.list, Scene::APPROVE),
        task(&newer, Scene::APPROVE),
    );
    set(world, scene.team, old_approve, TaskStatus::Complete)
        .await
        .expect("it is free");
    set(world, scene.team, new_approve, TaskStatus::NotApplicable)
        .await
        .expect("it is free");

    let key = Some(scene.template.tasks[Scene::APPROVE].key);
    let found = async |key, status| tasks(world, scene.team, key, status).await;
    assert_eq!(found(key, None).await, [new_approve, old_approve]);
    assert_eq!(found(None, Some(TaskStatus::Complete)).await, [old_approve]);
    assert_eq!(
        found(key, Some(TaskStatus::NotApplicable)).await,
        [new_approve]
    );
    assert_eq!(found(key, Some(TaskStatus::Incomplete)).await, []);
    assert_eq!(found(None, Some(TaskStatus::Incomplete)).await.len(), 4);
    let heading = Some(scene.template.tasks[Scene::HEADING].key);
    assert_eq!(found(heading, None).await, [], "a heading is no task");
    let unknown = Some(TaskKey::new(world.source.uuid()));
    assert_eq!(found(unknown, None).await, []);
}

pub(super) async fn tasks_of_other_teams_and_of_archived_checklists_are_left_out(world: &World) {
    let scene = world.scene().await;
    let other = world.scene().await;
    let mut archived = world.unstored_checklist(&scene, "Archived").unstored();
    archived.head.archived_at = Some(world.now());
    world
        .write(writing!([archived] tx => tx.checklist_insert(archived).await))
        .await;

    let found = tasks(world, scene.team, None, None).await;
    assert_eq!(found.len(), 3);
    assert!(
        found
            .iter()
            .all(|task| task.checklist() == scene.list.head.id)
    );
    let theirs = Some(other.task());
    assert_eq!(
        tasks(world, scene.team, theirs, None).await,
        [],
        "nor by their key"
    );
}

pub(super) async fn two_at_once_completing_the_last_two_tasks_see_the_end(world: &World) {
    const ROUNDS: usize = 20;
    let team = world.team("Blue").await;
    let two = serde_json::json!({ "name": "Two", "tasks": [{ "name": "A" }, { "name": "B" }] });
    let (version, template) = world.template(team, None, document(two)).await;
    let mut scene = world.scene().await;
    (scene.team, scene.version, scene.template) = (team, version, template);
    for _ in 0..ROUNDS {
        let list = world.checklist(&scene, "Pair").await;
        let complete = |index| set(world, team, list.task_id(index), TaskStatus::Complete);
        let (one, other) = tokio::join!(complete(0), complete(1));
        assert_eq!(one.expect("it is free"), StatusChange::Completed);
        assert_eq!(other.expect("it is free"), StatusChange::Completed);
        let stored = world.stored(team, list.head.id).await;
        assert!(stored.tasks.iter().all(TaskState::is_done));
        assert!(
            stored.head.ended_at.is_some(),
            "one of them completed the last task"
        );
    }
}

pub(super) async fn two_at_once_completing_one_task_complete_it_once(world: &World) {
    let scene = world.scene().await;
    let task = scene.list.task_id(Scene::APPROVE);
    let complete = || set(world, scene.team, task, TaskStatus::Complete);
    let (one, other) = tokio::join!(complete(), complete());
    let mut changes = [one.expect("it is free"), other.expect("it is free")];
    changes.sort_by_key(|change| *change == StatusChange::Completed);
    assert_eq!(changes, [StatusChange::None, StatusChange::Completed]);
    let stored = world.stored(scene.team, scene.list.head.id).await;
    assert_eq!(stored.tasks[Scene::APPROVE].completions, 1);
}
