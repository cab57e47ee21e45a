//! The application's requests that are refused, and what it does as it is advised.

use std::sync::Arc;

use ibkr_oauth::{
    Timestamp,
    http::{Method, Uri},
    session::{Advice, Input, Report},
};

use super::{
    bounds::HOUR,
    broker::Answer,
    mood::{Application, below, pick},
    stage::Stage,
};

/// The furthest date that a caller is given.
const DATE: u64 = HOUR;

/// A request of the application's that will be refused.
#[derive(Clone)]
pub(super) struct Caller {
    path: Arc<str>,
    answer: Answer,
    attempt: u32,
}

impl Stage {
    pub(super) fn new_caller(&mut self) -> Caller {
        let Application { paths, is_iserver, .. } = self.application;
        let number = if paths == 0 { self.count } else { below(&mut self.rng, paths) };
        let root = if is_iserver { "iserver" } else { "portfolio" };
        let answer = if self.application.answers.is_empty() {
            Answer::new(401, "")
        } else {
            let answers = std::mem::take(&mut self.application.answers);
            let answer = pick(&mut self.rng, &answers);
            self.application.answers = answers;
            answer
        };
        Caller { path: format!("https://api.ibkr.com/v1/api/{root}/{number}").into(), answer, attempt: 1 }
    }

    pub(super) fn report(&mut self, caller: Caller) {
        self.count += 1;
        let Some(current) = self.session.view().token_id() else { return };
        let Some(response) = caller.answer.response() else { return };
        let is_stale = below(&mut self.rng, 1000) < self.application.stale;
        let token = if is_stale { pick(&mut self.rng, &self.tokens) } else { current };
        let signed = self.wall().as_millis().saturating_sub(self.application.age);
        let uri: Uri = caller.path.parse().unwrap();
        let report = Report::new(token, Timestamp::from_millis(signed), &Method::GET, &uri, &response);
        let report = report.attempt(caller.attempt);
        self.input(Input::Reported(report.clone()));
        self.reports += 1;
        let advice = self.session.view().advise(&report);
        self.say(|| format!("   {advice:?}"));
        self.advised(advice, caller);
    }

    pub(super) fn advised(&mut self, advice: Advice, caller: Caller) {
        let wall = self.wall();
        let mut again = None;
        match advice {
            Advice::AwaitSession(ticket) if self.waiting.len() < 16 => {
                self.waiting.push((self.now, ticket, caller.clone()));
            }
            Advice::Resend => again = Some(self.now + 300),
            Advice::WaitUntil(at) => {
                let wait = u64::try_from(at.saturating_duration_since(wall).as_millis()).unwrap();
                if wait > DATE {
                    self.wrong(&format!("a caller is to wait for {wait} ms: {}", self.state()));
                }
                again = Some(self.now + wait + 300);
            }
            _ => {}
        }
        if let Some(at) = again.filter(|_| self.application.obeys && caller.attempt < 3 && self.callers.len() < 16) {
            self.count += 1;
            self.callers.insert((at, self.count), Caller { attempt: caller.attempt + 1, ..caller });
        }
    }
}
