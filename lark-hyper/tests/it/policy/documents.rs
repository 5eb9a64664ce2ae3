//! Writes that must not overlap, and documents that are busy.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use lark_proto::Limits;
use lark_proto::error::{CallErrorKind, Outcome};

use super::service::{
    Reaction, Service, TOKEN, after, answer, done, granted, refusal, with, with_tokens, write,
};
use crate::support::sim::Sim;
use crate::support::{app, millis, secs};

/// The codes of a busy document.
const BUSY: [i64; 7] = [90_217, 90_235, 90_242, 90_228, 1_310_217, 1_310_235, 1_310_242];

/// A document that takes one write at a time. A write that has begun goes on even if its connection breaks.
#[derive(Default)]
struct Document {
    /// The end of each write, and the write's body.
    writes: Vec<(Duration, Bytes)>,
}

impl Document {
    fn react(
        &mut self,
        now: Duration,
        request: &Request<Bytes>,
        takes: u64,
        code: i64,
    ) -> Reaction {
        if request.uri().path().ends_with(TOKEN) {
            return after(Duration::ZERO, granted("t-1"));
        }
        if self.writes.last().is_some_and(|(ends, _)| now < *ends) {
            return after(millis(50), refusal(200, code));
        }
        self.writes.push((now + secs(takes), request.body().clone()));
        after(secs(takes), done())
    }
}

/// Whether `body` holds the bytes of `image` as a list of numbers.
fn holds(body: &Bytes, image: &str) -> bool {
    let numbers: Vec<String> = image.bytes().map(|byte| byte.to_string()).collect();
    std::str::from_utf8(body).unwrap().contains(&numbers.join(","))
}

#[test]
fn a_write_behind_one_that_was_given_up_is_the_last_one_carried_out() {
    for takes in [10, 60] {
        for code in [90_217, 90_235] {
            let sim = Sim::new("a write behind");
            let service = Service::new(&sim);
            let mut document = Document::default();
            let client =
                service.client(app(), |now, request| document.react(now, &request, takes, code));
            sim.run_numbered(2, async |number| {
                if number == 0 {
                    let write = write(0, "first");
                    let first = sim.within(secs(1), client.call(&write)).await;
                    assert!(first.is_none());
                } else {
                    client.call(&write(0, "second")).await.unwrap();
                }
            });
            drop(client);
            let (_, body) = document.writes.last().unwrap();
            assert!(holds(body, "second") && document.writes.len() == 2, "{takes} s, {code}");
        }
    }
}

#[test]
fn a_write_whose_connection_broke_is_sent_again_after_its_first_attempt_has_ended() {
    let sim = Sim::new("a broken connection");
    let service = Service::new(&sim);
    let mut document = Document::default();
    let mut sent = 0;
    let client = service.client(app(), |now, request| {
        let reaction = document.react(now, &request, 10, 90_217);
        sent += 1;
        // The first request is for the token.
        if sent == 2 { Reaction::Cut(millis(100)) } else { reaction }
    });
    sim.run(client.call(&write(0, "one"))).unwrap();
    drop(client);
    assert_eq!(document.writes.len(), 2);
}

#[test]
fn a_write_that_may_have_been_carried_out_ends_as_unknown_with_the_transports_cause() {
    let sim = Sim::new("unknown");
    let service = Service::new(&sim);
    let mut sent = 0;
    let client = service.client(app(), |_, request| {
        sent += 1;
        match sent {
            1 => after(millis(0), granted("t-1")),
            2 => Reaction::Cut(millis(100)),
            _ => {
                assert!(request.uri().path().ends_with("/values_image"));
                after(millis(50), refusal(200, 90_217))
            }
        }
    });
    let hasty = client.with_limits(Limits::default().total(secs(30)));
    let error = sim.run(hasty.call(&write(0, "one"))).unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    assert!(matches!(error.earlier(), Some(CallErrorKind::Transport(_))), "{error}");
}

#[test]
fn a_write_goes_on_after_a_gateways_502_and_a_busy_document() {
    let sim = Sim::new("a gateway");
    let service = Service::new(&sim);
    let mut sent = 0;
    let client = service.client(app(), |now, _| {
        sent += 1;
        match sent {
            1 => after(millis(0), granted("t-1")),
            2 => after(secs(62), answer(502, "<html>Bad Gateway</html>")),
            _ if now < secs(82) => after(millis(50), refusal(200, 90_235)),
            _ => after(secs(1), done()),
        }
    });
    sim.run(client.call(&write(0, "one"))).unwrap();
    assert!(service.sent("/values_image")[1] >= secs(64));
}

/// Writes to a document that is busy for a minute, 51 times at once, and to another one each second. Does so for each
/// reply of a busy document, and passes to `check` the name of the reply, the times that the writes to the other
/// document took, and the time of the whole.
fn with_a_busy_document(check: impl Fn(&str, &[Duration], Duration)) {
    for code in BUSY {
        for (status, retry_after) in [(200, None), (429, Some("1")), (429, Some("60"))] {
            let sim = Sim::new("a busy document");
            let service = Service::new(&sim);
            let mut others = with_tokens(|_, _| after(millis(0), granted("t-1")));
            let client = service.client(app(), move |now, request| {
                let is_busy = now < secs(60) && request.uri().path().contains("shtcn000000");
                match retry_after {
                    _ if !is_busy => others(now, request),
                    None => after(millis(50), refusal(status, code)),
                    Some(wait) => {
                        after(millis(50), with(refusal(status, code), "retry-after", wait))
                    }
                }
            });
            let took = sim.run_numbered(81, async |number| {
                let (document, at) = if number < 51 { (0, 0) } else { (1, number - 50) };
                sim.sleep_until(secs(at.into())).await;
                let (result, took) = sim.timed(client.call(&write(document, "one"))).await;
                result.unwrap();
                took
            });
            check(&format!("{code} {status} {retry_after:?}"), &took[51..], sim.elapsed());
        }
    }
}

#[test]
fn writes_to_a_busy_document_succeed_soon_after_it_is_free() {
    with_a_busy_document(|name, _, elapsed| {
        assert!(elapsed < secs(60 + 8 + 6), "{name}: {elapsed:?}");
    });
}

#[test]
fn a_busy_document_holds_up_no_writes_to_another_one() {
    with_a_busy_document(|name, took, _| {
        assert!(took.iter().all(|took| *took == millis(100)), "{name}: {took:?}");
    });
}
