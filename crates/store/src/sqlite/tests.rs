//! What the seam can't show: opening, what is in the file, and what the statements cost.

pub(super) mod bench;
mod copying;
mod opening;
mod plans;

pub(super) use bench::{Bench, Told};
