//! One request of a program's, from the wait for the session to the broker's response.

use std::time::Duration;

use ibkr_oauth::{
    Error, Timestamp,
    bytes::Bytes,
    call::CallPolicy,
    client::Client,
    driver::SessionHandle,
    http::{Request, Response},
    session::{SessionView, State},
};
use tokio::time;

use super::upstream::{AnswerBody, Upstream};

/// What sends requests, paced with the session.
#[derive(Clone)]
pub(super) struct Exchanges {
    pub(super) client: Client<Upstream>,
}

/// How long a program may have to wait.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    /// For the session, before anything is sent.
    pub(super) session: Duration,
    /// In all.
    pub(super) whole: Duration,
}

/// Why there is no response.
pub(super) enum Trouble {
    /// The session cannot serve the request now. Nothing was sent.
    Session,
    Call(Error),
}

impl Exchanges {
    pub(super) fn handle(&self) -> &SessionHandle {
        self.client.handle()
    }

    /// Sends a request that is not signed yet, `path` being the part of its path that follows the base URL.
    pub(super) async fn send(
        &self,
        request: Request<Bytes>,
        path: &str,
        patience: Patience,
    ) -> Result<Response<AnswerBody>, Trouble> {
        let start = self.handle().now();
        let now = self.served(path, start, start.saturating_add(patience.session)).await?;
        let mut policy = CallPolicy::default();
        policy.deadline = start.saturating_add(patience.whole).saturating_duration_since(now);
        let response = self.client.with_policy(policy).request(request).await.map_err(Trouble::Call)?;
        Ok(AnswerBody::of(response.into_inner()))
    }

    /// Waits until the session can serve a path, and returns when that is.
    pub(super) async fn served(&self, path: &str, mut now: Timestamp, until: Timestamp) -> Result<Timestamp, Trouble> {
        let needs_brokerage = path.as_bytes().split(|byte| *byte == b'/').any(|segment| segment == b"iserver");
        loop {
            let view = self.handle().view();
            let is_served = if needs_brokerage { view.is_live() } else { view.signer().is_some() };
            let closed = view.wait_until().filter(|until| *until > now);
            if is_served && closed.is_none() {
                return Ok(now);
            }
            let date = closed.or(view.next_attempt());
            let is_over = matches!(view.state(), State::Closing | State::Closed);
            if is_over || now >= until || date.is_some_and(|date| date >= until) {
                return Err(Trouble::Session);
            }
            self.news(&view, closed.unwrap_or(until)).await;
            now = self.handle().now();
        }
    }

    /// Waits for news of the session, at most until a moment.
    async fn news(&self, seen: &SessionView, until: Timestamp) {
        let left = until.saturating_duration_since(self.handle().now());
        let _ = time::timeout(left, self.handle().news(seen)).await;
    }
}
