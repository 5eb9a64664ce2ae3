//! Tests that every client should pass. Each [`Scenario`] describes how the service or the connection fails, how the
//! call ends, how long it takes, and how many requests are sent.
//!
//! A scenario does not depend on the transport. A client runs it in six steps:
//!
//! 1. The client of a store app gets the scenario's [`ticket`](Scenario::ticket).
//! 2. If the scenario [`is_warm`](Scenario::is_warm), its [`call`](Scenario::call) is made once, and succeeds.
//! 3. The fake is [prepared](Scenario::prepare).
//! 4. The call is made.
//! 5. Its result and the requests that the fake has answered are [checked](Scenario::check).
//! 6. The client of a store app gets the fake's latest [ticket](super::FakeLark::app_ticket), and the call is made once
//!    more. It succeeds if the scenario [`recovers`](Scenario::recovers).
//!
//! [`Run`] does everything but the call, so that a test of a client, blocking or async, is one loop:
//!
//! ```
//! use lark_proto::fake::FakeLark;
//! use lark_proto::fake::scenarios::{self, Next, Run, Scenario};
//! # use std::convert::Infallible;
//! # use std::sync::{Arc, Mutex};
//! # use lark_proto::{CallError, Limits, Site};
//! # use lark_proto::body::Body;
//! # use lark_proto::session::{Call, Session, Step};
//! # use lark_proto::values::{AppTicket, TenantKey};
//! # struct Client(Mutex<Session>, Limits, Option<TenantKey>, Arc<Mutex<FakeLark>>);
//! # impl Client {
//! #     fn new(scenario: &Scenario, lark: &Arc<Mutex<FakeLark>>) -> Self {
//! #         let session = Session::new(Site::LARK, scenario.app.clone());
//! #         Self(Mutex::new(session), scenario.limits, scenario.tenant.clone(), lark.clone())
//! #     }
//! #     fn set_app_ticket(&self, ticket: AppTicket) {
//! #         self.0.lock().unwrap().set_app_ticket(ticket);
//! #     }
//! #     fn call(&self, call: &scenarios::ScenarioCall) -> Result<(), CallError<Infallible>> {
//! #         let mut session = self.0.lock().unwrap();
//! #         let call = match &self.2 {
//! #             Some(tenant) => Call::for_tenant(tenant.clone(), call),
//! #             None => Call::new(call),
//! #         };
//! #         let mut call = call.with_limits(self.1);
//! #         let mut now = std::time::UNIX_EPOCH;
//! #         loop {
//! #             match call.next(&mut session, now) {
//! #                 Step::Send(outgoing) => {
//! #                     let request = outgoing.request.map(Body::into_bytes);
//! #                     let parsed = call.read(self.3.lock().unwrap().handle(now, request));
//! #                     call.received(&mut session, now, parsed);
//! #                 }
//! #                 Step::Wait(time) => now += time,
//! #                 Step::Done(result) => return result,
//! #             }
//! #         }
//! #     }
//! # }
//!
//! /// The differences between the run and the scenario. A correct client has
//! /// none.
//! fn run(scenario: &Scenario) -> Vec<String> {
//!     let lark = Arc::new(Mutex::new(FakeLark::new()));
//!     // The client has the scenario's app, limits and tenant, and its
//!     // transport obeys `InFlight::connection_fault`.
//!     let client = Client::new(scenario, &lark);
//!     let mut run = Run::new(scenario);
//!     loop {
//!         // As the scrutinee of the `match`, this would keep the fake
//!         // locked during the call.
//!         let next = run.next(&mut lark.lock().unwrap());
//!         match next {
//!             Next::Ticket(ticket) => client.set_app_ticket(ticket),
//!             Next::Call => run.called(&client.call(&scenario.call)),
//!             Next::Done(wrong) => return wrong,
//!         }
//!     }
//! }
//! # for name in [
//! #     "a call without a token fetches one",
//! #     "a rate limit as HTTP 429 waits as long as its header asks",
//! #     "a refused ticket fails the call, and the client asks for a new one",
//! #     "a client without an app sends no request",
//! # ] {
//! #     let all = scenarios::all().unwrap();
//! #     let scenario = all.iter().find(|scenario| scenario.name == name).unwrap();
//! #     assert_eq!(run(scenario), Vec::<String>::new());
//! # }
//! ```

mod cases;
mod runner;
mod scenario;
mod scenario_call;

pub use self::cases::all;
pub use self::runner::{Next, Run};
pub use self::scenario::{Expected, ExpectedError, Scenario};
pub use self::scenario_call::ScenarioCall;
