//! Lanes: what must not overlap goes one after the other, in the order it came.

use std::collections::{BTreeMap, BTreeSet};

use super::CallId;

/// Those in each lane. Ids count up, so that the first of them is the one that came first, and may send.
#[derive(Debug, Default)]
pub(crate) struct Lanes(BTreeMap<String, BTreeSet<CallId>>);

impl Lanes {
    /// Queues `call` up if it is not, and says whether it is its turn.
    pub(crate) fn enter(&mut self, lane: &str, call: CallId) -> bool {
        let Some(queue) = self.0.get_mut(lane) else {
            self.0.insert(lane.to_owned(), BTreeSet::from([call]));
            return true;
        };
        queue.insert(call);
        queue.first() == Some(&call)
    }

    /// Takes `call` out, whether or not it is there.
    pub(crate) fn leave(&mut self, lane: &str, call: CallId) {
        if let Some(queue) = self.0.get_mut(lane) {
            queue.remove(&call);
            if queue.is_empty() {
                self.0.remove(lane);
            }
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_come_first_served() {
        let mut lanes = Lanes::default();
        assert!(lanes.enter("a", CallId(1)));
        assert!(!lanes.enter("a", CallId(2)) && !lanes.enter("a", CallId(3)));
        assert!(lanes.enter("b", CallId(4)), "another lane");
        assert!(lanes.enter("a", CallId(1)), "asked again");
        lanes.leave("a", CallId(2));
        lanes.leave("a", CallId(1));
        assert!(!lanes.enter("a", CallId(5)) && lanes.enter("a", CallId(3)));
        for call in 1..6 {
            lanes.leave("a", CallId(call));
            lanes.leave("b", CallId(call));
        }
        assert!(lanes.is_empty());
    }
}
