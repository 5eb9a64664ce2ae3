//! See [`lark_fuzz::body`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::body(data));
