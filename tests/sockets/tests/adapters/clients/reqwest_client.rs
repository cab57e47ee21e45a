//! reqwest, asynchronous and blocking.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Error, Exchange, OsEntropy, Signer,
    adapter::reqwest::{blocking, client_builder},
    driver::{Driver, SessionHandle},
    session::{Advice, Session, SessionEvent, Ticket},
};
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;

use super::{Adapter, Gate, Gated, LONG, Patience, VirtualClock, key_store, runtime, trusting, with_handle};

pub(crate) struct Reqwest {
    client: reqwest::Client,
    runtime: Runtime,
}

pub(crate) struct Blocking(reqwest::blocking::Client);

impl Adapter for Reqwest {
    fn with(certificate: Option<&CertificateDer<'static>>, patience: Patience) -> Self {
        let mut builder = client_builder().no_proxy().tls_backend_preconfigured(trusting(certificate));
        if patience == Patience::Short {
            builder = builder.read_timeout(Duration::from_millis(50));
        }
        Self { client: builder.build().unwrap(), runtime: runtime() }
    }

    fn send<T: Send + 'static>(&self, exchange: Exchange<T>) -> Result<T, Error> {
        let client = self.client.clone();
        self.runtime.block_on(self.runtime.spawn(async move { exchange.send_async(&client).await })).unwrap()
    }

    fn sign_and_send(
        &self,
        signer: &Signer,
        cx: &mut Context<'_>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        self.runtime.block_on(signer.send_async(&self.client, cx, request)?)
    }

    fn drive(self: Arc<Self>, driver: Driver<OsEntropy>, on_event: impl FnMut(SessionEvent) + Send + 'static) {
        let client = self.client.clone();
        let sign = |input| std::future::ready(Ok(key_store(&input)));
        let task = async move { driver.run_with_key_store(&client, sign, on_event).await };
        self.runtime.block_on(self.runtime.spawn(task)).unwrap();
    }

    fn drive_in_no_time(
        self: Arc<Self>,
        session: Session,
        gate: Gate,
        on_event: impl FnMut(&SessionHandle, SessionEvent) + Send + 'static,
    ) {
        let clock = VirtualClock::new();
        let (driver, on_event) = with_handle(clock.driver(session), on_event);
        let transport = Gated { transport: self.client.clone(), gate, clock };
        let task = async move { driver.run(&transport, on_event).await };
        self.runtime.block_on(self.runtime.spawn(task)).unwrap();
    }

    fn ready(&self, handle: &SessionHandle) -> Result<Signer, Error> {
        self.runtime.block_on(handle.ready(LONG))
    }

    fn resolve(&self, handle: &SessionHandle, ticket: Ticket) -> Advice {
        self.runtime.block_on(handle.resolve(ticket))
    }
}

impl Adapter for Blocking {
    /// It cannot be told to be less patient: the adapter's limit takes the place of its `timeout`.
    fn with(certificate: Option<&CertificateDer<'static>>, _: Patience) -> Self {
        let builder = blocking::client_builder().no_proxy().tls_backend_preconfigured(trusting(certificate));
        Self(builder.build().unwrap())
    }

    fn send<T: Send + 'static>(&self, exchange: Exchange<T>) -> Result<T, Error> {
        exchange.send(&self.0)
    }

    fn sign_and_send(
        &self,
        signer: &Signer,
        cx: &mut Context<'_>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        signer.send(&self.0, cx, request)
    }

    fn drive(self: Arc<Self>, driver: Driver<OsEntropy>, on_event: impl FnMut(SessionEvent) + Send + 'static) {
        driver.run_blocking_with_key_store(&self.0, |input, _| Ok(key_store(&input)), on_event);
    }

    fn drive_in_no_time(
        self: Arc<Self>,
        session: Session,
        _: Gate,
        on_event: impl FnMut(&SessionHandle, SessionEvent) + Send + 'static,
    ) {
        let (driver, on_event) = with_handle(Driver::new(session, OsEntropy), on_event);
        self.drive(driver, on_event);
    }
}
