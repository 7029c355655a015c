//! The way to the database breaks, or there are several.

use std::{net::SocketAddr, sync::Arc};

use domain::TeamId;
use store::{Store, StoreError};
use testkit::{PostgresServer, Proxy, Refused, reading, test_source, writing};

use tokio::sync::Barrier;

use crate::{CONNECTIONS, OnPostgres, on_server};

const TEAM: TeamId = TeamId::new(1);

/// A store that reaches its database through a proxy.
async fn behind_a_proxy(database: &OnPostgres) -> (Store, Arc<Proxy>) {
    let port = PostgresServer::of_this_process().port();
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port))).await;
    let url = database.database.url();
    let url = url.replace(&port.to_string(), &proxy.address().port().to_string());
    let (source, _) = test_source();
    (
        on_server(url, database.lease_clock, source).await,
        Arc::new(proxy),
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_without_an_answer_is_told_to_be_neither_done_nor_undone() {
    let database = OnPostgres::new();
    let (store, proxy) = behind_a_proxy(&database).await;
    let kept = writing!([proxy] tx => {
        let found = tx.team_get(TEAM).await?;
        proxy.cut();
        Ok::<_, StoreError>(found.is_some())
    });
    let told = store.write(kept).await;
    assert!(matches!(told, Err(StoreError::Unsure(_))), "{told:?}");

    proxy.mend();
    let refused = writing!([proxy] tx => {
        tx.team_get(TEAM).await?;
        proxy.cut();
        Err::<(), _>(Refused::Because("no"))
    });
    let told = store.write(refused).await;
    let undone = matches!(told, Err(Refused::Store(StoreError::Unavailable(_))));
    assert!(undone, "what is refused is not done for sure: {told:?}");

    proxy.mend();
    let read = reading!([proxy] tx => {
        let found = tx.team_get(TEAM).await?;
        proxy.cut();
        Ok::<_, StoreError>(found.is_some())
    });
    let told = store.read(read).await;
    let away = matches!(told, Err(StoreError::Unavailable(_)));
    assert!(away, "a reading changes nothing: {told:?}");

    proxy.mend();
    let read = reading!([] tx => tx.team_get(TEAM).await);
    assert!(store.read(read).await.is_ok(), "it is back");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_told_from_having_much_to_do() {
    let database = OnPostgres::new();
    let (store, proxy) = behind_a_proxy(&database).await;
    assert!(store.gives_sign().await);
    // Every connection for units is in use.
    let gate = Arc::new(Barrier::new(CONNECTIONS + 1));
    let units: Vec<_> = (0..CONNECTIONS)
        .map(|_| {
            let (store, gate) = (store.clone(), gate.clone());
            tokio::spawn(async move {
                let held = reading!([gate] tx => {
                    let found = tx.team_get(TEAM).await;
                    gate.wait().await;
                    gate.wait().await;
                    found
                });
                store.read(held).await
            })
        })
        .collect();
    gate.wait().await;
    assert!(store.gives_sign().await, "it has much to do, and is there");
    gate.wait().await;
    for unit in units {
        assert!(unit.await.unwrap().is_ok());
    }

    proxy.silence();
    assert!(!store.gives_sign().await, "nothing is heard of it");
    proxy.mend();
    assert!(store.gives_sign().await, "it is heard again");
    proxy.cut();
    assert!(store.gives_sign().await, "that it refuses is a sign, too");
    store.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_host_that_says_nothing_is_passed_over() {
    let database = OnPostgres::new();
    let port = PostgresServer::of_this_process().port();
    let silent = Proxy::start(SocketAddr::from(([127, 0, 0, 1], port))).await;
    silent.silence();
    let both = format!("{},127.0.0.1:{port}", silent.address());
    let url = database.database.url();
    let url = url.replace(&format!("127.0.0.1:{port}"), &both);
    let (source, _) = test_source();
    let store = on_server(url, database.lease_clock, source).await;
    let read = reading!([] tx => tx.team_get(TEAM).await);
    assert!(store.read(read).await.is_ok());
    store.stop().await;
}
