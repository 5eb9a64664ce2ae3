//! A wall clock that is set while a client runs, in simulated time.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use http::StatusCode;
use lark_proto::Site;
use lark_proto::fake::{Fault, Route};
use lark_ureq::{Client, Clock, FakeTransport};

use crate::support::{app, put, secs};

const HOUR: Duration = secs(3600);

/// The wall clock at the start of each test.
fn start() -> SystemTime {
    UNIX_EPOCH + secs(1_800_000_000)
}

fn client() -> (Clock, FakeTransport, Client) {
    let clock = Clock::simulated();
    clock.set_wall(start());
    let fake = FakeTransport::new(clock.clone());
    let client = Client::with_clock(Site::LARK, app(), fake.agent(), clock.clone());
    (clock, fake, client)
}

#[test]
fn a_wall_clock_that_is_set_ends_no_wait() {
    let (clock, fake, client) = client();
    let reset = Some("45".to_owned());
    let limit = Fault::RateLimited { status: StatusCode::TOO_MANY_REQUESTS, reset };
    fake.with(|lark| lark.fail_next_on(Route::ImageV4Put, limit));
    let ends = clock.run([true, false].map(|sets| {
        let (clock, client) = (&clock, &client);
        move || {
            if sets {
                clock.sleep(secs(10));
                clock.set_wall(start() + secs(10) + HOUR);
            } else {
                client.call(&put()).unwrap();
            }
            clock.elapsed()
        }
    }));
    assert_eq!(ends, [secs(10), secs(45)]);
}

#[test]
fn a_wall_clock_that_is_set_does_not_shorten_the_life_of_a_token() {
    let (clock, fake, client) = client();
    client.call(&put()).unwrap();
    clock.sleep(secs(10));
    clock.set_wall(start() + secs(10) + HOUR);
    client.call(&put()).unwrap();
    assert_eq!(fake.with(|lark| lark.count(Route::TenantAccessToken)), 1);
}

#[test]
fn an_exported_token_has_its_end_by_the_wall_clock() {
    let (clock, _, client) = client();
    client.call(&put()).unwrap();
    clock.sleep(secs(10));
    clock.set_wall(start() + secs(10) + HOUR);
    let text = client.export_token().unwrap();
    // The token was requested at the start. It ends 7,200 seconds later, which is an hour later by the wall clock.
    let end = start() + secs(7200) + HOUR;
    for (wall, is_imported) in [(end - secs(2), true), (end, false)] {
        let (clock, _, other) = self::client();
        clock.set_wall(wall);
        assert_eq!(other.import_token(&text).is_ok(), is_imported);
    }
}
