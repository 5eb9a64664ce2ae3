//! A session and its calls on a virtual clock.

mod clock;
mod drivers;
mod export;
mod faults;
mod first_token;
mod refused;
mod renewal;
mod service;
mod sim;
mod store_app;
mod ticket;
