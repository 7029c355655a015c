//! How large the WAL may become: what the writer does about it between two commits.
//!
//! Checkpoints have their own thread, so that no commit waits for one. Here is what only the writer can do,
//! because nothing is added while it does it: have the WAL begin anew where it lies, hold it to its ceiling, and
//! keep it from taking the room that the database needs to take up what is in it.

use std::time::{Duration, Instant};

use rusqlite::Connection;

use super::{
    LostSync,
    checkpoint::{Brought, Checkpoints, checkpoint, wal_pages},
    fault::end_if_lost,
    open::BUSY_TIMEOUT,
};

/// Bytes of a page of the database.
const PAGE_BYTES: u64 = 4_096;
/// The part of its ceiling from which on the WAL begins anew as soon as it can.
const REUSE_PART: u64 = 8;
/// How long the writer lets a WAL be that could not be brought home for its reuse.
const REUSE_PAUSE: Duration = Duration::from_millis(10);
/// How long the writer waits for readers when the WAL is at its ceiling.
const CEILING_WAIT: Duration = Duration::from_millis(200);
/// How long it then goes on before it tries again.
const CEILING_PAUSE: Duration = Duration::from_secs(2);
/// The same when it is room that is short: each commit takes of it.
const ROOM_PAUSE: Duration = Duration::from_millis(250);

/// How many bytes are free on the disk, as far as is known.
pub(super) type Room = Box<dyn Fn() -> Option<u64> + Send>;

/// What the writer knows of the WAL.
pub(super) struct Wal {
    bytes_max: u64,
    room: Room,
    lost_sync: LostSync,
    /// How large the WAL was when it was last brought home for its reuse, and when that was.
    reused: Option<(u64, Instant)>,
    cut_again: Option<Instant>,
    /// A commit found the disk full.
    full: bool,
}

impl Wal {
    pub(super) fn new(bytes_max: u64, room: Room, lost_sync: LostSync) -> Self {
        Self {
            bytes_max,
            room,
            lost_sync,
            reused: None,
            cut_again: None,
            full: false,
        }
    }

    /// The disk was full: what is in the WAL takes room that it may not need.
    pub(super) const fn found_full(&mut self) {
        self.full = true;
    }

    /// Does what is due after a commit.
    pub(super) fn keep(&mut self, conn: &Connection, checkpoints: &Checkpoints) {
        let now = Instant::now();
        let bytes = wal_pages() * PAGE_BYTES;
        self.reuse(conn, checkpoints, bytes, now);
        // Bringing it home takes as much room as is in it, at most.
        let short = self.full || (self.room)().is_some_and(|free| bytes > 0 && free <= bytes);
        if short {
            self.cut(conn, now, ROOM_PAUSE, "a disk that is nearly full");
        } else if bytes >= self.bytes_max {
            self.cut(conn, now, CEILING_PAUSE, "its ceiling");
        }
    }

    /// Brings the rest of a WAL home that has become large. With all of it in the database and no reader
    /// left in it, the next commit begins it anew: writing into blocks that the file has costs the
    /// disk less than having it grow.
    fn reuse(&mut self, conn: &Connection, checkpoints: &Checkpoints, bytes: u64, now: Instant) {
        let large = bytes >= self.bytes_max / REUSE_PART;
        // It has only grown since: a reader keeps it from beginning anew.
        let in_vain = self
            .reused
            .is_some_and(|(then, at)| bytes >= then && now < at + REUSE_PAUSE);
        if !large || in_vain || !checkpoints.are_nearly_home(wal_pages()) {
            return;
        }
        self.reused = Some((bytes, now));
        if let Err(error) = checkpoint(conn, "PASSIVE") {
            self.failed(&error);
        }
    }

    /// Brings all of it home and cuts it off; with the writer standing still, that gets to its end.
    fn cut(&mut self, conn: &Connection, now: Instant, pause: Duration, why: &str) {
        if self.cut_again.is_some_and(|again| now < again) {
            return;
        }
        self.cut_again = Some(now + pause);
        let waits = conn.busy_timeout(CEILING_WAIT);
        let done = waits.and_then(|()| checkpoint(conn, "TRUNCATE"));
        if let Err(error) = conn.busy_timeout(BUSY_TIMEOUT) {
            tracing::error!(%error, "the time that writes wait could not be set back");
        }
        match done {
            Ok(Brought { all: true, .. }) => {
                self.cut_again = None;
                self.full = false;
            }
            Ok(_) => tracing::warn!("a long read keeps the WAL above {why}"),
            Err(error) => self.failed(&error),
        }
    }

    fn failed(&self, error: &rusqlite::Error) {
        tracing::warn!(%error, "a checkpoint of the writer failed");
        end_if_lost(error, &self.lost_sync);
    }
}

/// What is free for the database in `folder`.
pub(super) fn room_of(folder: &std::path::Path) -> Room {
    let folder = folder.to_owned();
    Box::new(move || {
        let found = rustix::fs::statvfs(&folder).ok()?;
        Some(found.f_bavail.saturating_mul(found.f_frsize))
    })
}
