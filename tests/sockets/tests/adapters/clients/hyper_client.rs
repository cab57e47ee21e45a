//! hyper.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use ibkr_oauth::{
    Context, Error, Exchange, OsEntropy, Signer,
    adapter::hyper::HyperTransport,
    driver::{Driver, SessionHandle},
    session::{Advice, Session, SessionEvent, Ticket},
};
use rustls::pki_types::CertificateDer;
use tokio::runtime::Runtime;

use super::{Adapter, Gate, Gated, LONG, Patience, VirtualClock, key_store, runtime, trusting, with_handle};

type HyperClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

pub(crate) struct Hyper {
    client: HyperClient,
    patience: Patience,
    runtime: Runtime,
}

/// Returns after so long, or soon where the client has little patience.
async fn sleep(patience: Patience, time: Duration) {
    let most = if patience == Patience::Short { Duration::from_millis(50) } else { time };
    tokio::time::sleep(time.min(most)).await;
}

impl Adapter for Hyper {
    fn with(certificate: Option<&CertificateDer<'static>>, patience: Patience) -> Self {
        let connector = HttpsConnectorBuilder::new().with_tls_config(trusting(certificate)).https_or_http();
        let client = Client::builder(TokioExecutor::new()).build(connector.enable_http1().build());
        Self { client, patience, runtime: runtime() }
    }

    fn send<T: Send + 'static>(&self, exchange: Exchange<T>) -> Result<T, Error> {
        let (client, patience) = (self.client.clone(), self.patience);
        let transport = HyperTransport::new(client, move |time| sleep(patience, time));
        let task = async move { exchange.send_async(&transport).await };
        self.runtime.block_on(self.runtime.spawn(task)).unwrap()
    }

    fn sign_and_send(
        &self,
        signer: &Signer,
        cx: &mut Context<'_>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        let patience = self.patience;
        let transport = HyperTransport::new(self.client.clone(), move |time| sleep(patience, time));
        self.runtime.block_on(signer.send_async(&transport, cx, request)?)
    }

    fn drive(self: Arc<Self>, driver: Driver<OsEntropy>, on_event: impl FnMut(SessionEvent) + Send + 'static) {
        let transport = HyperTransport::new(self.client.clone(), tokio::time::sleep);
        let sign = |input| std::future::ready(Ok(key_store(&input)));
        let task = async move { driver.run_with_key_store(&transport, sign, on_event).await };
        self.runtime.block_on(self.runtime.spawn(task)).unwrap();
    }

    fn drive_in_no_time(
        self: Arc<Self>,
        session: Session,
        gate: Gate,
        on_event: impl FnMut(&SessionHandle, SessionEvent) + Send + 'static,
    ) {
        let (client, clock) = (self.client.clone(), VirtualClock::new());
        let (driver, on_event) = with_handle(clock.driver(session), on_event);
        let transport = Gated { transport: HyperTransport::new(client, tokio::time::sleep), gate, clock };
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
