//! See [`lark_fuzz::cell_write`].
#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| lark_fuzz::cell_write(data));
