//! How connections to the broker are made: directly or through a proxy, with TLS where the URL has it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::{
    client::legacy::connect::{
        HttpConnector,
        proxy::{SocksV4, SocksV5, Tunnel},
    },
    rt::TokioIo,
};
use ibkr_oauth::http::{HeaderValue, Uri, uri};
use tokio::net::TcpStream;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, crypto::ring, pki_types::CertificateDer};
use tower_service::Service;

use crate::{
    failure::Failure,
    proxy::{Protocol, Proxy, Route},
};

/// How long making a connection may take.
const CONNECTING: Duration = Duration::from_secs(20);

type BoxError = Box<dyn std::error::Error + Send + Sync>;
/// A connection to the broker or to its proxy, before the broker's TLS.
type Wire = MaybeHttpsStream<TokioIo<TcpStream>>;
/// Makes connections.
pub(crate) type Connector = HttpsConnector<Way>;

/// The way to the broker.
#[derive(Clone)]
pub(crate) enum Way {
    Direct(HttpConnector),
    Tunnel(Tunnel<HttpConnector>),
    /// Through a proxy that is itself reached with TLS.
    TunnelWithTls(Box<Tunnel<HttpsConnector<HttpConnector>>>),
    Socks4(SocksV4<HttpConnector>),
    Socks5(SocksV5<HttpConnector>),
}

/// What makes connections by this route; with these certificates instead of those of the public authorities, where there
/// are some.
pub(crate) fn connector(
    route: &Route,
    certificates: Option<Vec<CertificateDer<'static>>>,
) -> Result<Connector, Failure> {
    let mut roots = RootCertStore::empty();
    match certificates {
        Some(certificates) => {
            if let (0, _) = roots.add_parsable_certificates(certificates) {
                return Err(Failure::usage("none of the certificates can vouch for a server", "give another file"));
            }
        }
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
    }
    let cannot =
        |error| Failure::refused(format!("TLS cannot be set up: {error}"), "report this: it is a mistake here");
    let tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(cannot)?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tls = Arc::new(tls);
    let mut direct = HttpConnector::new();
    direct.enforce_http(false);
    direct.set_nodelay(true);
    direct.set_connect_timeout(Some(CONNECTING));
    let way = match route {
        Route::Through { proxy, .. } => through(proxy, direct, &tls)?,
        Route::Direct | Route::Excepted(_) => Way::Direct(direct),
    };
    Ok(HttpsConnector::from((way, tls)))
}

fn through(proxy: &Proxy, direct: HttpConnector, tls: &Arc<ClientConfig>) -> Result<Way, Failure> {
    let unusable = || Failure::usage("the proxy cannot be used", "write it as `http://HOST:PORT`");
    let place = |scheme: &str| {
        let authority = format!("{}:{}", proxy.host, proxy.port);
        Uri::builder().scheme(scheme).authority(authority).path_and_query("/").build().map_err(|_| unusable())
    };
    let basic = |(user, password): &(String, String)| {
        HeaderValue::try_from(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
    };
    let login = proxy.login.as_ref().map(basic).transpose().map_err(|_| unusable())?;
    Ok(match proxy.protocol {
        Protocol::Socks4 | Protocol::Socks4a => {
            let names_here = proxy.protocol == Protocol::Socks4;
            Way::Socks4(SocksV4::new(place("socks4")?, direct).local_dns(names_here))
        }
        Protocol::Socks5 | Protocol::Socks5h => {
            let names_here = proxy.protocol == Protocol::Socks5;
            let socks = SocksV5::new(place("socks5")?, direct).local_dns(names_here);
            Way::Socks5(match proxy.login.clone() {
                Some((user, password)) => socks.with_auth(user, password),
                None => socks,
            })
        }
        Protocol::Https => {
            let tunnel = Tunnel::new(place("https")?, HttpsConnector::from((direct, Arc::clone(tls))));
            Way::TunnelWithTls(Box::new(match login {
                Some(login) => tunnel.with_auth(login),
                None => tunnel,
            }))
        }
        Protocol::Http => {
            let tunnel = Tunnel::new(place("http")?, direct);
            Way::Tunnel(match login {
                Some(login) => tunnel.with_auth(login),
                None => tunnel,
            })
        }
    })
}

impl Service<Uri> for Way {
    type Response = Wire;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Wire, BoxError>> + Send>>;

    fn poll_ready(&mut self, task: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        match self {
            Self::Direct(way) => way.poll_ready(task).map_err(Into::into),
            Self::Tunnel(way) => way.poll_ready(task).map_err(Into::into),
            Self::TunnelWithTls(way) => way.poll_ready(task).map_err(Into::into),
            Self::Socks4(way) => way.poll_ready(task).map_err(Into::into),
            Self::Socks5(way) => way.poll_ready(task).map_err(Into::into),
        }
    }

    fn call(&mut self, target: Uri) -> Self::Future {
        let Some(target) = with_port(target) else {
            return Box::pin(async { Err(io::Error::other("the URL has no host").into()) });
        };
        match self {
            Self::Direct(way) => plain(way.call(target)),
            Self::Tunnel(way) => plain(way.call(target)),
            Self::Socks4(way) => plain(way.call(target)),
            Self::Socks5(way) => plain(way.call(target)),
            Self::TunnelWithTls(way) => {
                let connecting = way.call(target);
                Box::pin(async { connecting.await.map_err(Into::into) })
            }
        }
    }
}

/// The URL with its port, which proxies are told.
fn with_port(target: Uri) -> Option<Uri> {
    if target.port().is_some() {
        return Some(target);
    }
    let port = if target.scheme_str() == Some("http") { 80 } else { 443 };
    let mut parts = target.into_parts();
    let authority = format!("{}:{port}", parts.authority.as_ref()?.host());
    parts.authority = uri::Authority::try_from(authority).ok();
    Uri::from_parts(parts).ok()
}

fn plain<E: Into<BoxError>>(
    connecting: impl Future<Output = Result<TokioIo<TcpStream>, E>> + Send + 'static,
) -> <Way as Service<Uri>>::Future {
    Box::pin(async { connecting.await.map(Wire::Http).map_err(Into::into) })
}
