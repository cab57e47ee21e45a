//! What the broker remembers: tokens, nonces, timestamps.

use std::collections::BTreeMap;

use super::newest::Newest;
use crate::{context::Timestamp, secret::Secret};

/// Everything handed out and everything accepted.
#[derive(Debug, Default)]
pub(super) struct Registry {
    pub(super) request_tokens: Newest<String, RequestToken>,
    pub(super) grant: Option<AccessGrant>,
    /// Of accepted requests, by token and nonce.
    nonces: Newest<(String, String), ()>,
    newest_timestamps: BTreeMap<String, u64>,
}

impl Registry {
    pub(super) fn add_request_token(&mut self, token: String, request_token: RequestToken) {
        if let Some(forgotten) = self.request_tokens.insert(token, request_token) {
            self.newest_timestamps.remove(&forgotten);
        }
    }

    pub(super) fn has_seen(&self, token: &str, nonce: &str) -> bool {
        self.nonces.get(&(token.to_owned(), nonce.to_owned())).is_some()
    }

    /// The largest timestamp accepted with a token, in seconds.
    pub(super) fn newest_timestamp(&self, token: &str) -> Option<u64> {
        self.newest_timestamps.get(token).copied()
    }

    /// Remembers an accepted request; `token` is empty where it had none.
    pub(super) fn accept(&mut self, token: &str, nonce: &str, timestamp: u64) {
        self.nonces.insert((token.to_owned(), nonce.to_owned()), ());
        // Requests without a token come from users who know nothing of each other, so there is no order among them.
        if !token.is_empty() {
            let newest = self.newest_timestamps.entry(token.to_owned()).or_default();
            *newest = timestamp.max(*newest);
        }
    }
}

#[derive(Debug)]
pub(super) struct RequestToken {
    pub(super) callback: String,
    pub(super) consent: Consent,
}

#[derive(Debug)]
pub(super) enum Consent {
    Pending,
    Given { verifier: String },
    Declined,
    Used,
}

/// The user's access token and what hangs on it.
#[derive(Debug)]
pub(super) struct AccessGrant {
    pub(super) token: String,
    pub(super) secret: Secret,
    /// Newest first, those that have ended among them.
    pub(super) live_session_tokens: Vec<LiveSessionToken>,
    pub(super) session_id: Option<String>,
}

#[derive(Debug)]
pub(super) struct LiveSessionToken {
    pub(super) token: Secret,
    /// What a client that forgets Java's sign byte would have computed.
    pub(super) without_sign_byte: Option<Secret>,
    end: End,
    /// The user has logged out since it was made.
    pub(super) logged_out: bool,
}

/// When a live session token ends, or why it has.
#[derive(Clone, Copy, Debug)]
enum End {
    At(Timestamp),
    /// Newer ones were made.
    Replaced,
    /// By a logout, or by the program that holds the broker.
    Made,
}

/// How many live session tokens are valid at a time.
const VALID: usize = 2;

/// How many are kept, so that an old one is recognised when it signs.
const KEPT: usize = 8;

impl AccessGrant {
    pub(super) const fn new(token: String, secret: Secret) -> Self {
        Self { token, secret, live_session_tokens: Vec::new(), session_id: None }
    }

    pub(super) fn add_live_session_token(
        &mut self,
        token: Secret,
        without_sign_byte: Option<Secret>,
        ends_at: Timestamp,
    ) {
        let end = End::At(ends_at);
        self.live_session_tokens.insert(0, LiveSessionToken { token, without_sign_byte, end, logged_out: false });
        self.live_session_tokens.truncate(KEPT);
        for replaced in self.live_session_tokens.iter_mut().skip(VALID) {
            if let End::At(_) = replaced.end {
                replaced.end = End::Replaced;
            }
        }
    }

    /// The user logs out, and may go on with the live session tokens all the same.
    pub(super) fn log_out(&mut self) {
        for token in &mut self.live_session_tokens {
            token.logged_out = true;
        }
    }

    pub(super) fn end_live_session_tokens(&mut self) {
        for token in &mut self.live_session_tokens {
            token.end = End::Made;
        }
    }
}

impl LiveSessionToken {
    pub(super) fn is_valid_at(&self, now: Timestamp) -> bool {
        matches!(self.end, End::At(end) if now < end)
    }

    /// How it came to its end, as what follows "the live session token".
    pub(super) fn fate(&self) -> String {
        match self.end {
            End::At(end) => format!("expired at {end}"),
            End::Replaced => format!("was replaced: only the newest {VALID} are valid"),
            End::Made => "was ended before its time".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::newest::REMEMBERED, *};

    #[test]
    fn the_newest_request_tokens_are_kept() {
        let mut registry = Registry::default();
        for number in 0..=REMEMBERED {
            registry.newest_timestamps.insert(number.to_string(), 1);
            registry.add_request_token(
                number.to_string(),
                RequestToken { callback: "oob".to_owned(), consent: Consent::Pending },
            );
        }
        assert!(registry.request_tokens.get("0").is_none() && registry.newest_timestamp("0").is_none());
        for kept in [1, REMEMBERED] {
            assert!(registry.request_tokens.get_mut(&kept.to_string()).is_some());
            assert_eq!(registry.newest_timestamp(&kept.to_string()), Some(1));
        }
    }
}
