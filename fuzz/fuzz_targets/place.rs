//! See [`lark_fuzz::place`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::place(data));
