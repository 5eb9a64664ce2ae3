//! A session and its calls on a virtual clock.

mod attack;
mod clock;
mod cost;
mod drivers;
mod export;
mod faults;
mod first_token;
mod gates;
mod lanes;
mod limits;
mod model;
mod path;
mod quotas;
mod refused;
mod renewal;
mod resend;
mod store_app;
mod ticket;
mod wakes;
