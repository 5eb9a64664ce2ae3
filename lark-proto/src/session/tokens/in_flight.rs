//! The token requests in flight.

use std::time::Duration;

use super::request::Wanted;
use crate::session::step::TokenRequestId;
use crate::text::Secrets;
use crate::values::TenantKey;

/// A token request in flight. Its slot keeps its id, driver and times in [`Sent`](super::slot::Sent).
#[derive(Debug)]
pub(super) struct TokenRequest {
    pub(super) wanted: Wanted,
    /// The tenant that the request was sent for.
    pub(super) tenant: Option<TenantKey>,
    /// The tenant of the current driver.
    pub(super) tenant_of_driver: Option<TenantKey>,
    /// A deadline that is reported before this time is the driver's own deadline, and not a failure of the service.
    pub(super) earliest_timeout: Duration,
    /// The secrets in the request's body.
    pub(super) secrets: Secrets,
}

/// The requests in flight, in the order in which they were sent.
#[derive(Debug, Default)]
pub(super) struct InFlight(Vec<(TokenRequestId, TokenRequest)>);

impl InFlight {
    /// Adds the request that was sent last.
    pub(super) fn push(&mut self, id: TokenRequestId, request: TokenRequest) {
        self.0.push((id, request));
    }

    fn place(&self, id: TokenRequestId) -> Option<usize> {
        self.0.binary_search_by_key(&id, |(id, _)| *id).ok()
    }

    pub(super) fn get(&self, id: TokenRequestId) -> Option<&TokenRequest> {
        self.0.get(self.place(id)?).map(|(_, request)| request)
    }

    pub(super) fn get_mut(&mut self, id: TokenRequestId) -> Option<&mut TokenRequest> {
        let place = self.place(id)?;
        self.0.get_mut(place).map(|(_, request)| request)
    }

    pub(super) fn remove(&mut self, id: TokenRequestId) -> Option<TokenRequest> {
        Some(self.0.remove(self.place(id)?).1)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}
