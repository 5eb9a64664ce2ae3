//! A session and its calls against the fake, on a virtual clock: the rules one by one, any schedule at all, and
//! days of work.
//!
//! `world` plays adapter, network and clock; `watch` sees what is sent and knows what must not be.

mod fetches;
mod model;
mod rules;
mod soak;
mod watch;
mod work;
mod world;
