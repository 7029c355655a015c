//! The delivery engine: turns deliveries into attempts.
//!
//! A delivery comes leased, either straight from the transaction that made it or by a take from the
//! table. The sender begins its attempt, the attempt signs, sends and decides what follows, and the
//! settler stores that. No transaction is open while a request runs. The table is the truth and
//! what is in memory a short cut; whatever gets lost on the way comes back when its lease lapses, so
//! a receiver gets every event at least once and may get it twice.
//!
//! Started and stopped by the binary. No rule is made here: when something is tried again, which
//! address may be called and what is signed is `domain`'s; what is due is `store`'s.

mod answer;
mod attempt;
mod backoff;
mod bounded;
mod chains;
mod client;
mod connector;
mod counters;
mod engine;
mod failure;
mod keeping;
mod lane;
mod lanes;
mod pace;
mod peers;
mod prober;
mod prover;
mod replay;
mod rescue;
mod resolver;
mod sender;
mod settings;
mod settler;
mod standing;
mod styled;
mod taker;
mod tls;
mod token;

pub use counters::EngineStats;
pub use engine::{Engine, Parts};
pub use keeping::{Keeping, Pruner, Removed};
pub use peers::Peers;
pub use prover::{HANDSHAKE_TIME_MAX, TargetProver};
pub use replay::Replayer;
pub use resolver::{LOOKUP_TIME_MAX, LOOKUPS_MAX, SystemResolver};
pub use settings::{BadSetting, DeliverySettings};
pub use tls::TlsCheck;
