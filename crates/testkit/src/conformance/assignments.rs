//! Who is to do which task.

use domain::{
    Assigned, Assignee, AssigneeId, Colour, Group, GroupId, Member, MemberId, Role, TaskId,
    TaskState, TaskStatus, TeamId,
};
use store::AssignmentQuery;

use crate::{Scene, World, person, reading, writing};

async fn member(world: &World, team: TeamId, name: &str) -> Member {
    let member = Member {
        id: MemberId::new(0),
        team,
        name: name.to_owned(),
        email: format!("{name}@example.com"),
        role: Role::Member,
        created_at: world.tick(),
        deactivated_at: None,
    };
    let id = world
        .write(writing!([member] tx => tx.member_insert(member).await))
        .await;
    Member { id, ..member }
}

async fn group(world: &World, team: TeamId, name: &str) -> Group {
    let group = Group {
        id: GroupId::new(0),
        team,
        name: name.to_owned(),
        avatar: "AB".to_owned(),
        colour: Colour::default(),
        created_at: world.tick(),
        members: Vec::new(),
    };
    let id = world
        .write(writing!([group] tx => tx.group_insert(group).await))
        .await;
    Group { id, ..group }
}

fn of_member(member: &Member) -> Assignee {
    Assignee {
        id: AssigneeId::Member(member.id),
        name: member.name.clone(),
    }
}

fn of_group(group: &Group) -> Assignee {
    Assignee {
        id: AssigneeId::Group(group.id),
        name: group.name.clone(),
    }
}

fn assigned(exclusively: bool, to: &[Assignee]) -> Assigned {
    let to = to.to_vec();
    Assigned { exclusively, to }
}

async fn assign(world: &World, task: TaskId, to: Option<&Assigned>) {
    let to = to.cloned();
    world
        .write(writing!([task, to] tx => tx.task_assign(*task, to.as_ref()).await))
        .await;
}

async fn list(
    world: &World,
    team: TeamId,
    to: AssigneeId,
    with_done: bool,
    limit: u32,
) -> Vec<(TaskId, Assigned)> {
    let query = AssignmentQuery {
        to,
        with_done,
        limit,
    };
    world
        .read(reading!([team, query] tx => tx.assignment_list(*team, query).await))
        .await
}

async fn two_checklists(world: &World) -> (Scene, TaskId, TaskId) {
    let scene = world.scene().await;
    let (first, second) = (
        world.checklist(&scene, "First").await,
        world.checklist(&scene, "Second").await,
    );
    let (first, second) = (first.task_id(0), second.task_id(0));
    (scene, first, second)
}

pub(super) async fn a_task_shows_whom_it_is_assigned_to_in_the_order_given(world: &World) {
    let (scene, task, other) = two_checklists(world).await;
    let zoe = member(world, scene.team, "Zoë \"Z\"").await;
    let ann = member(world, scene.team, "Ann").await;
    let crew = group(world, scene.team, "Crew").await;
    let both = assigned(false, &[of_member(&zoe), of_group(&crew), of_member(&ann)]);
    assign(world, task, Some(&both)).await;
    let stored = world.stored(scene.team, task.checklist()).await;
    assert_eq!(stored.assigned.get(&task.index()), Some(&both));
    assert_eq!(stored.assigned.len(), 1, "no other task of it");
    let elsewhere = world.stored(scene.team, other.checklist()).await;
    assert!(elsewhere.assigned.is_empty());
    let alone = assigned(true, &[of_group(&crew)]);
    assign(world, task, Some(&alone)).await;
    let stored = world.stored(scene.team, task.checklist()).await;
    assert_eq!(stored.assigned.get(&task.index()), Some(&alone));
    assign(world, task, None).await;
    let stored = world.stored(scene.team, task.checklist()).await;
    assert!(stored.assigned.is_empty());
}

pub(super) async fn what_is_assigned_is_found_by_member_and_by_group(world: &World) {
    let (scene, first, second) = two_checklists(world).await;
    let ann = member(world, scene.team, "Ann").await;
    let crew = group(world, scene.team, "Crew").await;
    let both = assigned(false, &[of_member(&ann), of_group(&crew)]);
    let hers = assigned(true, &[of_member(&ann)]);
    assign(world, first, Some(&both)).await;
    assign(world, second, Some(&hers)).await;
    let (ann, crew) = (AssigneeId::Member(ann.id), AssigneeId::Group(crew.id));
    let team = scene.team;
    let newest_first = [(second, hers.clone()), (first, both.clone())];
    assert_eq!(list(world, team, ann, false, 10).await, newest_first);
    assert_eq!(list(world, team, ann, false, 1).await, newest_first[..1]);
    assert_eq!(list(world, team, crew, false, 10).await, newest_first[1..]);
    // A member with the number of a group is somebody else.
    let strange = AssigneeId::Member(MemberId::new(crew.number() + 1_000));
    assert!(list(world, team, strange, true, 10).await.is_empty());
    let done = TaskState {
        status: TaskStatus::NotApplicable,
        done: Some(domain::Done {
            at: world.tick(),
            by: person("Ann"),
        }),
        completions: 0,
        due_at: None,
    };
    world
        .write(writing!([second, done] tx => tx.task_put(*second, done).await))
        .await;
    assert_eq!(list(world, team, ann, false, 10).await, newest_first[1..]);
    assert_eq!(list(world, team, ann, true, 10).await, newest_first);
    let red = world.team("Red").await;
    assert!(list(world, red, ann, true, 10).await.is_empty());
}

pub(super) async fn names_are_those_of_now_and_stay_with_what_was_assigned(world: &World) {
    let (scene, task, _) = two_checklists(world).await;
    let ann = member(world, scene.team, "Ann").await;
    let crew = group(world, scene.team, "Crew").await;
    let both = assigned(false, &[of_member(&ann), of_group(&crew)]);
    assign(world, task, Some(&both)).await;
    let renamed = Member {
        name: "Anna".to_owned(),
        deactivated_at: Some(world.tick()),
        ..ann
    };
    let (id, at) = (crew.id, world.tick());
    world
        .write(writing!([renamed, id, at] tx => {
            tx.member_put(renamed).await?;
            tx.group_remove(*id, *at).await
        }))
        .await;
    let stored = world.stored(scene.team, task.checklist()).await;
    let now = assigned(false, &[of_member(&renamed), of_group(&crew)]);
    assert_eq!(stored.assigned.get(&task.index()), Some(&now));
}
