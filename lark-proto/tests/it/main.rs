//! The tests of the public API: one program, because each test program takes a link of its own. The programs that
//! count the allocations of the whole process stand alone beside it.

mod curl;
mod golden;
mod replies;
mod round_trip;
mod scenarios;
mod secrets;
mod service;
mod session;
mod sim;
