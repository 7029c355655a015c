//! The real binary, from outside: started, spoken to over HTTP, sent signals, started again.
//!
//! Nothing here sleeps. Each wait is for a line, an answer, a webhook or the end of a process, and
//! has one deadline that only a failing test reaches.

#![expect(
    clippy::unwrap_used,
    reason = "a test fails by panicking, in its helpers too"
)]

mod bucket;
mod cluster;
mod copy;
mod demo;
mod disk;
mod feed;
mod folder;
mod hostile;
mod isolation;
mod kept;
mod keys;
mod kill;
mod life;
mod members;
mod migrate;
mod ordered;
mod pace;
mod proof;
mod refusals;
mod replay;
mod restart;
mod roles;
mod rolling;
mod settings;
mod signing;
mod support;
mod sync;
mod through;
mod trips;
mod trying;
