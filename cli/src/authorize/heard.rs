//! What is heard while the answer is waited for.

use ibkr_oauth::Verifier;

/// What is heard while the answer is waited for.
pub(super) enum Heard {
    /// The browser came with the answer.
    Consented(Verifier),
    /// Somebody came with something else.
    Note(String),
    Pasted(String),
    /// Nothing more will be pasted.
    InputEnded,
}
