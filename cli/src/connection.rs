//! How the commands that connect do so.

use std::{env, path::PathBuf};

use clap::Args;
use ibkr_oauth::{Endpoints, local::reading};
use ureq::{
    Agent,
    tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{
    arguments,
    failure::Failure,
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
    /// What requests to these endpoints are sent with.
    pub(crate) fn agent(&self, endpoints: &Endpoints) -> Result<Agent, Failure> {
        let config = Agent::config_builder().proxy(match route(endpoints)? {
            Route::Through { proxy, .. } => Some(proxy),
            Route::Direct | Route::Excepted(_) => None,
        });
        let Some(certificates) = self.certificates()? else {
            return Ok(config.build().into());
        };
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build();
        Ok(config.tls_config(tls).build().into())
    }

    /// The certificates to trust instead of those of the public authorities.
    pub(crate) fn certificates(&self) -> Result<Option<Vec<Certificate<'static>>>, Failure> {
        let Some(path) = &self.ca_certificate else {
            return Ok(None);
        };
        let shown = path.display();
        let content = reading::file(path).map_err(|error| {
            Failure::usage(format!("the certificate {shown} cannot be read: {error}"), error.remedy())
        })?;
        let mut certificates = Vec::new();
        for item in parse_pem(content.bytes.expose()) {
            if let Ok(PemItem::Certificate(certificate)) = item {
                certificates.push(certificate);
            }
        }
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
