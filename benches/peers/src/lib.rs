//! `ibkr-oauth` beside others that do the same work, each checked to come to the same result before it is measured.
//!
//! `src/bin/measure` measures them in turns and compares with what is promised; `cargo bench` is criterion's view of
//! the same. Both are part of `bash benches/peers/measure`, which is the command behind the figures in `docs/speed.md`.

#[path = "../../../tests/support/authorization_header.rs"]
mod authorization_header;
pub mod contender;
mod diffie_hellman;
mod handshake;
#[path = "../../handshakes/mod.rs"]
mod handshakes;
mod oauth1_peers;
mod plain_code;
#[path = "../../requests/mod.rs"]
mod requests;
mod rsa;
mod signing;
pub mod worker;

use contender::Comparison;

/// What is compared, the quick ones first.
#[must_use]
pub fn comparisons() -> Vec<Comparison> {
    let mut all = signing::comparisons();
    all.push(signing::growth());
    all.extend(rsa::comparisons());
    all.extend(diffie_hellman::comparisons());
    all.push(handshake::comparison());
    all
}
