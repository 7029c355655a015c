//! Three nodes on one PostgreSQL and one S3 store, and one fault each: what was answered is told, nothing is stuck, and what is
//! repeated was on its way from a node that was stopped.

mod account;
mod files;
mod node;
mod stage;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use testkit::{PostgresServer, PostgresStop, Proxy};
use tokio::{task::block_in_place, time::sleep};

use self::stage::Stage;

/// Tasks that each node completes before a fault and after it.
const SOME: usize = 40;
/// What a node logs of its database.
const AWAY: &str = "the database is away";
const BACK: &str = "the database takes writes again";
/// How long the way to the database is cut.
const CUT: Duration = Duration::from_secs(10);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_killed_costs_time_and_repeats_of_what_it_was_sending() {
    let mut stage = Stage::set().await;
    stage.work();
    stage.go_on(SOME).await;
    let gate = stage.hold(1).await;
    stage.nodes[1].kill();
    stage.note_cut(1, "IS NOT NULL").await;
    stage.release(&gate);
    stage.go_on(SOME).await;
    let repeats = stage.finish().await.check();
    assert!(repeats.of_the_stopped > 0, "it was killed too late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_stood_still_settles_nothing_that_others_have_taken_over() {
    let mut stage = Stage::set().await;
    stage.work();
    stage.go_on(SOME).await;
    let gate = stage.hold(1).await;
    let frozen = stage.nodes[1].clone();
    frozen.freeze();
    stage.note_cut(1, "= 'active'").await;
    stage.release(&gate);
    stage.account.wait_for(&[0, 2], SOME).await;
    let leased = format!("SELECT id FROM delivery WHERE lease_node = '{}'", frozen.id);
    stage
        .wait_until("the end of its leases", &leased, <[_]>::is_empty)
        .await;
    assert_eq!(frozen.lines_with("came after their leases"), 0);
    frozen.thaw();

    frozen.wait_for_line("came after their leases").await;
    let ready = stage.wait_ready(1, 200, "ready").await;
    let late = ready["lateOutcomes"].as_u64().unwrap();
    assert!(late > 0, "it is counted, too: {ready}");
    stage.go_on(SOME).await;
    let repeats = stage.finish().await.check();
    println!("{late} outcomes came too late");
    assert!(repeats.of_the_stopped > 0, "it was frozen too late");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_restarted_costs_time_and_nothing_else() {
    let mut stage = Stage::set().await;
    stage.work();
    stage.go_on(SOME).await;
    block_in_place(|| stage.postgres.stop(PostgresStop::Fast));
    stage.check_away().await;
    block_in_place(|| stage.postgres.start());
    check_back(&stage).await;
    stage.go_on(SOME).await;
    block_in_place(|| stage.postgres.restart(PostgresStop::Immediate));
    check_unharmed(stage).await;
}

/// Fails unless each node becomes ready again, and has said once that the database was away and once that it is back.
async fn check_back(stage: &Stage) {
    for (number, node) in stage.nodes.iter().enumerate() {
        stage.wait_ready(number, 200, "ready").await;
        // It is ready a moment before it says so in its log.
        node.wait_for_line(BACK).await;
        for line in [AWAY, BACK] {
            assert_eq!(node.lines_with(line), 1, "{line}");
        }
        // And nothing else that looks like trouble.
        let mut others = node.troubles();
        others.retain(|line| !line.contains(AWAY));
        assert_eq!(others, [""; 0], "node {number} has more to say of it");
    }
}

/// Ends the course of a fault by which no node was stopped, and so nothing may be repeated on that account.
async fn check_unharmed(mut stage: Stage) {
    stage.go_on(SOME).await;
    let repeats = stage.finish().await.check();
    assert_eq!(repeats.of_the_stopped, 0, "no node was stopped");
}

/// A cluster whose nodes reach their database through a proxy.
async fn behind_a_proxy() -> (Stage, Proxy) {
    let postgres = Arc::new(block_in_place(PostgresServer::start_own));
    let proxy = Proxy::start(SocketAddr::from(([127, 0, 0, 1], postgres.port()))).await;
    let url = format!("postgres://postgres@{}/postgres", proxy.address());
    (Stage::set_on(postgres, &url).await, proxy)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_way_to_the_database_that_is_cut_for_ten_seconds_costs_time_and_nothing_else() {
    let (mut stage, proxy) = behind_a_proxy().await;
    stage.work();
    stage.go_on(SOME).await;
    proxy.cut();
    let cut = sleep(CUT);
    stage.check_away().await;
    cut.await;
    proxy.mend();
    check_back(&stage).await;
    check_unharmed(stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_of_which_nothing_is_heard_for_ten_seconds_costs_time_and_nothing_else() {
    let (mut stage, proxy) = behind_a_proxy().await;
    stage.work();
    stage.go_on(SOME).await;
    proxy.silence();
    let silence = async {
        sleep(CUT).await;
        proxy.mend();
    };
    // Asked at once, and answered once the nodes' patience is at an end.
    tokio::join!(silence, stage.check_refused());
    for (number, node) in stage.nodes.iter().enumerate() {
        stage.wait_ready(number, 200, "ready").await;
        node.wait_for_line(AWAY).await;
    }
    check_unharmed(stage).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_whose_standby_takes_over_costs_time_and_nothing_else() {
    let postgres = Arc::new(block_in_place(PostgresServer::start_own));
    let standby = Arc::new(block_in_place(|| postgres.standby()));
    let [first, second] = [postgres.port(), standby.port()];
    let url = format!("postgres://postgres@127.0.0.1:{first},127.0.0.1:{second}/postgres");
    let mut stage = Stage::set_on(postgres.clone(), &url).await;
    stage.work();
    stage.go_on(SOME).await;
    // For good.
    block_in_place(|| postgres.stop(PostgresStop::Immediate));
    stage.check_away().await;
    block_in_place(|| standby.promote());
    stage.postgres = standby;
    check_back(&stage).await;
    check_unharmed(stage).await;
}
