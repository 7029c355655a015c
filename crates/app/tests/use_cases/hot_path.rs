//! What completing a task costs the database, in statements. Beginning, savepoints and committing
//! are shared by a whole group of changes and not counted.

use crate::support::Bench;
use app::{CreateChecklist, ScopeKeys, SetTaskStatus, Subscribe};
use domain::{EventType, TaskStatus, TemplateKey};
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
    let before = bench.statements.get();
    bench.app.change(&bench.caller, complete(1)).await.unwrap();
    bench.statements.get() - before
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
