//! Every committed input once more, without a fuzzer: what turned up stays mended.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the inputs are files"
)]

use std::{fs, path::Path};

use ibkr_oauth_fuzz::{
    base_string, bundle, callback, gateway_requests, keys, reply, session_operations, sign_then_verify, stream_frames,
};

fn replay(target: &str, run: fn(&[u8])) {
    for kind in ["corpus", "regressions"] {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(kind).join(target);
        let Ok(entries) = fs::read_dir(folder) else { continue };
        for entry in entries {
            let path = entry.unwrap().path();
            // The test's output is shown where it fails.
            println!("{}", path.display());
            run(&fs::read(path).unwrap());
        }
    }
}

macro_rules! targets {
    ($($target:ident),*) => {$(
        #[test]
        fn $target() {
            replay(stringify!($target), $target::run);
        }
    )*};
}

targets!(
    base_string,
    bundle,
    callback,
    gateway_requests,
    keys,
    reply,
    session_operations,
    sign_then_verify,
    stream_frames
);
