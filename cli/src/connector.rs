//! How connections to the broker are made: directly or through a proxy, with TLS where the URL has it.

use std::{
    convert::identity,
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
use tower::{Service, ServiceExt};

use crate::{
    default_port,
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

/// A connection that is being made.
type Making = Pin<Box<dyn Future<Output = Result<Wire, BoxError>> + Send>>;

/// The way to the broker: directly or through a proxy. HTTP clients clone it for each request.
#[derive(Clone)]
pub(crate) struct Way(Arc<dyn Fn(Uri) -> Making + Send + Sync>);

impl Service<Uri> for Way {
    type Response = Wire;
    type Error = BoxError;
    type Future = Making;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, target: Uri) -> Making {
        (self.0)(target)
    }
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
    let way_there = match route {
        Route::Through { proxy, .. } => through(proxy, direct, &tls)?,
        Route::Direct | Route::Excepted(_) => way(direct, Wire::Http),
    };
    Ok(HttpsConnector::from((way_there, tls)))
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
            way(SocksV4::new(place("socks4")?, direct).local_dns(names_here), Wire::Http)
        }
        Protocol::Socks5 | Protocol::Socks5h => {
            let names_here = proxy.protocol == Protocol::Socks5;
            let socks = SocksV5::new(place("socks5")?, direct).local_dns(names_here);
            let login = proxy.login.clone();
            way(login.into_iter().fold(socks, |socks, (user, password)| socks.with_auth(user, password)), Wire::Http)
        }
        Protocol::Https => {
            let tunnel = Tunnel::new(place("https")?, HttpsConnector::from((direct, Arc::clone(tls))));
            way(login.into_iter().fold(tunnel, Tunnel::with_auth), identity)
        }
        Protocol::Http => {
            let tunnel = Tunnel::new(place("http")?, direct);
            way(login.into_iter().fold(tunnel, Tunnel::with_auth), Wire::Http)
        }
    })
}

/// The way that a connector goes, whose connections are told the URL with its port.
fn way<S>(connector: S, wire: fn(S::Response) -> Wire) -> Way
where
    S: Service<Uri> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send + 'static,
    S::Response: 'static,
{
    Way(Arc::new(move |target| {
        let making = connector.clone().oneshot(with_port(target));
        Box::pin(async move { making.await.map(wire).map_err(Into::into) })
    }))
}

/// The URL with its port, which proxies are told.
fn with_port(target: Uri) -> Uri {
    let Some(authority) = target.authority().filter(|authority| authority.port().is_none()) else { return target };
    let port = default_port::of_url(&target);
    let with_port = uri::Authority::try_from(format!("{}:{port}", authority.host())).ok();
    let mut parts = target.clone().into_parts();
    parts.authority = with_port;
    Uri::from_parts(parts).unwrap_or(target)
}
