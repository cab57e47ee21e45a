#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibkr_oauth_fuzz::gateway_requests::run(data));
