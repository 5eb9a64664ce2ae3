//! See [`lark_fuzz::event`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::event(data));
