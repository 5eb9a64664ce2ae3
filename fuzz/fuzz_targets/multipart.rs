//! See [`lark_fuzz::multipart`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::multipart(data));
