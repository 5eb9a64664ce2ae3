//! The lane of a spreadsheet: its writes do not overlap, wait while the document is busy, and may have an unknown
//! outcome.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use lark_proto::endpoints::{Payload, SheetImageWritten};
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::session::Call;
use lark_proto::{EndpointExt, Limits, Site};
use serde::de::IgnoredAny;

use crate::fixtures::{
    REFUSAL, answer, custom, given, limited, millis, page, refusal, secs, success, upload, with,
    write,
};
use crate::sim::{Cut, Reaction, Sim, after, cut};

/// A service whose documents take one write at a time. A write that has begun goes on when its connection breaks.
#[derive(Default)]
struct Documents(RefCell<BTreeMap<String, Vec<Written>>>);

/// A write: the time at which it ends, and its body.
struct Written {
    ends: Duration,
    body: Bytes,
}

impl Documents {
    /// Begins a write that takes `takes`. Returns false if the document is occupied.
    fn begin(&self, now: Duration, request: &Request<Bytes>, takes: Duration) -> bool {
        let mut documents = self.0.borrow_mut();
        let writes = documents.entry(request.uri().path().to_owned()).or_default();
        if writes.last().is_some_and(|last| now < last.ends) {
            return false;
        }
        writes.push(Written { ends: now + takes, body: request.body().clone() });
        true
    }

    /// Begins a write that takes `takes`, or refuses it with `code`.
    fn react<'w>(
        &self,
        now: Duration,
        request: &Request<Bytes>,
        takes: Duration,
        code: i64,
    ) -> Reaction<'w> {
        if self.begin(now, request, takes) {
            after(takes, success())
        } else {
            after(REFUSAL, refusal(200, code))
        }
    }

    /// In the only document, the body of the last write that has ended by `now`.
    fn cell(&self, now: Duration) -> Option<Bytes> {
        let documents = self.0.borrow();
        let writes = documents.values().next()?;
        writes.iter().rfind(|write| write.ends <= now).map(|write| write.body.clone())
    }
}

/// The codes of a busy document.
const BUSY: [i64; 7] = [90_217, 90_235, 90_242, 90_228, 1_310_217, 1_310_235, 1_310_242];

fn code(sim: &Sim<'_, SheetImageWritten>, at: usize) -> Code {
    sim.result(at).as_ref().unwrap_err().api().unwrap().code
}

#[test]
fn a_write_behind_a_dropped_one_succeeds_and_is_not_overwritten() {
    for takes in [10, 60] {
        for code in [90_217, 90_235] {
            let documents = Documents::default();
            let first = write(0, "A");
            let second = write(0, "B");
            let token = given();
            let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |now, request| {
                documents.react(now, &request, secs(takes), code)
            });
            let at = sim.start(Call::with_token(&token, &first).boxed());
            sim.drop_at(secs(1), at);
            sim.start(Call::with_token(&token, &second).boxed());
            sim.run();
            sim.result(1).as_ref().unwrap();
            let image = second.request(&Site::LARK, &token).into_body();
            assert_eq!(documents.cell(sim.now).unwrap(), image, "{takes} s, {code}");
            let waited = sim.took(1);
            assert!(waited <= secs(2 * takes + 9), "{takes} s, {code}: {waited:?}");
        }
    }
}

#[test]
fn a_resent_write_waits_while_its_first_send_still_runs() {
    for code in [90_217, 90_235] {
        let documents = Documents::default();
        let write = write(0, "A");
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |now, request| {
            sent += 1;
            let reaction = documents.react(now, &request, secs(10), code);
            if sent == 1 { cut(millis(100), u64::MAX) } else { reaction }
        });
        sim.start(Call::with_token(&token, &write).boxed());
        sim.run();
        sim.result(0).as_ref().unwrap();
        assert_eq!(
            documents.cell(sim.now).unwrap(),
            write.request(&Site::LARK, &token).into_body()
        );
    }
}

#[test]
fn a_write_that_may_have_been_carried_out_ends_as_unknown() {
    let write = write(0, "A");
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |_, _| {
        sent += 1;
        if sent == 1 { cut(millis(100), u64::MAX) } else { after(REFUSAL, refusal(200, 90_217)) }
    });
    sim.start(
        Call::with_token(&token, &write).with_limits(Limits::default().total(secs(30))).boxed(),
    );
    sim.run();
    let error = sim.result(0).as_ref().unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(matches!(error.earlier(), Some(CallErrorKind::Transport(Cut))), "{error}");
}

#[test]
fn a_write_is_sent_again_after_a_gateways_502_and_a_busy_document() {
    for attempts in [2, 4] {
        let write = write(0, "A");
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |now, _| {
            sent += 1;
            match sent {
                1 => after(secs(62), answer(502, "<html>Bad Gateway</html>")),
                _ if now < secs(82) => after(REFUSAL, refusal(200, 90_235)),
                _ => after(secs(1), success()),
            }
        });
        let limits = Limits::default().attempts(attempts);
        sim.start(Call::with_token(&token, &write).with_limits(limits).boxed());
        sim.run();
        sim.result(0).as_ref().unwrap();
        assert!(sim.sent[1].at >= secs(64), "the first wait is two seconds at least");
    }
}

/// A service with one document that is busy until `ends`; the others take writes.
fn busy_until<'w>(
    ends: Duration,
    code: i64,
    status: u16,
    retry_after: Option<&'w str>,
) -> impl FnMut(Duration, Request<Bytes>) -> Reaction<'w> {
    move |now, request| {
        if now >= ends || !request.uri().path().contains("shtcn000000") {
            return after(millis(100), success());
        }
        let refusal = refusal(status, code);
        after(
            REFUSAL,
            match retry_after {
                Some(wait) => with(refusal, "retry-after", wait),
                None => refusal,
            },
        )
    }
}

#[test]
fn a_write_waits_for_its_busy_document_and_holds_up_no_write_to_another() {
    for code in BUSY {
        for (status, retry_after) in
            [(200, None), (429, None), (429, Some("1")), (400, Some("0")), (429, Some("60"))]
        {
            let busy = write(0, "A");
            let others = write(1, "B");
            let token = given();
            let service = busy_until(secs(60), code, status, retry_after);
            let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), service);
            for _ in 0..51 {
                sim.start(Call::with_token(&token, &busy).boxed());
            }
            for at in 1..=30 {
                sim.start_at(secs(at), Call::with_token(&token, &others).boxed());
            }
            sim.run();
            for at in 0..81 {
                sim.result(at).as_ref().unwrap();
            }
            for at in 51..81 {
                assert_eq!(sim.took(at), millis(100), "{code} {status} {retry_after:?}");
            }
            assert!(sim.now < secs(60 + 8 + 6), "{code} {status} {retry_after:?}: {:?}", sim.now);
        }
    }
}

#[test]
fn the_calls_that_waited_for_their_busy_limit_end_together() {
    for (status, retry_after) in [(200, None), (429, Some("1"))] {
        let busy = write(0, "A");
        let token = given();
        let service = busy_until(Duration::MAX, 90_235, status, retry_after);
        let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), service);
        for _ in 0..51 {
            sim.start(Call::with_token(&token, &busy).boxed());
        }
        // This call is started later, and waits for as long.
        let late = sim.start_at(secs(50), Call::with_token(&token, &busy).boxed());
        sim.run();
        for at in 0..51 {
            assert_eq!(code(&sim, at), Code::SHEET_RETRY_LATER);
            assert_eq!(sim.tasks[at].ended, sim.tasks[0].ended);
            let least = secs(120);
            let most = secs(121);
            assert!(least <= sim.took(at) && sim.took(at) <= most, "{:?}", sim.took(at));
        }
        assert_eq!(code(&sim, late), Code::SHEET_RETRY_LATER);
        let waited = sim.took(late);
        assert!(secs(120) <= waited && waited <= secs(121), "{waited:?}");
        assert_eq!(sim.session.entries(), 1, "only the gate is left");
    }
}

#[test]
fn a_document_that_is_free_just_before_the_busy_limit_is_written_to() {
    for with_lane in [true, false] {
        let upload = upload();
        let token = given();
        let upload = if with_lane { upload.with_serial_key("shtcn") } else { upload };
        let ends = millis(119_900);
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, _| {
            let reply = if now < ends { refusal(200, 90_235) } else { success() };
            after(REFUSAL, reply)
        });
        sim.start(Call::with_token(&token, &upload).boxed());
        sim.run();
        sim.result(0).as_ref().unwrap_or_else(|error| panic!("lane {with_lane}: {error}"));
    }
}

#[test]
fn each_call_waits_for_a_busy_document_for_as_long_as_its_own_limits_say() {
    let busy = write(0, "A");
    let token = given();
    let service = busy_until(Duration::MAX, 90_235, 200, None);
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), service);
    let busy_limits = [120, 30, 60, 10, 0, 300, 10];
    for seconds in busy_limits {
        let limits = Limits::default().busy(secs(seconds));
        sim.start(Call::with_token(&token, &busy).with_limits(limits).boxed());
    }
    sim.run();
    for (at, seconds) in busy_limits.into_iter().enumerate() {
        assert_eq!(code(&sim, at), Code::SHEET_RETRY_LATER);
        let took = sim.took(at);
        assert!(secs(seconds) <= took, "{seconds} s: {took:?}");
        // A write is tried every eight seconds.
        assert!(took <= secs(seconds) + secs(9), "{seconds} s: {took:?}");
    }
}

#[test]
fn a_reply_for_another_reason_does_not_prolong_the_wait_for_a_busy_document() {
    let busy = write(0, "A");
    let token = given();
    let mut sent = 0;
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |_, _| {
        sent += 1;
        let reply = if sent % 3 == 2 { limited("0.1") } else { refusal(200, 90_235) };
        after(REFUSAL, reply)
    });
    for _ in 0..3 {
        sim.start(Call::with_token(&token, &busy).boxed());
    }
    sim.run();
    for at in 0..3 {
        assert_eq!(code(&sim, at), Code::SHEET_RETRY_LATER);
        assert!(sim.took(at) <= secs(130), "{:?}", sim.took(at));
    }
}

#[test]
fn a_write_of_one_attempt_is_sent_again_only_while_an_earlier_write_may_still_run() {
    for (broke, sends) in [(true, 3), (false, 1)] {
        let first = write(0, "A");
        let second = write(0, "B");
        let token = given();
        let mut sent = 0;
        let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |_, _| {
            sent += 1;
            match sent {
                1 if broke => cut(millis(100), u64::MAX),
                1 => after(millis(100), success()),
                2 | 3 => after(REFUSAL, refusal(200, 90_217)),
                _ => after(millis(100), success()),
            }
        });
        for write in [&first, &second] {
            let call = Call::with_token(&token, write).with_limits(Limits::one_attempt());
            sim.start(call.boxed());
        }
        sim.run();
        assert_eq!(sim.result(0).is_ok(), !broke);
        assert_eq!(sim.result(1).is_ok(), broke);
        assert_eq!(sim.tasks[1].call.sends(), sends);
    }
}

#[test]
fn no_further_attempt_is_begun_that_would_pass_the_deadline() {
    let payload = Payload::json(vec![b' '; 36_000_000]);
    let write = upload().with_payload(payload).with_serial_key("shtcn");
    let token = given();
    for total in [9, 10, 60, 61, 62, 65, 69, 70, 75, 600] {
        let total = secs(total);
        let mut sim: Sim<'_, IgnoredAny> = Sim::new(custom(), |now, request| {
            assert_eq!(request.body().len(), 36_000_000);
            let is_busy = now + secs(1) < total;
            after(secs(10), if is_busy { refusal(200, 90_217) } else { success() })
        });
        let limits = Limits::default().total(total).busy(Duration::MAX);
        sim.start(Call::with_token(&token, &write).with_limits(limits).boxed());
        sim.run();
        let error = sim.result(0).as_ref().unwrap_err();
        if total < secs(10) {
            // The first attempt is always begun.
            assert!(
                matches!(error.kind, CallErrorKind::Deadline) && sim.sent.len() == 1,
                "{error}"
            );
            assert_eq!(error.outcome(), Outcome::Unknown);
            continue;
        }
        assert_eq!(error.api().unwrap().code, Code::SHEET_TOO_MANY);
        assert_eq!(error.outcome(), Outcome::Refused);
        let last = sim.sent.last().unwrap().at;
        assert!(last + secs(10) <= total, "{total:?}: {last:?}");
        assert!(sim.took(0) <= total);
    }
}

#[test]
fn writes_to_one_spreadsheet_are_sent_in_the_order_of_their_calls() {
    let writes: Vec<_> = (0..8).map(|number| write(0, &number.to_string())).collect();
    let token = given();
    let mut order = Vec::new();
    let bodies: Vec<_> =
        writes.iter().map(|write| write.request(&Site::LARK, &token).into_body()).collect();
    let mut sent = 0;
    let mut sim: Sim<'_, SheetImageWritten> = Sim::new(custom(), |_, request| {
        sent += 1;
        let reply = match sent {
            1 => refusal(200, 90_235),
            3 => limited("3"),
            5 => page(503),
            _ => {
                order.push(request.into_body());
                success()
            }
        };
        after(REFUSAL, reply)
    });
    for write in &writes {
        sim.start(Call::with_token(&token, write).boxed());
    }
    sim.run();
    drop(sim);
    assert_eq!(order, bodies);
}
