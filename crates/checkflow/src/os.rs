//! What the machine gives: time, randomness, the permissions of new files, and a sudden end.

use std::thread;

use domain::{Entropy, Source, SystemClock};
use rustix::{
    fs::Mode,
    process::{Resource, Rlimit, Signal, getpid, getrlimit, kill_process, setrlimit, umask},
};

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

/// Has this process open as many files as it may at most, and answers how many that are; none where there is no limit.
/// Every connection is one, in and out, and the limit that processes are started with is often 1,024.
pub(crate) fn allow_open_files() -> Option<u64> {
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        ..limit
    };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}

/// Ends this process as `kill -9` does: nothing is finished, flushed or told.
pub(crate) fn kill_this_process() -> ! {
    // A process may always kill itself; should it not be so, it stands still here, which is as good.
    let _ = kill_process(getpid(), Signal::KILL);
    loop {
        thread::park();
    }
}
