//! The program's HTTP client, for the commands that block.

use std::{future::Future, time::Duration};

use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use ibkr_oauth::{
    adapter::hyper::HyperTransport,
    bytes::Bytes,
    http::{Request, Response},
    session::{Failure as SendFailure, FailureKind},
    transport::{AsyncTransport, Limits, Transport},
};
use tokio::{
    runtime::{Builder, Runtime},
    time::{self, Sleep},
};

use crate::{connector::Connector, failure::Failure};

/// The client with its timer.
pub(crate) type HttpTransport = HyperTransport<Connector, fn(Duration) -> Sleep>;

/// What carries requests over these connections. To be used within a runtime.
pub(crate) fn transport(connector: Connector) -> HttpTransport {
    HyperTransport::new(Client::builder(TokioExecutor::new()).build(connector), time::sleep)
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
