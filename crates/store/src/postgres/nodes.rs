//! The nodes on one database: each says that it is alive, knows how many are, and tells the others of what
//! is due and it does not send itself.
//!
//! That a node is alive decides two things: into how many parts the bound of each subscription goes, and
//! whose leases a node that starts may end at once. Neither needs to be exact: leases of a node that was
//! wrongly held for dead settle nothing, and those of one wrongly held for alive lapse.

use std::{
    future::poll_fn,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use domain::NodeId;
use tokio::{
    sync::Notify,
    task::JoinSet,
    time::{self, timeout},
};
use tokio_postgres::AsyncMessage;

use super::{
    LeaseClock, Shared,
    fault::{Fault, meaning},
    tx::ANSWER_TIME,
};
use crate::{Lanes, StoreError, identifiers::earliest_id};

/// How often a node says that it is alive.
const BEAT: Duration = Duration::from_secs(2);
/// How long after it last said so a node counts as alive.
pub(super) const ALIVE: &str = "10 s";
/// Least time between two tellings of what is due.
const TELL_PAUSE: Duration = Duration::from_millis(20);
/// How long after a loss of its connection a node listens again.
const LISTEN_PAUSE: Duration = Duration::from_secs(1);
/// How often a node that listens asks whether the server is still there.
const LISTEN_ASK: Duration = Duration::from_secs(10);
/// For how long a delivery waits to be sent or read before it is given its sequence all the same.
const NUMBERED_AFTER: Duration = Duration::from_secs(2);
/// The channel on which nodes tell each other.
const CHANNEL: &str = "checkflow_due";

/// What this node knows of the others.
#[derive(Default)]
pub(super) struct Nodes {
    due: Notify,
    /// How many are alive, this one included; none before that was asked.
    alive: AtomicU32,
}

impl Nodes {
    /// Something is due that another node may send sooner.
    pub(super) fn tell(&self) {
        if self.alive.load(Ordering::Relaxed) != 1 {
            self.due.notify_one();
        }
    }
}

/// Starts what a node does for the others and hears of them, for as long as the set lives.
pub(super) fn join(shared: &Arc<Shared>, lanes: &Arc<dyn Lanes>, tasks: &mut JoinSet<()>) {
    tasks.spawn(beat(shared.clone(), lanes.clone()));
    // Behind a pooler, what is listened for would be told to whoever has the connection then.
    if !shared.core.pooled {
        tasks.spawn(listen(shared.clone(), lanes.clone()));
    }
}

/// Tells the others whenever something is due that this node does not send itself.
pub(super) async fn tell(shared: Arc<Shared>) {
    loop {
        shared.nodes.due.notified().await;
        let told = shared
            .core
            .beside(async |tx| {
                let sql = "SELECT pg_notify($1, '')";
                tx.first(sql, &[&CHANNEL], |_| Ok(())).await
            })
            .await;
        if let Err(error) = told {
            // They look by the clock as well.
            tracing::debug!(%error, "other nodes could not be told of what is due");
        }
        time::sleep(TELL_PAUSE).await;
    }
}

/// Says again and again that this node is alive, and asks how many are.
async fn beat(shared: Arc<Shared>, lanes: Arc<dyn Lanes>) {
    let mut beats = time::interval(BEAT);
    beats.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut silent = false;
    loop {
        beats.tick().await;
        match alive(&shared, lanes.node()).await {
            Ok(alive) => {
                silent = false;
                shared.nodes.alive.store(alive, Ordering::Relaxed);
                lanes.nodes(alive);
            }
            // That the database is away is told by whoever looks after it.
            Err(error) if silent || error.is_away() => {
                tracing::debug!(%error, "this node can't say that it is alive");
            }
            Err(error) => {
                silent = true;
                tracing::warn!(%error, "this node can't say that it is alive");
            }
        }
        // What is neither sent nor read for a while, such as that of a paused subscription, is numbered by the
        // way, so that whoever reads it later does not wait for a million numbers.
        let settled = earliest_id(shared.core.source.now().before(NUMBERED_AFTER));
        if let Err(error) = shared.core.number(settled).await {
            tracing::debug!(%error, "what is not sent was not numbered; the next reading does it");
        }
    }
}

async fn alive(shared: &Shared, node: NodeId) -> Result<u32, StoreError> {
    let sql = "INSERT INTO node (id, seen_at) VALUES ($1, clock_timestamp())
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let gone = "DELETE FROM node WHERE seen_at < clock_timestamp() - interval '1 day'";
    let count =
        format!("SELECT count(*) FROM node WHERE seen_at > clock_timestamp() - interval '{ALIVE}'");
    let measures = shared.core.lease_clock == LeaseClock::Database;
    let alive = shared
        .core
        .beside(async |tx| {
            if measures {
                tx.measure().await?;
            }
            tx.run(sql, &[&node.uuid()]).await?;
            tx.run(gone, &[]).await?;
            tx.one(&count, &[], |row| Ok(row.try_get::<_, i64>(0)?))
                .await
        })
        .await?;
    Ok(u32::try_from(alive).unwrap_or(u32::MAX))
}

/// A node that stops is not waited for.
pub(super) async fn leave(shared: &Shared, node: NodeId) -> Result<(), StoreError> {
    let sql = "DELETE FROM node WHERE id = $1";
    let left = async |tx: &mut super::tx::Tx<'_, ()>| tx.run(sql, &[&node.uuid()]).await;
    shared.core.beside(left).await.map(|_| ())
}

/// Has the lanes look at the table whenever another node tells of what is due.
async fn listen(shared: Arc<Shared>, lanes: Arc<dyn Lanes>) {
    loop {
        if let Err(error) = hear(&shared, &*lanes).await {
            tracing::debug!(%error, "other nodes are not heard; the clock says when to look");
        }
        time::sleep(LISTEN_PAUSE).await;
    }
}

async fn hear(shared: &Shared, lanes: &dyn Lanes) -> Result<(), StoreError> {
    let connecting = timeout(ANSWER_TIME, shared.hosts.connect());
    let connected = connecting.await.map_err(|_| Fault::Silent(ANSWER_TIME))?;
    let (client, mut connection) = connected.map_err(meaning)?;
    let listening = async {
        let mut command = format!("LISTEN {CHANNEL}");
        loop {
            let done = timeout(ANSWER_TIME, client.batch_execute(&command)).await;
            done.map_err(|_| Fault::Silent(ANSWER_TIME))?
                .map_err(meaning)?;
            if !command.is_empty() {
                // What was told before is not heard.
                lanes.wake();
                command.clear();
            }
            // Whether the server is still there is known by asking it; the next command asks nothing else.
            time::sleep(LISTEN_ASK).await;
        }
    };
    // The connection has to be driven for a command to come to its end, and after it for what is told.
    let hearing = async {
        loop {
            match poll_fn(|context| connection.poll_message(context)).await {
                Some(Ok(AsyncMessage::Notification(_))) => lanes.wake(),
                Some(Ok(_)) => {}
                Some(Err(error)) => return Err(meaning(error)),
                None => return Ok(()),
            }
        }
    };
    tokio::select! {
        ended = listening => ended,
        ended = hearing => ended,
    }
}
