//! Writes to a spreadsheet that is busy, and writes whose outcome is unknown.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request};
use lark_proto::error::{CallErrorKind, Outcome};
use lark_proto::{App, EndpointExt, Image, Limits, Site, WriteSheetImage};

use super::{Sim, hangs, refusal, reply, stored};
use crate::support::memory_server::Reaction;
use crate::support::{millis, secs, token};

fn write_to(spreadsheet: &str, image: &'static str) -> WriteSheetImage {
    let cell = "Q7PlXT!H7".parse().unwrap();
    WriteSheetImage::new(spreadsheet.parse().unwrap(), cell, Image::new(image).unwrap()).unwrap()
}

/// A service whose documents take one write at a time. A write goes on even if its connection breaks.
#[derive(Default)]
struct Documents(BTreeMap<String, Vec<(Duration, Bytes)>>);

impl Documents {
    /// Carries out the write, which takes `takes`, or refuses it with `code` while another one is carried out.
    fn react(
        &mut self,
        now: Duration,
        request: &Request<Bytes>,
        takes: Duration,
        code: i64,
    ) -> Reaction {
        let writes = self.0.entry(request.uri().path().to_owned()).or_default();
        if writes.last().is_some_and(|(ends, _)| now < *ends) {
            return (millis(50), Some(refusal(200, code)));
        }
        writes.push((now + takes, request.body().clone()));
        (takes, Some(stored()))
    }

    /// The body of the last write that the only document has carried out.
    fn last(&self, now: Duration) -> &Bytes {
        let writes = self.0.values().next().unwrap();
        &writes.iter().rfind(|(ends, _)| *ends <= now).unwrap().1
    }
}

#[test]
fn a_write_after_one_that_timed_out_succeeds_and_stays_in_the_cell() {
    for takes in [10, 60] {
        for code in [90_217, 90_235] {
            let documents: Arc<Mutex<Documents>> = Arc::default();
            let service = documents.clone();
            let sim = Sim::new(App::None, move |now, request| {
                service.lock().unwrap().react(now, request, secs(takes), code)
            });
            let first = write_to("shtcn0", "GIF89aA");
            let second = write_to("shtcn0", "GIF89aB");
            let results = sim.run(2, |number| {
                if number == 0 {
                    return sim.write(&first, Limits::default().total(secs(1))).0;
                }
                sim.clock.sleep(millis(500));
                sim.write(&second, Limits::default()).0
            });
            let [given_up, written] = results.try_into().unwrap();
            assert_eq!(given_up.unwrap_err().outcome(), Outcome::Unknown);
            written.unwrap();
            let image = second.request(&Site::LARK, &token()).into_body();
            assert_eq!(documents.lock().unwrap().last(sim.clock.elapsed()), &image);
        }
    }
}

/// A spreadsheet that takes ten seconds for a write, and breaks the connection of the first one.
fn with_first_write_broken() -> Sim {
    let mut documents = Documents::default();
    let mut sent = 0;
    Sim::new(App::None, move |now, request| {
        sent += 1;
        let reaction = documents.react(now, request, secs(10), 90_217);
        if sent == 1 { (millis(100), None) } else { reaction }
    })
}

#[test]
fn a_write_whose_connection_broke_is_sent_again() {
    let sim = with_first_write_broken();
    let limits = Limits::default().total(secs(600));
    let (result, _) = sim.write(&write_to("shtcn0", "GIF89aA"), limits);
    result.unwrap();
}

#[test]
fn a_write_whose_connection_broke_is_of_unknown_outcome_at_the_deadline() {
    let sim = with_first_write_broken();
    let limits = Limits::default().total(secs(5));
    let (result, _) = sim.write(&write_to("shtcn0", "GIF89aA"), limits);
    let error = result.unwrap_err();
    assert_eq!(error.outcome(), Outcome::Unknown);
    let earlier = format!("{:?}", error.earlier());
    assert!(earlier.contains("ConnectionReset"), "{earlier}");
}

#[test]
fn a_write_is_sent_again_after_a_502_of_a_gateway_and_a_busy_document() {
    let mut sent = 0;
    let sim = Sim::new(App::None, move |now, _| {
        sent += 1;
        match sent {
            1 => (secs(62), Some(reply(502, "<html>"))),
            _ if now < secs(82) => (millis(50), Some(refusal(200, 90_235))),
            _ => (secs(1), Some(stored())),
        }
    });
    let (result, took) = sim.write(&write_to("shtcn0", "GIF89aA"), Limits::default());
    result.unwrap();
    assert!(secs(83) <= took && took <= secs(92), "{took:?}");
    assert!(
        sim.requests.lock().unwrap()[1].0 >= secs(64),
        "the first wait is two seconds at least"
    );
}

#[test]
fn calls_wait_for_a_busy_document_and_delay_no_call_to_another() {
    for code in [90_217, 90_235, 90_242, 90_228, 1_310_217, 1_310_235, 1_310_242] {
        for retry_after in [None, Some("1"), Some("60")] {
            let sim = Sim::new(App::None, move |now, request| {
                if now >= secs(60) || !request.uri().path().contains("shtcn0") {
                    return (millis(100), Some(stored()));
                }
                let mut refusal = refusal(if retry_after.is_some() { 429 } else { 200 }, code);
                if let Some(wait) = retry_after {
                    refusal.headers_mut().insert("retry-after", HeaderValue::from_static(wait));
                }
                (millis(50), Some(refusal))
            });
            let busy = write_to("shtcn0", "GIF89aA");
            let other = write_to("shtcn1", "GIF89aB");
            sim.run(81, |number| {
                if number < 51 {
                    sim.write(&busy, Limits::default()).0.unwrap();
                    return;
                }
                sim.clock.sleep(secs(number - 50));
                let (result, took) = sim.write(&other, Limits::default());
                result.unwrap();
                assert_eq!(took, millis(100), "{code} {retry_after:?}");
            });
            let ended = sim.clock.elapsed();
            assert!(secs(60) < ended && ended < secs(74), "{code} {retry_after:?}: {ended:?}");
        }
    }
}

#[test]
fn a_service_that_does_not_answer_ends_the_call_with_a_timeout_of_the_response() {
    let sim = Sim::new(App::None, |_, _| hangs());
    let (result, took) = sim.write(&write_to("shtcn0", "GIF89aA"), Limits::one_attempt());
    let timeout = CallErrorKind::Transport(ureq::Error::Timeout(ureq::Timeout::RecvResponse));
    assert_eq!(format!("{:?}", result.unwrap_err().kind), format!("{timeout:?}"));
    assert!(secs(119) <= took && took <= secs(121), "{took:?}");
}
