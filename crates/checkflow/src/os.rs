//! What the machine gives: time, randomness, and the permissions of new files.

use domain::{Entropy, Source, SystemClock};
use rustix::{fs::Mode, process::umask};

/// The random bytes of the operating system.
struct SystemEntropy;

impl Entropy for SystemEntropy {
    #[expect(
        clippy::disallowed_methods,
        reason = "the one place that asks the machine for randomness"
    )]
    fn fill(&self, bytes: &mut [u8]) {
        // Without randomness there are no keys and no identifiers. Going on with weak ones would be
        // worse than ending, and no caller could do anything else.
        getrandom::fill(bytes).expect("the operating system gives random bytes");
    }
}

/// The clock and the randomness of this machine.
pub(crate) fn source() -> Source {
    Source::new(SystemClock, SystemEntropy)
}

/// From now on, whatever this process makes is its owner's alone, whoever makes it: uploaded files
/// come from a crate that asks for no permissions of its own.
pub(crate) fn keep_files_private() {
    umask(Mode::RWXG | Mode::RWXO);
}
