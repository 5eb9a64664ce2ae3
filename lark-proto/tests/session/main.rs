//! A session and its calls on a virtual clock.

mod attack;
mod cost;
mod gates;
mod hand;
mod lanes;
mod limits;
mod quotas;
mod resend;
mod service;
mod sim;
mod smoke;
mod wakes;
