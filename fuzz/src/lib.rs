//! What the fuzz targets do with their input. Each has a module and a function `run` of its own, so that the committed
//! inputs can be replayed without a fuzzer: see `tests/replay.rs`.

#[path = "../../tests/support/authorization_header.rs"]
mod authorization_header;
pub mod base_string;
pub mod bundle;
pub mod callback;
pub mod canonical;
#[allow(dead_code, reason = "the gateway's half asks only for that of a scheme")]
#[path = "../../cli/src/default_port.rs"]
mod default_port;
/// The pure half of the program's gateway, as it stands there.
#[allow(dead_code, reason = "the program uses all of it")]
mod gateway;
pub mod gateway_requests;
pub mod keys;
pub mod reply;
#[path = "../../tests/support/seeded_entropy.rs"]
mod seeded_entropy;
pub mod session_operations;
pub mod sign_then_verify;
pub mod simulation;
pub mod stream_frames;
