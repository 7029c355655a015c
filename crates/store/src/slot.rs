//! Room for one word that somebody waits for.

use std::sync::{Mutex, PoisonError};

use tokio::sync::Notify;

/// Keeps the first word until it is taken; those that come meanwhile are dropped, for they say the same.
#[derive(Debug)]
pub(crate) struct Slot<T> {
    word: Mutex<Option<T>>,
    put: Notify,
}

impl<T> Default for Slot<T> {
    fn default() -> Self {
        Self {
            word: Mutex::new(None),
            put: Notify::new(),
        }
    }
}

impl<T> Slot<T> {
    /// Puts what `word` makes, if there is room.
    pub(crate) fn put(&self, word: impl FnOnce() -> T) {
        self.word
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_with(word);
        self.put.notify_one();
    }

    /// The word, once there is one; also one that was put before the call. One waits at a time.
    pub(crate) async fn taken(&self) -> T {
        loop {
            let word = self
                .word
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(word) = word {
                return word;
            }
            self.put.notified().await;
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    #[test]
    fn the_first_word_is_kept_and_told_once() {
        let slot = Slot::default();
        assert_eq!(slot.taken().now_or_never(), None);
        for word in ["first", "second"] {
            slot.put(|| word);
        }
        assert_eq!(slot.taken().now_or_never(), Some("first"));
        assert_eq!(slot.taken().now_or_never(), None);
        let waiting = slot.taken();
        slot.put(|| "third");
        assert_eq!(waiting.now_or_never(), Some("third"));
    }
}
