//! See [`lark_fuzz::values`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::values(data));
