//! Wakers are other people's code: whatever they do when they are woken or dropped, they may use the handle for it.

use std::{
    future::{Future, pending, ready},
    pin::pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc::{RecvTimeoutError, channel},
    },
    task::{Context as TaskContext, Poll, Wake, Waker},
    thread,
    time::Duration,
};

use super::stage::Stage;
use crate::machine::report;
use bytes::Bytes;
use http::Request;
use ibkr_oauth::{
    Error, OsEntropy, Signer, Timestamp,
    driver::{Driver, SessionHandle},
    session::{Failure, SessionEvent, State},
    transport::{Limits, from_fn},
};

const NOW: Timestamp = Timestamp::from_secs(1_700_000_000);
/// Longer than any test takes.
const LONG: Duration = Duration::from_secs(1_000_000);

/// Uses the handle whenever it is woken or dropped, and counts both.
struct Meddler {
    handle: SessionHandle,
    woken: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Meddler {
    fn meddle(&self) {
        let view = self.handle.view();
        if let Some(token_id) = view.token_id() {
            let _ = self.handle.report(&report(token_id, NOW, "/portfolio/accounts", 401, "", None));
        }
        drop(pin!(self.handle.ready(LONG)).poll(&mut TaskContext::from_waker(Waker::noop())));
    }
}

impl Wake for Meddler {
    fn wake(self: Arc<Self>) {
        self.woken.fetch_add(1, Ordering::SeqCst);
        self.meddle();
    }
}

impl Drop for Meddler {
    fn drop(&mut self) {
        self.dropped.fetch_add(1, Ordering::SeqCst);
        self.meddle();
    }
}

/// Makes wakers that meddle.
#[derive(Clone)]
struct Meddlers {
    handle: SessionHandle,
    woken: Arc<AtomicUsize>,
    dropped: Arc<AtomicUsize>,
}

impl Meddlers {
    fn new(handle: SessionHandle) -> Self {
        Self { handle, woken: Arc::default(), dropped: Arc::default() }
    }

    /// Polls once, with a waker that nobody else has.
    fn poll<F: Future>(&self, future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        let Self { handle, woken, dropped } = self.clone();
        let waker = Waker::from(Arc::new(Meddler { handle, woken, dropped }));
        future.poll(&mut TaskContext::from_waker(&waker))
    }

    fn woken(&self) -> usize {
        self.woken.load(Ordering::SeqCst)
    }

    fn dropped(&self) -> usize {
        self.dropped.load(Ordering::SeqCst)
    }
}

/// Work that ends, and does not wait for itself.
fn ends(work: impl FnOnce() + Send + 'static) {
    let (done, end) = channel();
    let thread = thread::spawn(move || {
        work();
        done.send(()).unwrap();
    });
    match end.recv_timeout(Duration::from_secs(60)) {
        Ok(()) => thread.join().unwrap(),
        Err(RecvTimeoutError::Disconnected) => std::panic::resume_unwind(thread.join().unwrap_err()),
        Err(RecvTimeoutError::Timeout) => panic!("a waker waits for itself"),
    }
}

fn started() -> (Stage, Driver<OsEntropy>, Meddlers) {
    let stage = Stage::new();
    let driver = stage.driver();
    let meddlers = Meddlers::new(driver.handle());
    (stage, driver, meddlers)
}

async fn waits(handle: SessionHandle) -> Result<Signer, Error> {
    handle.ready(LONG).await
}

/// Drives the session at once as far as it goes, with the broker behind `send`.
fn answered(stage: &Stage, driver: Driver<OsEntropy>) -> impl Future<Output = ()> + use<> {
    let stage = stage.clone();
    let send = move |request: Request<Bytes>| ready(Ok(stage.broker(|broker, cx| broker.handle(cx, &request))));
    let transport = from_fn(send, |_| pending());
    async move { driver.run(&transport, |_| ()).await }
}

#[test]
fn a_waiter_may_go_and_be_polled_by_another_task() {
    ends(|| {
        let (_stage, _driver, meddlers) = started();
        {
            let mut waiter = pin!(waits(meddlers.handle.clone()));
            for polled in 0..3 {
                assert!(meddlers.poll(waiter.as_mut()).is_pending());
                assert_eq!(meddlers.dropped(), polled, "the waker before makes room");
            }
        }
        assert_eq!((meddlers.dropped(), meddlers.woken()), (3, 0));
    });
}

#[test]
fn waiters_are_woken_by_news_and_by_the_end() {
    ends(|| {
        let (stage, driver, meddlers) = started();
        let mut waiter = pin!(waits(meddlers.handle.clone()));
        assert!(meddlers.poll(waiter.as_mut()).is_pending());
        let mut driving = Box::pin(answered(&stage, driver));
        assert!(driving.as_mut().poll(&mut TaskContext::from_waker(Waker::noop())).is_pending());
        assert!(meddlers.woken() >= 1);
        assert!(matches!(meddlers.poll(waiter.as_mut()), Poll::Ready(Ok(_))));
        let (handle, seen) = (meddlers.handle.clone(), meddlers.handle.view());
        let mut waiter = pin!(handle.news(&seen));
        assert!(meddlers.poll(waiter.as_mut()).is_pending());
        let before = meddlers.woken();
        drop(driving);
        assert_eq!(meddlers.woken(), before + 1);
        assert!(meddlers.poll(waiter.as_mut()).is_ready());
    });
}

#[test]
fn the_driver_may_be_polled_by_another_task_woken_and_dropped() {
    ends(|| {
        let (stage, driver, meddlers) = started();
        let mut driving = Box::pin(answered(&stage, driver));
        for _ in 0..3 {
            assert!(meddlers.poll(driving.as_mut()).is_pending());
        }
        assert_eq!(meddlers.handle.view().state(), State::Live);
        let before = meddlers.woken();
        let _ = meddlers.handle.report(&report(
            meddlers.handle.view().token_id().unwrap(),
            NOW,
            "/portfolio/accounts",
            401,
            "",
            None,
        ));
        assert!(meddlers.woken() > before);
        assert!(meddlers.poll(driving.as_mut()).is_pending());
        meddlers.handle.shutdown();
        assert!(meddlers.poll(driving.as_mut()).is_ready());
        drop(driving);
        assert_eq!(meddlers.handle.view().state(), State::Closed);
    });
}

#[test]
fn events_may_use_the_handle() {
    ends(|| {
        let (stage, driver, meddlers) = started();
        let seen = Arc::new(Mutex::new(0));
        let (handle, count) = (meddlers.handle.clone(), Arc::clone(&seen));
        let send = move |request: Request<Bytes>, _: Limits| {
            Ok::<_, Failure>(stage.broker(|broker, cx| broker.handle(cx, &request)))
        };
        driver.run_blocking(&send, move |event| {
            *count.lock().unwrap() += 1;
            let view = handle.view();
            if let Some(token_id) = view.token_id() {
                let _ = handle.report(&report(token_id, NOW, "/portfolio/accounts", 401, "", None));
            }
            if matches!(event, SessionEvent::StateChanged { to: State::Live, .. }) {
                handle.shutdown();
            }
        });
        assert!(*seen.lock().unwrap() > 0);
    });
}
