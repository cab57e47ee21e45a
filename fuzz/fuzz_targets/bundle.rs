#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibkr_oauth_fuzz::bundle::run(data));
