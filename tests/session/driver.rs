//! The driver and its handles, on a clock that only the test sets: stoppable, wakeable, and patient with what is under
//! way.

mod key_store;
mod stage;
mod wakers;

use std::{
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering, mpsc::channel},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use self::stage::{Bell, Running, Stage};
use crate::machine::report;
use bytes::Bytes;
use http::Request;
use ibkr_oauth::{
    ErrorKind,
    driver::{Driver, SessionHandle},
    session::{Advice, Failure, FailureKind, Report, Session, SessionConfig, SessionEvent, State},
    simulator::{Fault, test_keys},
    transport::{Limits, from_fn},
};

/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(1_000_000);

/// A driver that has not been asked anything yet.
fn started() -> (Stage, SessionHandle, Running<impl Future<Output = ()>>) {
    let stage = Stage::new();
    let driver = stage.driver();
    let handle = driver.handle();
    let running = stage.run(driver);
    (stage, handle, running)
}

/// A session that is live, 61 seconds old, with its driver at rest.
fn live() -> (Stage, SessionHandle, Running<impl Future<Output = ()>>) {
    let (stage, handle, mut running) = started();
    stage.sign_in(&mut running);
    stage.pass(Duration::from_secs(61), &running);
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/tickle"));
    settle(&stage, &mut running);
    assert_eq!(stage.asked(), None);
    (stage, handle, running)
}

#[test]
fn shutdown_is_heard_at_once_and_logs_out() {
    let (stage, handle, mut running) = live();
    handle.shutdown();
    assert_eq!(running.bell.0.load(Ordering::SeqCst), 1, "the driver is woken");
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/logout"));
    stage.answer();
    assert!(running.go_on().is_ready());
    assert_eq!(handle.view().state(), State::Closed);
    assert!(matches!(
        stage.events.lock().unwrap()[..],
        [.., SessionEvent::Closed { logged_out: true }, SessionEvent::StateChanged { to: State::Closed, .. }]
    ));
}

#[test]
fn a_request_under_way_is_not_dropped_when_the_driver_is_woken() {
    let (stage, handle, mut running) = live();
    stage.pass(Duration::from_secs(61), &running);
    assert!(running.go_on().is_pending());
    let tickle = Arc::clone(&stage.waiting.lock().unwrap()[0]);
    for _ in 0..3 {
        let refused = report(handle.view().token_id().unwrap(), stage.now(), "/trsrv", 429, "", Some("900"));
        let _ = handle.report(&refused);
        assert!(running.go_on().is_pending());
        assert!(!tickle.lock().unwrap().dropped);
    }
    handle.shutdown();
    assert!(running.go_on().is_pending());
    assert!(!tickle.lock().unwrap().dropped, "the shutdown waits for it");
    assert_eq!(stage.asked().as_deref(), Some("/tickle"));
    stage.answer();
    let ends = running.go_on().is_ready();
    assert!(ends, "in the penalty box nothing more is sent: {:?} {:?}", stage.asked(), stage.events.lock().unwrap());
}

#[test]
fn what_takes_too_long_is_dropped_when_the_session_gives_it_up() {
    let stage = Stage::new();
    let mut running = stage.run(stage.driver());
    assert!(running.go_on().is_pending());
    let first = stage.waiting.lock().unwrap().pop_front().unwrap();
    let until = stage.timer.lock().unwrap().unwrap();
    assert_eq!(until.saturating_duration_since(stage.now()), Duration::from_secs(30), "the session's own limit");
    stage.pass(Duration::from_secs(29), &running);
    assert!(running.go_on().is_pending());
    assert!(!first.lock().unwrap().dropped);
    stage.pass(Duration::from_secs(1), &running);
    assert!(running.go_on().is_pending());
    assert!(first.lock().unwrap().dropped, "though nothing followed yet");
    assert_eq!(stage.last_state(), Some(State::BackingOff));
    stage.pass(Duration::from_secs(300), &running);
    stage.sign_in(&mut running);
}

/// A request for what needs no brokerage session, signed now and refused.
fn refusal(stage: &Stage, handle: &SessionHandle) -> Report {
    report(handle.view().token_id().unwrap(), stage.now(), "/portfolio/accounts", 401, "", None)
}

#[test]
fn a_thousand_refusals_cost_one_handshake() {
    let (stage, handle, mut running) = live();
    assert_eq!(stage.handshakes(), 1);
    stage.broker.lock().unwrap().inject(Fault::expire_live_session_token());
    let old = handle.view().token_id().unwrap();
    let refused = refusal(&stage, &handle);
    let mut tickets = Vec::new();
    for _ in 0..1000 {
        let Advice::AwaitSession(ticket) = handle.report(&refused) else { panic!("not known yet") };
        tickets.push(ticket);
    }
    assert_eq!(running.bell.0.load(Ordering::SeqCst), 1, "one word is enough");
    let mut waiting: Vec<_> =
        tickets.iter().take(100).map(|ticket| Running::new(Box::pin(handle.resolve(*ticket)))).collect();
    assert!(waiting.iter_mut().all(|advice| advice.go_on().is_pending()));
    while running.go_on().is_pending() {
        if stage.asked().is_some() {
            // Stragglers, between the steps.
            let advice = handle.report(&refused);
            assert!(matches!(advice, Advice::AwaitSession(_) | Advice::Resend | Advice::WaitUntil(_)), "{advice:?}");
            stage.answer();
        } else if stage.last_state() == Some(State::Live) && stage.handshakes() == 2 {
            break;
        } else {
            stage.pass(Duration::from_secs(1), &running);
        }
    }
    assert_eq!((stage.handshakes(), stage.last_state()), (2, Some(State::Live)));
    for advice in &mut waiting {
        let Poll::Ready(advice) = advice.go_on() else { panic!("not woken") };
        assert!(matches!(advice, Advice::Resend | Advice::WaitUntil(_)), "{advice:?}");
    }
    assert_ne!(handle.view().token_id(), Some(old));
    assert_eq!(handle.report(&refused), Advice::Resend, "late ones of the old token");
    assert!(running.go_on().is_pending());
    assert_eq!((stage.asked(), stage.handshakes()), (None, 2));
}

/// Answers all that is asked until nothing is.
fn settle(stage: &Stage, running: &mut Running<impl Future<Output = ()>>) {
    while running.go_on().is_pending() && stage.asked().is_some() {
        stage.answer();
    }
}

fn kind<T: std::fmt::Debug>(result: Result<T, ibkr_oauth::Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// What comes of a refusal is known to those who wait, whenever they begin to.
#[test]
fn a_refusal_that_was_about_the_request_ends_the_wait() {
    for waits_first in [true, false] {
        let (stage, handle, mut running) = live();
        let refused = refusal(&stage, &handle);
        let Advice::AwaitSession(ticket) = handle.report(&refused) else { panic!("{waits_first}") };
        let mut wait = Running::new(Box::pin(handle.resolve(ticket)));
        if waits_first {
            assert!(wait.go_on().is_pending());
        }
        assert!(running.go_on().is_pending());
        stage.pass(Duration::from_secs(1), &running);
        assert!(running.go_on().is_pending());
        assert_eq!(stage.asked().as_deref(), Some("/tickle"), "well before its time");
        stage.answer();
        assert!(running.go_on().is_pending());
        assert_eq!(wait.go_on(), Poll::Ready(Advice::GiveUp(ErrorKind::Rejected)), "{waits_first}");
        assert_eq!(handle.report(&refused), Advice::GiveUp(ErrorKind::Rejected), "at once from now on");
        assert_eq!(stage.handshakes(), 1);
    }
}

/// An answer that was asked for before says nothing about a refusal.
#[test]
fn an_answer_from_before_a_refusal_does_not_end_the_wait() {
    let (stage, handle, mut running) = live();
    stage.pass(Duration::from_secs(60), &running);
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/tickle"));
    let Advice::AwaitSession(ticket) = handle.report(&refusal(&stage, &handle)) else { panic!("not known yet") };
    let mut wait = Running::new(Box::pin(handle.resolve(ticket)));
    assert!(running.go_on().is_pending());
    stage.answer();
    assert!(running.go_on().is_pending());
    assert!(wait.go_on().is_pending(), "the tickle was sent before");
    stage.pass(Duration::from_secs(1), &running);
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/tickle"), "the token is tried again, and soon");
    stage.answer();
    assert!(running.go_on().is_pending());
    assert_eq!(wait.go_on(), Poll::Ready(Advice::GiveUp(ErrorKind::Rejected)));
}

#[test]
fn ready_means_that_the_brokerage_session_is_open() {
    let (stage, handle, mut running) = started();
    let long = Duration::from_secs(60);
    let mut ready = Running::new(Box::pin(handle.ready(long)));
    let mut live = Running::new(Box::pin(handle.wait_for(State::Live, long)));
    let view = handle.view();
    let mut changed = Running::new(Box::pin(handle.news(&view)));
    assert!(ready.go_on().is_pending() && changed.go_on().is_pending());
    assert!(live.go_on().is_pending());
    assert!(running.go_on().is_pending());
    stage.answer();
    assert!(running.go_on().is_pending());
    assert!(handle.view().signer().is_some(), "the token is proved");
    assert!(changed.go_on().is_ready());
    assert!(ready.go_on().is_pending() && live.go_on().is_pending(), "the brokerage session is not open");
    settle(&stage, &mut running);
    let Poll::Ready(Ok(signer)) = ready.go_on() else { panic!("live") };
    assert_eq!(Some(signer.token_id()), handle.view().token_id());
    assert!(live.go_on().is_ready());
}

#[test]
fn who_waits_too_long_gets_the_last_error_with_its_remedy() {
    let (stage, handle, mut running) = started();
    stage.broker.lock().unwrap().inject("invalid-consumer".parse::<Fault>().unwrap().times(100));
    let mut early = Running::new(Box::pin(handle.ready(Duration::from_secs(2))));
    let mut late = Running::new(Box::pin(handle.ready(Duration::from_secs(20))));
    assert!(early.go_on().is_pending() && late.go_on().is_pending());
    assert!(running.go_on().is_pending());
    // The driver's timer is set for the first of them, before anything was answered.
    assert_eq!(*stage.timer.lock().unwrap(), Some(stage.now().saturating_add(Duration::from_secs(2))));
    stage.pass(Duration::from_secs(2), &running);
    assert!(running.go_on().is_pending());
    let Poll::Ready(Err(error)) = early.go_on() else { panic!("too long") };
    assert!(error.to_string().contains("not ready in time"), "{error}");
    while late.go_on().is_pending() {
        settle(&stage, &mut running);
        stage.pass(Duration::from_secs(1), &running);
        assert!(running.go_on().is_pending());
    }
    let error = late_error(&handle);
    assert!(error.remedy().contains("consumer key"), "{error:?}");
    // And so does everybody after the end.
    while running.go_on().is_pending() {
        if stage.asked().is_some() {
            stage.answer();
        } else {
            stage.pass(Duration::from_secs(5), &running);
        }
    }
    assert_eq!(handle.view().state(), State::Closed);
    assert!(handle.ready_blocking(Duration::ZERO).unwrap_err().remedy().contains("consumer key"));
    assert!(handle.wait_for_blocking(State::Live, Duration::ZERO).unwrap_err().remedy().contains("consumer key"));
    assert!(handle.wait_for_blocking(State::Closed, Duration::ZERO).is_ok());
}

fn late_error(handle: &SessionHandle) -> ibkr_oauth::Error {
    handle.ready_blocking(Duration::ZERO).unwrap_err()
}

#[test]
fn a_snapshot_can_be_had_while_the_driver_runs_and_another_process_signs_with_it() {
    let (stage, handle, mut running) = started();
    assert!(handle.snapshot().is_none());
    stage.sign_in(&mut running);
    let signer = handle.view().signer().unwrap().clone();
    let sign = |signer: &ibkr_oauth::Signer, at| {
        let url = "https://api.ibkr.com/v1/api/portfolio/accounts";
        let mut request = Request::get(url).header("user-agent", "test").body(Bytes::new()).unwrap();
        signer.sign(&mut ibkr_oauth::Context::new(at, &mut ibkr_oauth::OsEntropy), &mut request).unwrap();
        request
    };
    // Timestamps go on from where this process has come to.
    sign(&signer, stage.now().saturating_add(Duration::from_secs(7)));
    let snapshot = handle.snapshot().unwrap();
    let consumer = test_keys::consumer().unwrap();
    let follower = snapshot.signer(&consumer, stage.now()).unwrap();
    assert_eq!(Some(follower.token_id()), handle.view().token_id());
    let request = sign(&follower, stage.now());
    let header = request.headers()["authorization"].to_str().unwrap();
    assert!(header.contains(&format!("oauth_timestamp=\"{}\"", stage.now().as_secs() + 7)), "{header}");
    assert_eq!(stage.broker(|broker, cx| broker.handle(cx, &request)).status(), 200);
    // One that goes on from it has one from the start.
    let token = ibkr_oauth::UnlockedToken::from_plaintext(signer.access_token(), ibkr_oauth::Secret::from(vec![1]));
    let again = handle.snapshot().unwrap();
    let resumed = Session::resume(consumer.clone(), token, SessionConfig::default(), again, stage.now()).unwrap();
    let driver = Driver::new(resumed, ibkr_oauth::OsEntropy);
    assert!(driver.handle().snapshot().is_some());
    // Not for another consumer, nor when it has expired.
    let other = ibkr_oauth::Consumer::builder("OTHER").build().unwrap();
    assert_eq!(kind(snapshot.signer(&other, stage.now())), ErrorKind::Config);
    assert_eq!(kind(snapshot.signer(&consumer, snapshot.expires_at())), ErrorKind::Config);
    handle.shutdown();
    while running.go_on().is_pending() {
        stage.answer();
    }
    assert!(handle.snapshot().is_none(), "it was logged out");
}

#[test]
fn a_person_may_skip_a_wait() {
    let (stage, handle, mut running) = started();
    stage.broker.lock().unwrap().inject(Fault::status(503).times(4));
    for _ in 0..3 {
        settle(&stage, &mut running);
        assert_eq!(stage.last_state(), Some(State::BackingOff));
        handle.retry_now();
        assert!(running.go_on().is_pending());
        assert!(stage.asked().is_some(), "no time has passed");
    }
}

#[test]
fn whoever_stops_waiting_leaves_nothing_behind() {
    let (stage, handle, mut running) = started();
    assert!(running.go_on().is_pending());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for _ in 0..1000 {
        let mut wait = pin!(handle.ready(LONG));
        for _ in 0..3 {
            assert!(wait.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        }
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1, "no waker is kept");
    let waker = Waker::from(Arc::clone(&bell));
    let mut wait = pin!(handle.ready(LONG));
    for _ in 0..3 {
        assert!(wait.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&bell), 3, "one place for each who waits");
    stage.answer();
    assert!(running.go_on().is_pending());
    assert!(bell.rings() > 0);
    settle(&stage, &mut running);
    assert!(wait.poll(&mut TaskContext::from_waker(&waker)).is_ready());
}

#[test]
fn a_driver_that_is_dropped_or_panics_leaves_nobody_waiting() {
    let (stage, handle, mut running) = started();
    assert!(running.go_on().is_pending());
    let mut wait = Running::new(handle.ready(LONG));
    assert!(wait.go_on().is_pending());
    let blocked = {
        let handle = handle.clone();
        let (tell, told) = channel();
        std::thread::spawn(move || tell.send(handle.ready_blocking(LONG).map(drop)).unwrap());
        told
    };
    drop(running);
    assert_eq!(wait.go_on().map(kind), Poll::Ready(ErrorKind::Unavailable));
    assert_eq!(kind(blocked.recv().unwrap()), ErrorKind::Unavailable);

    let driver = stage.driver();
    let handle = driver.handle();
    let mut wait = Running::new(handle.ready(LONG));
    assert!(wait.go_on().is_pending());
    let panics = catch_unwind(AssertUnwindSafe(|| {
        let send = |_: Request<Bytes>, _: Limits| Err(Failure::new(FailureKind::NotSent, ""));
        driver.run_blocking(&send, |event| panic!("{event:?}"));
    }));
    assert!(panics.is_err());
    assert_eq!(wait.go_on().map(kind), Poll::Ready(ErrorKind::Unavailable));

    let driver = stage.driver();
    let handle = driver.handle();
    let transport = from_fn(|_| ready(Err(Failure::new(FailureKind::NotSent, ""))), |_| pending());
    let task = driver.run(&transport, |event| panic!("{event:?}"));
    let mut task = Running::new(task);
    assert!(catch_unwind(AssertUnwindSafe(|| task.go_on())).is_err());
    drop(task);
    assert_eq!(handle.ready_blocking(LONG).unwrap_err().kind(), ErrorKind::Unavailable);
}

#[test]
fn handles_outlive_their_session_and_do_no_harm() {
    let (stage, handle, mut running) = live();
    let token_id = handle.view().token_id().unwrap();
    handle.shutdown();
    handle.shutdown();
    while running.go_on().is_pending() {
        stage.answer();
    }
    drop(running);
    for handle in [handle.clone(), handle] {
        handle.shutdown();
        let fate = |status| report(token_id, stage.now(), "/trsrv", status, "", None);
        assert_eq!(handle.report(&fate(401)), Advice::GiveUp(ErrorKind::Config));
        assert_eq!(handle.report(&fate(200)), Advice::None);
        assert!(handle.view().signer().is_none() && handle.snapshot().is_none());
        assert_eq!(handle.ready_blocking(LONG).unwrap_err().kind(), ErrorKind::Unavailable);
    }
    assert_eq!(stage.asked(), None);
}

#[test]
fn the_blocking_driver_waits_and_is_woken() {
    let stage = Stage::new();
    let driver = stage.driver();
    let handle = driver.handle();
    let (sending, (tell, events)) = (stage.clone(), channel());
    let driving = std::thread::spawn(move || {
        let send = |request: Request<Bytes>, limits: Limits| {
            assert!([Duration::from_secs(30), Duration::from_secs(5)].contains(&limits.timeout), "{limits:?}");
            Ok(sending.broker(|broker, cx| broker.handle(cx, &request)))
        };
        driver.run_blocking(&send, |event| tell.send(event).unwrap());
    });
    let to = |wanted: State| {
        events.iter().find_map(|event| match event {
            SessionEvent::StateChanged { from, to } if to == wanted => Some(from),
            _ => None,
        })
    };
    assert_eq!(to(State::Live), Some(State::Opening));
    // The clock stands still: only a word wakes it.
    let signer = handle.ready_blocking(LONG).unwrap();
    let refused = report(signer.token_id(), stage.now(), "/portfolio/accounts", 401, "", None);
    let Advice::AwaitSession(ticket) = handle.report(&refused) else { panic!("not known yet") };
    stage.step(Duration::from_secs(1));
    // So short a wait is real: nobody but the driver's own timer ends it.
    assert_eq!(handle.resolve_blocking(ticket), Advice::GiveUp(ErrorKind::Rejected));
    handle.shutdown();
    driving.join().unwrap();
    assert_eq!(to(State::Closed), Some(State::Closing));
    assert_eq!(stage.handshakes(), 1);
}

/// The driver's future may go from thread to thread.
#[test]
fn it_runs_on_a_runtime_with_threads() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap();
    let stage = Stage::new();
    let driver = stage.driver();
    let handle = driver.handle();
    let sending = stage.clone();
    let send = move |request| {
        let stage = sending.clone();
        async move {
            tokio::task::yield_now().await;
            Ok(stage.broker(|broker, cx| broker.handle(cx, &request)))
        }
    };
    let transport = from_fn(send, tokio::time::sleep);
    let task = runtime.spawn(async move { driver.run(&transport, |_| {}).await });
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let handle = handle.clone();
            runtime.spawn(async move { handle.ready(LONG).await.unwrap().token_id() })
        })
        .collect();
    for token_id in waiting {
        assert_eq!(Some(runtime.block_on(token_id).unwrap()), handle.view().token_id());
    }
    handle.shutdown();
    runtime.block_on(task).unwrap();
    assert_eq!((handle.view().state(), stage.handshakes()), (State::Closed, 1));
}
