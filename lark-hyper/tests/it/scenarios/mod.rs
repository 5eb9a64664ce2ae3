//! Every scenario of the fake through the client: over sockets, in memory, and beside dropped calls.

mod dropped;
mod in_memory;
mod sockets;

use lark_hyper::{Client, Transport};
use lark_proto::fake::scenarios::{Next, Run, Scenario};

/// Runs `scenario`, whose next step `next` prepares at the fake behind `client`. Returns the differences from the
/// scenario's expectations.
async fn run<S: Transport>(
    scenario: &Scenario,
    client: Client<S>,
    next: impl Fn(&mut Run<'_>) -> Next,
) -> Vec<String> {
    let client = prepared(scenario, client);
    let mut run = Run::new(scenario);
    loop {
        match next(&mut run) {
            Next::Ticket(ticket) => client.set_app_ticket(ticket),
            Next::Call => run.called(&client.call(&scenario.call).await),
            Next::Done(wrong) => return wrong,
        }
    }
}

/// The client with the scenario's limits and tenant.
fn prepared<S: Transport>(scenario: &Scenario, client: Client<S>) -> Client<S> {
    let client = client.with_limits(scenario.limits);
    match scenario.tenant.clone() {
        Some(tenant) => client.for_tenant(tenant),
        None => client,
    }
}
