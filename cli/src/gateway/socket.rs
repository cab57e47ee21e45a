//! The WebSockets: each of a program's has one of the broker's behind it, opened with the session's own cookie and token.

use std::{
    future::pending,
    sync::{Arc, atomic::Ordering},
    time::Duration,
};

use axum::{body::Body, response::Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ibkr_oauth::{
    Context, Entropy, OsEntropy, Signer,
    bytes::Bytes,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{CONNECTION, SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, UPGRADE},
        request::Parts,
    },
    session::SessionView,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    select,
    sync::watch,
    time::{self, Instant},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::{
    exchange::Trouble,
    frames::{CLOSE, NoFrame, framed},
    outgoing::{Outgoing, TAKING},
    refusal::Refusal,
    relay::{Passed, Relay, Supply},
    shared::Gateway,
};
use crate::{http_client::as_http, output};

/// How many there may be: each is a connection to the broker too.
const MOST: u64 = 64;
/// How long a program waits for the session, and for the broker's WebSocket.
const OPENING: Duration = Duration::from_secs(20);
/// How long what a program subscribes to is held for a broker that does not say that it is ready.
const READYING: Duration = Duration::from_secs(10);
/// Why a WebSocket of a program's is closed from here: the code (RFC 6455 section 7.4.1), and words of at most 123 bytes.
type End = (u16, &'static str);
const GOING_AWAY: End = (1001, "the gateway ends");
const NO_FRAME: End = (1002, "what came is no frame, or more than is held before the broker is ready");
const NOT_READ: End = (1008, "this socket was not read for 30 s: more messages came than wait for it");
const NOT_TAKEN: End = (1013, "the broker took nothing for 30 s");

/// Counts one socket while it lives.
struct Counted(Arc<Gateway>);

impl Counted {
    fn new(gateway: &Arc<Gateway>) -> Option<Self> {
        let before = gateway.sockets_open.fetch_add(1, Ordering::Relaxed);
        let counted = Self(Arc::clone(gateway));
        (before < MOST).then_some(counted)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.sockets_open.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Answers the request for an upgrade, and relays from then on.
pub(super) async fn open(gateway: &Arc<Gateway>, head: &mut Parts) -> Result<Response, Refusal> {
    let accept = acceptance(&head.headers)?;
    let Some(upgrade) = head.extensions.remove::<OnUpgrade>() else {
        return Err(Refusal::bad("this connection cannot become a WebSocket"));
    };
    let counted = Counted::new(gateway).ok_or_else(|| {
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, format!("{MOST} WebSockets are open: close one")).after(60)
    })?;
    let opening = async {
        let (signer, session) = session(gateway).await?;
        let broker = broker(gateway, &signer).await?;
        Ok((broker, session))
    };
    let late = || Err(Refusal::new(StatusCode::GATEWAY_TIMEOUT, "the broker's WebSocket did not open in time"));
    let (broker, session) = time::timeout(OPENING, opening).await.unwrap_or_else(|_| late())?;
    let relay = Relay::new(gateway.rules.allow_orders);
    let local_session = gateway.local_session.clone();
    let closing = gateway.sockets.closing();
    tokio::spawn(async move {
        let _counted = counted;
        if let Ok(program) = upgrade.await {
            converse(relay, TokioIo::new(program), broker, &session, &local_session, closing).await;
        }
    });
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
    let headers = response.headers_mut();
    headers.insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    headers.insert(UPGRADE, HeaderValue::from_static("websocket"));
    headers.insert(SEC_WEBSOCKET_ACCEPT, accept);
    Ok(response)
}

/// What the peer of this key expects.
fn accepted(key: &HeaderValue) -> Option<HeaderValue> {
    HeaderValue::try_from(derive_accept_key(key.as_bytes())).ok()
}

fn acceptance(headers: &HeaderMap) -> Result<HeaderValue, Refusal> {
    if headers.get(SEC_WEBSOCKET_VERSION).is_none_or(|version| version != "13") {
        return Err(Refusal::upgrade());
    }
    let key = headers.get(SEC_WEBSOCKET_KEY).filter(|key| key.len() == 24);
    key.and_then(accepted).ok_or_else(|| Refusal::bad("a WebSocket has a `Sec-WebSocket-Key` of 16 bytes"))
}

/// What signs, and the broker's session, once the brokerage session is open.
async fn session(gateway: &Gateway) -> Result<(Signer, String), Refusal> {
    let handle = &gateway.exchanges.handle;
    let now = handle.now();
    gateway
        .exchanges
        .served("/iserver", now, now.saturating_add(OPENING))
        .await
        .map_err(|trouble| gateway.refusal(trouble))?;
    let mut asked = false;
    loop {
        let view = handle.view();
        if let Some(found) = view.signer().cloned().zip(session_value(&view)) {
            return Ok(found);
        }
        if !std::mem::replace(&mut asked, true) {
            handle.tickle();
        }
        handle.news(&view).await;
    }
}

fn session_value(view: &SessionView) -> Option<String> {
    let session = view.last_tickle()?.session()?;
    Some(String::from_utf8_lossy(session.expose()).into_owned())
}

/// The broker's WebSocket, opened.
async fn broker(gateway: &Gateway, signer: &Signer) -> Result<TokioIo<Upgraded>, Refusal> {
    let failed = |why: String| {
        Refusal::new(StatusCode::BAD_GATEWAY, output::one_line(&format!("the broker's WebSocket does not open: {why}")))
    };
    let view = gateway.exchanges.handle.view();
    let tickle = view.last_tickle().ok_or_else(|| gateway.refusal(Trouble::Session))?;
    let mut request = {
        let mut entropy = OsEntropy;
        let mut cx = Context::new(gateway.exchanges.handle.now(), &mut entropy);
        signer.brokerage().web_socket(&mut cx, tickle).map_err(|error| failed(error.to_string()))?
    };
    let expected = request.headers().get(SEC_WEBSOCKET_KEY).and_then(accepted);
    *request.uri_mut() = as_http(request.uri()).map_err(|failure| failed(failure.to_string()))?;
    let sent = gateway.sockets.client().head(request.map(|()| Bytes::new())).await;
    let response = sent.map_err(|failure| failed(failure.to_string()))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Err(failed(format!("it answers {}", response.status())));
    }
    if expected.is_none() || response.headers().get(SEC_WEBSOCKET_ACCEPT) != expected.as_ref() {
        return Err(failed("what answers is no WebSocket".to_owned()));
    }
    let upgraded = hyper::upgrade::on(response).await.map_err(|error| failed(error.to_string()))?;
    Ok(TokioIo::new(upgraded))
}

/// Relays until one side ends, or takes nothing for too long, or the gateway ends.
///
/// A side that is slow makes the other wait: what it has not taken is bounded, and nothing of it is left out.
pub(super) async fn converse<P, B>(
    mut relay: Relay,
    program: P,
    broker: B,
    session: &str,
    local_session: &str,
    mut closing: watch::Receiver<bool>,
) where
    P: AsyncRead + AsyncWrite + Unpin,
    B: AsyncRead + AsyncWrite + Unpin,
{
    let patience = time::sleep_until(Instant::now() + READYING);
    tokio::pin!(patience);
    let mut waits = true;
    let (mut program, to_program) = tokio::io::split(program);
    let (mut broker, to_broker) = tokio::io::split(broker);
    let (mut to_program, mut to_broker) = (Outgoing::new(to_program), Outgoing::new(to_broker));
    let (mut said, mut answered) = (vec![0; 16 << 10], vec![0; 64 << 10]);
    let end = loop {
        let (program_stuck, broker_stuck) = (to_program.stuck(), to_broker.stuck());
        let passed = select! {
            count = program.read(&mut said), if !to_broker.is_full() => match count {
                Ok(count @ 1..) => relay.program_said(said.get(..count).unwrap_or_default()),
                _ => break None,
            },
            count = broker.read(&mut answered), if !to_program.is_full() => match count {
                Ok(count @ 1..) => {
                    let supply = Supply { session, local_session, mask: mask() };
                    relay.broker_said(answered.get(..count).unwrap_or_default(), &supply)
                }
                _ => break None,
            },
            sent = to_program.send(), if to_program.has_more() => if sent.is_ok() { continue } else { break None },
            sent = to_broker.send(), if to_broker.has_more() => if sent.is_ok() { continue } else { break None },
            () = program_stuck, if to_program.is_full() => break Some(NOT_READ),
            () = broker_stuck, if to_broker.is_full() => break Some(NOT_TAKEN),
            () = &mut patience, if waits => {
                waits = false;
                Ok(Passed { to_broker: relay.release().into(), ..Passed::default() })
            }
            () = told(&mut closing) => break Some(GOING_AWAY),
        };
        match passed {
            Ok(passed) => {
                to_program.push(&passed.to_program);
                to_broker.push(&passed.to_broker);
            }
            Err(NoFrame) => break Some(NO_FRAME),
        }
    };
    if let Some((code, reason)) = end {
        let content = [&code.to_be_bytes(), reason.as_bytes()].concat();
        to_program.push(&framed(CLOSE, &content, None));
        to_broker.push(&framed(CLOSE, &GOING_AWAY.0.to_be_bytes(), Some(mask())));
    }
    // What is still said is read, for a socket that is closed with unread bytes is reset, and takes the last frames with it.
    let ending = async { tokio::join!(to_program.end(), to_broker.end()) };
    select! {
        _ = time::timeout(TAKING, ending) => {}
        () = ignored(&mut program) => {}
        () = ignored(&mut broker) => {}
    }
}

/// Reads, and never returns.
async fn ignored(mut from: impl AsyncRead + Unpin) {
    let mut bytes = [0; 4096];
    while from.read(&mut bytes).await.is_ok_and(|count| count > 0) {}
    pending::<()>().await;
}

async fn told(closing: &mut watch::Receiver<bool>) {
    let _ = closing.wait_for(|closing| *closing).await;
}

/// What a client masks a frame with. Over TLS, and with what is sent here, it guards against nothing.
fn mask() -> [u8; 4] {
    let mut mask = [0; 4];
    // Zeros are a mask too.
    let _ = OsEntropy.fill(&mut mask);
    mask
}
