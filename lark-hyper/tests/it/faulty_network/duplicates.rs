//! A reply that comes twice on a connection which the client keeps.

use std::sync::{Arc, Barrier};

use lark_proto::{CreateImage, Image, Limits};

use super::callers::{CALLERS, Caller, DEADLINE, Setup};
use super::proxy::{Action, Fault, Place};
use super::subjects::Subject;
use super::{Rig, each, probe};

/// Makes two calls of one client over a connection whose first reply is followed by its last `again` bytes: together
/// with the reply, or else between the two calls.
fn check(rig: &Rig, caller: Caller, len: usize, again: usize, is_late: bool) {
    let context = format!("{caller:?} {again} bytes, late: {is_late}");
    let barrier = Arc::new(Barrier::new(2));
    let action = if is_late {
        Action::DuplicateLate(again, barrier.clone())
    } else {
        Action::Duplicate(again)
    };
    rig.plan([Fault { place: Place::Reply(len), action }]);
    let limits = Limits::default().total(DEADLINE);
    let client = caller.client(&rig.proxy.site(), &Setup { limits, ..Setup::once() });
    let token = CreateImage::token();
    let first = client.call(&token, &CreateImage::sample(&rig.known)).unwrap();
    if is_late {
        barrier.wait();
        barrier.wait();
    }
    let other = Image::new("GIF89a,,").unwrap();
    let second = client.call(&token, &CreateImage::message(other.clone()).unwrap());
    let second = second.expect(&context);
    assert_ne!(first, second, "{context}: the second call has taken the reply to the first one");
    rig.server.with(|lark| {
        assert_eq!(lark.image(second.as_str()).unwrap().bytes, *other.bytes(), "{context}");
    });
    assert_eq!(rig.carried_out(CreateImage::ROUTE), 2, "{context}");
    // Both requests have the same length, and nothing of the second one is sent on the first connection. A client may
    // open a further connection that it does not use.
    let mut sent = rig.proxy.connections().into_iter().map(|connection| connection.request.len());
    let first = sent.next();
    let others: Vec<usize> = sent.filter(|len| *len > 0).collect();
    assert_eq!(others, [first.unwrap()], "{context}");
}

#[test]
fn a_reply_that_comes_twice_is_not_the_reply_to_the_next_call() {
    let mut cases = Vec::new();
    for caller in CALLERS {
        let len = probe::<CreateImage>(caller).0.reply.len();
        for again in [1, 2, len / 2, len - 1, len] {
            for is_late in [false, true] {
                for _ in 0..10 {
                    cases.push((caller, len, again, is_late));
                }
            }
        }
    }
    each(cases, |rig, (caller, len, again, is_late)| check(rig, caller, len, again, is_late));
}
