#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| ibkr_oauth_fuzz::stream_frames::run(data));
