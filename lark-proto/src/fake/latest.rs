//! A map that keeps the entries that were added last.

use std::collections::{BTreeMap, VecDeque};

/// A map of at most `max` entries. Beyond them, the entry that was added first is dropped.
#[derive(Clone, Debug)]
pub(crate) struct Latest<V> {
    entries: BTreeMap<String, V>,
    /// The keys in the order in which they were added.
    order: VecDeque<String>,
    max: usize,
}

impl<V> Latest<V> {
    pub(crate) fn new(max: usize) -> Self {
        Self { entries: BTreeMap::new(), order: VecDeque::new(), max }
    }

    /// Adds an entry, whose key is new. Returns the entry that is dropped for it.
    pub(crate) fn insert(&mut self, key: String, value: V) -> Option<(String, V)> {
        self.order.push_back(key.clone());
        self.entries.insert(key, value);
        self.drop_first()
    }

    /// Keeps at most `max` entries from now on. Returns the entries that are dropped at once.
    pub(crate) fn set_max(&mut self, max: usize) -> Vec<(String, V)> {
        self.max = max;
        std::iter::from_fn(|| self.drop_first()).collect()
    }

    fn drop_first(&mut self) -> Option<(String, V)> {
        if self.entries.len() <= self.max {
            return None;
        }
        self.entries.remove_entry(&self.order.pop_front()?)
    }

    pub(crate) fn entries(&self) -> &BTreeMap<String, V> {
        &self.entries
    }

    pub(crate) fn get(&self, key: &str) -> Option<&V> {
        self.entries.get(key)
    }

    pub(crate) fn get_mut(&mut self, key: &str) -> Option<&mut V> {
        self.entries.get_mut(key)
    }

    /// Removes every entry.
    pub(crate) fn take(&mut self) -> BTreeMap<String, V> {
        self.order.clear();
        std::mem::take(&mut self.entries)
    }
}
