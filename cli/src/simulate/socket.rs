//! A WebSocket of the broker's, over a connection.

use std::{ops::ControlFlow, sync::Arc, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use futures_util::{SinkExt, StreamExt};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use ibkr_oauth::{
    bytes::Bytes,
    http::{HeaderMap, Method, Request, StatusCode, header::UPGRADE},
    simulator::{Dropped, Socket, SocketMessage, SocketOutput},
};
use tokio::{select, sync::watch, time};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Error, Message,
        handshake::server::create_response,
        protocol::{
            CloseFrame, Role, WebSocketConfig,
            frame::{
                Frame,
                coding::{Data, OpCode},
            },
        },
    },
};

use super::simulation::{Simulation, subject};
use crate::serving::NoAnswer;

/// How long a client's message may be.
const LONGEST_MESSAGE: usize = 1 << 20;

/// How long a client may take to read, before the connection is cut.
const READING: Duration = Duration::from_secs(30);

/// How long a client has for its own word when the broker has closed.
const PARTING: Duration = Duration::from_secs(1);

/// Whether the request wants a WebSocket.
pub(super) fn is_wanted(method: &Method, headers: &HeaderMap) -> bool {
    let is_websocket = |value: &str| value.split(',').any(|protocol| protocol.trim().eq_ignore_ascii_case("websocket"));
    method == Method::GET && headers.get(UPGRADE).and_then(|value| value.to_str().ok()).is_some_and(is_websocket)
}

/// Opens one, if the broker does, and leaves it to a task of its own.
pub(super) fn open(simulation: &Arc<Simulation>, mut request: Request<Bytes>) -> Response {
    let subject = subject(&request);
    let upgrade = hyper::upgrade::on(&mut request);
    let request = request.map(|_| ());
    let response = match create_response(&request) {
        Ok(response) => response,
        Err(error) => {
            simulation.turn_away(&subject, StatusCode::BAD_REQUEST, &format!("no handshake of a WebSocket: {error}"));
            return StatusCode::BAD_REQUEST.into_response();
        }
    };
    let Some(place) = simulation.socket_place() else {
        simulation.turn_away(&subject, StatusCode::SERVICE_UNAVAILABLE, "too many WebSockets are open");
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    };
    match simulation.open_socket(&request) {
        Ok(socket) => {
            let connection = Connection { simulation: Arc::clone(simulation), socket, subject, sent: 0, received: 0 };
            tokio::spawn(connection.serve(upgrade, place));
            response.map(|()| Body::empty())
        }
        Err(refusal) if refusal.extensions().get::<Dropped>().is_some() => NoAnswer.into_response(),
        Err(refusal) => refusal.map(Body::from),
    }
}

type Wire = WebSocketStream<TokioIo<Upgraded>>;

struct Connection {
    simulation: Arc<Simulation>,
    socket: Socket,
    subject: String,
    sent: u64,
    received: u64,
}

impl Connection {
    async fn serve(mut self, upgrade: OnUpgrade, mut place: watch::Receiver<u64>) {
        let why = match upgrade.await {
            Err(error) => format!("by the client, before it was open: {error}"),
            Ok(upgraded) => {
                let config = WebSocketConfig::default()
                    .max_message_size(Some(LONGEST_MESSAGE))
                    .max_frame_size(Some(LONGEST_MESSAGE));
                let mut wire =
                    WebSocketStream::from_raw_socket(TokioIo::new(upgraded), Role::Server, Some(config)).await;
                self.converse(&mut wire, &mut place).await
            }
        };
        self.simulation.log.socket_closed(&self.subject, &why, self.sent, self.received);
        drop(place);
    }

    /// Until its end; returns who ended it, and how.
    async fn converse(&mut self, wire: &mut Wire, happened: &mut watch::Receiver<u64>) -> String {
        loop {
            happened.mark_unchanged();
            if let ControlFlow::Break(why) = self.send_what_is_due(wire).await {
                return why;
            }
            let message = select! {
                message = wire.next() => message,
                () = self.something_is_due(happened) => continue,
            };
            match message {
                Some(Ok(Message::Text(text))) => self.receive(text.as_bytes()),
                Some(Ok(Message::Binary(bytes))) => self.receive(&bytes),
                // Pings are answered, and closes acknowledged, by themselves.
                Some(Ok(Message::Close(frame))) => {
                    let _ = time::timeout(PARTING, wire.flush()).await;
                    return frame
                        .map_or("by the client".to_owned(), |frame| format!("by the client, with {}", frame.code));
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => return format!("by the client: {error}"),
                None => return "by the client, without a word".to_owned(),
            }
        }
    }

    fn receive(&mut self, message: &[u8]) {
        self.received = self.received.saturating_add(1);
        self.simulation.receive(&mut self.socket, message);
    }

    async fn something_is_due(&self, happened: &mut watch::Receiver<u64>) {
        let due = self.simulation.until_next_output(&self.socket);
        select! {
            _ = happened.changed() => {}
            () = time::sleep(due) => {}
        }
    }

    async fn send_what_is_due(&mut self, wire: &mut Wire) -> ControlFlow<String> {
        let mut has_sent = false;
        while let Some(output) = self.simulation.poll(&mut self.socket) {
            let result = match output {
                SocketOutput::Message(message) => {
                    self.sent = self.sent.saturating_add(1);
                    has_sent = true;
                    in_time(send(wire, &message)).await
                }
                SocketOutput::Close(None) => return ControlFlow::Break("by the broker, cut".to_owned()),
                SocketOutput::Close(Some(code)) => {
                    let _ = time::timeout(PARTING, close(wire, code)).await;
                    return ControlFlow::Break(format!("by the broker, with {code}"));
                }
                _ => Ok(()),
            };
            if let Err(why) = result {
                return ControlFlow::Break(why);
            }
        }
        if has_sent {
            if let Err(why) = in_time(wire.flush()).await {
                return ControlFlow::Break(why);
            }
        }
        ControlFlow::Continue(())
    }
}

async fn in_time(sending: impl Future<Output = Result<(), Error>>) -> Result<(), String> {
    match time::timeout(READING, sending).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(error)) => Err(format!("by the client: {error}")),
        Err(_) => Err(format!("by the broker, cut: the client has read nothing for {} s", READING.as_secs())),
    }
}

/// Sends it as it is, in as many frames as it has pieces.
async fn send(wire: &mut Wire, message: &SocketMessage) -> Result<(), Error> {
    let mut opcode = if message.is_text() { Data::Text } else { Data::Binary };
    let mut pieces = message.pieces();
    while let Some(piece) = pieces.next() {
        wire.feed(Message::Frame(Frame::message(piece, OpCode::Data(opcode), pieces.len() == 0))).await?;
        opcode = Data::Continue;
    }
    Ok(())
}

async fn close(wire: &mut Wire, code: u16) -> Result<(), Error> {
    wire.close(Some(CloseFrame { code: code.into(), reason: "".into() })).await?;
    // Until the client has said its own word.
    while wire.next().await.is_some_and(|message| message.is_ok()) {}
    Ok(())
}
