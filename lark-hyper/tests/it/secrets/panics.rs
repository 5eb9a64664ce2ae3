//! Panics of a caller's endpoint: neither their message nor a later call shows a secret.

use std::panic::{self, AssertUnwindSafe};
use std::sync::{Arc, Mutex};

use http::Method;
use lark_hyper::FakeServer;
use lark_proto::endpoints::{Endpoint, Path, Payload, Reply};
use lark_proto::error::Error;
use lark_proto::fake::Route;
use lark_proto::token::TenantOnly;
use tokio::runtime::Builder;

use super::shown_in;
use crate::support::{app, child, put};

/// An endpoint that panics in the method of this number.
struct Panics(u8);

impl Panics {
    fn panic_in(&self, method: u8) {
        assert!(self.0 != method, "as asked for, in {method}");
    }
}

/// Whether `read` panics. It has no endpoint.
static READ_PANICS: Mutex<bool> = Mutex::new(false);

impl Endpoint for Panics {
    type Auth = TenantOnly;
    type Output = ();

    fn method(&self) -> Method {
        self.panic_in(0);
        Method::POST
    }

    fn route(&self) -> &str {
        self.panic_in(1);
        Route::ImageV4Put.path()
    }

    fn path(&self) -> Path {
        self.panic_in(2);
        put().path()
    }

    fn payload(&self) -> Option<Payload> {
        self.panic_in(3);
        put().payload()
    }

    fn read(reply: &Reply) -> Result<(), Error> {
        let panics = *READ_PANICS.lock().unwrap();
        assert!(!panics, "as asked for, in read");
        reply.ok()
    }
}

#[test]
fn a_panic_of_an_endpoint_shows_no_secret_and_the_client_goes_on() {
    child::run("secrets::panics::child", |command| {
        command.env("RUST_BACKTRACE", "full");
    });
}

#[test]
#[ignore = "another test runs it as a program"]
fn child() {
    let said: Arc<Mutex<String>> = Arc::default();
    let kept = said.clone();
    panic::set_hook(Box::new(move |info| {
        let backtrace = std::backtrace::Backtrace::force_capture();
        *kept.lock().unwrap() += &format!("{info}\n{info:?}\n{backtrace}\n");
    }));
    let server = FakeServer::start().unwrap();
    let blocking = lark_ureq::Client::new(server.site().clone(), app());
    let on_hyper = lark_hyper::Client::new(server.site().clone(), app());
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let mut caught = 0;
    for method in 0..5 {
        *READ_PANICS.lock().unwrap() = method == 4;
        let endpoint = Panics(method);
        let calls: [&dyn Fn(); 2] = [&|| drop(blocking.call(&endpoint)), &|| {
            drop(runtime.block_on(on_hyper.call(&endpoint)));
        }];
        for call in calls {
            let panicked = panic::catch_unwind(AssertUnwindSafe(call)).unwrap_err();
            caught += usize::from(panicked.is::<String>() || panicked.is::<&str>());
        }
        *READ_PANICS.lock().unwrap() = false;
        // The state of neither client is poisoned.
        blocking.call(&put()).unwrap();
        runtime.block_on(on_hyper.call(&put())).unwrap();
        let printed = format!("{blocking:?} {on_hyper:?} {server:?}");
        assert_eq!(shown_in(&printed), None, "{printed}");
    }
    // The hook locks the text too, if an assertion fails.
    let said = said.lock().unwrap().clone();
    assert_eq!((caught, said.matches("as asked for").count() >= 10), (10, true), "{said}");
    assert_eq!(shown_in(&said), None, "{said}");
}
