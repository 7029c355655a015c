//! The nodes on one database: each says that it is alive and which settings it was given, knows who else is, and
//! tells the others of what is due and it does not send itself.
//!
//! That a node is alive decides into how many parts the bound of each subscription goes, whose leases a node
//! that starts may end at once, and whether its settings are among those that have to be the same. None of it
//! needs to be exact: leases of a node that was wrongly held for dead settle nothing, those of one wrongly
//! held for alive lapse, and what is refused soon after others came is not refused for good.

use std::{
    future::poll_fn,
    sync::{
        Arc, Mutex, PoisonError,
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
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::{
    LeaseClock, Shared,
    fault::{Fault, meaning},
    tx::ANSWER_TIME,
};
use crate::{Company, Differing, Lanes, Node, NodeSettings, StoreError, identifiers::earliest_id};

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
/// How long what a node is saying to the others is waited for at its end.
const CLOSE_TIME: Duration = Duration::from_secs(2);
/// The channel on which nodes tell each other.
const CHANNEL: &str = "checkflow_due";

/// What this node knows of the others.
#[derive(Default)]
pub(super) struct Nodes {
    due: Notify,
    /// How many send, this one included; none before that was asked, and where this one does not.
    sending: AtomicU32,
    /// What this process is called, so that the others are told when it stops.
    here: Mutex<Vec<NodeId>>,
    closing: CancellationToken,
}

impl Nodes {
    /// Something is due that another node may send sooner.
    pub(super) fn tell(&self) {
        if self.sending.load(Ordering::Relaxed) != 1 {
            self.due.notify_one();
        }
    }

    /// Lets `tasks` come to the end of what they are doing, and ends those that do not.
    ///
    /// One that was cut off might have said so much that the database still does it, after this node has left.
    pub(super) async fn close(&self, mut tasks: JoinSet<()>) {
        self.closing.cancel();
        let all = async { while tasks.join_next().await.is_some() {} };
        let _ = timeout(CLOSE_TIME, all).await;
        tasks.shutdown().await;
    }
}

/// Has `node` be one of those on the database, for as long as the set lives.
pub(super) fn join(
    shared: &Arc<Shared>,
    node: Arc<dyn Node>,
    sends: bool,
    tasks: &mut JoinSet<()>,
) {
    node.joined();
    let mut here = shared
        .nodes
        .here
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    here.push(node.node());
    drop(here);
    tasks.spawn(beat(shared.clone(), node, sends));
}

/// Has the lanes of a node that sends hear of what is due, for as long as the set lives.
pub(super) fn attach(shared: &Arc<Shared>, lanes: &Arc<dyn Lanes>, tasks: &mut JoinSet<()>) {
    // Behind a pooler, what is listened for would be told to whoever has the connection then.
    if !shared.core.pooled {
        tasks.spawn(listen(shared.clone(), lanes.clone()));
    }
}

/// Tells the others whenever something is due that this node does not send itself.
pub(super) async fn tell(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = shared.nodes.closing.cancelled() => return,
            () = shared.nodes.due.notified() => {}
        }
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

/// Says again and again that this node is alive, and asks who else is.
async fn beat(shared: Arc<Shared>, node: Arc<dyn Node>, sends: bool) {
    let me = Word {
        node: node.node(),
        sends,
        settings: node.settings(),
    };
    let mut beats = time::interval(BEAT);
    beats.set_missed_tick_behavior(time::MissedTickBehavior::Delay);
    let mut silent = false;
    loop {
        tokio::select! {
            () = shared.nodes.closing.cancelled() => return,
            _ = beats.tick() => {}
        }
        match alive(&shared, &me).await {
            Ok(company) => {
                silent = false;
                if sends {
                    shared
                        .nodes
                        .sending
                        .store(company.sending, Ordering::Relaxed);
                }
                node.saw(&company);
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
        if !sends {
            continue;
        }
        // What is neither sent nor read for a while, such as that of a paused subscription, is numbered by the
        // way, so that whoever reads it later does not wait for a million numbers.
        let settled = earliest_id(shared.core.source.now().before(NUMBERED_AFTER));
        if let Err(error) = shared.core.number(settled).await {
            tracing::debug!(%error, "what is not sent was not numbered; the next reading does it");
        }
    }
}

/// What a node says of itself.
struct Word {
    node: NodeId,
    sends: bool,
    settings: NodeSettings,
}

async fn alive(shared: &Shared, me: &Word) -> Result<Company, StoreError> {
    let sql =
        "INSERT INTO node (id, seen_at, sends, settings) VALUES ($1, clock_timestamp(), $2, $3)
        ON CONFLICT (id) DO UPDATE SET seen_at = excluded.seen_at";
    let gone = "DELETE FROM node WHERE seen_at < clock_timestamp() - interval '1 day'";
    // Those that were given the same need not be told apart.
    let who = format!(
        "SELECT id, sends, nullif(settings, $1) FROM node
        WHERE seen_at > clock_timestamp() - interval '{ALIVE}' ORDER BY id"
    );
    let settings = me.settings.to_text();
    let measures = shared.core.lease_clock == LeaseClock::Database;
    let found: Vec<(Uuid, bool, Option<String>)> = shared
        .core
        .beside(async |tx| {
            if measures {
                tx.measure().await?;
            }
            tx.run(sql, &[&me.node.uuid(), &me.sends, &settings])
                .await?;
            tx.run(gone, &[]).await?;
            tx.all(&who, &[&settings], |row| {
                Ok((row.try_get(0)?, row.try_get(1)?, row.try_get(2)?))
            })
            .await
        })
        .await?;
    let sending = found.iter().filter(|(_, sends, _)| *sends).count();
    let differing = found.into_iter().filter_map(|(id, _, settings)| {
        let settings = me.settings.differing(&NodeSettings::of_text(&settings?));
        (!settings.is_empty()).then(|| Differing {
            node: NodeId::new(id),
            settings,
        })
    });
    Ok(Company {
        sending: u32::try_from(sending).unwrap_or(u32::MAX),
        differing: differing.collect(),
    })
}

/// A node that stops is not waited for, and its settings no longer matter.
pub(super) async fn leave(shared: &Shared) -> Result<(), StoreError> {
    let here = {
        let mut here = shared
            .nodes
            .here
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *here)
    };
    if here.is_empty() {
        return Ok(());
    }
    let ids: Vec<Uuid> = here.iter().map(|node| node.uuid()).collect();
    let sql = "DELETE FROM node WHERE id = ANY($1)";
    let left = async |tx: &mut super::tx::Tx<'_, ()>| tx.run(sql, &[&ids]).await;
    shared.core.beside(left).await.map(|_| ())
}

/// Has the lanes look at the table whenever another node tells of what is due.
async fn listen(shared: Arc<Shared>, lanes: Arc<dyn Lanes>) {
    loop {
        let heard = tokio::select! {
            () = shared.nodes.closing.cancelled() => return,
            heard = hear(&shared, &*lanes) => heard,
        };
        if let Err(error) = heard {
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
