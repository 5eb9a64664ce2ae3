//! Token requests that the client keeps, and that any of its calls polls.

mod at_random;
mod by_hand;
mod kept;
