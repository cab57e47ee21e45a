//! The WebSockets: each of a program's has one of the broker's behind it, opened with the session's own cookie and token.

use std::{fmt, future::pending, sync::Arc, time::Duration};

use axum::{body::Body, response::Response};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ibkr_oauth::{
    Context, Entropy, OsEntropy, Signer,
    adapter::tungstenite::Upgrade as _,
    http::{Request, StatusCode, request::Parts},
    session::SessionView,
};
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite},
    select,
    sync::watch,
    time::{self, Instant},
};
use tokio_tungstenite::tungstenite::handshake::server::create_response_with_body;

use super::{
    exchange::Trouble,
    frames::{CLOSE, NoFrame, framed},
    outgoing::{Outgoing, TAKING},
    refusal::Refusal,
    relay::{Passed, Relay, Supply},
    shared::Gateway,
    sockets::MOST,
};
use crate::{handshake, output};

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

/// Answers the request for an upgrade, and relays from then on.
pub(super) async fn open(gateway: &Arc<Gateway>, head: &mut Parts) -> Result<Response, Refusal> {
    let request = Request::from_parts(head.clone(), ());
    let response = create_response_with_body(&request, Body::empty).map_err(|_| Refusal::upgrade())?;
    let Some(upgrade) = head.extensions.remove::<OnUpgrade>() else {
        return Err(Refusal::bad("this connection cannot become a WebSocket"));
    };
    let closing = gateway.sockets.enter().ok_or_else(|| {
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
    tokio::spawn(async move {
        if let Ok(program) = upgrade.await {
            converse(relay, TokioIo::new(program), broker, &session, &local_session, closing).await;
        }
    });
    Ok(response)
}

/// What signs, and the broker's session, once the brokerage session is open.
async fn session(gateway: &Gateway) -> Result<(Signer, String), Refusal> {
    let handle = gateway.exchanges.handle();
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
    let failed = |why: &dyn fmt::Display| {
        Refusal::new(StatusCode::BAD_GATEWAY, output::one_line(&format!("the broker's WebSocket does not open: {why}")))
    };
    let view = gateway.exchanges.handle().view();
    let tickle = view.last_tickle().ok_or_else(|| gateway.refusal(Trouble::Session))?;
    let request = {
        let mut entropy = OsEntropy;
        let mut cx = Context::new(gateway.exchanges.handle().now(), &mut entropy);
        signer.brokerage().web_socket(&mut cx, tickle).map_err(|error| failed(&error))?
    };
    let (request, proof) = handshake::begin(request).map_err(|failure| failed(&failure))?;
    let response = gateway.sockets.client().upgrade(request).await.map_err(|failure| failed(&failure))?;
    proof.check(response.headers()).map_err(|failure| failed(&failure))?;
    Ok(response.into_body())
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
