//! Every scenario through ureq: without a socket in virtual time, and over a real socket.

use std::cell::Cell;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use lark_proto::Site;
use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
use lark_ureq::{Client, Clock, FakeServer, FakeTransport};

/// Runs `scenario`; `next` takes a step of the run with the fake behind `client`. Returns the deviations.
fn run(scenario: &Scenario, client: Client, next: impl Fn(&mut Run<'_>) -> Next) -> Vec<String> {
    let client = client.with_limits(scenario.limits);
    let client = match scenario.tenant.clone() {
        Some(tenant) => client.for_tenant(tenant),
        None => client,
    };
    let mut run = Run::new(scenario);
    loop {
        match next(&mut run) {
            Next::Ticket(ticket) => client.set_app_ticket(ticket),
            Next::Call => run.called(&client.call(&scenario.call)),
            Next::Done(wrong) => return wrong,
        }
    }
}

/// Runs each scenario by `one`, four at a time. More of them would delay each other beyond their deadlines.
fn run_all(one: impl Fn(&Scenario) -> Vec<String> + Sync) {
    let all = scenarios::all().unwrap();
    let next = Mutex::new(all.iter());
    let work = || {
        let mut wrong = Vec::new();
        loop {
            let Some(scenario) = next.lock().unwrap().next() else { return wrong };
            wrong.extend(one(scenario));
        }
    };
    let wrong: Vec<String> = thread::scope(|scope| {
        let workers = [(); 4].map(|()| scope.spawn(work));
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_scenario_ends_as_it_says_without_a_socket() {
    run_all(|scenario| {
        let clock = Clock::simulated();
        let fake = FakeTransport::new(clock.clone());
        let app = scenario.app.clone();
        let client = Client::with_clock(Site::LARK, app, fake.agent(), clock.clone());
        let last = Cell::new(Duration::ZERO);
        run(scenario, client, |run| {
            let now = clock.elapsed();
            run.took(now - last.replace(now));
            fake.with(|lark| run.next(lark))
        })
    });
}

#[test]
fn every_scenario_ends_as_it_says_over_a_real_socket() {
    run_all(|scenario| {
        let server = FakeServer::start().unwrap();
        let client = Client::new(server.site().clone(), scenario.app.clone());
        run(scenario, client, |run| server.with(|lark| run.next(lark)))
    });
}
