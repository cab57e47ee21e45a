//! The broker's WebSocket by [`tokio-tungstenite`](https://docs.rs/tokio-tungstenite/0.30), over a connection of the HTTP
//! client that is there already: with its TLS, its proxy and its certificates. Needs the feature `tungstenite`.
//!
//! [`Client::stream`](crate::client::Client::stream) is what applications use. What it needs of a transport is [`Upgrade`],
//! which `reqwest`'s client (with the feature `reqwest`) and [`HyperTransport`](super::hyper::HyperTransport) (with `hyper`)
//! have. **The client has to speak HTTP/1.1**: over HTTP/2 there is no such upgrade.
//!
//! Text is read as bytes: the broker sends text that is not UTF-8, at which others end the connection.

use std::{
    future::Future,
    pin::Pin,
    task::{Context as TaskContext, Poll, ready},
    time::Duration,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::Bytes;
use futures_util::{Sink, Stream};
use http::{
    Request, Response, Uri,
    header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY},
};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error as WebSocketError, Message,
        protocol::{Role, WebSocketConfig},
    },
};

use super::failure;
use crate::{
    secret::Secret,
    session::{Failure, FailureKind},
    transport::{AsyncTransport, within},
};

mod as_bytes;
#[cfg(feature = "hyper")]
mod hyper;
#[cfg(feature = "reqwest")]
mod reqwest;

use self::as_bytes::AsBytes;

/// The largest message that is read. The broker names no limit; its largest known are far smaller.
const LARGEST: usize = 16 << 20;

/// What is read at once. Each reading fills as much with zeros first, and frames of the broker have some hundred bytes.
const BUFFER: usize = 8 << 10;
/// How long opening may take.
const OPENING: Duration = Duration::from_secs(20);
/// How long the broker may take to answer a close.
const CLOSING: Duration = Duration::from_secs(1);
/// RFC 6455 section 1.3.
const ACCEPT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// A transport whose connections can become something else than HTTP (RFC 9110 section 7.8).
pub trait Upgrade: AsyncTransport {
    /// A connection that an upgrade was agreed upon for, from the first byte after the response's head on.
    type Connection: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// Sends an upgrade as it is, and returns the response of status 101 with the connection as its body. The URL's scheme is
    /// `http` or `https`.
    ///
    /// # Errors
    /// A [`Failure`] where the broker answers anything else, or does not answer. It does not show the URL's query, which has
    /// the access token.
    fn upgrade(&self, request: Request<()>)
    -> impl Future<Output = Result<Response<Self::Connection>, Failure>> + Send;
}

/// What comes by a socket.
pub(crate) enum Received {
    Frame(Bytes),
    Closed(Option<u16>),
    Failed(Failure),
}

/// An open WebSocket.
pub(crate) struct Socket<C> {
    stream: WebSocketStream<AsBytes<C>>,
    needs_flush: bool,
}

impl<C: AsyncRead + AsyncWrite + Unpin> Socket<C> {
    /// Opens a socket with the request of [`Output::Open`](crate::stream::Output::Open).
    pub(crate) async fn open(
        transport: &impl Upgrade<Connection = C>,
        mut request: Request<()>,
    ) -> Result<Self, Failure> {
        *request.uri_mut() = as_http(request.uri())?;
        let expected = request.headers().get(SEC_WEBSOCKET_KEY).map(|key| {
            let digest = Sha1::new().chain_update(key.as_bytes()).chain_update(ACCEPT).finalize();
            STANDARD.encode(digest)
        });
        let response = within(OPENING, transport.sleep(OPENING), transport.upgrade(request)).await?;
        let accepted = response.headers().get(SEC_WEBSOCKET_ACCEPT).map(http::HeaderValue::as_bytes);
        if expected.is_none() || accepted != expected.as_deref().map(str::as_bytes) {
            let reason = "the broker's side did not prove that it speaks WebSocket (`Sec-WebSocket-Accept`)";
            return Err(failure(FailureKind::NotSent, "check whether a proxy answers in the broker's place", reason));
        }
        let config = WebSocketConfig::default()
            .max_message_size(Some(LARGEST))
            .max_frame_size(Some(LARGEST))
            .read_buffer_size(BUFFER);
        let stream = AsBytes::new(response.into_body());
        let stream = WebSocketStream::from_raw_socket(stream, Role::Client, Some(config)).await;
        Ok(Self { stream, needs_flush: false })
    }

    /// Has a text sent; [`poll`](Self::poll) does it.
    pub(crate) fn send(&mut self, text: &Secret) -> Result<(), Failure> {
        let text = String::from_utf8_lossy(text.expose()).into_owned();
        self.needs_flush = true;
        Pin::new(&mut self.stream).start_send(Message::text(text)).map_err(broken)
    }

    /// Sends what is to be sent, and looks for what came.
    pub(crate) fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Received> {
        if self.needs_flush {
            match Pin::new(&mut self.stream).poll_flush(task) {
                Poll::Ready(Ok(())) => self.needs_flush = false,
                Poll::Ready(Err(error)) => return Poll::Ready(Received::Failed(broken(error))),
                Poll::Pending => {}
            }
        }
        loop {
            return Poll::Ready(match ready!(Pin::new(&mut self.stream).poll_next(task)) {
                Some(Ok(Message::Text(text))) => Received::Frame(text.into()),
                Some(Ok(Message::Binary(bytes))) => Received::Frame(bytes),
                Some(Ok(Message::Close(close))) => Received::Closed(close.map(|close| close.code.into())),
                Some(Ok(_)) => continue,
                Some(Err(error)) => Received::Failed(broken(error)),
                None => Received::Closed(None),
            });
        }
    }

    /// Closes in order, as far as the broker answers in time.
    pub(crate) async fn close(mut self, transport: &impl AsyncTransport) {
        let closing = async {
            let _ = self.stream.close(None).await;
            while let Some(Ok(_)) = std::future::poll_fn(|task| Pin::new(&mut self.stream).poll_next(task)).await {}
            Ok(())
        };
        let _: Result<(), Failure> = within(CLOSING, transport.sleep(CLOSING), closing).await;
    }
}

/// The URL under which an HTTP client opens a WebSocket.
fn as_http(uri: &Uri) -> Result<Uri, Failure> {
    let mut parts = uri.clone().into_parts();
    let scheme = if uri.scheme_str() == Some("ws") { http::uri::Scheme::HTTP } else { http::uri::Scheme::HTTPS };
    parts.scheme = Some(scheme);
    // The error would show nothing of the URL.
    Uri::from_parts(parts).map_err(|error| failure(FailureKind::NotSent, "check the base URL", error))
}

/// The response that is none of status 101.
#[cfg(any(feature = "hyper", feature = "reqwest"))]
fn check(status: http::StatusCode) -> Result<(), Failure> {
    if status == http::StatusCode::SWITCHING_PROTOCOLS {
        return Ok(());
    }
    let reason = format!("the upgrade to a WebSocket was answered with {status}");
    let remedy =
        "see that the client speaks HTTP/1.1 and that no proxy is in between; else wait, the stream tries again";
    Err(failure(FailureKind::NotSent, remedy, reason))
}

fn broken(error: WebSocketError) -> Failure {
    let kind = match error {
        WebSocketError::Capacity(_) => FailureKind::TooLarge,
        _ => FailureKind::MaybeSent,
    };
    failure(kind, "wait: the stream connects again by itself; check network and proxy", error)
}
