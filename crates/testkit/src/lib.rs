//! What only tests need: a clock moved by hand, seeds, lanes that remember, a receiver that
//! misbehaves on demand, and the conformance cases that every backend of the store must pass.
//!
//! A dev-dependency of whoever tests against a store or sends webhooks, never a normal one. It says
//! no by panicking, with a message that tells what was awaited and what came instead.

#![expect(
    clippy::missing_panics_doc,
    reason = "panicking is how a test fails; each message says why"
)]

mod binary;
mod clock;
pub mod conformance;
mod faults;
mod lanes;
pub mod model;
mod pooler;
mod postgres;
mod prover;
mod proxy;
mod receiver;
mod s3;
mod scene;
mod seeds;
mod tls;
mod trials;
mod unit;
mod world;

pub use binary::binary;
pub use clock::{CountingEntropy, TestClock, test_source};
pub use conformance::{CASES, Case, Fixture};
pub use faults::{Fault, Faulty};
pub use lanes::{LaneCall, TestLanes};
pub use pooler::PostgresPooler;
pub use postgres::{PostgresDatabase, PostgresServer, PostgresSetup, PostgresStop};
pub use prover::{AskedProof, TestProver};
pub use proxy::Proxy;
pub use receiver::{BodyCheck, Gate, Received, Receiver, Reply, check_bodies};
pub use s3::{S3Fault, S3Server};
pub use scene::Scene;
pub use seeds::{
    SeedChecklist, SeedEvent, SeedKey, SeedOrder, SeedSubscription, SeedTeam, SeedTemplate,
    document, invoice_review, person,
};
pub use tls::TestTls;
pub use trials::{Trials, seed};
pub use unit::{Look, Refused, Unit, Work};
pub use world::World;

/// Longest that anything here waits for what must come. Generous, because a machine that builds
/// something else at the same time is slow; only a test that fails waits so long.
pub const PATIENCE: std::time::Duration = std::time::Duration::from_secs(20);
