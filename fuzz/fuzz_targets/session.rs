//! See [`lark_fuzz::session`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::session(data));
