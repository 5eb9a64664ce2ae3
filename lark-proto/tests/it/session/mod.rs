//! A session and its calls on a virtual clock.

mod clock;
mod cost;
mod drivers;
mod export;
mod faults;
mod first_token;
mod gates;
mod invalid_path;
mod lanes;
mod limits;
mod model;
mod quotas;
mod refused_tokens;
mod renewal;
mod resend;
mod store_app;
mod stress;
mod ticket;
mod wakes;
