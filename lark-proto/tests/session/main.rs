//! A session and its calls on a virtual clock.

mod sim;
mod smoke;
