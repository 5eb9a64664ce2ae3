//! No text shows a secret: neither the errors of a service that quotes it, nor the printed form of any public type. A
//! session keeps a bounded state.

mod limits;
mod quoted;
mod types;
