//! The same calls through every adapter, so that one test is a test of each.

use std::{
    sync::{Arc, Condvar, Mutex},
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Error, Exchange, OsEntropy, Signer, Timestamp,
    driver::{Driver, SessionHandle},
    key::{RsaKey, SigningInput, SigningKey},
    session::{Advice, Failure, Session, SessionEvent, Ticket},
    simulator::test_keys,
    transport::{AsyncTransport, Limits},
};
use rustls::pki_types::CertificateDer;
pub(crate) mod hyper_client;
pub(crate) mod reqwest_client;
pub(crate) mod ureq_client;

/// How patient a client is.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Patience {
    /// As its adapter is.
    Usual,
    /// It waits for 50 ms, where the client can be told.
    Short,
}

/// A client with its adapter. Each call blocks; those that are futures run on a runtime with two threads.
pub(crate) trait Adapter: Send + Sync + 'static {
    /// A client that trusts this certificate and uses no proxy.
    fn with(certificate: Option<&CertificateDer<'static>>, patience: Patience) -> Self
    where
        Self: Sized;

    fn new() -> Arc<Self>
    where
        Self: Sized,
    {
        Arc::new(Self::with(None, Patience::Usual))
    }

    fn send<T: Send + 'static>(&self, exchange: Exchange<T>) -> Result<T, Error>;

    fn sign_and_send(
        &self,
        signer: &Signer,
        cx: &mut Context<'_>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error>;

    /// Drives a session, with a key store for consumers that have no signature key.
    fn drive(self: Arc<Self>, driver: Driver<OsEntropy>, on_event: impl FnMut(SessionEvent) + Send + 'static);

    /// As `drive`, but where waits are the caller's they take until the gate is open, and set the clock forward.
    fn drive_in_no_time(
        self: Arc<Self>,
        session: Session,
        gate: Gate,
        on_event: impl FnMut(&SessionHandle, SessionEvent) + Send + 'static,
    );

    fn ready(&self, handle: &SessionHandle) -> Result<Signer, Error> {
        handle.ready_blocking(LONG)
    }

    fn resolve(&self, handle: &SessionHandle, ticket: Ticket) -> Advice {
        handle.resolve_blocking(ticket)
    }
}

/// Longer than any test takes.
pub(crate) const LONG: Duration = Duration::from_secs(3600);

/// Drives a session in the background, by a clock that goes on from `now`.
pub(crate) fn drive<A: Adapter>(
    adapter: &Arc<A>,
    session: Session,
    now: Timestamp,
    on_event: impl FnMut(SessionEvent) + Send + 'static,
) -> (SessionHandle, JoinHandle<()>) {
    let start = std::time::Instant::now();
    let driver = Driver::with_clock(session, OsEntropy, move || now.saturating_add(start.elapsed()));
    let (handle, adapter) = (driver.handle(), Arc::clone(adapter));
    (handle, std::thread::spawn(move || adapter.drive(driver, on_event)))
}

/// A driver, and what tells its events together with a handle to it.
pub(crate) fn with_handle(
    driver: Driver<OsEntropy>,
    mut on_event: impl FnMut(&SessionHandle, SessionEvent) + Send + 'static,
) -> (Driver<OsEntropy>, impl FnMut(SessionEvent) + Send + 'static) {
    let handle = driver.handle();
    (driver, move |event| on_event(&handle, event))
}

/// What somebody waits for, once.
#[derive(Clone, Default)]
pub(crate) struct Gate(Arc<(Mutex<bool>, Condvar)>);

impl Gate {
    pub(crate) fn open(&self) {
        *self.0.0.lock().unwrap() = true;
        self.0.1.notify_all();
    }

    pub(crate) fn wait(&self) {
        drop(self.0.1.wait_while(self.0.0.lock().unwrap(), |is_open| !*is_open).unwrap());
    }

    /// Sets the clock forward when the gate is open.
    pub(crate) async fn sleep(self, clock: VirtualClock, time: Duration) {
        tokio::task::spawn_blocking(move || self.wait()).await.unwrap();
        clock.advance(time);
    }
}

/// A transport whose waits take until the gate is open, and set the clock forward.
pub(crate) struct Gated<T> {
    pub(crate) transport: T,
    pub(crate) gate: Gate,
    pub(crate) clock: VirtualClock,
}

impl<T: AsyncTransport> AsyncTransport for Gated<T> {
    async fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        self.transport.send(request, limits).await
    }

    async fn sleep(&self, time: Duration) {
        self.gate.clone().sleep(self.clock.clone(), time).await;
    }
}

/// A clock that is set, and by which a session is driven.
#[derive(Clone)]
pub(crate) struct VirtualClock(Arc<Mutex<Timestamp>>);

impl VirtualClock {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(Timestamp::from_secs(1_700_000_000))))
    }

    pub(crate) fn now(&self) -> Timestamp {
        *self.0.lock().unwrap()
    }

    pub(crate) fn advance(&self, by: Duration) {
        let mut now = self.0.lock().unwrap();
        *now = now.saturating_add(by);
    }

    pub(crate) fn driver(&self, session: Session) -> Driver<OsEntropy> {
        let clock = self.clone();
        Driver::with_clock(session, OsEntropy, move || clock.now())
    }
}

/// A key store elsewhere, which has the consumer's signature key.
pub(crate) fn key_store(input: &SigningInput) -> Vec<u8> {
    RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap().sign(input, &mut OsEntropy).unwrap()
}

/// A client's TLS, which trusts one certificate.
pub(crate) fn trusting(certificate: Option<&CertificateDer<'static>>) -> rustls::ClientConfig {
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(certificate.cloned());
    rustls::ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A runtime with two threads.
pub(crate) fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Runs a generic function as a test of each adapter that is there.
macro_rules! for_each_adapter {
    ($($test:ident),* $(,)?) => {
        mod ureq {
            $(#[test] fn $test() { super::$test::<crate::clients::ureq_client::Ureq>(); })*
        }
        mod hyper {
            $(#[test] fn $test() { super::$test::<crate::clients::hyper_client::Hyper>(); })*
        }
        mod reqwest {
            $(#[test] fn $test() { super::$test::<crate::clients::reqwest_client::Reqwest>(); })*
        }
        mod reqwest_blocking {
            $(#[test] fn $test() { super::$test::<crate::clients::reqwest_client::Blocking>(); })*
        }
    };
}
pub(crate) use for_each_adapter;
