//! A session and its calls on a virtual clock.

mod attack;
mod cost;
mod gates;
mod hand;
mod lanes;
mod limits;
mod quotas;
mod remote;
mod resend;
mod sim;
mod smoke;
mod wakes;
