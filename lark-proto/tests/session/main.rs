//! A session and its calls on a virtual clock.

mod model;
mod sim;
mod smoke;
