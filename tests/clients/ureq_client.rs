//! ureq.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Error, Exchange, OsEntropy, Signer,
    adapter::ureq::{drive, send, sign_and_send},
    driver::{Driver, SessionHandle},
    session::{Session, SessionEvent},
};
use rustls::pki_types::CertificateDer;
use ureq::{Agent, config::ConfigBuilder, typestate::AgentScope};

use super::{Adapter, Gate, Patience, with_handle};

/// Configured to do all that a call must not do.
pub(crate) struct Ureq(Agent);

#[cfg(feature = "cli")]
#[allow(clippy::unnecessary_wraps, reason = "without TLS there is none")]
fn trusting(
    config: ConfigBuilder<AgentScope>,
    certificate: &CertificateDer<'static>,
) -> Option<ConfigBuilder<AgentScope>> {
    use ureq::tls::{Certificate, RootCerts, TlsConfig};

    let roots = RootCerts::new_with_certs(&[Certificate::from_der(certificate).to_owned()]);
    Some(config.tls_config(TlsConfig::builder().root_certs(roots).build()))
}

/// The adapter's feature turns on no TLS.
#[cfg(not(feature = "cli"))]
fn trusting(_: ConfigBuilder<AgentScope>, _: &CertificateDer<'static>) -> Option<ConfigBuilder<AgentScope>> {
    None
}

impl Adapter for Ureq {
    fn with(certificate: Option<&CertificateDer<'static>>, patience: Patience) -> Option<Self> {
        let mut config = Agent::config_builder().proxy(None).max_redirects(10).http_status_as_error(true);
        if let Some(certificate) = certificate {
            config = trusting(config, certificate)?;
        }
        if patience == Patience::Short {
            // Some for the connection, whose time is counted apart.
            config = config.timeout_global(Some(Duration::from_millis(200)));
        }
        Some(Self(config.build().into()))
    }

    fn send<T: Send + 'static>(&self, exchange: Exchange<T>) -> Result<T, Error> {
        send(&self.0, exchange)
    }

    fn sign_and_send(
        &self,
        signer: &Signer,
        cx: &mut Context<'_>,
        request: Request<Bytes>,
    ) -> Result<Response<Bytes>, Error> {
        sign_and_send(&self.0, signer, cx, request)
    }

    fn drive(self: Arc<Self>, driver: Driver<OsEntropy>, on_event: impl FnMut(SessionEvent) + Send + 'static) {
        drive(&self.0, driver, on_event);
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
