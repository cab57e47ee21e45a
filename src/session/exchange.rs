//! The one exchange that a session has under way: started, answered, or given up.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::Response;

use super::{
    ExchangeId, Failure, Output, Session, SessionEvent,
    outstanding::{Answer, Awaited, Outstanding},
    skew,
    task::{Received, Task},
    verdict::Verdict,
    view::Tickled,
};
use crate::{
    context::{Context, Timestamp},
    error::{Error, Stage},
    exchange::Exchange,
    response::retry_after,
    signer::Signer,
};

/// The furthest that a handshake is dated ahead of the clock, for a key store that is slow.
const LONGEST_DATED_AHEAD: Duration = Duration::from_secs(60);
/// How long the query of the accounts may keep a session from being live.
const PRIME_TIMEOUT: Duration = Duration::from_secs(5);

impl Session {
    /// The exchange whose answer, or signature, is awaited: any other is of no interest.
    #[must_use]
    pub fn awaited(&self) -> Option<ExchangeId> {
        self.outstanding.as_ref().map(|outstanding| outstanding.id)
    }

    /// Takes back a request that nobody has fetched to send.
    pub(super) fn withdraw(&mut self) {
        let outputs = self.outputs.len();
        self.outputs.retain(|output| !matches!(output, Output::Transmit { .. }));
        if self.outputs.len() < outputs {
            if let Some(outstanding) = self.outstanding.take() {
                self.was_not_sent(&outstanding);
            }
        }
    }

    /// Nothing was sent for this exchange, so that it does not count.
    fn was_not_sent(&mut self, outstanding: &Outstanding) {
        self.last_sent = outstanding.sent_before;
        match outstanding.task {
            _ if outstanding.awaits_signature() => {}
            Task::Negotiate => self.handshakes.take_back(),
            Task::Open => self.openings.take_back(),
            _ => {}
        }
    }

    /// Makes a request, freshly signed, and has it sent.
    pub(super) fn start(&mut self, cx: &mut Context<'_>, task: Task) {
        if let Err(error) = self.make(cx, task) {
            let verdict = Verdict::of(task, Err(error));
            let silence = self.clock.since(self.last_sent);
            self.take(cx, Answer { task, round: 0, verdict, wait: None, is_unsent: true, silence });
        }
    }

    fn make(&mut self, cx: &mut Context<'_>, task: Task) -> Result<(), Error> {
        let brokerage = || {
            let none = || Error::config(task.stage(), "there is no live session token to sign with");
            self.view.signer.as_ref().map(Signer::brokerage).ok_or_else(none)
        };
        let exchange = match task {
            Task::Negotiate => {
                let (unsigned, timestamp) = self.token.prepare_dated_ahead(&self.consumer, cx, self.dated_ahead)?;
                if self.consumer.signature_key().is_none() {
                    let input = unsigned.input().clone();
                    let awaited = Awaited::Signature { unsigned: Box::new(unsigned), timestamp };
                    let (id, give_up_at) = self.expect(task, awaited);
                    self.outputs.push_back(Output::Sign { id, input, give_up_at });
                    return Ok(());
                }
                unsigned.sign(cx)?.map(Received::Negotiated)
            }
            Task::Open => brokerage()?.open(cx, self.compete())?.map(Received::Brokerage),
            Task::Status => brokerage()?.status(cx)?.map(Received::Brokerage),
            Task::Prime => brokerage()?.accounts(cx)?.map(|_| Received::Accounts),
            Task::Tickle => brokerage()?.tickle(cx)?.map(Received::Tickle),
            Task::StartOver | Task::LogOut => brokerage()?.logout(cx)?.map(|logout| Received::LoggedOut(logout.status)),
        };
        self.transmit(task, exchange);
        Ok(())
    }

    fn transmit(&mut self, task: Task, exchange: Exchange<Received>) {
        match task {
            Task::Negotiate => self.handshakes.attempt(self.clock.now()),
            Task::Open => self.openings.attempt(self.clock.now()),
            _ => {}
        }
        let (request, pending) = exchange.into_parts();
        let (id, give_up_at) = self.expect(task, Awaited::Response(pending));
        self.outputs.push_back(Output::Transmit { id, request, give_up_at });
    }

    fn expect(&mut self, task: Task, awaited: Awaited) -> (ExchangeId, Timestamp) {
        let id = ExchangeId(self.next_id);
        self.next_id += 1;
        let patience = match task {
            _ if self.shutting_down => super::SHUTDOWN_PATIENCE,
            Task::Prime => PRIME_TIMEOUT.min(self.config.response_timeout),
            _ => self.config.response_timeout,
        };
        let round = if task.is_signed_by_token() {
            self.view.progress.asked += 1;
            self.view.progress.asked
        } else {
            0
        };
        let (since, give_up_at) = (self.clock.now(), self.clock.after(patience));
        let sent_before = self.last_sent;
        if matches!(awaited, Awaited::Response(_)) {
            self.last_sent = Some(since);
        }
        self.outstanding = Some(Outstanding { id, task, since, give_up_at, sent_before, round, awaited });
        (id, self.clock.wall(give_up_at))
    }

    /// Reads a response, and acts on it if it still means something.
    pub(super) fn receive(&mut self, cx: &mut Context<'_>, id: ExchangeId, response: Response<Bytes>) {
        let is_answered = |outstanding: &mut Outstanding| outstanding.is(id) && !outstanding.awaits_signature();
        let Some(outstanding) = self.outstanding.take_if(is_answered) else {
            return self.emit(SessionEvent::UnexpectedAnswer { id });
        };
        let sent = self.clock.wall(outstanding.since);
        if let Some(seconds) = skew::estimate(response.headers(), sent, self.clock.wall_now()) {
            self.judge_skew(seconds);
        }
        let wait = retry_after(response.headers(), self.clock.wall_now());
        let answer = outstanding.answer(Verdict::Accepted);
        if let Awaited::Response(pending) = outstanding.awaited {
            let received = pending.complete(response);
            if let Ok(Received::Tickle(tickle)) = &received {
                let (tickle, token_id) = (tickle.clone(), self.view.token_id());
                self.view.tickled = Some(Arc::new(Tickled { tickle, round: answer.round, token_id }));
            }
            let verdict = Verdict::of(answer.task, received);
            self.take(cx, Answer { verdict, wait, ..answer });
        }
    }

    /// Takes it that the exchange has come to nothing.
    pub(super) fn fail_outstanding(&mut self, cx: &mut Context<'_>, outstanding: &Outstanding, failure: Failure) {
        let is_unsent = outstanding.is_unsent(failure.kind());
        if is_unsent {
            self.was_not_sent(outstanding);
        }
        let verdict = Verdict::of(outstanding.task, Err(outstanding.error(failure)));
        self.take(cx, Answer { is_unsent, ..outstanding.answer(verdict) });
    }

    /// Completes the request whose signature came, and has it sent.
    pub(super) fn attach(&mut self, cx: &mut Context<'_>, id: ExchangeId, signature: &[u8]) {
        let is_signed = |outstanding: &mut Outstanding| outstanding.is(id) && outstanding.awaits_signature();
        let signed = self.outstanding.take_if(is_signed);
        let Some(Outstanding { awaited: Awaited::Signature { unsigned, timestamp }, since, .. }) = signed else {
            return self.emit(SessionEvent::UnexpectedAnswer { id });
        };
        // Its timestamp would be old when the penalty box ends; and who leaves needs no live session token.
        if self.present_penalty().is_some() || self.shutting_down {
            return;
        }
        // Asked for anew, dated so that a key store as slow as this is not overtaken again.
        if !self.token.floor().is_current(timestamp, cx.now()) {
            self.dated_ahead = (2 * self.clock.since(Some(since))).min(LONGEST_DATED_AHEAD);
            return;
        }
        self.dated_ahead = Duration::ZERO;
        match unsigned.attach(signature) {
            Ok(exchange) => self.transmit(Task::Negotiate, exchange.map(Received::Negotiated)),
            // A signature of the wrong length is the key store's fault, and may be right the next time.
            Err(error) => {
                let error = Error::key_refused(error).at(Stage::LiveSessionToken);
                let (task, verdict) = (Task::Negotiate, Verdict::Failed(error));
                let silence = self.clock.since(self.last_sent);
                self.take(cx, Answer { task, round: 0, verdict, wait: None, is_unsent: false, silence });
            }
        }
    }
}
