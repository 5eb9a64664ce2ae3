//! Threads whose calls wait for a token, a ticket or their turn, in simulated time: each goes on as soon as its wait is
//! over.

use std::panic::{self, AssertUnwindSafe};
use std::time::Duration;

use http::{Request, StatusCode};
use lark_proto::error::CallErrorKind;
use lark_proto::fake::{ConnectionFault, FakeLark, Fault, Route};
use lark_proto::token::Authorizes;
use lark_proto::values::{AppTicket, TenantKey};
use lark_proto::{App, Endpoint, Limits, Site, TenantToken};
use lark_ureq::{Client, Clock, FakeTransport};
use ureq::middleware::MiddlewareNext;
use ureq::{Agent, SendBody};

use crate::support::{app, put, secs, write};

/// A client in simulated time over the fake.
struct Parked {
    clock: Clock,
    fake: FakeTransport,
    client: Client,
}

impl Parked {
    fn new(app: App) -> Self {
        let clock = Clock::simulated();
        let fake = FakeTransport::new(clock.clone());
        let client = Client::with_clock(Site::LARK, app, fake.agent(), clock.clone());
        Self { clock, fake, client }
    }

    /// Runs `task` on three threads, each with its number, and returns the times at which they ended.
    fn ends(&self, task: impl Fn(u64) + Sync) -> Vec<Duration> {
        let task = &task;
        self.clock.run((0..3).map(|number| {
            move || {
                task(number);
                self.clock.elapsed()
            }
        }))
    }

    fn count(&self, route: Route) -> usize {
        self.fake.with(|lark| lark.count(route))
    }
}

#[test]
fn threads_that_wait_for_a_token_go_on_when_it_arrives() {
    let parked = Parked::new(app());
    let slow = ConnectionFault::SlowReply(secs(4));
    parked.fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, slow));
    let ends = parked.ends(|_| drop(parked.client.call(&put()).unwrap()));
    assert_eq!(ends, [secs(4); 3]);
    assert_eq!(parked.count(Route::TenantAccessToken), 1);
}

#[test]
fn threads_that_wait_for_a_token_end_with_the_cause_for_which_its_requests_failed() {
    let parked = Parked::new(app());
    let agent = Agent::config_builder().proxy(None).timeout_recv_response(Some(secs(20)));
    let agent = agent.middleware(parked.fake.clone()).build().into();
    let client = Client::with_clock(Site::LARK, app(), agent, parked.clock.clone());
    parked
        .fake
        .with(|lark| lark.fail_when(|_, _| Some(ConnectionFault::SlowReply(secs(30)).into())));
    let ends = parked.ends(|_| {
        let error = client.call(&put()).unwrap_err();
        assert_eq!(error.route, Route::TenantAccessToken.path());
        let cause = match error.kind {
            CallErrorKind::Transport(cause) => cause.to_string(),
            CallErrorKind::TokenRequest(text) => text.to_string(),
            other => panic!("{other}"),
        };
        assert_eq!(cause, "timeout: receive response");
    });
    assert_eq!(ends, [ends[0]; 3]);
    assert_eq!(parked.count(Route::TenantAccessToken), 4);
}

#[test]
fn threads_that_wait_for_a_token_go_on_when_one_is_imported() {
    let parked = Parked::new(app());
    let donor = Client::with_agent(Site::LARK, app(), parked.fake.agent());
    donor.call(&put()).unwrap();
    let text = donor.export_token().unwrap();
    let reset = Some("45".to_owned());
    let limit = Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset };
    parked.fake.with(|lark| lark.fail_next_on(Route::TenantAccessToken, limit));
    let ends = parked.ends(|number| {
        if number == 0 {
            parked.clock.sleep(secs(1));
            parked.client.import_token(&text).unwrap();
        } else {
            parked.client.call(&put()).unwrap();
        }
    });
    assert_eq!(ends, [secs(1); 3]);
    assert_eq!(parked.count(Route::TenantAccessToken), 2);
}

#[test]
fn threads_that_wait_for_a_ticket_go_on_when_it_is_set() {
    let store = App::store(FakeLark::STORE_APP_ID, FakeLark::STORE_APP_SECRET).unwrap();
    let parked = Parked::new(store);
    let tenant = TenantKey::new(FakeLark::TENANT_KEY).unwrap();
    let limits = Limits::default().longest_wait(secs(180));
    let client = parked.client.clone().for_tenant(tenant).with_limits(limits);
    let ends = parked.ends(|number| {
        if number == 0 {
            parked.clock.sleep(secs(120));
            client.set_app_ticket(AppTicket::new(FakeLark::APP_TICKET).unwrap());
        } else {
            client.call(&put()).unwrap();
        }
    });
    assert_eq!(ends, [secs(120); 3]);
}

#[test]
fn a_thread_that_waits_for_its_turn_goes_on_when_the_write_before_it_ends() {
    let parked = Parked::new(app());
    for _ in 0..3 {
        let slow = ConnectionFault::SlowReply(secs(10));
        parked.fake.with(|lark| lark.fail_next_on(Route::ValuesImage, slow));
    }
    let mut ends = parked.ends(|_| drop(parked.client.call(&write()).unwrap()));
    ends.sort();
    assert_eq!(ends, [secs(10), secs(20), secs(30)]);
}

/// A client of the fake of `parked` whose first request panics after five seconds.
fn panics_once(parked: &Parked) -> Client {
    let clock = parked.clock.clone();
    let panics = move |request: Request<SendBody<'_>>, next: MiddlewareNext<'_>| {
        if clock.elapsed().is_zero() {
            clock.sleep(secs(5));
            panic::resume_unwind(Box::new("as asked for"));
        }
        next.handle(request)
    };
    let agent = Agent::config_builder().proxy(None).middleware(panics);
    let agent = agent.middleware(parked.fake.clone()).build().into();
    Client::with_clock(Site::LARK, app(), agent, parked.clock.clone())
}

/// The times at which calls of three threads end, of which the first one panics.
fn ends_beside_a_panic<E: Endpoint + Sync>(
    parked: &Parked,
    client: &Client,
    endpoint: &E,
) -> Vec<Duration>
where
    TenantToken: Authorizes<E::Auth>,
{
    parked.ends(|number| {
        parked.clock.sleep(secs(number));
        let call = || client.call(endpoint).unwrap();
        assert_eq!(panic::catch_unwind(AssertUnwindSafe(call)).is_err(), number == 0);
    })
}

#[test]
fn threads_that_wait_for_a_token_go_on_when_the_call_that_requests_it_panics() {
    let parked = Parked::new(app());
    let client = panics_once(&parked);
    assert_eq!(ends_beside_a_panic(&parked, &client, &put()), [secs(5); 3]);
}

#[test]
fn a_thread_that_waits_for_its_turn_goes_on_when_the_call_before_it_panics() {
    let parked = Parked::new(app());
    parked.client.call(&put()).unwrap();
    let client = panics_once(&parked);
    client.import_token(&parked.client.export_token().unwrap()).unwrap();
    assert_eq!(ends_beside_a_panic(&parked, &client, &write()), [secs(5); 3]);
}
