//! What is kept in memory because it can't change under its key: editions of templates, and
//! destinations by their revision. Which subscriptions want an event is never kept.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// A bounded map. Full, it is emptied: what is in use comes back with its next use.
pub(crate) struct Cache<K, V> {
    room: usize,
    entries: Mutex<HashMap<K, Arc<V>>>,
}

impl<K: Eq + Hash, V> Cache<K, V> {
    /// With room for `room`.
    pub(crate) fn new(room: usize) -> Self {
        Self {
            room,
            entries: Mutex::new(HashMap::new()),
        }
    }

    /// What is under `key`.
    pub(crate) fn get(&self, key: &K) -> Option<Arc<V>> {
        self.lock().get(key).cloned()
    }

    /// Keeps `value` under `key`.
    pub(crate) fn put(&self, key: K, value: Arc<V>) {
        let mut entries = self.lock();
        if entries.len() >= self.room {
            entries.clear();
        }
        entries.insert(key, value);
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Arc<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_never_holds_more_than_its_room() {
        let cache = Cache::new(2);
        for key in 0..5 {
            cache.put(key, Arc::new(key));
            assert_eq!(cache.get(&key).as_deref(), Some(&key));
            assert!(cache.lock().len() <= 2);
        }
    }
}
