//! What is heard while the answer is waited for.

use super::visit::Meaning;

/// What is heard while the answer is waited for.
pub(super) enum Heard {
    /// A browser came, or something else.
    Visit(Meaning),
    Pasted(String),
    /// Nothing more will be pasted.
    InputEnded,
}
