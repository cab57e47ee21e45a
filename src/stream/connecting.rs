//! When a connection is opened, and with what.

use std::time::Duration;

use super::{Output, Phase, Stream, StreamEvent, connection::lost};
use crate::{
    context::Context,
    error::{Error, Stage},
    session::{Moment, SessionView, State, from_upper_half, limit},
};

/// How long opening may take.
const OPENING: Duration = Duration::from_secs(30);
/// The longest wait before the first new attempt; it doubles.
const PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(60);
/// A connection that was ready for this long ends the trouble.
const TROUBLE_ENDS: Duration = Duration::from_secs(60);

impl Stream {
    /// Opens a connection, if it is time and the session is ready for it; whether there was something to do.
    pub(super) fn open(&mut self, cx: &mut Context<'_>, view: &SessionView) -> bool {
        let Phase::Waiting { not_before, asked } = self.phase else { return false };
        if !view.is_live() {
            // A tickle from before the session was live again is none that counts.
            self.phase = Phase::Waiting { not_before, asked: None };
            return false;
        }
        if not_before > self.clock.now() || view.wait_until().is_some() {
            return false;
        }
        let Some(asked) = asked else {
            self.phase = Phase::Waiting { not_before, asked: Some(view.asked()) };
            self.outputs.push_back(Output::Tickle);
            return true;
        };
        let (Some(signer), Some(tickle)) = (view.signer(), view.tickled_since(asked)) else { return false };
        self.attempts = self.attempts.saturating_add(1);
        match signer.brokerage().web_socket(cx, tickle) {
            Ok(request) => {
                self.phase = Phase::Opening {
                    until: self.clock.after(OPENING),
                    token_id: view.token_id(),
                    opening: view.openings(),
                };
                self.outputs.push_back(Output::Open(request));
            }
            Err(error) => self.disconnect(cx, error, None),
        }
        true
    }

    /// Looks whether the connection is still the right one for the session; whether it was not.
    pub(super) fn follow(&mut self, cx: &mut Context<'_>, view: &SessionView) -> bool {
        let (token_id, opening) = match &self.phase {
            Phase::Opening { token_id, opening, .. } => (*token_id, *opening),
            Phase::Connected(connection) => (connection.token_id, connection.opening),
            Phase::Waiting { .. } | Phase::Closed => return false,
        };
        let is_lost = matches!(view.state(), State::Opening | State::Settling | State::Displaced | State::Negotiating)
            || view.openings() != opening;
        if is_lost {
            let since = match &self.phase {
                Phase::Connected(connection) => Some(connection.last_certain()),
                _ => None,
            };
            let error = view.last_error().cloned().unwrap_or_else(|| {
                lost("the brokerage session was lost").with_remedy("wait: the session opens it again")
            });
            self.outputs.push_back(Output::Close);
            self.disconnect(cx, error.at(Stage::WebSocket), since);
            return true;
        }
        if view.token_id().is_some() && view.token_id() != token_id {
            let now = self.clock.now();
            let since = self.relied_until().unwrap_or(now);
            if self.was_ready() {
                self.emit(StreamEvent::Renewing { since: self.clock.wall(since) });
            }
            self.outputs.push_back(Output::Close);
            self.subscriptions.lose_connection(since);
            self.attempts = 0;
            self.phase = Phase::Waiting { not_before: now, asked: None };
            return true;
        }
        if let Phase::Connected(connection) = &mut self.phase {
            if view.is_live() {
                connection.assure(self.clock.now(), view.tickle_round());
            }
        }
        false
    }

    /// The connection is over, or came to nothing.
    pub(super) fn disconnect(&mut self, cx: &mut Context<'_>, error: Error, since: Option<Moment>) {
        let now = self.clock.now();
        let since = since.filter(|_| self.was_ready() && !self.subscriptions.is_empty());
        if let Phase::Connected(connection) = &self.phase {
            if connection.ready_since.is_some_and(|ready| now.since(ready) >= TROUBLE_ENDS) {
                self.attempts = 1;
            }
        }
        self.subscriptions.lose_connection(since.unwrap_or(now));
        let longest = limit(PAUSE, LONGEST_PAUSE, self.attempts.max(1));
        let not_before = now.after(from_upper_half(cx.entropy(), longest));
        self.phase = Phase::Waiting { not_before, asked: None };
        let (since, retry_at) = (since.map(|since| self.clock.wall(since)), self.clock.wall(not_before));
        self.emit(StreamEvent::Disconnected { error, since, retry_at });
    }

    fn was_ready(&self) -> bool {
        matches!(&self.phase, Phase::Connected(connection) if connection.ready_since.is_some())
    }
}
