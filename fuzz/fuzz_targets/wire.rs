//! See [`lark_fuzz::wire`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::wire(data));
