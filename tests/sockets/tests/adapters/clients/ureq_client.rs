//! ureq.

use std::{sync::Arc, time::Duration};

use bytes::Bytes;
use http::{Request, Response};
use ibkr_oauth::{
    Context, Error, Exchange, OsEntropy, Signer,
    driver::{Driver, SessionHandle},
    session::{Session, SessionEvent},
};
use rustls::pki_types::CertificateDer;
use ureq::{
    Agent,
    config::ConfigBuilder,
    tls::{Certificate, RootCerts, TlsConfig},
    typestate::AgentScope,
};

use super::{Adapter, Gate, Patience, key_store, with_handle};

/// Configured to do all that a call must not do.
pub(crate) struct Ureq(Agent);

fn trusting(config: ConfigBuilder<AgentScope>, certificate: &CertificateDer<'static>) -> ConfigBuilder<AgentScope> {
    let roots = RootCerts::new_with_certs(&[Certificate::from_der(certificate).to_owned()]);
    config.tls_config(TlsConfig::builder().root_certs(roots).build())
}

impl Adapter for Ureq {
    fn with(certificate: Option<&CertificateDer<'static>>, patience: Patience) -> Self {
        let mut config = Agent::config_builder().proxy(None).max_redirects(10).http_status_as_error(true);
        if let Some(certificate) = certificate {
            config = trusting(config, certificate);
        }
        if patience == Patience::Short {
            // Some for the connection, whose time is counted apart.
            config = config.timeout_global(Some(Duration::from_millis(200)));
        }
        Self(config.build().into())
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
