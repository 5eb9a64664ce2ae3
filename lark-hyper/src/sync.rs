//! The types that the calls of a client synchronise with: std's, or loom's where the unit tests are built with
//! `--cfg lark_loom`, so that a model runs the client's own code in every order.

#[cfg(not(all(test, lark_loom)))]
pub(crate) use std::sync::{Mutex, MutexGuard, atomic::AtomicBool};

#[cfg(all(test, lark_loom))]
pub(crate) use loom::sync::{Mutex, MutexGuard, atomic::AtomicBool};

#[cfg(all(test, lark_loom))]
pub(crate) mod modelled;
