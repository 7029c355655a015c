//! Whether the files can be got at.

use std::time::Instant;

use store::{FileStore, FilesTrouble};
use tokio::{sync::watch, task::JoinHandle};
use tracing::{error, info, warn};

use super::course::{Course, Turn};

/// Begins to look, and tells what was found last. It begins with files that are there.
pub(super) fn begin(files: FileStore) -> (watch::Receiver<bool>, JoinHandle<()>) {
    let (tell, told) = watch::channel(true);
    let looking = tokio::spawn(async move {
        let mut course = Course::new();
        let mut asked_operator = false;
        loop {
            let found = files.look().await;
            let is_there = found.is_ok();
            match (course.looked(is_there, Instant::now()), found) {
                (Turn::Begins, Err(trouble)) => {
                    asked_operator = trouble.is_for_the_operator;
                    say(&AWAY, &trouble);
                }
                // It began as one that passes by itself.
                (Turn::None, Err(trouble)) if trouble.is_for_the_operator && !asked_operator => {
                    asked_operator = true;
                    say(&AWAY, &trouble);
                }
                (Turn::Ends(after), _) => info!(?after, "the file store is back"),
                (Turn::Passed(trouble), _) => say(&FAILED, &trouble),
                _ => {}
            }
            // Who asks whether the server is ready finds in the log why it is not.
            tell.send_replace(is_there);
            course.rest(files.troubled()).await;
        }
    });
    (told, looking)
}

/// What is said of a trouble that an operator has to mend, and of one that passes by itself.
struct Words {
    mend: &'static str,
    passes: &'static str,
}

const AWAY: Words = Words {
    mend: "the file store can't be used: uploads and downloads are answered 503 until that is mended",
    passes: "the file store is away: uploads and downloads are answered 503 until it is back",
};
/// While it is there, such as for a key that may read and not write.
const FAILED: Words = Words {
    mend: "the file store refused a file, though it is there",
    passes: "the file store failed a request, though it is there",
};

fn say(words: &Words, trouble: &FilesTrouble) {
    let cause = &trouble.why;
    if trouble.is_for_the_operator {
        error!(cause, "{}", words.mend);
    } else {
        warn!(cause, "{}", words.passes);
    }
}
