//! What tests of several subjects share.

pub(crate) mod memory;
