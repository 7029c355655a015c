//! What is said of a commit and when, and the room that its log leaves.

use std::sync::atomic::AtomicU64;

use super::*;

#[test]
fn a_commit_counts_as_begun_before_a_reader_can_see_it() {
    let mut bench = Bench::new();
    let (core, begun) = (bench.core.clone(), Arc::new(AtomicU32::new(0)));
    let counted = begun.clone();
    let hook = move || {
        // Called by the COMMIT itself, before its frames are in the log.
        counted.fetch_add(u32::from(core.commits.are_under_way()), Ordering::Relaxed);
        false
    };
    bench.writer.conn.commit_hook(Some(hook)).unwrap();
    bench.keep(scene());
    bench.keep(team_and(Verdict::Keep));
    assert_eq!(begun.load(Ordering::Relaxed), 2);
    assert!(!bench.core.commits.are_under_way(), "both are on the disk");
}

#[test]
fn the_log_leaves_the_room_that_taking_it_up_needs() {
    let mut bench = Bench::new();
    let free = Arc::new(AtomicU64::new(64 * 1024));
    let room = free.clone();
    let room: Room = Box::new(move || Some(room.load(Ordering::Relaxed)));
    bench.writer.wal = Wal::new(u64::MAX, room, Arc::new(|| {}));
    let bytes = |bench: &Bench| {
        let wal = bench.folder.path().join("checkflow.db-wal");
        std::fs::metadata(wal).unwrap().len()
    };
    let mut largest = 0;
    for _ in 0..200 {
        bench.keep(team_and(Verdict::Keep));
        largest = largest.max(bytes(&bench));
    }
    assert!(largest < 128 * 1024, "the log had {largest} bytes");
    free.store(u64::MAX, Ordering::Relaxed);
    for _ in 0..50 {
        bench.keep(team_and(Verdict::Keep));
    }
    assert!(bytes(&bench) > 128 * 1024, "with room it is left alone");
}

#[test]
fn a_log_that_filled_the_disk_is_taken_up_before_more_is_written() {
    let mut bench = Bench::new();
    bench.writer.wal = Wal::new(u64::MAX, Box::new(|| None), Arc::new(|| {}));
    for _ in 0..20 {
        bench.keep(team_and(Verdict::Keep));
    }
    let wal = bench.folder.path().join("checkflow.db-wal");
    assert!(std::fs::metadata(&wal).unwrap().len() > 0);
    bench.writer.wal.found_full();
    bench.keep(team_and(Verdict::Keep));
    assert_eq!(std::fs::metadata(&wal).unwrap().len(), 0);
}
