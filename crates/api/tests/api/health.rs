//! Health, reasons, the log of events and the notices, as a client sees them.

use std::time::Duration;

use domain::{Notice, NoticeId, NoticeKind, StateCode, SubscriptionId, TeamId};
use serde_json::{Value, json};
use store::{StandChange, StoreError, Write, WriteTx};

use crate::harness::{NOBODY, Server, errors, text};

/// Puts a subscription where the engine would have, and tells of it.
struct Pause(TeamId, SubscriptionId, domain::Source);

impl Write for Pause {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let now = self.2.now();
        let change = StandChange {
            code: StateCode::PausedBySystem,
            reason: "nothing but failures".to_owned(),
            by: "system".to_owned(),
            at: now,
            probe_at: Some(now.after(Duration::from_hours(1))),
        };
        tx.stand_put(self.1, &change).await?;
        for kind in [NoticeKind::Warned, NoticeKind::Paused] {
            let notice = Notice {
                id: NoticeId::new(self.2.uuid()),
                team: self.0,
                kind,
                subscription: self.1,
                text: "nothing but failures".to_owned(),
                code: StateCode::PausedBySystem,
                at: now,
                seen_at: None,
            };
            tx.notice_insert(&notice).await?;
        }
        Ok(())
    }
}

async fn get(server: &Server, path: &str) -> Value {
    let path = format!("/api/web-hook/{path}");
    server.get(&path).answer().await.ok()
}

/// A server with a subscription to new checklists, after one that nobody wanted and one that it gets.
async fn server() -> (Server, Value) {
    let server = Server::start().await;
    let template = server.template().await;
    server.checklist(&template).await;
    let key = text(&template["templateKey"]);
    let path = format!(
        "/api/web-hook/subscribe?source=x&targetUrl=https://example.com/in&eventType=new_checklist&templateKey={key}"
    );
    let subscription = server.post(&path).answer().await.ok();
    server.checklist(&template).await;
    (server, subscription)
}

#[tokio::test]
async fn what_is_not_delivered_says_why_and_can_be_stopped() {
    let (server, subscription) = server().await;
    let id = text(&subscription["id"]);
    let due = get(&server, "deliveries?state=undelivered").await;
    assert_eq!(due["items"][0]["reasonCode"], "due");
    let team = server.team;
    let unit = Pause(team, id.parse().unwrap(), server.source.clone());
    server.store.write(unit).await.unwrap();
    let held = get(&server, "deliveries?state=undelivered").await;
    let row = &held["items"][0];
    assert_eq!(
        (&row["state"], &row["reasonCode"], &row["reason"]),
        (
            &json!("held"),
            &json!("paused_by_system"),
            &json!("nothing but failures")
        )
    );
    let health = get(&server, &format!("subscription-health?subscriptionId={id}")).await;
    assert_eq!(health["reasonCode"], "paused_by_system");
    assert_ne!(health["nextProbeDateTime"], Value::Null);
    assert_eq!(
        health["undelivered"]["counts"],
        json!([{"state": "held", "reasonCode": "paused_by_system", "count": 1}])
    );
    assert_eq!(health["undelivered"]["oldestDeliveryId"], row["deliveryId"]);
    let delivery = text(&row["deliveryId"]);
    let path = format!("/api/web-hook/cancel?deliveryId={delivery}");
    for _ in 0..2 {
        let stopped = server.post(&path).answer().await.ok();
        assert_eq!(stopped["reasonCode"], "cancelled_by_person");
    }
    let path = format!("/api/web-hook/cancel?deliveryId={NOBODY}");
    assert_eq!(
        server.post(&path).answer().await.problem()["code"],
        "delivery_missing"
    );
}

#[tokio::test]
async fn the_log_of_events_shows_what_nobody_wanted() {
    let (server, _) = server().await;
    let all = get(&server, "event-log?eventType=new_checklist").await;
    let rows = all["items"].as_array().unwrap();
    assert_eq!(rows.len(), 2);
    assert_eq!(
        rows[0]["deliveries"],
        json!([{"state": "waiting", "count": 1}])
    );
    let lost = get(&server, "event-log?unmatched=true").await;
    assert_eq!(lost["items"], json!([rows[1]]));
    assert_eq!(
        (&rows[1]["isMatched"], &rows[1]["deliveries"]),
        (&json!(false), &json!([]))
    );
    let event = text(&rows[0]["eventId"]);
    let one = get(&server, &format!("event?eventId={event}")).await;
    assert_eq!(one["items"][0]["eventId"], *event);
    let body: Value = serde_json::from_str(text(&one["requestBody"])).unwrap();
    assert_eq!(body["type"], "new_checklist");
    let page = get(&server, "event-log?limit=1").await;
    assert_eq!(page["nextCursor"], rows[0]["eventId"]);
    let missing = format!("/api/web-hook/event?eventId={NOBODY}");
    assert_eq!(
        server.get(&missing).answer().await.problem()["code"],
        "event_missing"
    );
}

#[tokio::test]
async fn notices_are_read_and_said_to_be_seen() {
    let (server, subscription) = server().await;
    let id = text(&subscription["id"]).parse().unwrap();
    let unit = Pause(server.team, id, server.source.clone());
    server.store.write(unit).await.unwrap();
    let found = get(&server, "notices?unseen=true").await;
    let kinds: Vec<&Value> = found["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|row| &row["kind"])
        .collect();
    assert_eq!(kinds, ["paused", "warned"]);
    let newest = text(&found["items"][0]["noticeId"]);
    let see = async |query: String| {
        let path = format!("/api/web-hook/notices/seen?{query}");
        server.post(&path).answer().await
    };
    assert_eq!(see(format!("noticeId={newest}")).await.ok()["seen"], 1);
    assert_eq!(see(format!("upTo={newest}")).await.ok()["seen"], 1);
    assert_eq!(
        get(&server, "notices?unseen=true").await["items"],
        json!([])
    );
    let both = see(format!("upTo={newest}&noticeId={newest}"))
        .await
        .problem();
    assert_eq!(
        errors(&both),
        ["noticeId can't be given together with upTo; leave one of them out"]
    );
    assert_eq!(errors(&see(String::new()).await.problem()).len(), 1);
}

#[tokio::test]
async fn events_about_subscriptions_are_subscribed_to_for_the_team_alone() {
    let (server, _) = server().await;
    let path = "/api/web-hook/subscribe?source=x&targetUrl=https://example.com/in&eventType=subscription_paused";
    let made = server.post(path).answer().await.ok();
    assert_eq!(made["scope"], "team");
    let same = server
        .post(&format!("{path}&scope=team"))
        .answer()
        .await
        .ok();
    assert_eq!((&same["id"], &same["isNew"]), (&made["id"], &json!(false)));
    let refused = server
        .post(&format!("{path}&templateKey={NOBODY}"))
        .answer()
        .await
        .problem();
    assert_eq!(refused["code"], "scope_invalid");
}

#[tokio::test]
async fn a_person_can_pause_what_the_system_has_paused() {
    let (server, subscription) = server().await;
    let id = text(&subscription["id"]);
    let pause = Pause(server.team, id.parse().unwrap(), server.source.clone());
    server.store.write(pause).await.unwrap();
    let path = format!("subscription-health?subscriptionId={id}");
    let before = get(&server, &path).await;
    assert_eq!(before["reasonCode"], "paused_by_system", "{before}");
    assert!(before["nextProbeDateTime"].is_string());
    let ask = format!("/api/web-hook/pause?subscriptionId={id}&reason=maintenance");
    let paused = server.post(&ask).answer().await.ok();
    assert_eq!(paused["stateReason"], "maintenance");
    let after = get(&server, &path).await;
    assert_eq!(
        (&after["reasonCode"], &after["nextProbeDateTime"]),
        (&json!("paused_by_person"), &Value::Null)
    );
    // And once a person did, the next one changes nothing.
    let again = format!("/api/web-hook/pause?subscriptionId={id}&reason=other");
    let again = server.post(&again).answer().await.ok();
    assert_eq!(again["stateReason"], "maintenance");
}
