//! Every scenario through ureq: in memory, and over a real socket.

mod memory;

use std::sync::{Arc, Mutex};

use lark_hyper::FakeServer;
use lark_proto::fake::FakeLark;
use lark_proto::fake::scenarios::{self, Scenario, Target};
use lark_proto::{AppTicket, Site};
use lark_ureq::{CallError, Client};
use memory::Memory;

/// Gives access to the fake behind a client.
type Look<'a> = &'a dyn Fn(&mut dyn FnMut(&mut FakeLark));

/// Runs `scenario`; `lark` gives access to the fake behind `client`. Says what went otherwise.
fn run(scenario: &Scenario, client: Client, lark: Look<'_>) -> Vec<String> {
    let client = client.with_limits(scenario.limits);
    let client = match scenario.tenant.clone() {
        Some(tenant) => client.for_tenant(tenant),
        None => client,
    };
    if let Some(ticket) = scenario.ticket.clone() {
        client.set_app_ticket(ticket);
    }
    let call = || -> Result<(), CallError> {
        match &scenario.call {
            Target::PutImage(put) => client.call(put).map(drop),
            Target::WriteSheetImage(write) => client.call(write).map(drop),
            other => panic!("{other:?}"),
        }
    };
    if scenario.is_warm {
        call().unwrap();
    }
    lark(&mut |lark| scenario.prepare(lark));
    let result = call();
    let mut wrong = Vec::new();
    lark(&mut |lark| {
        wrong.extend(scenario.check(result.as_ref().copied(), lark).err());
        if scenario.ticket.is_some() || scenario.tenant.is_some() {
            client.set_app_ticket(AppTicket::new(lark.app_ticket()).unwrap());
        }
    });
    let again = call();
    if again.is_ok() != scenario.recovers {
        wrong.push(format!("{}: afterwards: {again:?}", scenario.name));
    }
    wrong
}

#[test]
fn in_memory() {
    let wrong: Vec<String> = (scenarios::all().unwrap().iter())
        .flat_map(|scenario| {
            let memory: Arc<Mutex<Memory>> = Arc::default();
            let site = Site::custom("http://127.0.0.1:1").unwrap();
            let client = Client::with_agent(site, scenario.app.clone(), memory::agent(&memory));
            run(scenario, client, &|look| look(&mut memory.lock().unwrap().lark))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn over_a_real_socket() {
    let wrong: Vec<String> = (scenarios::all().unwrap().iter())
        .flat_map(|scenario| {
            let server = FakeServer::start().unwrap();
            let client = Client::new(server.site().clone(), scenario.app.clone());
            run(scenario, client, &|look| look(&mut server.lark()))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}
