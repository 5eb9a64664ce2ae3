//! Lanes: what must not overlap goes one after the other, in the order it came.

use std::collections::{BTreeMap, VecDeque};

use super::CallId;

/// The queues of those in a lane; the first of each is the one that may send.
#[derive(Debug, Default)]
pub(crate) struct Lanes(BTreeMap<String, VecDeque<CallId>>);

impl Lanes {
    /// Queues `call` up if it is not, and says whether it is its turn.
    pub(crate) fn enter(&mut self, lane: &str, call: CallId) -> bool {
        let Some(queue) = self.0.get_mut(lane) else {
            self.0.insert(lane.to_owned(), VecDeque::from([call]));
            return true;
        };
        if !queue.contains(&call) {
            queue.push_back(call);
        }
        queue.front() == Some(&call)
    }

    /// Takes `call` out, whether or not it is there.
    pub(crate) fn leave(&mut self, lane: &str, call: CallId) {
        if let Some(queue) = self.0.get_mut(lane) {
            queue.retain(|queued| *queued != call);
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
