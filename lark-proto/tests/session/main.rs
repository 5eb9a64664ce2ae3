//! A session and its calls on a virtual clock.

mod cost;
mod sim;
mod smoke;
