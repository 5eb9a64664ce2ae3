//! Every scenario with both clients, with the events and records of every crate at the most verbose level.
//!
//! The test runs in a process of its own, because a logger and a global subscriber are for the whole process.

use std::collections::BTreeSet;
use std::fmt::{Debug, Write as _};
use std::sync::Mutex;
use std::thread;

use lark_hyper::{FakeServer, Transport};
use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
use lark_proto::network::{ClientBuilder, FromSettings};
use tokio::runtime::Builder;

use super::{shown, shown_in, texts};
use crate::support::child;
use crate::support::tls::{Authority, Front, named};

/// A client of a scenario, and whether its site has TLS.
type Case<'s> = (&'s Scenario, &'static str, bool);

/// The texts of the client and of the errors of its calls.
fn blocking(scenario: &Scenario, server: &FakeServer, client: lark_ureq::Client) -> String {
    let mut client = client.with_limits(scenario.limits);
    if let Some(tenant) = scenario.tenant.clone() {
        client = client.for_tenant(tenant);
    }
    let mut said = String::new();
    let mut run = Run::new(scenario);
    loop {
        let next = server.with(|lark| run.next(lark));
        match next {
            Next::Ticket(ticket) => client.set_app_ticket(ticket),
            Next::Call => {
                let result = client.call(&scenario.call);
                said += &result.as_ref().err().map(texts).unwrap_or_default();
                run.called(&result);
                say(&mut said, &client);
            }
            Next::Done(_) => return said,
        }
    }
}

async fn on_hyper<S: Transport>(
    scenario: &Scenario,
    server: &FakeServer,
    client: lark_hyper::Client<S>,
) -> String {
    let mut client = client.with_limits(scenario.limits);
    if let Some(tenant) = scenario.tenant.clone() {
        client = client.for_tenant(tenant);
    }
    let mut said = String::new();
    let mut run = Run::new(scenario);
    loop {
        let next = server.with(|lark| run.next(lark));
        match next {
            Next::Ticket(ticket) => client.set_app_ticket(ticket),
            Next::Call => {
                let result = client.call(&scenario.call).await;
                said += &result.as_ref().err().map(texts).unwrap_or_default();
                run.called(&result);
                say(&mut said, &client);
            }
            Next::Done(_) => return said,
        }
    }
}

fn say(said: &mut String, value: &dyn Debug) {
    write!(said, "\n{value:?}\n{value:#?}").unwrap();
}

fn client<C: FromSettings>(builder: ClientBuilder<C>, authority: &Authority) -> C {
    builder.no_proxy().roots(authority.pem().as_bytes()).build().unwrap()
}

/// Runs one case. Whether the scenario ends as it says is the subject of other tests.
fn run((scenario, name, is_tls): Case<'_>, authority: &Authority) -> String {
    let server = FakeServer::start().unwrap();
    let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    let mut site = server.site().clone();
    let mut front = None;
    if is_tls {
        let identity = authority.signs(&named("localhost"));
        let started = runtime.block_on(Front::start(&server, identity, &["h2", "http/1.1"]));
        site = started.site.clone();
        front = Some(started);
    }
    let app = scenario.app.clone();
    let mut said = if name == "lark-ureq" {
        let client = client(lark_ureq::Client::builder(site.clone(), app), authority);
        blocking(scenario, &server, client)
    } else {
        let client = client(lark_hyper::Client::builder(site.clone(), app), authority);
        runtime.block_on(on_hyper(scenario, &server, client))
    };
    say(&mut said, &server);
    server.with(|lark| {
        say(&mut said, lark);
        say(&mut said, &lark.requests());
    });
    drop(front);
    said
}

#[test]
fn no_scenario_shows_a_secret_in_an_event_or_an_error_of_either_client() {
    child::run("secrets::scenarios::child", |command| {
        command.env_remove("RUST_LOG");
    });
}

#[test]
#[ignore = "another test runs it as a program"]
fn child() {
    shown::keep();
    let all = scenarios::all().unwrap();
    let mut cases: Vec<Case<'_>> = Vec::new();
    for scenario in &all {
        for name in ["lark-ureq", "lark-hyper"] {
            cases.extend([false, true].map(|is_tls| (scenario, name, is_tls)));
        }
    }
    let authority = Authority::new();
    let next = Mutex::new(cases.iter());
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let Some(case) = next.lock().unwrap().next() else { return wrong };
            if let Some(form) = shown_in(&run(*case, &authority)) {
                wrong.push(format!("{} with {}: {form}", case.0.name, case.1));
            }
        }
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = [(); 8].map(|()| scope.spawn(work));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");

    let shown = shown::taken();
    let targets: Vec<&str> = shown.keys().map(String::as_str).collect();
    println!("targets: {targets:?}");
    let own: String = shown
        .iter()
        .filter(|(target, _)| target.starts_with("lark_"))
        .map(|(_, text)| &**text)
        .collect();
    for event in ["request", "token request", "refused", "failed", "wait", "done"] {
        assert!(own.contains(event), "no event tells of `{event}`");
    }
    assert_eq!(shown_in(&own), None);
    // The one exception of a dependency: ureq's hexdump.
    let expected = BTreeSet::from(["ureq_proto::util"]);
    assert_eq!(shown::targets_with_secrets(&shown), expected, "{targets:?}");
}
