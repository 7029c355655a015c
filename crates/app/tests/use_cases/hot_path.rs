//! What completing a task costs the database, in statements. Beginning, savepoints and committing
//! are shared by a whole group of changes and not counted.

use crate::support::Bench;
use app::{
    AddMember, Caller, CreateChecklist, GroupWish, MakeGroup, ScopeKeys, SetAssignees,
    SetTaskStatus, Subscribe,
};
use domain::{AssigneeId, EventType, Role, TaskStatus, TemplateKey};
use serde_json::{Value, json};

/// Makes a template of ten plain tasks with so many subscriptions to it.
async fn template(bench: &Bench, subscriptions: usize) -> TemplateKey {
    template_with(bench, subscriptions, json!([])).await
}

/// The same with a text in the last task, and these conditions.
async fn template_with(bench: &Bench, subscriptions: usize, conditions: Value) -> TemplateKey {
    let mut tasks: Vec<_> = (0..10)
        .map(|n| json!({ "name": format!("Task {n}") }))
        .collect();
    tasks[9]["controls"] = json!([{ "type": "ShortText", "name": "Why" }]);
    let document = json!({ "name": "Ten", "tasks": tasks, "conditions": conditions });
    let made = bench.put_template(document);
    let template = made.await.template_key.unwrap();
    for n in 0..subscriptions {
        let ask = Subscribe {
            source: "bench".to_owned(),
            event_type: EventType::TaskCompleted,
            target_url: format!("http://127.0.0.1:9/hook/{n}"),
            keys: ScopeKeys {
                template: Some(template),
                ..ScopeKeys::default()
            },
            settings: domain::SettingsChange::default(),
            secret: None,
        };
        bench.app.subscribe(&bench.caller, ask).await.unwrap();
    }
    template
}

/// Statements that completing the second of ten tasks takes.
async fn completing_one(bench: &Bench, template: TemplateKey) -> u64 {
    completing(bench, template, &bench.caller, None).await
}

/// Statements that it takes `caller` to complete the second of ten tasks, if that is assigned so.
async fn completing(
    bench: &Bench,
    template: TemplateKey,
    caller: &Caller,
    assigned: Option<(Vec<AssigneeId>, bool)>,
) -> u64 {
    let create = CreateChecklist {
        template,
        name: "One".to_owned(),
    };
    let list = bench.app.change(&bench.caller, create).await.unwrap();
    let tasks = list.tasks.unwrap();
    let complete = |n: usize| SetTaskStatus {
        task: tasks[n].task_id,
        status: TaskStatus::Complete,
    };
    bench.app.change(&bench.caller, complete(0)).await.unwrap();
    if let Some((to, exclusively)) = assigned {
        let assign = SetAssignees {
            task: tasks[1].task_id,
            to,
            exclusively,
        };
        let row = bench.app.change(&bench.caller, assign).await.unwrap();
        assert!(!row.assignees.is_empty());
    }
    let before = bench.statements.get();
    bench.app.change(caller, complete(1)).await.unwrap();
    bench.statements.get() - before
}

#[tokio::test]
async fn a_task_that_is_assigned_takes_no_statement_more_and_a_member_who_acts_takes_one() {
    let bench = Bench::start().await;
    let template = template(&bench, 0).await;
    let member = AddMember {
        name: "Ann".to_owned(),
        email: "ann@example.com".to_owned(),
        role: Role::Member,
    };
    let member = bench.app.change(&bench.caller, member).await.unwrap();
    let id = member.member_id;
    let group = MakeGroup {
        name: "Crew".to_owned(),
        wish: GroupWish {
            members: Some(vec![id]),
            ..GroupWish::default()
        },
    };
    let group = bench.app.change(&bench.caller, group).await.unwrap();
    let (ann, crew) = (AssigneeId::Member(id), AssigneeId::Group(group.group_id));
    let by_ann = bench.caller.clone().acting_for(id, "modifiedByUserID");
    // Which groups a member is in is asked only where that decides.
    for (caller, assigned, expected) in [
        (&bench.caller, Some((vec![ann, crew], true)), 7),
        (&by_ann, None, 8),
        (&by_ann, Some((vec![crew], false)), 8),
        (&by_ann, Some((vec![ann], true)), 8),
        (&by_ann, Some((vec![crew], true)), 9),
    ] {
        let statements = completing(&bench, template, caller, assigned.clone()).await;
        assert_eq!(statements, expected, "{assigned:?}");
    }
    bench.store.stop().await;
}

#[tokio::test]
async fn completing_a_task_takes_seven_statements_and_two_for_each_subscription() {
    // The key; the checklist, its tasks; the task; who wants the event, the event; the audit log. Then for each subscription its number and its delivery.
    for (subscriptions, expected) in [(0, 7), (1, 9), (10, 27)] {
        let bench = Bench::start().await;
        let template = template(&bench, subscriptions).await;
        let statements = completing_one(&bench, template).await;
        assert_eq!(statements, expected, "with {subscriptions} subscriptions");
        bench.store.stop().await;
    }
}

#[tokio::test]
async fn rules_cost_the_two_statements_that_read_what_they_look_at() {
    let bench = Bench::start().await;
    let conditions = json!([{
        "when": [{ "control": "Why", "operator": "isFilled" }], "hide": ["Task 5"],
    }]);
    let template = template_with(&bench, 0, conditions).await;
    assert_eq!(completing_one(&bench, template).await, 9);
    bench.store.stop().await;
}
