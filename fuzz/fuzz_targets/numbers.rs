//! See [`lark_fuzz::numbers`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::numbers(data));
