//! The tokens that the fake issues and checks.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime};

use http::HeaderMap;

use crate::fake::latest::Latest;
use crate::fake::readers::header::bearer;
use crate::fake::reply::Refusal;

/// The kind of an access token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A tenant access token, in production `t-..`.
    Tenant,
    /// A user access token, in production `u-..` or a JWT, `eyJ..`.
    User,
    /// A store app's app access token, in production `a-..`.
    App,
}

/// The holder of a token that the fake issues.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Holder {
    /// The custom app, in its one tenant.
    CustomApp,
    /// The store app itself.
    StoreApp,
    /// The store app in the tenant of this key.
    Tenant(String),
}

/// The documented lifetime of a token.
const LIFE: Duration = Duration::from_secs(7200);
/// In the last half hour of a token's life the service issues a new one, as documented. Both are valid until the old
/// one expires.
const OVERLAP: Duration = Duration::from_secs(1800);

#[derive(Clone, Debug)]
pub(crate) struct Tokens {
    /// The kind and the expiry time of each token.
    known: BTreeMap<String, (TokenKind, SystemTime)>,
    /// The token that each holder was given last.
    current: BTreeMap<Holder, String>,
    /// The app of each token that was issued.
    apps: Latest<&'static str>,
    /// How many tokens were issued.
    issued: u64,
    /// The lifetime of the tokens that are issued from now on.
    life: Duration,
}

impl Tokens {
    /// No tokens yet. At most `max` of the tokens that are issued will be known.
    pub(crate) fn new(max: usize) -> Self {
        Self {
            known: BTreeMap::new(),
            current: BTreeMap::new(),
            apps: Latest::new(max),
            issued: 0,
            life: LIFE,
        }
    }

    /// Knows at most `max` of the tokens that were issued from now on.
    pub(crate) fn set_max(&mut self, max: usize) {
        for (token, _) in self.apps.set_max(max) {
            self.known.remove(&token);
        }
    }

    /// Issues new tokens from now on, with this lifetime.
    pub(crate) fn expire_in(&mut self, life: Duration) {
        self.life = life;
        self.current.clear();
    }

    pub(crate) fn add(&mut self, kind: TokenKind, token: &str, expires: SystemTime) {
        self.known.insert(token.to_owned(), (kind, expires));
    }

    pub(crate) fn revoke(&mut self, kind: TokenKind) {
        for (known, expires) in self.known.values_mut() {
            if *known == kind {
                *expires = SystemTime::UNIX_EPOCH;
            }
        }
    }

    /// The token of `holder`, and the whole seconds until it expires. `app` is the app that asks for it.
    pub(crate) fn grant(
        &mut self,
        holder: Holder,
        app: &'static str,
        now: SystemTime,
    ) -> (String, u64) {
        let current = self.current.get(&holder).and_then(|token| {
            let (_, expires) = self.known.get(token)?;
            let left = expires.duration_since(now).ok().filter(|left| *left >= OVERLAP)?;
            // If the clock was set back, the token would seem to have more than a lifetime left.
            Some((token.clone(), left.min(self.life).as_secs()))
        });
        current.unwrap_or_else(|| {
            self.issued = self.issued.saturating_add(1);
            let (kind, start) = match holder {
                Holder::StoreApp => (TokenKind::App, "a-32bd8551db2f081cbfd26293"),
                Holder::CustomApp | Holder::Tenant(_) => {
                    (TokenKind::Tenant, "t-e346617a4acfc3a11d4ed24d")
                }
            };
            let token = format!("{start}{:016x}", self.issued);
            let expires =
                now.checked_add(self.life).or_else(|| now.checked_add(LIFE)).unwrap_or(now);
            self.add(kind, &token, expires);
            if let Some((oldest, _)) = self.apps.insert(token.clone(), app) {
                self.known.remove(&oldest);
            }
            self.current.insert(holder, token.clone());
            (token, expires.duration_since(now).unwrap_or_default().as_secs())
        })
    }

    /// The app whose token the request has. It is `None` for a token that a test added.
    pub(crate) fn app(&self, headers: &HeaderMap) -> Option<&'static str> {
        self.apps.get(bearer(headers)?).copied()
    }

    /// The kind of the request's token, if the token is known.
    pub(crate) fn kind(&self, headers: &HeaderMap) -> Option<TokenKind> {
        self.known.get(bearer(headers)?).map(|(kind, _)| *kind)
    }

    /// Checks an app access token, which comes in the body.
    pub(crate) fn admit_app(&self, now: SystemTime, token: &str) -> Result<(), Refusal> {
        match self.known.get(token) {
            Some((TokenKind::App, expires)) if now < *expires => Ok(()),
            _ => Err(Refusal::with_400(99991664, "Invalid app access token")),
        }
    }

    /// Checks the request's token. The HTTP status of 99991671 and of 99991677 is a [guess](crate::fake#guesses).
    pub(crate) fn admit(
        &self,
        now: SystemTime,
        headers: &HeaderMap,
        tenant_only: bool,
    ) -> Result<(), Refusal> {
        let token = bearer(headers)
            .ok_or_else(|| Refusal::with_400(99991661, "Missing access token for authorization"))?;
        // No endpoint takes an app access token in `Authorization`, so such a token counts as unknown.
        let known = self.known.get(token).filter(|(kind, _)| *kind != TokenKind::App);
        let looks_like_user = token.starts_with("u-") || token.starts_with("eyJ");
        let kind = match known {
            Some((kind, _)) => *kind,
            None if token.starts_with("t-") => TokenKind::Tenant,
            None if looks_like_user => TokenKind::User,
            None => {
                let msg = "Invalid access token: it must start with t- or u-";
                return Err(Refusal::with_400(99991671, msg));
            }
        };
        let is_live = known.map(|(_, expires)| now < *expires);
        match (kind, is_live) {
            (TokenKind::User, _) if tenant_only => {
                Err(Refusal::with_400(99991668, "user access token not support"))
            }
            (_, Some(true)) => Ok(()),
            (TokenKind::Tenant, _) => {
                Err(Refusal::with_400(99991663, "Invalid access token for authorization"))
            }
            (_, None) => Err(Refusal::with_400(99991668, "Invalid access token for authorization")),
            (_, Some(false)) => Err(Refusal::with_400(99991677, "Authentication token expired")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_renewed_in_its_last_half_hour() {
        let start = SystemTime::UNIX_EPOCH + Duration::from_secs(1_800_000_000);
        let at = |seconds: u64| start + Duration::from_millis(seconds * 1000 + 300);
        let mut tokens = Tokens::new(9);
        let (first, left) = tokens.grant(Holder::CustomApp, "cli_a", at(0));
        assert_eq!((first.len(), left), (42, 7200));
        assert_eq!(tokens.grant(Holder::CustomApp, "cli_a", at(5400)), (first.clone(), 1800));
        assert_eq!(
            tokens.grant(Holder::CustomApp, "cli_a", start),
            (first.clone(), 7200),
            "the clock went back"
        );
        assert_eq!(
            tokens.grant(Holder::CustomApp, "cli_a", at(5000) + Duration::from_nanos(1)),
            (first.clone(), 2199),
            "whole seconds"
        );
        let (second, left) =
            tokens.grant(Holder::CustomApp, "cli_a", at(5400) + Duration::from_nanos(1));
        assert!(second != first && left == 7200);
        let is_live = |token: &str, now| tokens.known.get(token).is_some_and(|(_, end)| now < *end);
        assert!(is_live(&first, at(7199)) && is_live(&second, at(7199)));
        assert!(!is_live(&first, at(7200)) && is_live(&second, at(12599)));
    }

    #[test]
    fn a_token_that_is_issued_at_the_end_of_time_expires_at_once() {
        let mut last = SystemTime::UNIX_EPOCH;
        let mut step = Duration::MAX;
        while step > Duration::ZERO {
            match last.checked_add(step) {
                Some(later) => last = later,
                None => step /= 2,
            }
        }
        let mut tokens = Tokens::new(9);
        assert_eq!(tokens.grant(Holder::CustomApp, "cli_a", last).1, 0);
        assert_eq!(tokens.grant(Holder::CustomApp, "cli_a", SystemTime::UNIX_EPOCH).1, 7200);
    }
}
