//! The broker as a transport, without a network and on a clock of its own.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context as TaskContext, Poll, Waker},
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

use super::{broker::Broker, faults::Dropped, seeded_entropy::SeededEntropy};
use crate::{
    context::{Context, Timestamp},
    session::{Failure, FailureKind},
    transport::{AsyncTransport, Limits},
};

#[cfg(feature = "tungstenite")]
mod connection;

/// How often in a row the first to wake finds that nothing happened, before it takes everybody to be waiting. Executors
/// poll what is ready in turns; some look at their first future only after 61 others.
const QUIET_TURNS: u32 = 200;

/// A [`Broker`] as an [`AsyncTransport`], on a virtual clock: a day of a bot's life takes as long as its arithmetic.
///
/// When everything waits, the clock moves to where the first wait ends. That needs an executor with one thread, such as
/// tokio's `current_thread`, and nothing in it that waits for something else than this transport. It is cheap to clone; the
/// clones share broker and clock.
///
/// What the broker [drops](super::Dropped) fails when the time for it is over. With the feature `tungstenite` it carries the
/// broker's WebSocket too, for [`Client::stream`](crate::client::Client::stream), frame by frame as over a connection and
/// with no socket: [`stream`](crate::stream#in-a-test) has an example.
///
/// ```
/// # #[cfg(feature = "getrandom")] {
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// use std::time::Duration;
///
/// use ibkr_oauth::{Timestamp, client::Client, session::SessionConfig, transport::AsyncTransport};
/// use ibkr_oauth::simulator::{Broker, Fault, InProcess, test_keys};
///
/// let network = InProcess::new(Broker::default(), Timestamp::from_secs(1_700_000_000));
/// let bundle = network.broker(test_keys::bundle)?;
/// let (ibkr, driver) = Client::start(network.clone(), &bundle, SessionConfig::default())?;
/// tokio::spawn(driver);
/// ibkr.ready().await?;
/// network.sleep(Duration::from_secs(30 * 3600)).await;
/// let orders = "/iserver/account/DU0000001/orders";
/// network.broker(|broker, _| broker.inject(Fault::drop_response().at(orders)));
/// let order = serde_json::json!({"orders": [{"conid": 265598, "side": "BUY", "quantity": 1}]});
/// assert!(ibkr.post_json(orders, &order).await.is_err_and(|error| error.may_have_been_sent()));
/// assert_eq!(network.broker(|broker, _| broker.live_session_tokens_issued()), 2);
/// # Ok::<(), ibkr_oauth::Error>(()) })?;
/// # }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Debug)]
pub struct InProcess(Arc<Mutex<State>>);

struct State {
    broker: Broker,
    entropy: SeededEntropy,
    now: Timestamp,
    /// By the moment of their end, and by their number.
    sleepers: BTreeMap<(Timestamp, u64), Waker>,
    numbers: u64,
    /// Changes with everything that happens here.
    activity: u64,
    /// Who reads a connection, and has to look again when something has been done to the broker.
    readers: Vec<Waker>,
}

debug_fields!(State { now, broker });

impl InProcess {
    /// This broker, with the clock at `now`.
    #[must_use]
    pub fn new(broker: Broker, now: Timestamp) -> Self {
        let entropy = SeededEntropy::new(now.as_millis());
        let state =
            State { broker, entropy, now, sleepers: BTreeMap::new(), numbers: 0, activity: 0, readers: Vec::new() };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Works with the broker, at the moment that the clock shows.
    pub fn broker<T>(&self, work: impl FnOnce(&mut Broker, &mut Context<'_>) -> T) -> T {
        let mut state = self.lock();
        let State { broker, entropy, now, activity, .. } = &mut *state;
        *activity += 1;
        let outcome = work(broker, &mut Context::new(*now, entropy));
        let readers = std::mem::take(&mut state.readers);
        drop(state);
        readers.into_iter().for_each(Waker::wake);
        outcome
    }

    fn sleep_until(&self, end: Timestamp) -> Sleep {
        let mut state = self.lock();
        state.numbers += 1;
        let key = (end, state.numbers);
        drop(state);
        Sleep { state: Arc::clone(&self.0), key, seen: 0, quiet: 0 }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl AsyncTransport for InProcess {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let response = self.broker(|broker, cx| broker.handle(cx, &request));
        if response.extensions().get::<Dropped>().is_some() {
            self.sleep(limits.timeout).await;
            return Err(Failure::new(FailureKind::TimedOut, "dropped by the simulator"));
        }
        if response.body().len() > limits.longest_body {
            return Err(Failure::new(FailureKind::TooLarge, ""));
        }
        Ok(response)
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        self.sleep_until(self.now().saturating_add(time))
    }

    fn now(&self) -> Timestamp {
        self.lock().now
    }
}

struct Sleep {
    state: Arc<Mutex<State>>,
    key: (Timestamp, u64),
    seen: u64,
    quiet: u32,
}

impl Sleep {
    /// Whether the wait is over; otherwise whether it has to look again when all others had their turn.
    fn look(&mut self, state: &mut State, waker: &Waker) -> Result<(), bool> {
        let (end, _) = self.key;
        if state.now >= end {
            return Ok(());
        }
        if let Some(known) = state.sleepers.get_mut(&self.key) {
            known.clone_from(waker);
        } else {
            state.sleepers.insert(self.key, waker.clone());
            state.activity += 1;
        }
        if state.sleepers.first_key_value().is_none_or(|(first, _)| *first != self.key) {
            return Err(false);
        }
        self.quiet = if state.activity == self.seen { self.quiet + 1 } else { 0 };
        self.seen = state.activity;
        if self.quiet < QUIET_TURNS {
            return Err(true);
        }
        state.now = end;
        Ok(())
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let state = Arc::clone(&self.state);
        let result = self.look(&mut state.lock().unwrap_or_else(PoisonError::into_inner), task.waker());
        match result {
            Ok(()) => Poll::Ready(()),
            Err(looks_again) => {
                if looks_again {
                    task.waker().wake_by_ref();
                }
                Poll::Pending
            }
        }
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let own = state.sleepers.remove(&self.key);
        state.activity += 1;
        // Whoever is first now has to watch the others.
        let next = state.sleepers.first_key_value().map(|(_, waker)| waker.clone());
        drop(state);
        drop(own);
        if let Some(next) = next {
            next.wake();
        }
    }
}
