//! A map for the entries of a session: tokens, lanes and gates.

use std::borrow::Borrow;

/// A map as a sorted list. Each instantiation of `BTreeMap`, with which it could be replaced, adds seven kilobytes to a
/// program.
///
/// An insertion moves the entries after it, so the values are boxed. Up to 1,000 entries it takes no longer than in a
/// `BTreeMap`; with 10,000 it takes up to 0.1 ms, which is little beside the request that follows.
#[derive(Debug)]
pub(super) struct SortedMap<K, V>(Vec<(K, Box<V>)>);

impl<K: Ord, V> SortedMap<K, V> {
    pub(super) fn new() -> Self {
        Self(Vec::new())
    }

    fn place<Q: Ord + ?Sized>(&self, key: &Q) -> Result<usize, usize>
    where
        K: Borrow<Q>,
    {
        self.0.binary_search_by(|(of, _)| of.borrow().cmp(key))
    }

    pub(super) fn get<Q: Ord + ?Sized>(&self, key: &Q) -> Option<&V>
    where
        K: Borrow<Q>,
    {
        let (_, value) = self.0.get(self.place(key).ok()?)?;
        Some(value)
    }

    pub(super) fn get_mut<Q: Ord + ?Sized>(&mut self, key: &Q) -> Option<&mut V>
    where
        K: Borrow<Q>,
    {
        let place = self.place(key).ok()?;
        let (_, value) = self.0.get_mut(place)?;
        Some(value)
    }

    /// The value of `key`. If there is none, inserts `new()` under a copy of the key.
    #[expect(clippy::indexing_slicing, reason = "the key is at its place")]
    pub(super) fn get_or_insert<Q>(&mut self, key: &Q, new: impl FnOnce() -> V) -> &mut V
    where
        K: Borrow<Q>,
        Q: Ord + ToOwned<Owned: Into<K>> + ?Sized,
    {
        let place = self.place(key).unwrap_or_else(|place| {
            self.0.insert(place, (key.to_owned().into(), Box::new(new())));
            place
        });
        &mut self.0[place].1
    }

    pub(super) fn remove<Q: Ord + ?Sized>(&mut self, key: &Q)
    where
        K: Borrow<Q>,
    {
        if let Ok(place) = self.place(key) {
            self.0.remove(place);
        }
    }

    /// Keeps the entries whose values satisfy `keep`.
    pub(super) fn retain(&mut self, mut keep: impl FnMut(&mut V) -> bool) {
        self.0.retain_mut(|(_, value)| keep(value));
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (&K, &V)> {
        self.0.iter().map(|(key, value)| (key, &**value))
    }

    pub(super) fn values(&self) -> impl Iterator<Item = &V> {
        self.0.iter().map(|(_, value)| &**value)
    }

    pub(super) fn values_mut(&mut self) -> impl Iterator<Item = &mut V> {
        self.0.iter_mut().map(|(_, value)| &mut **value)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

impl<K: Ord, V> Default for SortedMap<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn map(keys: &[&str]) -> SortedMap<Box<str>, usize> {
        let mut map = SortedMap::new();
        for (number, key) in keys.iter().enumerate() {
            assert_eq!(*map.get_or_insert(*key, || number), number);
        }
        map
    }

    #[test]
    fn the_entries_are_in_the_order_of_their_keys_whatever_the_order_of_insertion() {
        for keys in [["a", "b", "c"], ["c", "b", "a"], ["b", "c", "a"]] {
            let map = map(&keys);
            assert_eq!(map.iter().map(|(key, _)| &**key).collect::<String>(), "abc");
            for (number, key) in keys.iter().enumerate() {
                assert_eq!(map.get(*key), Some(&number));
            }
        }
    }

    #[test]
    fn a_key_that_is_present_keeps_its_value() {
        let mut map = map(&["a"]);
        assert_eq!(*map.get_or_insert("a", || 7), 0);
        assert_eq!(map.len(), 1);
    }

    #[test]
    fn a_removed_key_is_absent_and_an_absent_one_is_not_removed() {
        let mut map = map(&["a", "b"]);
        map.remove("c");
        assert_eq!(map.len(), 2);
        map.remove("a");
        assert_eq!((map.get("a"), map.get("c")), (None, None));
        assert_eq!(map.get_mut("b"), Some(&mut 1));
    }

    #[test]
    fn a_map_keeps_the_values_that_the_caller_wants() {
        let mut map = map(&["a", "b", "c"]);
        map.retain(|value| *value != 1);
        assert_eq!(map.values().collect::<Vec<_>>(), [&0, &2]);
    }
}
