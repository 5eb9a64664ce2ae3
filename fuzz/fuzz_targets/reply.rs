//! See [`lark_fuzz::reply`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::reply(data));
