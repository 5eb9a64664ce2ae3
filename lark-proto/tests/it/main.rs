//! The tests of the public API. They form one program, because each test program is linked separately. The tests that
//! count the allocations of the whole process are programs of their own.

mod curl;
mod golden;
mod replies;
mod round_trip;
mod scenarios;
mod secrets;
mod service;
mod session;
mod sim;
