//! How the commands that connect do so.

use std::{env, path::PathBuf};

use clap::Args;
use ibkr_oauth::{Endpoints, local::reading};
use tokio_rustls::rustls::pki_types::{CertificateDer, pem::PemObject as _};

use crate::{
    arguments,
    connector::{self, Connector},
    failure::Failure,
    http_client::HttpClient,
    proxy::{self, Route},
};

/// The arguments of every command that connects.
#[derive(Args)]
pub(crate) struct ConnectionArguments {
    /// Trust the certificates in this PEM file, instead of those of the public authorities, to vouch for the server.
    ///
    /// For a company's proxy that looks into TLS. Proxies themselves are taken from `HTTPS_PROXY` or `HTTP_PROXY`, by the
    /// base URL's scheme, and else from `ALL_PROXY`; `NO_PROXY` says where none is wanted.
    #[arg(long, value_name = "FILE")]
    ca_certificate: Option<PathBuf>,
}

impl ConnectionArguments {
    /// What makes connections to these endpoints.
    pub(crate) fn connector(&self, endpoints: &Endpoints) -> Result<Connector, Failure> {
        connector::connector(&route(endpoints)?, self.certificates()?)
    }

    /// What requests to these endpoints are sent with, and waited for.
    pub(crate) fn client(&self, endpoints: &Endpoints) -> Result<HttpClient, Failure> {
        HttpClient::new(self.connector(endpoints)?)
    }

    /// The certificates to trust instead of those of the public authorities.
    fn certificates(&self) -> Result<Option<Vec<CertificateDer<'static>>>, Failure> {
        let Some(path) = &self.ca_certificate else {
            return Ok(None);
        };
        let shown = path.display();
        let content = reading::file(path).map_err(|error| {
            Failure::usage(format!("the certificate {shown} cannot be read: {error}"), reading::remedy(&error))
        })?;
        let certificates: Vec<_> = CertificateDer::pem_slice_iter(content.bytes.expose()).flatten().collect();
        if certificates.is_empty() {
            return Err(Failure::usage(
                format!("there is no certificate in {shown}"),
                "give a PEM file with `-----BEGIN CERTIFICATE-----` in it",
            ));
        }
        Ok(Some(certificates))
    }
}

/// How the environment has these endpoints reached.
pub(crate) fn route(endpoints: &Endpoints) -> Result<Route, Failure> {
    let url = arguments::absolute_url(endpoints.base_url())?;
    proxy::route(&url, |name| env::var_os(name)).map_err(|unusable| Failure::usage(unusable.what, unusable.remedy))
}
