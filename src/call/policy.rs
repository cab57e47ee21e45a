//! What a call may do otherwise.

use std::time::Duration;

/// How long a [`Call`](super::Call) goes on, and what it may repeat. Start from [`CallPolicy::default`] and change what must
/// differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CallPolicy {
    /// How often the request may be sent, the first time included; 0 counts as 1. Default: 3.
    pub attempts: u32,
    /// How long the call may take in all: waiting for the session, sending, repeating. Default: 30 s.
    pub deadline: Duration,
    /// The request may be sent twice even if the broker has acted on it, whatever its method and path. Default: no.
    pub repeatable: bool,
}

impl Default for CallPolicy {
    fn default() -> Self {
        Self { attempts: 3, deadline: Duration::from_secs(30), repeatable: false }
    }
}
