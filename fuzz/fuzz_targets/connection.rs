//! See [`lark_fuzz::connection`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::connection(data));
