//! A load without an end: each connection makes a checklist, completes its tasks, and makes the next.
//!
//! For scenarios that last as long as they last, whose checklists cannot be made before. Only the
//! completions are events that are waited for.

use std::{net::SocketAddr, sync::Arc, time::Instant};

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{
    api::Api,
    drive::{Asking, Sends, Sent, exchange},
    stage::{CONNECTIONS, Stage},
};

/// What every connection does.
struct Work {
    asking: Asking,
    address: SocketAddr,
    key: String,
    template: String,
    stop: CancellationToken,
}

/// Loads the stage's server until `stop`, or until every connection has broken.
pub(crate) fn steady(
    stage: &Stage,
    stop: CancellationToken,
) -> impl Future<Output = anyhow::Result<Sends>> + use<> {
    let work = Arc::new(Work {
        asking: stage.asking(),
        address: stage.server.address,
        key: stage.key.clone(),
        template: stage.template.key.clone(),
        stop,
    });
    // Nothing of the stage is borrowed: its server may be killed meanwhile.
    async move {
        let mut senders = JoinSet::new();
        for _ in 0..CONNECTIONS {
            let work = work.clone();
            senders.spawn(async move { work.send().await });
        }
        let mut all = Sends::default();
        while let Some(sends) = senders.join_next().await {
            all.add(sends?);
        }
        Ok(all)
    }
}

impl Work {
    async fn send(&self) -> Sends {
        let mut sends = Sends::default();
        if let Err(error) = self.send_all(&mut sends).await {
            sends.broken.push(format!("{error:#}"));
        }
        sends
    }

    async fn send_all(&self, sends: &mut Sends) -> anyhow::Result<()> {
        let mut api = Api::connect(self.address, &self.key).await?;
        while !self.stop.is_cancelled() {
            let tasks = api.checklist(&self.template, "Steady").await?;
            for (number, task) in tasks.into_iter().enumerate() {
                let sent = Sent {
                    number,
                    task,
                    at: Instant::now(),
                    accepted: false,
                };
                exchange(&self.asking, &mut api.wire, sent, sends).await?;
            }
        }
        Ok(())
    }
}
