//! What distinguishes one exchange of a session from another.

/// Names one exchange of one session. Ids are never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ExchangeId(pub(super) u64);
