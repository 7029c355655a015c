//! The words and rules of CheckFlow, without any input or output.
//!
//! Every decision is made here, by pure functions over plain values: what may be completed, who is
//! told, when a delivery is tried again, which address may be called, how a body is signed. The
//! other crates fetch, store, send and show.

mod actor;
mod address;
mod assignment;
mod checklist;
mod control;
mod delivery;
mod event;
mod health;
mod ids;
mod keys;
mod operational;
mod overview;
mod people;
mod reason;
mod replay;
mod rights;
mod rows;
mod schedule;
mod signing;
mod subscription;
mod target;
mod template;
mod text;
mod time;

pub use actor::*;
pub use address::*;
pub use assignment::*;
pub use checklist::*;
pub use control::*;
pub use delivery::*;
pub use event::*;
pub use health::*;
pub use ids::*;
pub use keys::*;
pub use operational::*;
pub use overview::*;
pub use people::*;
pub use reason::*;
pub use replay::*;
pub use rights::*;
pub use rows::*;
pub use schedule::*;
pub use signing::*;
pub use subscription::*;
pub use target::*;
pub use template::*;
pub use text::*;
pub use time::*;

/// Time stands still and randomness is a count, so that tests can repeat themselves.
#[cfg(test)]
fn test_source() -> Source {
    struct Still;
    impl Clock for Still {
        fn now(&self) -> Timestamp {
            Timestamp::from_millis(1_795_455_715_120)
        }
    }
    #[derive(Default)]
    struct Count(std::sync::atomic::AtomicU8);
    impl Entropy for Count {
        fn fill(&self, bytes: &mut [u8]) {
            for byte in bytes {
                *byte = self.0.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            }
        }
    }
    Source::new(Still, Count::default())
}
