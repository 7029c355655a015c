//! A sign of life of the server, asked for on a connection that is for nothing else.
//!
//! A server of which nothing is heard is known soon only by a question that is answered at once whenever the server
//! is there. A unit of work is none: it may wait for a connection, a lock, or the disk, on a server that has much to do
//! and is well. So this is asked beside them, waits for none of them, and reads and writes nothing.

use std::time::Duration;

use tokio::{sync::Mutex, time::timeout};
use tokio_postgres::Client;

use super::hosts::Hosts;

/// How long the server may take for it.
const SIGN_TIME: Duration = Duration::from_secs(3);

/// The connection, once there is one.
pub(super) struct Sign {
    hosts: Hosts,
    connect_time: Duration,
    client: Mutex<Option<Client>>,
}

impl Sign {
    pub(super) fn new(hosts: Hosts, connect_time: Duration) -> Self {
        Self {
            hosts,
            connect_time,
            client: Mutex::new(None),
        }
    }

    /// Whether anything is heard of the server. That it refuses counts as well: whether it can be worked with is what
    /// units find out, without waiting long.
    pub(super) async fn is_given(&self) -> bool {
        let mut kept = self.client.lock().await;
        let client = match kept.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => match timeout(self.connect_time, self.hosts.connect()).await {
                Ok(Ok((client, connection))) => {
                    // It ends with the client.
                    tokio::spawn(async move {
                        if let Err(error) = connection.await {
                            tracing::debug!(%error, "the connection for signs of life ended");
                        }
                    });
                    client
                }
                Ok(Err(_)) => return true,
                Err(_) => return false,
            },
        };
        let heard = timeout(SIGN_TIME, client.batch_execute("")).await.is_ok();
        // One on which nothing was heard may be dead for good.
        *kept = heard.then_some(client);
        heard
    }

    /// Lets the connection go.
    pub(super) async fn end(&self) {
        *self.client.lock().await = None;
    }
}
