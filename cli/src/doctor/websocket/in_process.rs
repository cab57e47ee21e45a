//! The simulator's WebSocket, in this process and on a clock that passes by itself.

use ibkr_oauth::{
    Context, Timestamp,
    bytes::Bytes,
    http::{Request, Response},
    simulator::{Broker, Dropped, SeededEntropy, SocketOutput},
};
use tokio_tungstenite::tungstenite::handshake::server::create_response;

use super::listening::{Close, Listening, Next};

/// As [`listen`](super::wire::listen) does over a connection; `None` where the simulator lets the upgrade, or its response, be
/// lost.
pub(in super::super) fn listen(
    broker: &mut Broker,
    now: &mut Timestamp,
    entropy: &mut SeededEntropy,
    upgrade: &Request<()>,
    listening: &mut Listening,
) -> Option<Response<Bytes>> {
    let mut socket = match broker.open_socket(&mut Context::new(*now, entropy), upgrade) {
        Ok(socket) => socket,
        Err(response) if response.extensions().get::<Dropped>().is_some() => return None,
        Err(response) => return Some(*response),
    };
    let opened = *now;
    loop {
        let at = now.saturating_duration_since(opened);
        while let Some(output) = socket.poll(broker, *now) {
            match output {
                SocketOutput::Message(message) => listening.hear(at, message.is_text(), message.payload().clone()),
                SocketOutput::Close(code) => listening.end(at, code.map_or(Close::NoFrame, Close::Code)),
                _ => {}
            }
        }
        match listening.next(at) {
            Next::Send(text) => socket.receive(broker, *now, text.expose()),
            // As servers answer it, RFC 6455 section 5.5.1.
            Next::Close => listening.end(at, Close::Code(1000)),
            Next::Wait(until) => {
                let until = opened.saturating_add(until);
                let due = socket.next_output_at(broker).filter(|due| *due > *now);
                *now = due.map_or(until, |due| due.min(until));
            }
            Next::Done => break,
        }
    }
    Some(create_response(upgrade).unwrap().map(|()| Bytes::new()))
}
