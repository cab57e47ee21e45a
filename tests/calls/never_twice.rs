//! The whole space of what can happen to a call: outcomes × methods × paths × attempts × how the session is found
//! afterwards. Nothing that the broker may have acted on is sent twice where twice is not once.

use std::{thread, time::Duration};

use bytes::Bytes;
use http::{Method, Request, Response};
use ibkr_oauth::{
    Context, Error, Timestamp,
    call::{Call, CallPolicy, Step},
    session::{Failure, FailureKind, SessionView, State},
    simulator::SeededEntropy,
};

use crate::{
    outcomes::{Outcome, ROWS, Row},
    views::{self, LATER},
};

const METHODS: [Method; 8] = [
    Method::GET,
    Method::HEAD,
    Method::OPTIONS,
    Method::TRACE,
    Method::POST,
    Method::PUT,
    Method::PATCH,
    Method::DELETE,
];
/// With whether they are about orders.
const PATHS: [(&str, bool); 6] = [
    ("/portfolio/accounts", false),
    ("/iserver/watchlist?id=order", false),
    ("/iserver/account/DU1/order/17", true),
    ("/iserver/account/DU1/orders", true),
    ("/iserver/reply/f4a1", true),
    ("/iserver/account/DU1/%4Frder/17", true),
];

/// What the documentation says, in other words than the code: safe methods; `PUT` and `DELETE` of anything but orders.
fn twice_is_once(method: &Method, is_order: bool) -> bool {
    match method.as_str() {
        "GET" | "HEAD" | "OPTIONS" | "TRACE" => true,
        "PUT" | "DELETE" => !is_order,
        _ => false,
    }
}

/// One choice of the space: what came of each attempt, and which view followed.
type Script = Vec<(usize, usize)>;

struct Run {
    /// How often the request was sent.
    sent: usize,
    /// Whether the script says what comes of the last of them.
    needs_more: bool,
    is_done: bool,
}

/// Whether the broker may have acted on an attempt that ended like this, as the library reports it.
fn may_have_acted(result: &Result<Response<Bytes>, Failure>) -> bool {
    match result {
        Ok(response) => Error::from_response(response).is_none_or(|error| error.may_have_been_sent()),
        Err(failure) => failure.kind() != FailureKind::NotSent,
    }
}

struct Search<'a> {
    views: &'a [SessionView],
    calls: usize,
    repeats: usize,
}

impl Search<'_> {
    fn run(&mut self, method: &Method, path: (&str, bool), policy: CallPolicy, script: &Script) -> Run {
        self.calls += 1;
        let mut rng = SeededEntropy::new(1);
        let uri = format!("https://api.ibkr.com/v1/api{}", path.0);
        let request = Request::builder().method(method).uri(uri).body(Bytes::new()).unwrap();
        let (mut now, mut sent, mut view) = (LATER, 0, 0);
        let end = now.saturating_add(policy.deadline);
        let mut call = Call::new(request, policy, now);
        for _ in 0..40 {
            match call.poll(&mut Context::new(now, &mut rng), &self.views[view]) {
                Step::Wait(until) => {
                    assert!(until > now && until <= end, "{method} {path:?} {script:?}: {until} after {now}");
                    now = until;
                }
                Step::Send { request, timeout } => {
                    assert!(request.headers().contains_key("authorization"));
                    assert!(timeout > Duration::ZERO && now.saturating_add(timeout) <= end, "{timeout:?}");
                    self.check(method, path, policy, script, sent);
                    sent += 1;
                    let Some((outcome, next)) = script.get(sent - 1) else {
                        return Run { sent, needs_more: true, is_done: false };
                    };
                    let outcome: Outcome = ROWS[*outcome].outcome;
                    call.handle_result(&mut Context::new(now, &mut rng), outcome.result());
                    view = *next;
                }
                Step::Report(_) => {}
                Step::Done(result) => {
                    let results = script[..sent].iter().map(|(outcome, _)| ROWS[*outcome].outcome.result());
                    let results: Vec<_> = results.collect();
                    let expected = results.iter().rev().find(|result| may_have_acted(result)).or(results.last());
                    let expected = expected.map(|result| result.as_ref().map_err(Failure::kind).map(Response::status));
                    let same = match (&result, expected) {
                        (Ok(response), Some(Ok(status))) => response.status() == status,
                        (Err(error), Some(Err(kind))) => error.may_have_been_sent() == (kind != FailureKind::NotSent),
                        (Err(error), None) => !error.may_have_been_sent(),
                        _ => false,
                    };
                    assert!(same, "{method} {path:?} {script:?}: {result:?}");
                    return Run { sent, needs_more: false, is_done: true };
                }
                step => panic!("{step:?}"),
            }
        }
        Run { sent, needs_more: false, is_done: false }
    }

    /// Whether the request may be sent once more, when it was `sent` before.
    fn check(&mut self, method: &Method, path: (&str, bool), policy: CallPolicy, script: &Script, sent: usize) {
        assert!(sent < usize::try_from(policy.attempts.max(1)).unwrap(), "{method} {path:?} {script:?}");
        for (outcome, _) in &script[..sent] {
            self.repeats += 1;
            let Row { outcome, may_have_acted } = &ROWS[*outcome];
            let is_allowed = !may_have_acted || policy.repeatable || twice_is_once(method, path.1);
            assert!(is_allowed, "{method} {path:?} was sent again after {outcome:?}: {script:?}");
        }
    }

    /// All scripts that begin so.
    fn explore(&mut self, method: &Method, path: (&str, bool), policy: CallPolicy, script: &mut Script) {
        let run = self.run(method, path, policy, script);
        assert!(run.needs_more || run.is_done, "{method} {path:?} {script:?} does not end, after {} times", run.sent);
        if !run.needs_more {
            return;
        }
        // After the last attempt the view can bring no other.
        let is_last = script.len() + 1 >= usize::try_from(policy.attempts).unwrap();
        let views = if is_last { 1 } else { self.views.len() };
        for outcome in 0..ROWS.len() {
            for view in 0..views {
                script.push((outcome, view));
                self.explore(method, path, policy, script);
                script.pop();
            }
        }
    }
}

fn policy(attempts: u32, repeatable: bool) -> CallPolicy {
    let mut policy = CallPolicy::default();
    (policy.attempts, policy.repeatable) = (attempts, repeatable);
    policy
}

#[test]
fn nothing_that_may_have_been_acted_on_is_sent_twice() {
    let views = vec![views::live(), views::renewed(), views::displaced(), views::negotiating(), views::closed()];
    assert_eq!(views[0].state(), State::Live);
    assert_ne!(views[0].token_id(), views[1].token_id());
    let all = |method: &Method| {
        let mut search = Search { views: &views, calls: 0, repeats: 0 };
        for path in PATHS {
            for policy in [policy(0, false), policy(2, false), policy(2, true)] {
                search.explore(method, path, policy, &mut Script::new());
            }
        }
        // A third attempt differs from a second in its number alone.
        let three_times = [(Method::GET, PATHS[0]), (Method::POST, PATHS[3]), (Method::DELETE, PATHS[2])];
        for (_, path) in three_times.into_iter().filter(|(three_times, _)| three_times == method) {
            search.explore(method, path, policy(3, false), &mut Script::new());
        }
        (search.calls, search.repeats)
    };
    let searched: Vec<(usize, usize)> = thread::scope(|scope| {
        let searches = METHODS.each_ref().map(|method| scope.spawn(|| all(method)));
        searches.map(|search| search.join().unwrap()).to_vec()
    });
    let (calls, repeats): (Vec<_>, Vec<_>) = searched.into_iter().unzip();
    let (calls, repeats) = (calls.iter().sum::<usize>(), repeats.iter().sum::<usize>());
    assert!(calls > 50_000 && repeats > 50_000, "{calls} calls, {repeats} repeats");
}

/// And it is sent again where that is safe and useful.
#[test]
fn what_helps_is_done() {
    let views = [views::live()];
    let repeated = |method: Method, path: (&str, bool), outcome: Outcome| {
        let row = ROWS.iter().position(|row| row.outcome == outcome).unwrap();
        let mut search = Search { views: &views, calls: 0, repeats: 0 };
        search.run(&method, path, CallPolicy::default(), &vec![(row, 0)]).needs_more
    };
    let [portfolio, .., orders, _, _] = PATHS;
    let lost = Outcome::Failure(FailureKind::TimedOut);
    let unsent = Outcome::Failure(FailureKind::NotSent);
    let down = Outcome::Response { status: 503, body: "", retry_after: None };
    let early = Outcome::Response { status: 429, body: "", retry_after: Some("1") };
    assert!(repeated(Method::GET, portfolio, lost) && repeated(Method::GET, orders, down));
    assert!(!repeated(Method::POST, orders, lost) && !repeated(Method::POST, orders, down));
    assert!(repeated(Method::POST, orders, unsent) && repeated(Method::POST, orders, early));
    assert!(repeated(Method::DELETE, portfolio, lost) && !repeated(Method::DELETE, orders, lost));
}

#[test]
fn a_moment_is_left_for_another_attempt() {
    let (view, mut rng, start) = (views::live(), SeededEntropy::new(1), LATER);
    let mut timeouts = |method: Method| {
        let request = Request::builder().method(method).uri("https://api.ibkr.com/v1/api/portfolio/accounts");
        let mut call = Call::new(request.body(Bytes::new()).unwrap(), CallPolicy::default(), start);
        let (mut now, mut timeouts): (Timestamp, Vec<Duration>) = (start, Vec::new());
        loop {
            match call.poll(&mut Context::new(now, &mut rng), &view) {
                Step::Send { timeout, .. } => {
                    timeouts.push(timeout);
                    now = now.saturating_add(timeout);
                    let lost = Outcome::Failure(FailureKind::TimedOut).result();
                    call.handle_result(&mut Context::new(now, &mut rng), lost);
                }
                Step::Wait(until) => now = until,
                _ => return (timeouts, now.saturating_duration_since(start)),
            }
        }
    };
    let (of_get, total) = timeouts(Method::GET);
    assert_eq!((of_get.len(), of_get[0]), (3, Duration::from_secs(15)));
    assert!(total <= Duration::from_secs(30), "{of_get:?} {total:?}");
    // What is not repeated has all the time.
    assert_eq!(timeouts(Method::POST).0, [Duration::from_secs(30)]);
}
