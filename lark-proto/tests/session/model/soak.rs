//! Days of work in a second.
