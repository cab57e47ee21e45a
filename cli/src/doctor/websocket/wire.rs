//! A WebSocket over the program's own connections: its route, its proxy and its TLS.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use ibkr_oauth::{
    bytes::Bytes,
    http::{Request, Response, StatusCode},
    session::{Failure as SendFailure, FailureKind},
    transport::{Limits, Transport as _},
};
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Message,
        protocol::{CloseFrame, Role, WebSocketConfig, frame::coding::CloseCode},
    },
};

use super::listening::{Close, Listening, Next};
use crate::{handshake, http_client::HttpClient};

/// How long the upgrade may take.
const OPENING: Duration = Duration::from_secs(20);
/// How long the other side may take to take what is sent.
const SENDING: Duration = Duration::from_secs(5);
/// The largest message, in bytes.
const LARGEST: usize = 4 << 20;

type Socket = WebSocketStream<TokioIo<Upgraded>>;

/// Sends the upgrade, and where it is agreed on, listens to the end. Returns the response to the upgrade, whatever it is.
pub(in super::super) fn listen(
    client: &HttpClient,
    upgrade: Request<()>,
    listening: &mut Listening,
) -> Result<Response<Bytes>, SendFailure> {
    let (upgrade, proof) = handshake::begin(upgrade)?;
    let mut limits = Limits::default();
    limits.timeout = OPENING;
    let mut response = client.send(upgrade.map(|()| Bytes::new()), limits)?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(response);
    }
    proof.check(response.headers())?;
    let connection = hyper::upgrade::on(&mut response);
    client.block_on(async {
        let connection = connection.await.map_err(|error| SendFailure::new(FailureKind::MaybeSent, error))?;
        let config = WebSocketConfig::default().max_message_size(Some(LARGEST)).max_frame_size(Some(LARGEST));
        let socket = WebSocketStream::from_raw_socket(TokioIo::new(connection), Role::Client, Some(config)).await;
        converse(socket, listening).await;
        Ok(response)
    })
}

async fn converse(mut socket: Socket, listening: &mut Listening) {
    let opened = Instant::now();
    loop {
        let is_sent = match listening.next(opened.elapsed()) {
            Next::Done => break,
            Next::Wait(until) => {
                if let Ok(received) = timeout_at(opened + until, socket.next()).await {
                    take(received.and_then(Result::ok), opened.elapsed(), listening);
                }
                continue;
            }
            Next::Send(text) => {
                let text = String::from_utf8_lossy(text.expose()).into_owned();
                timeout(SENDING, socket.send(Message::text(text))).await
            }
            Next::Close => {
                let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                timeout(SENDING, socket.close(Some(normal))).await
            }
        };
        // What the broker sent before it went away is read to its end.
        let until = Instant::now() + SENDING;
        while !matches!(is_sent, Ok(Ok(()))) && listening.seen.ended.is_none() {
            let received = timeout_at(until, socket.next()).await.ok().flatten();
            take(received.and_then(Result::ok), opened.elapsed(), listening);
        }
    }
    // Whatever is left is said: where the broker has closed, the answer to that.
    let _ = timeout(SENDING, socket.close(None)).await;
}

/// Takes what came; nothing is the end.
fn take(received: Option<Message>, at: Duration, listening: &mut Listening) {
    match received {
        Some(Message::Text(text)) => listening.hear(at, true, text.into()),
        Some(Message::Binary(bytes)) => listening.hear(at, false, bytes),
        Some(Message::Close(Some(frame))) => listening.end(at, Close::Code(frame.code.into())),
        Some(Message::Close(None)) => listening.end(at, Close::NoCode),
        // Pings are answered by themselves.
        Some(_) => {}
        None => listening.end(at, Close::NoFrame),
    }
}
