//! How the commands that connect do so.

use std::path::PathBuf;

use clap::Args;
use ureq::{
    Agent,
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

use crate::{failure::Failure, reading};

/// The arguments of every command that connects.
#[derive(Args)]
pub(crate) struct ConnectionArguments {
    /// Trust the certificates in this PEM file, instead of those of the public authorities, to vouch for the server.
    ///
    /// For a company's proxy that looks into TLS. Proxies themselves are taken from `ALL_PROXY`, `HTTPS_PROXY` and
    /// `HTTP_PROXY`, and `NO_PROXY` says where none is wanted.
    #[arg(long, value_name = "FILE")]
    ca_certificate: Option<PathBuf>,
}

impl ConnectionArguments {
    pub(crate) fn agent(&self) -> Result<Agent, Failure> {
        let Some(path) = &self.ca_certificate else {
            return Ok(Agent::new_with_defaults());
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
        let tls = TlsConfig::builder().root_certs(RootCerts::new_with_certs(&certificates)).build();
        Ok(Agent::config_builder().tls_config(tls).build().into())
    }
}
