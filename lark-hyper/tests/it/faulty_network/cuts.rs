//! A connection that is cut at each byte of a request and of its reply, with one attempt.

use lark_proto::error::Outcome;
use lark_proto::{CreateImage, WriteSheetImage};

use super::callers::{CALLERS, Caller, Kind, Setup};
use super::proxy::{Action, Carried, Fault, Place, head_len};
use super::subjects::Subject;
use super::{Rig, each, probe};

fn cut_everywhere<S: Subject>() {
    let mut faults = Vec::new();
    for caller in CALLERS {
        let (whole, _) = probe::<S>(caller);
        for action in [Action::Finish, Action::Reset] {
            let requests = (0..=whole.request.len()).map(Place::Request);
            let replies = (0..=whole.reply.len()).map(Place::Reply);
            for place in requests.chain(replies) {
                faults.push((caller, whole.clone(), Fault { place, action: action.clone() }));
            }
        }
    }
    each(faults, |rig, (caller, whole, fault)| check::<S>(rig, caller, &whole, &fault));
}

fn check<S: Subject>(rig: &Rig, caller: Caller, whole: &Carried, fault: &Fault) {
    let context = format!("{caller:?} {fault:?}");
    rig.plan([fault.clone()]);
    let call = S::sample(&rig.known);
    let result = caller.call(&rig.proxy.site(), &Setup::once(), &S::token(), &call);
    // The service carries out a request that arrives whole.
    let is_request_whole = match fault.place {
        Place::Request(offset) => offset == whole.request.len(),
        Place::Reply(_) => true,
    };
    assert_eq!(rig.carried_out(S::ROUTE), usize::from(is_request_whole), "{context}");

    let is_reply_whole = fault.place == Place::Reply(whole.reply.len());
    let is_reset = matches!(fault.action, Action::Reset);
    match result {
        Ok(output) => {
            assert!(is_reply_whole, "{context}: a success without a whole reply");
            assert!(rig.server.with(|lark| call.is_right(&output, lark)), "{context}");
        }
        Err(failed) => {
            // A reset may overtake the bytes before it.
            assert!(!is_reply_whole || is_reset, "{context}: {failed:?}");
            assert_eq!(failed.kind, Kind::Transport, "{context}: {failed:?}");
            // A reset at the head may come before the client has begun with the body.
            let may_be_unsent = is_reset
                && matches!(fault.place, Place::Request(offset) if offset <= head_len(&whole.request));
            let is_right = failed.outcome == Outcome::Unknown
                || may_be_unsent && failed.outcome == Outcome::NotSent;
            assert!(is_right, "{context}: {failed:?}");
        }
    }
    assert_eq!(rig.proxy.connections().len(), 1, "{context}");
}

#[test]
fn an_upload_that_is_cut_at_any_byte_ends_with_a_true_outcome() {
    cut_everywhere::<CreateImage>();
}

#[test]
fn a_cell_write_that_is_cut_at_any_byte_ends_with_a_true_outcome() {
    cut_everywhere::<WriteSheetImage>();
}
