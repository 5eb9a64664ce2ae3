//! TLS connections whose TCP connection closes in the middle of a record.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use lark_hyper::FakeServer;
use lark_proto::error::Outcome;
use lark_proto::fake::{FakeLark, TokenKind};
use lark_proto::{CreateImage, Image, ImageKey, Site};

use super::callers::{Caller, Failed, Kind, Setup, runtime};
use super::proxy::{Action, Fault, Place, Proxy};
use super::{Random, each};
use crate::support::tls::{Authority, Front, named};
use crate::support::token;

/// A client, and the protocols that the server offers it.
const CALLERS: [(Caller, &[&str]); 3] =
    [(Caller::Ureq, &["http/1.1"]), (Caller::Hyper, &["http/1.1"]), (Caller::Hyper, &["h2"])];
const SEEDED: usize = 90;

/// A fake behind TLS, and a proxy for the TLS records.
struct Secured {
    fake: FakeServer,
    proxy: Proxy,
    setup: Setup,
    _front: Front,
}

impl Secured {
    fn new(alpn: &[&str]) -> Self {
        let mut lark = FakeLark::new();
        let far = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1 << 40);
        lark.add_token(TokenKind::Tenant, "t-1", far);
        let fake = FakeServer::start_on(0, lark).unwrap();
        let authority = Authority::new();
        let identity = authority.signs(&named("localhost"));
        let front = runtime().block_on(Front::start(&fake, identity, alpn));
        let port = front.site.as_str().rsplit(':').next().unwrap().parse().unwrap();
        let proxy = Proxy::start(([127, 0, 0, 1], port).into());
        let setup = Setup { roots: Some(authority.pem()), ..Setup::once() };
        Self { fake, proxy, setup, _front: front }
    }

    fn call(&self, caller: Caller) -> Result<ImageKey, Failed> {
        let site = Site::custom(&format!("https://localhost:{}", self.proxy.port())).unwrap();
        let call = CreateImage::message(Image::new("GIF89a..").unwrap()).unwrap();
        caller.call(&site, &self.setup, &token(), &call)
    }

    fn stored(&self) -> usize {
        self.fake.with(|lark| lark.images().count())
    }
}

/// Whether `bytes` end in the middle of a TLS record.
fn ends_in_a_record(mut bytes: &[u8]) -> bool {
    while let [_, _, _, high, low, rest @ ..] = bytes {
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let Some(next) = rest.get(len..) else { return true };
        bytes = next;
    }
    !bytes.is_empty()
}

/// Cuts a connection after this number of bytes. Returns whether the failure may have been carried out.
fn cut(secured: &Secured, caller: Caller, place: Place, action: Action) -> bool {
    let context = format!("{caller:?} {place:?} {action:?}");
    secured.proxy.plan([Fault { place, action }]);
    match secured.call(caller) {
        Ok(key) => {
            let is_stored = secured.fake.with(|lark| lark.image(key.as_str()).is_some());
            assert!(is_stored, "{context}");
            true
        }
        Err(failed) => {
            assert_eq!(failed.kind, Kind::Transport, "{context}: {failed:?}");
            assert_ne!(failed.outcome, Outcome::Refused, "{context}");
            failed.outcome == Outcome::Unknown
        }
    }
}

#[test]
fn a_tls_connection_that_is_cut_ends_with_a_true_outcome() {
    each(CALLERS, |_, (caller, alpn)| {
        let secured = Secured::new(alpn);
        secured.call(caller).unwrap();
        let carried = secured.proxy.connections().swap_remove(0);
        let mut random = Random(5);
        let mut may_be_stored = 1;
        for _ in 0..SEEDED {
            let mut below = |bytes: &[u8]| 1 + random.below(bytes.len() - 1);
            let places =
                [Place::Reply(below(&carried.reply)), Place::Request(below(&carried.request))];
            let cuts =
                [(places[0], Action::Finish), (places[0], Action::Reset), (places[1], Action::Cut)];
            let (place, action) = &cuts[random.below(3)];
            may_be_stored += usize::from(cut(&secured, caller, *place, action.clone()));
        }
        assert!(secured.stored() <= may_be_stored, "{caller:?} {alpn:?}");
    });
}

#[test]
fn a_cut_in_the_middle_of_the_replys_record_is_an_error_whose_outcome_is_unknown() {
    let cuts = Arc::new(AtomicUsize::new(0));
    let counted = cuts.clone();
    each(&CALLERS[..2], move |_, (caller, alpn)| {
        let secured = Secured::new(alpn);
        secured.call(*caller).unwrap();
        let len = secured.proxy.connections().swap_remove(0).reply.len();
        // The signature in a handshake has one of a few lengths.
        for before_end in 10..60 {
            let stored = secured.stored();
            let place = Place::Reply(len - before_end);
            let action = if before_end % 2 == 0 { Action::Finish } else { Action::Reset };
            assert!(cut(&secured, *caller, place, action), "{caller:?} {before_end}");
            assert_eq!(secured.stored(), stored + 1, "{caller:?} {before_end}");
            let carried = secured.proxy.connections().swap_remove(0).reply;
            assert!(ends_in_a_record(&carried), "{caller:?} {before_end}");
            counted.fetch_add(1, Ordering::Relaxed);
        }
    });
    assert_eq!(cuts.load(Ordering::Relaxed), 100);
}

#[test]
fn a_cut_in_the_handshake_sends_nothing() {
    each(CALLERS, |_, (caller, alpn)| {
        let secured = Secured::new(alpn);
        for offset in (1..500).step_by(25) {
            for action in [Action::Finish, Action::Reset] {
                let place = Place::Reply(offset);
                assert!(!cut(&secured, caller, place, action), "{caller:?} {offset}");
            }
        }
        assert_eq!(secured.stored(), 0);
    });
}
