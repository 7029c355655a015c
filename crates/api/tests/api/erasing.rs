//! Erasing what was told of a checklist.

use serde_json::{Value, json};

use crate::harness::{Server, text};

async fn deliveries(server: &Server, list: &Value) -> Vec<Value> {
    let path = format!(
        "/api/web-hook/deliveries?checklistId={}",
        list["checklistId"]
    );
    let page = server.get(&path).answer().await.ok();
    page["items"].as_array().unwrap().clone()
}

#[tokio::test]
async fn what_was_told_of_a_checklist_is_erased_and_of_others_is_not() {
    let server = Server::start().await;
    let template = server.template().await;
    let key = text(&template["templateKey"]);
    for path in ["one", "two"] {
        let asked = format!(
            "/api/web-hook/subscribe?source=custom&eventType=new_checklist&templateKey={key}\
             &targetUrl=https%3A%2F%2Fexample.com%2F{path}"
        );
        server.post(&asked).answer().await.ok();
    }
    let erased_list = server.checklist(&template).await;
    let kept_list = server.checklist(&template).await;
    let erase = format!(
        "/api/web-hook/erase?checklistId={}",
        erased_list["checklistId"]
    );
    let expected = json!({ "bodies": 1, "answers": 0, "cancelled": 2, "beingSent": 0 });
    assert_eq!(server.post(&erase).answer().await.ok(), expected);
    let nothing = json!({ "bodies": 0, "answers": 0, "cancelled": 0, "beingSent": 0 });
    assert_eq!(server.post(&erase).answer().await.ok(), nothing, "again");
    let rows = deliveries(&server, &erased_list).await;
    assert_eq!(rows.len(), 2);
    for row in rows {
        assert_eq!(row["state"], "cancelled");
        assert!(text(&row["reason"]).contains("erased by"), "{row}");
        let id = text(&row["deliveryId"]);
        let path = format!("/api/web-hook/delivery?deliveryId={id}");
        let whole = server.get(&path).answer().await.ok();
        assert_eq!(whole["requestBody"], Value::Null);
        let again = format!("/api/web-hook/redeliver?deliveryId={id}");
        let problem = server.post(&again).answer().await.problem();
        assert_eq!(problem["code"], "delivery_body_gone");
    }
    let rows = deliveries(&server, &kept_list).await;
    assert!(rows.iter().all(|row| row["state"] == "waiting"));
    let unknown = "/api/web-hook/erase?checklistId=987654";
    let problem = server.post(unknown).answer().await.problem();
    assert_eq!(problem["code"], "checklist_missing");
}
