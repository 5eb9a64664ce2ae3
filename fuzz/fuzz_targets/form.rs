//! See [`lark_fuzz::form`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::form(data));
