//! See [`lark_fuzz::fake`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::fake(data));
