//! The broker's end: one HTTP client, whose requests are counted.

use std::{
    future::Future,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use http_body_util::Full;
use hyper::body::Incoming;
use hyper_util::client::legacy::{Client, Error};
use ibkr_oauth::{
    Timestamp,
    bytes::Bytes,
    http::{Request, Response},
    local,
    pacing::Pacer,
    session::{Failure, FailureKind},
    transport::{AsyncTransport, Limits},
};
use tokio::time;

use crate::{
    connector::Connector,
    http_client::{self, HttpTransport},
};

const LOOK_FIRST: &str =
    "check network, base URL and certificates; the request may have arrived: look before you send an order again";
const CHECK_CONNECTION: &str = "check network, base URL, proxy and certificates; nothing was sent";

/// The pacer that all who send for this user share.
#[derive(Clone)]
pub(super) struct Pace(Arc<Mutex<Pacer>>);

/// The HTTP client of the programs' requests. The session has one of its own, so that neither ends with the other.
#[derive(Clone)]
pub(super) struct Upstream {
    client: Client<Connector, Full<Bytes>>,
}

/// What carries the session's own requests.
#[derive(Clone)]
pub(super) struct SessionTransport {
    transport: HttpTransport,
    pace: Pace,
    base: Arc<str>,
}

impl Pace {
    pub(super) fn new(pacer: Pacer) -> Self {
        Self(Arc::new(Mutex::new(pacer)))
    }

    /// A panic elsewhere leaves its counts usable.
    pub(super) fn lock(&self) -> MutexGuard<'_, Pacer> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request that goes before all others, and returns when it is within the broker's limits; at once where that
    /// would take as long as this.
    pub(super) async fn go_first(&self, now: Timestamp, path: &str, most: Duration) -> Duration {
        let turn = self.lock().reserve(now, path);
        let wait = Some(turn.saturating_duration_since(now)).filter(|wait| *wait < most).unwrap_or_default();
        if !wait.is_zero() {
            time::sleep(wait).await;
        }
        wait
    }
}

impl Upstream {
    pub(super) fn new(connector: Connector) -> Self {
        Self { client: http_client::client(connector) }
    }

    /// Sends a request once, and returns the head of the response when it is there.
    pub(super) fn send(
        &self,
        request: Request<Bytes>,
    ) -> impl Future<Output = Result<Response<Incoming>, Failure>> + use<> {
        let responding = self.client.request(request.map(Full::new));
        async { responding.await.map_err(no_response) }
    }
}

impl SessionTransport {
    /// `base` is the path of the base URL.
    pub(super) fn new(connector: Connector, pace: Pace, base: &str) -> Self {
        Self { transport: http_client::transport(connector), pace, base: Arc::from(base) }
    }
}

impl AsyncTransport for SessionTransport {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        let path = request.uri().path();
        let path = path.strip_prefix(&*self.base).unwrap_or(path);
        self.pace.go_first(local::now(), path, limits.timeout).await;
        self.transport.send(request, limits).await
    }

    fn sleep(&self, time: Duration) -> impl Future<Output = ()> + Send {
        time::sleep(time)
    }

    fn now(&self) -> Timestamp {
        local::now()
    }
}

fn no_response(error: Error) -> Failure {
    if error.is_connect() || was_canceled(&error) {
        return Failure::new(FailureKind::NotSent, error).with_remedy(CHECK_CONNECTION);
    }
    broke(error)
}

/// A connection that broke when the request was on it.
pub(super) fn broke(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Failure {
    Failure::new(FailureKind::MaybeSent, error).with_remedy(LOOK_FIRST)
}

/// A response that did not come in time.
pub(super) fn late(timeout: Duration) -> Failure {
    Failure::new(FailureKind::TimedOut, format!("it took more than {} s", timeout.as_secs())).with_remedy(LOOK_FIRST)
}

/// Whether nothing of the request was sent, because its connection had ended already.
fn was_canceled(error: &(dyn std::error::Error + 'static)) -> bool {
    let mut next = Some(error);
    while let Some(error) = next {
        if error.downcast_ref::<hyper::Error>().is_some_and(hyper::Error::is_canceled) {
            return true;
        }
        next = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use ibkr_oauth::pacing::{Admission, PacingConfig};

    use super::{Duration, Pace, Pacer, Timestamp, time};

    #[tokio::test(start_paused = true)]
    async fn what_goes_first_waits_for_its_turn_and_takes_it() {
        let mut config = PacingConfig::default();
        config.per_second = 1;
        let (pace, now, start) =
            (Pace::new(Pacer::new(config)), Timestamp::from_secs(1_700_000_000), time::Instant::now());
        assert_eq!(pace.lock().admit(now, "/portfolio/accounts"), Admission::Now);
        let waited = pace.go_first(now, "/tickle", Duration::from_secs(10)).await;
        assert!(waited >= Duration::from_secs(1) && start.elapsed() >= waited, "{waited:?}");
        let then = now.saturating_add(waited);
        assert!(matches!(pace.lock().admit(then, "/iserver/accounts"), Admission::NotBefore(at) if at > then));
        // One who cannot wait until then goes at once.
        assert_eq!(pace.go_first(then, "/tickle", Duration::from_millis(500)).await, Duration::ZERO);
    }
}
