//! The program's HTTP client, also for the commands that block.

use std::{future::Future, time::Duration};

use http_body_util::Full;
use hyper_util::{
    client::legacy::Client,
    rt::{TokioExecutor, TokioTimer},
};
use ibkr_oauth::{
    adapter::hyper::HyperTransport,
    bytes::Bytes,
    http::{Request, Response},
    session::{Failure as SendFailure, FailureKind},
    transport::{AsyncTransport, Limits, Transport},
};
use tokio::{
    runtime::{Builder, Runtime},
    time,
};

use crate::{connector::Connector, failure::Failure};

/// How long a connection that nobody uses is kept.
const KEPT: Duration = Duration::from_secs(60);

/// The client with its timer.
pub(crate) type HttpTransport = HyperTransport<Connector>;

/// What carries requests over these connections. To be used within a runtime.
pub(crate) fn transport(connector: Connector) -> HttpTransport {
    HyperTransport::new(client(connector), time::sleep)
}

/// The client alone.
pub(crate) fn client(connector: Connector) -> Client<Connector, Full<Bytes>> {
    let mut builder = Client::builder(TokioExecutor::new());
    builder.pool_timer(TokioTimer::new()).pool_idle_timeout(KEPT);
    builder.build(connector)
}

/// Blocks the thread while a request is under way. Not for use within a runtime.
pub(crate) struct HttpClient {
    /// There until the end. Its thread notices, while nothing is sent, that a connection was closed.
    runtime: Option<Runtime>,
    transport: HttpTransport,
}

impl HttpClient {
    pub(crate) fn new(connector: Connector) -> Result<Self, Failure> {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_all().build().map_err(|error| {
            Failure::refused(format!("nothing can be sent: {error}"), "look after the system's limits")
        })?;
        Ok(Self { runtime: Some(runtime), transport: transport(connector) })
    }

    /// Blocks the thread while something is done over this client's connections.
    pub(crate) fn block_on<T>(&self, work: impl Future<Output = Result<T, SendFailure>>) -> Result<T, SendFailure> {
        match &self.runtime {
            Some(runtime) => runtime.block_on(work),
            None => Err(SendFailure::new(FailureKind::NotSent, "the client has ended")),
        }
    }
}

impl Transport for HttpClient {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, SendFailure> {
        self.block_on(self.transport.send(request, limits))
    }
}

impl Drop for HttpClient {
    /// Waits for nothing, which is not allowed where somebody drops it within a runtime.
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}
