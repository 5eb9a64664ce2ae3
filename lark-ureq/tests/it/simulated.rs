//! The policy of calls through the client, its threads and ureq, in simulated time.



use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, Response};
use lark_proto::endpoints::SheetImageWritten;
use lark_proto::error::{CallErrorKind, Code, Outcome};
use lark_proto::fake::{FakeLark, Route};
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{
    App, EndpointExt, Image, ImageKey, Limits, PutImage, Site, TenantToken, WriteSheetImage,
};
use lark_ureq::{CallError, Client, Clock};
use crate::support::memory::{self, Memory, Reaction};

const fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// A client, and the time and the path of each request that its service has received.
struct World {
    clock: Clock,
    client: Client,
    requests: Arc<Mutex<Vec<(Duration, String)>>>,
}

/// A client of `app`, whose service is `service`.
fn world(
    app: App,
    mut service: impl FnMut(Duration, &Request<Bytes>) -> Reaction + Send + 'static,
) -> World {
    let clock = Clock::simulated();
    let requests: Arc<Mutex<Vec<_>>> = Arc::default();
    let received = requests.clone();
    let records = move |now, request: &Request<Bytes>| {
        received.lock().unwrap().push((now, request.uri().path().to_owned()));
        service(now, request)
    };
    let agent = memory::agent(&Memory::new(&clock, records));
    let site = Site::custom("http://127.0.0.1:1").unwrap();
    let client = Client::with_clock(site, app, agent, clock.clone());
    World { clock, client, requests }
}

/// A client of a custom app. `token` answers the token requests, given their number; uploads take 100 ms.
fn uploads(mut token: impl FnMut(usize) -> Reaction + Send + 'static) -> World {
    let mut asked = 0;
    world(custom(), move |_, request| {
        if !is_token(request) {
            return (millis(100), Some(stored()));
        }
        asked += 1;
        token(asked)
    })
}

impl World {
    fn count(&self, end: &str) -> usize {
        self.requests.lock().unwrap().iter().filter(|(_, path)| path.ends_with(end)).count()
    }

    /// An upload within `limits`, and how long it took.
    fn upload(&self, limits: Limits) -> (Result<ImageKey, CallError>, Duration) {
        self.timed(|| self.client.clone().with_limits(limits).call(&put("GIF89a")))
    }

    fn write(
        &self,
        write: &WriteSheetImage,
        limits: Limits,
    ) -> (Result<SheetImageWritten, CallError>, Duration) {
        self.timed(|| self.client.clone().with_limits(limits).call_as(&given(), write))
    }

    fn timed<R>(&self, call: impl FnOnce() -> R) -> (R, Duration) {
        let start = self.clock.elapsed();
        let result = call();
        (result, self.clock.elapsed() - start)
    }

    /// Runs `task` on `threads` threads, each with its number, and returns the results in this order.
    fn run<R: Send>(&self, threads: u64, task: impl Fn(u64) -> R + Sync) -> Vec<R> {
        let task = &task;
        self.clock.run((0..threads).map(|number| move || task(number)))
    }
}

fn is_token(request: &Request<Bytes>) -> bool {
    request.uri().path().contains("/auth/")
}

fn custom() -> App {
    App::custom(FakeLark::APP_ID, FakeLark::APP_SECRET).unwrap()
}

fn given() -> TenantToken {
    TenantToken::new("t-given").unwrap()
}

fn put(image: &'static str) -> PutImage {
    PutImage::message(Image::new(image).unwrap()).unwrap()
}

fn write_to(spreadsheet: &str, image: &'static str) -> WriteSheetImage {
    let cell = "Q7PlXT!H7".parse().unwrap();
    WriteSheetImage::new(spreadsheet.parse().unwrap(), cell, Image::new(image).unwrap()).unwrap()
}

fn reply(status: u16, body: impl Into<Bytes>) -> Response<Bytes> {
    Response::builder().status(status).body(body.into()).unwrap()
}

fn granted(token: &str, expire: u64) -> Response<Bytes> {
    let tokens = format!(r#""tenant_access_token":"{token}","app_access_token":"{token}""#);
    reply(200, format!(r#"{{"code":0,{tokens},"expire":{expire}}}"#))
}

fn stored() -> Response<Bytes> {
    reply(200, r#"{"code":0,"data":{"image_key":"img_1","spreadsheetToken":"shtcn"}}"#)
}

fn refusal(status: u16, code: i64) -> Response<Bytes> {
    reply(status, format!(r#"{{"code":{code},"msg":"no"}}"#))
}

/// A refusal for the route's rate limit, which tells the client to wait for `seconds`.
fn told(seconds: u64) -> Response<Bytes> {
    let mut reply = refusal(429, Code::RATE_LIMITED.0);
    reply.headers_mut().insert("x-ogw-ratelimit-reset", seconds.into());
    reply
}

/// A request that is never answered.
fn hangs() -> Reaction {
    (secs(1 << 30), None)
}

const TOKEN: &str = "/tenant_access_token/internal";

#[test]
fn a_renewal_that_hangs_fails_no_call_and_holds_up_few() {
    let world = uploads(|number| match number {
        1 => (millis(100), Some(granted("t-1", 7200))),
        _ => hangs(),
    });
    world.upload(Limits::default()).0.unwrap();
    // The token expires in 28 minutes.
    world.clock.sleep(secs(7200 - 28 * 60));
    for number in 0..100 {
        let (result, took) = world.upload(Limits::default().total(secs(5)));
        result.unwrap();
        assert!(took <= secs(3), "{took:?}");
        // Without pauses at first, so that two renewals would be close to each other.
        world.clock.sleep(secs(if number < 50 { 0 } else { 10 }));
    }
    let requests = world.requests.lock().unwrap();
    let mut asked = requests.iter().filter(|(_, path)| path.ends_with(TOKEN)).map(|(at, _)| *at);
    let asked: Vec<Duration> = asked.by_ref().collect();
    assert!(
        asked.len() > 3 && asked.windows(2).all(|pair| pair[1] - pair[0] >= secs(60)),
        "{asked:?}"
    );
}

#[test]
fn a_token_host_that_takes_four_seconds_fails_no_call_in_two_hours() {
    let world = uploads(|_| (secs(4), Some(granted("t-1", 7200))));
    let threads = 8;
    let took = world.run(threads, |first| {
        let take_turns = (first..7200).step_by(8).map(|second| {
            world.clock.sleep(secs(second).saturating_sub(world.clock.elapsed()));
            let (result, took) = world.upload(Limits::default());
            result.unwrap();
            (second, took)
        });
        take_turns.collect::<Vec<_>>()
    });
    let took = took.into_iter().flatten();
    let held_up = took.filter(|(second, took)| *second > 4 && *took > millis(100)).count();
    assert!((1..=12).contains(&held_up), "{held_up} calls waited for a renewal");
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
fn a_write_behind_one_that_was_given_up_succeeds_and_stands() {
    for takes in [10, 60] {
        for code in [90_217, 90_235] {
            let documents: Arc<Mutex<Documents>> = Arc::default();
            let service = documents.clone();
            let world = world(App::None, move |now, request| {
                service.lock().unwrap().react(now, request, secs(takes), code)
            });
            let (first, second) = (write_to("shtcn0", "GIF89aA"), write_to("shtcn0", "GIF89aB"));
            let results = world.run(2, |number| {
                if number == 0 {
                    return world.write(&first, Limits::default().total(secs(1))).0;
                }
                world.clock.sleep(millis(500));
                world.write(&second, Limits::default()).0
            });
            let [given_up, written] = results.try_into().unwrap();
            assert_eq!(given_up.unwrap_err().outcome(), Outcome::Unknown);
            written.unwrap();
            let image = second.request(&Site::LARK, &given()).into_body();
            assert_eq!(documents.lock().unwrap().last(world.clock.elapsed()), &image);
        }
    }
}

#[test]
fn a_write_whose_connection_broke_is_sent_again_or_ends_as_unknown() {
    for (patience, succeeds) in [(600, true), (5, false)] {
        let mut documents = Documents::default();
        let mut sent = 0;
        let world = world(App::None, move |now, request| {
            sent += 1;
            let reaction = documents.react(now, request, secs(10), 90_217);
            if sent == 1 { (millis(100), None) } else { reaction }
        });
        let limits = Limits::default().total(secs(patience));
        let (result, _) = world.write(&write_to("shtcn0", "GIF89aA"), limits);
        assert_eq!(result.is_ok(), succeeds, "{result:?}");
        if let Err(error) = result {
            assert_eq!(error.outcome(), Outcome::Unknown);
            let earlier = format!("{:?}", error.earlier());
            assert!(earlier.contains("ConnectionReset"), "{earlier}");
        }
    }
}

#[test]
fn a_write_goes_on_after_a_gateways_502_and_a_busy_document() {
    let mut sent = 0;
    let world = world(App::None, move |now, _| {
        sent += 1;
        match sent {
            1 => (secs(62), Some(reply(502, "<html>"))),
            _ if now < secs(82) => (millis(50), Some(refusal(200, 90_235))),
            _ => (secs(1), Some(stored())),
        }
    });
    let (result, took) = world.write(&write_to("shtcn0", "GIF89aA"), Limits::default());
    result.unwrap();
    assert!(secs(83) <= took && took <= secs(92), "{took:?}");
    assert!(
        world.requests.lock().unwrap()[1].0 >= secs(64),
        "the first wait is two seconds at least"
    );
}

#[test]
fn a_busy_document_is_waited_for_and_holds_up_no_other() {
    for code in [90_217, 90_235, 90_242, 90_228, 1_310_217, 1_310_235, 1_310_242] {
        for retry_after in [None, Some("1"), Some("60")] {
            let world = world(App::None, move |now, request| {
                if now >= secs(60) || !request.uri().path().contains("shtcn0") {
                    return (millis(100), Some(stored()));
                }
                let mut refusal = refusal(if retry_after.is_some() { 429 } else { 200 }, code);
                if let Some(wait) = retry_after {
                    refusal.headers_mut().insert("retry-after", HeaderValue::from_static(wait));
                }
                (millis(50), Some(refusal))
            });
            let (busy, other) = (write_to("shtcn0", "GIF89aA"), write_to("shtcn1", "GIF89aB"));
            world.run(81, |number| {
                if number < 51 {
                    world.write(&busy, Limits::default()).0.unwrap();
                    return;
                }
                world.clock.sleep(secs(number - 50));
                let (result, took) = world.write(&other, Limits::default());
                result.unwrap();
                assert_eq!(took, millis(100), "{code} {retry_after:?}");
            });
            let ended = world.clock.elapsed();
            assert!(secs(60) < ended && ended < secs(74), "{code} {retry_after:?}: {ended:?}");
        }
    }
}

#[test]
fn a_token_that_comes_again_although_refused_is_tried_again_within_the_attempts() {
    let mut refuses = 2;
    let world = world(custom(), move |_, request| {
        let is_odd = request.body().windows(3).any(|bytes| bytes == b"odd");
        let reply = if is_token(request) {
            granted("t-1", 7200)
        } else if is_odd && refuses > 0 {
            refuses -= 1;
            refusal(400, Code::TENANT_TOKEN_INVALID.0)
        } else {
            stored()
        };
        (millis(100), Some(reply))
    });
    world.run(31, |number| {
        if number == 0 {
            return drop(world.client.call(&put("GIF89a odd")).unwrap());
        }
        world.clock.sleep(millis(100 * number));
        let (result, took) = world.upload(Limits::default());
        result.unwrap();
        assert!(took <= millis(200), "{took:?}");
    });
    assert_eq!((world.count(TOKEN), world.count("/put/")), (2, 3 + 30));
}

#[test]
fn a_first_token_request_that_fails_for_the_moment_is_sent_again() {
    let failures: [fn() -> Option<Response<Bytes>>; 4] = [
        || Some(reply(500, "<html>")),
        || Some(reply(200, r#"{"code":0,"tenant_access_"#)),
        || None,
        || Some(refusal(503, 4_242_424)),
    ];
    for (case, failure) in failures.into_iter().enumerate() {
        let world = uploads(move |number| match number {
            1 => (millis(100), failure()),
            _ => (millis(100), Some(granted("t-1", 7200))),
        });
        world.run(1000, |number| {
            world.clock.sleep(millis(3 * number));
            world.upload(Limits::default()).0.unwrap();
        });
        assert_eq!((world.count(TOKEN), world.count("/put/")), (2, 1000), "case {case}");
    }
}

#[test]
fn a_token_route_gets_no_request_during_the_wait_it_asked_for_even_if_calls_give_up() {
    let world = uploads(|number| match number {
        1 => (millis(50), Some(told(30))),
        _ => (millis(50), Some(granted("t-1", 7200))),
    });
    while world.clock.elapsed() < secs(30) {
        let (result, took) = world.upload(Limits::default().total(secs(2)));
        assert!(result.is_err() && took <= secs(2));
        world.clock.sleep(secs(2).saturating_sub(took));
    }
    assert_eq!(world.count(TOKEN), 1);
    world.upload(Limits::default()).0.unwrap();
    assert_eq!(world.count(TOKEN), 2);
}

#[test]
fn a_dead_token_host_ends_all_calls_with_its_cause_after_one_series() {
    let world = uploads(|_| (secs(20), None));
    let ends = world.run(1000, |number| {
        let limits = if number == 500 { Limits::one_attempt() } else { Limits::default() };
        let (result, took) = world.upload(limits);
        (result.unwrap_err(), took)
    });
    for (error, took) in ends {
        assert!(error.route.ends_with(TOKEN) && took <= secs(100), "{error} {took:?}");
        let cause = match error.kind {
            CallErrorKind::Transport(cause) => cause.to_string(),
            CallErrorKind::TokenRequest(text) => text.to_string(),
            other => panic!("{other}"),
        };
        assert_eq!(cause, "io: connection reset");
    }
    assert_eq!(world.count(TOKEN), 4);
}

#[test]
fn waiting_calls_go_on_at_once_with_an_imported_token() {
    let donor = uploads(|_| (Duration::ZERO, Some(granted("t-2", 7200))));
    donor.upload(Limits::default()).0.unwrap();
    let text = donor.client.export_token().unwrap();
    let world = uploads(|_| (millis(50), Some(told(45))));
    world.run(11, |number| {
        if number == 0 {
            world.clock.sleep(secs(1));
            return world.client.import_token(&text).unwrap();
        }
        let (result, took) = world.upload(Limits::default());
        result.unwrap();
        assert_eq!(took, millis(1100));
    });
    assert_eq!(world.count(TOKEN), 1);
}

#[test]
fn a_missing_ticket_is_asked_for_once_and_waited_for_by_patient_calls() {
    let app = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let world = world(app, |_, request| {
        let reply = if is_token(request) { granted("t-1", 7200) } else { stored() };
        (millis(100), Some(reply))
    });
    let tenant = TenantKey::new(FakeLark::TENANT_KEY).unwrap();
    let call = |patience: u64| {
        let client = world.client.clone().for_tenant(tenant.clone());
        let client = client.with_limits(Limits::default().longest_wait(secs(patience)));
        world.timed(|| client.call(&put("GIF89a")))
    };
    let resends = || world.count(Route::ResendAppTicket.path());
    // The event of the first resend is lost.
    for second in [0, 60, 299] {
        world.clock.sleep(secs(second) - world.clock.elapsed());
        let (result, took) = call(60);
        assert!(matches!(result.unwrap_err().kind, CallErrorKind::NoTicket));
        assert_eq!((took <= millis(100), resends()), (true, 1), "after {second} s");
    }
    world.clock.sleep(secs(301) - world.clock.elapsed());
    world.run(3, |number| match number {
        0 => {
            world.clock.sleep(secs(120));
            world.client.set_app_ticket(AppTicket::new("ticket").unwrap());
        }
        1 => {
            let (result, took) = call(180);
            result.unwrap();
            assert_eq!(took, millis(120_300));
        }
        _ => assert!(matches!(call(60).0.unwrap_err().kind, CallErrorKind::NoTicket)),
    });
    assert_eq!(resends(), 2);
}

#[test]
fn a_service_that_does_not_answer_ends_the_call_with_a_timeout_of_the_response() {
    let world = world(App::None, |_, _| hangs());
    let (result, took) = world.write(&write_to("shtcn0", "GIF89aA"), Limits::one_attempt());
    let timeout = CallErrorKind::Transport(ureq::Error::Timeout(ureq::Timeout::RecvResponse));
    assert_eq!(format!("{:?}", result.unwrap_err().kind), format!("{timeout:?}"));
    assert!(secs(119) <= took && took <= secs(121), "{took:?}");
}

#[test]
fn a_wall_clock_that_is_set_ends_no_wait_and_no_token() {
    let world = world(custom(), |now, request| {
        let reply = match is_token(request) {
            true => granted("t-1", 7200),
            false if now < secs(1) => told(45),
            false => stored(),
        };
        (millis(100), Some(reply))
    });
    let ends = |text: &str, at| {
        world.clock.set_wall(at);
        let other = uploads(|_| hangs());
        other.clock.set_wall(at);
        other.client.import_token(text).is_err()
    };
    let hour = secs(3600);
    let start = std::time::UNIX_EPOCH + secs(1_800_000_000);
    world.clock.set_wall(start);
    world.run(11, |number| {
        if number == 0 {
            world.clock.sleep(secs(10));
            return world.clock.set_wall(start + secs(10) + hour);
        }
        let (result, took) = world.upload(Limits::default());
        result.unwrap();
        assert!(secs(45) < took && took < secs(50), "{took:?}");
    });
    assert_eq!(world.count(TOKEN), 1);
    // The token was requested at the start, and 7,200 seconds later it ends, which is an hour later by the wall clock.
    let text = world.client.export_token().unwrap();
    let end = start + secs(7200) + hour;
    assert!(!ends(&text, end - secs(2)) && ends(&text, end));
    world.upload(Limits::default()).0.unwrap();
    assert_eq!(world.count(TOKEN), 1, "the token stays");
}
