//! What subscriptions wish for, from the store to the receiver.

use std::{
    collections::BTreeMap,
    io,
    sync::{Arc, Mutex},
};

use domain::{
    Authorization, Credentials, Payload, RequestSettings, Secret, Subscription,
    SubscriptionSettings, sign, thin, traceparent,
};
use store::{StoreError, SubscriptionChange, Write, WriteTx};
use tracing_subscriber::fmt::MakeWriter;

use super::*;

struct Wish {
    of: Subscription,
    request: RequestSettings,
    credentials: Credentials,
}

impl Write for Wish {
    type Done = ();
    type Error = StoreError;

    async fn run(&self, tx: &mut dyn WriteTx) -> Result<(), StoreError> {
        let change = SubscriptionChange {
            source: self.of.source.clone(),
            target: self.of.target.clone(),
            settings: SubscriptionSettings {
                request: self.request.clone(),
                ..self.of.settings.clone()
            },
        };
        assert!(tx.subscription_put(self.of.id, &change).await?);
        let put = tx.credentials_put(self.of.id, Some(&self.credentials));
        assert!(put.await?);
        Ok(())
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut lines = self.0.lock().expect("nobody panics with it");
        lines.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Lines {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

#[tokio::test]
async fn what_a_subscription_wishes_for_is_sent_signed_and_never_logged() {
    let lines = Lines::default();
    let logging = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(lines.clone())
        .finish();
    let _logging = tracing::subscriber::set_default(logging);
    let (bench, mut receiver) = (Bench::start().await, Receiver::start().await);
    let (subscription, secret) = bench.subscribe(&receiver.url).await;
    let wish = Wish {
        of: bench.subscription(subscription).await,
        request: RequestSettings {
            payload: Payload::Thin,
            traceparent: true,
            headers: vec!["x-key".to_owned()],
            authorization: Some(Authorization::Bearer),
            ..RequestSettings::default()
        },
        credentials: Credentials {
            headers: BTreeMap::from([("x-key".to_owned(), Secret::new("header-secret"))]),
            authorization: Some(Secret::new("token-secret")),
            ..Credentials::default()
        },
    };
    bench.store.write(wish).await.unwrap();
    let engine = bench.open_engine().await;
    let full =
        r#"{"type":"task_completed","timestamp":"now","data":{"taskId":7,"taskName":"Pay"}}"#;
    let event = bench.happen(full).await;
    let asked = receiver.asked().await;
    assert_eq!(asked.header("x-key"), "header-secret");
    assert_eq!(asked.header("authorization"), "Bearer token-secret");
    let delivery = bench.deliveries().await.remove(0).delivery_id;
    assert_eq!(asked.header("traceparent"), traceparent(event, delivery, 1));
    assert_eq!(asked.body().as_bytes(), thin(full.as_bytes()).unwrap());
    assert!(!asked.body().contains("Pay"), "{}", asked.body());
    let at = asked.header("webhook-timestamp").parse().unwrap();
    let expected = sign(&[secret], &event.to_string(), at, asked.body().as_bytes());
    assert_eq!(asked.header("webhook-signature"), expected);
    asked.answer("500 Internal Server Error");
    bench
        .until("it has failed", |all| all[0].last_status_code == Some(500))
        .await;
    engine.stop(SOON).await;
    let logged = String::from_utf8_lossy(&lines.0.lock().unwrap()).into_owned();
    assert!(logged.contains("an attempt failed"), "{logged}");
    assert!(!logged.contains("-secret"), "{logged}");
}
