//! The token requests in flight.

use super::request::TokenRequest;
use crate::session::step::TokenRequestId;

/// The requests in flight, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct InFlight(Vec<TokenRequest>);

impl InFlight {
    /// Adds the request that was sent last.
    pub(super) fn push(&mut self, request: TokenRequest) {
        self.0.push(request);
    }

    fn place(&self, id: TokenRequestId) -> Option<usize> {
        self.0.binary_search_by_key(&id, |request| request.id).ok()
    }

    pub(super) fn get(&self, id: TokenRequestId) -> Option<&TokenRequest> {
        self.0.get(self.place(id)?)
    }

    pub(super) fn get_mut(&mut self, id: TokenRequestId) -> Option<&mut TokenRequest> {
        let place = self.place(id)?;
        self.0.get_mut(place)
    }

    pub(super) fn remove(&mut self, id: TokenRequestId) -> Option<TokenRequest> {
        Some(self.0.remove(self.place(id)?))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
