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
            tell.send_replace(found.is_ok());
            match (course.looked(found.is_ok(), Instant::now()), found) {
                (Turn::Begins, Err(trouble)) => {
                    asked_operator = trouble.is_for_the_operator;
                    say_away(&trouble);
                }
                // It began as one that passes by itself.
                (Turn::None, Err(trouble)) if trouble.is_for_the_operator && !asked_operator => {
                    asked_operator = true;
                    say_away(&trouble);
                }
                (Turn::Ends(after), _) => info!(?after, "the file store is back"),
                (Turn::Passed(trouble), _) => say_passed(&trouble),
                _ => {}
            }
            course.rest(files.troubled()).await;
        }
    });
    (told, looking)
}

fn say_away(
    FilesTrouble {
        why,
        is_for_the_operator,
    }: &FilesTrouble,
) {
    if *is_for_the_operator {
        error!(
            cause = why,
            "the file store can't be used: uploads and downloads are answered 503 until that is mended"
        );
    } else {
        warn!(
            cause = why,
            "the file store is away: uploads and downloads are answered 503 until it is back"
        );
    }
}

/// Such as a key that may read and not write.
fn say_passed(
    FilesTrouble {
        why,
        is_for_the_operator,
    }: &FilesTrouble,
) {
    if *is_for_the_operator {
        error!(
            cause = why,
            "the file store refused a file, though it is there"
        );
    } else {
        warn!(
            cause = why,
            "the file store failed a request, though it is there"
        );
    }
}
