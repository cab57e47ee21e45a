//! A session whose requests wait until the test has them answered, and whose clock only the test sets.

use std::{
    collections::VecDeque,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll, Wake, Waker},
    time::Duration,
};

use crate::known_user;
use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, OsEntropy, Timestamp,
    driver::Driver,
    session::{Failure, Session, SessionConfig, SessionEvent, State},
    simulator::Broker,
    transport::from_fn,
};

/// A broker, a clock, and requests that wait until the test has them answered.
#[derive(Clone)]
pub(crate) struct Stage {
    pub(crate) broker: Arc<Mutex<Broker>>,
    now: Arc<Mutex<Timestamp>>,
    pub(crate) waiting: Arc<Mutex<VecDeque<Arc<Mutex<Call>>>>>,
    pub(crate) events: Arc<Mutex<Vec<SessionEvent>>>,
    pub(crate) timer: Arc<Mutex<Option<Timestamp>>>,
}

/// A request under way.
pub(crate) struct Call {
    request: Request<Bytes>,
    answer: Option<Result<Response<Bytes>, Failure>>,
    waker: Option<Waker>,
    pub(crate) dropped: bool,
}

/// The future of a [`Call`], as a client would have it.
pub(crate) struct UnderWay(Arc<Mutex<Call>>);

impl Future for UnderWay {
    type Output = Result<Response<Bytes>, Failure>;

    fn poll(self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let mut call = self.0.lock().unwrap();
        let answer = call.answer.take();
        if answer.is_none() {
            call.waker = Some(task.waker().clone());
        }
        answer.map_or(Poll::Pending, Poll::Ready)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.lock().unwrap().dropped = true;
    }
}

/// Counts how often it is woken.
#[derive(Default)]
pub(crate) struct Bell(pub(crate) AtomicUsize);

impl Bell {
    pub(crate) fn rings(&self) -> usize {
        self.0.swap(0, Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

/// A future that is polled by hand, and only where it was woken.
pub(crate) struct Running<F> {
    future: Pin<Box<F>>,
    pub(crate) bell: Arc<Bell>,
}

impl<F: Future> Running<F> {
    pub(crate) fn new(future: F) -> Self {
        let bell = Arc::new(Bell::default());
        bell.0.store(1, Ordering::SeqCst);
        Self { future: Box::pin(future), bell }
    }

    /// Polls as long as there is a reason to.
    pub(crate) fn go_on(&mut self) -> Poll<F::Output> {
        while self.bell.rings() > 0 {
            let waker = Waker::from(Arc::clone(&self.bell));
            if let Poll::Ready(output) = self.future.as_mut().poll(&mut TaskContext::from_waker(&waker)) {
                return Poll::Ready(output);
            }
        }
        Poll::Pending
    }
}

impl Stage {
    pub(crate) fn new() -> Self {
        Self {
            broker: Arc::new(Mutex::new(known_user::known_to(Broker::builder()).build().unwrap())),
            now: Arc::new(Mutex::new(Timestamp::from_secs(1_700_000_000))),
            waiting: Arc::default(),
            events: Arc::default(),
            timer: Arc::default(),
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.now.lock().unwrap()
    }

    pub(crate) fn broker<T>(&self, work: impl FnOnce(&mut Broker, &mut Context<'_>) -> T) -> T {
        work(&mut self.broker.lock().unwrap(), &mut Context::new(self.now(), &mut OsEntropy))
    }

    pub(crate) fn driver(&self) -> Driver<OsEntropy> {
        let session = Session::new(known_user::consumer(), known_user::token(), SessionConfig::default());
        let clock = self.clone();
        Driver::with_clock(session, OsEntropy, move || clock.now())
    }

    /// A driver's future whose timer never fires by itself; [`pass`](Self::pass) wakes the driver.
    pub(crate) fn run(&self, driver: Driver<OsEntropy>) -> Running<impl Future<Output = ()> + use<>> {
        let (sending, sleeping, telling) = (self.clone(), self.clone(), self.clone());
        let transport = from_fn(
            move |request| {
                let call = Call { request, answer: None, waker: None, dropped: false };
                let call = Arc::new(Mutex::new(call));
                sending.waiting.lock().unwrap().push_back(Arc::clone(&call));
                UnderWay(call)
            },
            move |time| {
                let (stage, until) = (sleeping.clone(), sleeping.now().saturating_add(time));
                *stage.timer.lock().unwrap() = Some(until);
                std::future::poll_fn(move |_| if stage.now() >= until { Poll::Ready(()) } else { Poll::Pending })
            },
        );
        Running::new(async move {
            driver.run(&transport, move |event| telling.events.lock().unwrap().push(event)).await;
        })
    }

    /// The path of the request that waits for its answer.
    pub(crate) fn asked(&self) -> Option<String> {
        let waiting = self.waiting.lock().unwrap();
        let call = waiting.front()?.lock().unwrap();
        Some(call.request.uri().path().strip_prefix("/v1/api").unwrap().to_owned())
    }

    /// Has the broker answer the request that waits.
    pub(crate) fn answer(&self) {
        self.deliver(self.reply());
    }

    /// The broker's reply to the request that waits, still on its way.
    pub(crate) fn reply(&self) -> Response<Bytes> {
        let waiting = self.waiting.lock().unwrap();
        let call = waiting.front().unwrap().lock().unwrap();
        self.broker(|broker, cx| broker.handle(cx, &call.request))
    }

    pub(crate) fn deliver(&self, reply: Response<Bytes>) {
        let call = self.waiting.lock().unwrap().pop_front().unwrap();
        let mut call = call.lock().unwrap();
        call.answer = Some(Ok(reply));
        call.waker.take().unwrap().wake();
    }

    /// Lets time pass, with nobody looking.
    pub(crate) fn step(&self, time: Duration) {
        let mut now = self.now.lock().unwrap();
        *now = now.saturating_add(time);
    }

    /// Lets time pass, and the timer fire.
    pub(crate) fn pass<F>(&self, time: Duration, running: &Running<F>) {
        let mut now = self.now.lock().unwrap();
        *now = now.saturating_add(time);
        running.bell.0.fetch_add(1, Ordering::SeqCst);
    }

    /// Answers all that is asked until the session is live.
    pub(crate) fn sign_in(&self, running: &mut Running<impl Future<Output = ()>>) {
        while running.go_on().is_pending() && self.asked().is_some() {
            self.answer();
        }
        assert_eq!(self.last_state(), Some(State::Live));
    }

    pub(crate) fn last_state(&self) -> Option<State> {
        self.events.lock().unwrap().iter().rev().find_map(|event| match event {
            SessionEvent::StateChanged { to, .. } => Some(*to),
            _ => None,
        })
    }

    pub(crate) fn handshakes(&self) -> u64 {
        self.broker.lock().unwrap().live_session_tokens_issued()
    }
}
