//! Where clients come in: a port, with TLS or without, or a Unix socket.

use std::{io, pin::Pin, sync::Arc, time::Duration};

use tokio::{
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
    time,
};
use tokio_rustls::{TlsAcceptor, rustls::ServerConfig};

/// The first byte of a client that speaks TLS.
const HANDSHAKE: u8 = 0x16;
/// How long a client may take until it has said something, and its TLS is there.
const GREETING: Duration = Duration::from_secs(20);

/// Where clients come in.
pub(crate) enum Door {
    Tcp(std::net::TcpListener, Option<Tls>),
    #[cfg(unix)]
    Unix(std::os::unix::net::UnixListener),
}

/// TLS at a port.
#[derive(Clone)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ServerConfig>,
    /// Whether clients are served at the same port that speak plain HTTP.
    pub(crate) also_plain: bool,
}

/// The same within a runtime.
pub(super) enum Listener {
    Tcp(tokio::net::TcpListener, Option<Tls>),
    #[cfg(unix)]
    Unix(tokio::net::UnixListener),
}

/// Who has come in, and has said nothing yet: the stream on which HTTP is spoken, once it is there; `None` where it does not
/// come to that.
pub(super) type Guest = Pin<Box<dyn Future<Output = Option<Box<dyn Stream>>> + Send>>;

/// A stream of bytes in both directions.
pub(super) trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

impl Door {
    /// To be called within a runtime.
    pub(super) fn open(self) -> io::Result<Listener> {
        Ok(match self {
            Self::Tcp(listener, tls) => {
                listener.set_nonblocking(true)?;
                Listener::Tcp(tokio::net::TcpListener::from_std(listener)?, tls)
            }
            #[cfg(unix)]
            Self::Unix(listener) => {
                listener.set_nonblocking(true)?;
                Listener::Unix(tokio::net::UnixListener::from_std(listener)?)
            }
        })
    }
}

impl Listener {
    pub(super) async fn accept(&self) -> io::Result<Guest> {
        Ok(match self {
            Self::Tcp(listener, tls) => Box::pin(greet(listener.accept().await?.0, tls.clone())),
            #[cfg(unix)]
            Self::Unix(listener) => {
                let stream: Box<dyn Stream> = Box::new(listener.accept().await?.0);
                Box::pin(std::future::ready(Some(stream)))
            }
        })
    }
}

async fn greet(stream: TcpStream, tls: Option<Tls>) -> Option<Box<dyn Stream>> {
    // It only delays small answers.
    let _ = stream.set_nodelay(true);
    let Some(tls) = tls else { return Some(Box::new(stream)) };
    let greeting = async {
        let mut first = [0];
        if tls.also_plain && stream.peek(&mut first).await.is_ok() && first != [HANDSHAKE] {
            let plain: Box<dyn Stream> = Box::new(stream);
            return Some(plain);
        }
        let encrypted: Box<dyn Stream> = Box::new(TlsAcceptor::from(tls.config).accept(stream).await.ok()?);
        Some(encrypted)
    };
    time::timeout(GREETING, greeting).await.ok().flatten()
}
