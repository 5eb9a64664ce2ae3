//! What the tests of the client share.

use std::error::Error;

use http::{Request, Response};
use hyper::body::Body;
use hyper::service::Service;
use lark_hyper::{CallError, Client, Frames};
use lark_proto::AppTicket;
use lark_proto::fake::FakeLark;
use lark_proto::fake::scenarios::{Scenario, Target};

/// Gives access to the fake behind a client.
pub(crate) type Look<'a> = &'a dyn Fn(&mut dyn FnMut(&mut FakeLark));

/// Runs `scenario`; `lark` gives access to the fake behind `client`. Says what went otherwise.
pub(crate) async fn run<S, B>(scenario: &Scenario, client: Client<S>, lark: Look<'_>) -> Vec<String>
where
    S: Service<Request<Frames>, Response = Response<B>, Error: Error + 'static>,
    B: Body<Error: Into<S::Error>>,
{
    let client = prepared(scenario, client);
    if scenario.is_warm {
        call(scenario, &client).await.unwrap();
    }
    lark(&mut |lark| scenario.prepare(lark));
    let result = call(scenario, &client).await;
    let mut wrong = Vec::new();
    lark(&mut |lark| {
        wrong.extend(scenario.check(result.as_ref().copied(), lark).err());
        if scenario.ticket.is_some() || scenario.tenant.is_some() {
            client.set_app_ticket(AppTicket::new(lark.app_ticket()).unwrap());
        }
    });
    let again = call(scenario, &client).await;
    if again.is_ok() != scenario.recovers {
        wrong.push(format!("{}: afterwards: {again:?}", scenario.name));
    }
    wrong
}

/// The client with what the scenario says of it.
pub(crate) fn prepared<S>(scenario: &Scenario, client: Client<S>) -> Client<S> {
    let client = client.with_limits(scenario.limits);
    let client = match scenario.tenant.clone() {
        Some(tenant) => client.for_tenant(tenant),
        None => client,
    };
    if let Some(ticket) = scenario.ticket.clone() {
        client.set_app_ticket(ticket);
    }
    client
}

/// The scenario's call, once.
pub(crate) async fn call<S, B>(
    scenario: &Scenario,
    client: &Client<S>,
) -> Result<(), CallError<S::Error>>
where
    S: Service<Request<Frames>, Response = Response<B>, Error: Error + 'static>,
    B: Body<Error: Into<S::Error>>,
{
    match &scenario.call {
        Target::PutImage(put) => client.call(put).await.map(drop),
        Target::WriteSheetImage(write) => client.call(write).await.map(drop),
        other => panic!("{other:?}"),
    }
}
