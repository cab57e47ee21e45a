//! The driver and its handles, on a clock that only the test sets: stoppable, wakeable, and patient with what is under
//! way.
#![cfg(all(feature = "simulator", feature = "getrandom"))]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test may fail")]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests start threads"
)]

#[path = "driver/stage.rs"]
mod stage;

use std::{
    future::{Future, pending, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::{Arc, atomic::Ordering, mpsc::channel},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use http::{Method, StatusCode};
use ibkr_oauth::{
    ErrorKind,
    driver::SessionHandle,
    session::{Advice, Failure, FailureKind, SessionEvent, State, Trigger},
    simulator::Fault,
};
use stage::{Bell, Running, Stage};

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
    stage.answer();
    assert!(running.go_on().is_pending());
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
        let _ = handle.report(handle.view().token_id().unwrap(), StatusCode::TOO_MANY_REQUESTS, &Method::GET);
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

#[test]
fn a_thousand_refusals_cost_one_handshake() {
    let (stage, handle, mut running) = live();
    assert_eq!(stage.handshakes(), 1);
    stage.broker.lock().unwrap().inject(Fault::expire_live_session_token());
    let (old, get) = (handle.view().token_id().unwrap(), Method::GET);
    for _ in 0..1000 {
        assert_eq!(handle.report(old, StatusCode::UNAUTHORIZED, &get), Advice::AwaitSession);
    }
    assert_eq!(running.bell.0.load(Ordering::SeqCst), 1, "one word is enough");
    let mut waiting: Vec<_> = (0..100).map(|_| Running::new(Box::pin(signer(&handle, Some(old))))).collect();
    assert!(waiting.iter_mut().all(|signer| signer.go_on().is_pending()));
    while running.go_on().is_pending() && stage.asked().is_some() {
        // Stragglers, between the steps.
        let advice = handle.report(old, StatusCode::UNAUTHORIZED, &get);
        assert!([Advice::AwaitSession, Advice::Resend].contains(&advice), "{advice:?}");
        stage.answer();
    }
    assert_eq!((stage.handshakes(), stage.last_state()), (2, Some(State::Live)));
    for signer in &mut waiting {
        let Poll::Ready(Ok(signer)) = signer.go_on() else { panic!("not woken") };
        assert_ne!(signer.token_id(), old);
    }
    assert_eq!(handle.report(old, StatusCode::UNAUTHORIZED, &get), Advice::Resend, "late ones of the old token");
    assert!(running.go_on().is_pending());
    assert_eq!((stage.asked(), stage.handshakes()), (None, 2));
}

async fn signer(
    handle: &SessionHandle,
    refused: Option<ibkr_oauth::TokenId>,
) -> Result<ibkr_oauth::Signer, ibkr_oauth::Error> {
    handle.signer(refused).await
}

fn kind<T: std::fmt::Debug>(result: Result<T, ibkr_oauth::Error>) -> ErrorKind {
    result.unwrap_err().kind()
}

/// A token that is young is asked first; what comes of that is known to those who wait, whenever they begin to.
#[test]
fn a_refusal_that_was_about_the_request_ends_the_wait() {
    let (stage, handle, mut running) = started();
    stage.sign_in(&mut running);
    let token_id = handle.view().token_id().unwrap();
    for waits_first in [true, false] {
        let advice = handle.report(token_id, StatusCode::UNAUTHORIZED, &Method::GET);
        assert_eq!(advice, Advice::AwaitSession);
        let mut wait = Running::new(handle.signer(Some(token_id)));
        if waits_first {
            assert!(wait.go_on().is_pending());
        }
        assert!(running.go_on().is_pending());
        assert_eq!(stage.asked().as_deref(), Some("/tickle"), "well before its time");
        stage.answer();
        assert!(running.go_on().is_pending());
        let Poll::Ready(Err(error)) = wait.go_on() else { panic!("{waits_first}") };
        assert_eq!((error.kind(), error.stage()), (ErrorKind::Rejected, ibkr_oauth::Stage::Sign), "{waits_first}");
        assert_eq!(handle.signer_blocking(None).unwrap().token_id(), token_id);
        // The session does not ask more often than it repeats a tickle.
        stage.pass(Duration::from_secs(6), &running);
        assert!(running.go_on().is_pending());
    }
    assert_eq!(stage.handshakes(), 1);
}

/// A tickle that the broker had answered before it refused the request says nothing about that.
#[test]
fn an_answer_from_before_a_refusal_does_not_end_the_wait() {
    let (stage, handle, mut running) = started();
    stage.sign_in(&mut running);
    let token_id = handle.view().token_id().unwrap();
    let refused = || handle.report(token_id, StatusCode::UNAUTHORIZED, &Method::GET);
    assert_eq!(refused(), Advice::AwaitSession);
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/tickle"));
    let reply = stage.reply();

    stage.broker.lock().unwrap().inject(Fault::expire_live_session_token());
    assert_eq!(refused(), Advice::AwaitSession);
    let mut wait = Running::new(handle.signer(Some(token_id)));
    assert!(running.go_on().is_pending());
    stage.deliver(reply);
    assert!(running.go_on().is_pending());
    assert!(wait.go_on().is_pending(), "the tickle was sent before");

    stage.pass(Duration::from_secs(6), &running);
    assert!(running.go_on().is_pending());
    assert_eq!(stage.asked().as_deref(), Some("/tickle"), "the token is tried again, and soon");
    while running.go_on().is_pending() && stage.asked().is_some() {
        stage.answer();
    }
    let Poll::Ready(Ok(signer)) = wait.go_on() else { panic!("not woken") };
    assert_ne!(signer.token_id(), token_id);
    assert_eq!(stage.handshakes(), 2);
}

#[test]
fn whoever_stops_waiting_leaves_nothing_behind() {
    let (stage, handle, mut running) = started();
    assert!(running.go_on().is_pending());
    let bell = Arc::new(Bell::default());
    let waker = Waker::from(Arc::clone(&bell));
    for _ in 0..1000 {
        let mut wait = pin!(handle.signer(None));
        for _ in 0..3 {
            assert!(wait.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
        }
    }
    drop(waker);
    assert_eq!(Arc::strong_count(&bell), 1, "no waker is kept");
    let waker = Waker::from(Arc::clone(&bell));
    let mut wait = pin!(handle.signer(None));
    for _ in 0..3 {
        assert!(wait.as_mut().poll(&mut TaskContext::from_waker(&waker)).is_pending());
    }
    assert_eq!(Arc::strong_count(&bell), 3, "one place for each who waits");
    stage.answer();
    assert!(running.go_on().is_pending());
    assert!(bell.rings() > 0);
    assert!(wait.poll(&mut TaskContext::from_waker(&waker)).is_ready());
}

#[test]
fn a_driver_that_is_dropped_or_panics_leaves_nobody_waiting() {
    let (stage, handle, mut running) = started();
    assert!(running.go_on().is_pending());
    let mut wait = Running::new(handle.signer(None));
    assert!(wait.go_on().is_pending());
    let blocked = {
        let handle = handle.clone();
        let (tell, told) = channel();
        std::thread::spawn(move || tell.send(handle.signer_blocking(None).map(drop)).unwrap());
        told
    };
    drop(running);
    assert_eq!(wait.go_on().map(kind), Poll::Ready(ErrorKind::Unavailable));
    assert_eq!(kind(blocked.recv().unwrap()), ErrorKind::Unavailable);

    let driver = stage.driver();
    let handle = driver.handle();
    let mut wait = Running::new(handle.signer(None));
    assert!(wait.go_on().is_pending());
    let panics = catch_unwind(AssertUnwindSafe(|| {
        let send = |_, _| Err(Failure { kind: FailureKind::NotSent, detail: String::new() });
        driver.run_blocking(send, |event| panic!("{event:?}"));
    }));
    assert!(panics.is_err());
    assert_eq!(wait.go_on().map(kind), Poll::Ready(ErrorKind::Unavailable));

    let driver = stage.driver();
    let handle = driver.handle();
    let send = |_| ready(Err(Failure { kind: FailureKind::NotSent, detail: String::new() }));
    let task = driver.run(send, |_| pending(), |event| panic!("{event:?}"));
    let mut task = Running::new(task);
    assert!(catch_unwind(AssertUnwindSafe(|| task.go_on())).is_err());
    drop(task);
    assert_eq!(handle.signer_blocking(None).unwrap_err().kind(), ErrorKind::Unavailable);
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
        let advice = handle.report(token_id, StatusCode::UNAUTHORIZED, &Method::GET);
        assert_eq!(advice, Advice::GiveUp(ErrorKind::Config));
        assert_eq!(handle.report(token_id, StatusCode::OK, &Method::GET), Advice::None);
        assert!(handle.view().signer().is_none());
        assert_eq!(handle.signer_blocking(Some(token_id)).unwrap_err().kind(), ErrorKind::Unavailable);
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
        let send = |request, limit| {
            assert!([Duration::from_secs(30), Duration::from_secs(5)].contains(&limit), "{limit:?}");
            Ok(sending.broker(|broker, cx| broker.handle(cx, &request)))
        };
        driver.run_blocking(send, |event| tell.send(event).unwrap());
    });
    let to = |wanted: State| {
        events.iter().find_map(|event| match event {
            SessionEvent::StateChanged { to, trigger, .. } if to == wanted => Some(trigger),
            _ => None,
        })
    };
    assert_eq!(to(State::Live), Some(Trigger::Ready));
    // The clock stands still: only a word wakes it.
    let old = handle.signer_blocking(None).unwrap().token_id();
    stage.broker.lock().unwrap().inject(Fault::expire_live_session_token());
    assert_eq!(handle.report(old, StatusCode::UNAUTHORIZED, &Method::POST), Advice::AwaitSession);
    assert_ne!(handle.signer_blocking(Some(old)).unwrap().token_id(), old);
    assert_eq!(to(State::Live), Some(Trigger::Ready));
    handle.shutdown();
    driving.join().unwrap();
    assert_eq!(to(State::Closed), Some(Trigger::Ended));
    assert_eq!(stage.handshakes(), 2);
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
    let task = runtime.spawn(driver.run(send, tokio::time::sleep, |_| {}));
    let waiting: Vec<_> = (0..20)
        .map(|_| {
            let handle = handle.clone();
            runtime.spawn(async move { handle.signer(None).await.unwrap().token_id() })
        })
        .collect();
    for token_id in waiting {
        assert_eq!(Some(runtime.block_on(token_id).unwrap()), handle.view().token_id());
    }
    handle.shutdown();
    runtime.block_on(task).unwrap();
    assert_eq!((handle.view().state(), stage.handshakes()), (State::Closed, 1));
}
