//! What the seam can't show: what the statements cost.

mod plans;
mod promises;
