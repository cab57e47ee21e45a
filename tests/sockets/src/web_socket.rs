//! The simulated broker's WebSocket over a connection.

use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

use http::StatusCode;
use ibkr_oauth::{
    Timestamp,
    simulator::{Socket, SocketMessage, SocketOutput},
};
use tungstenite::{
    Error, Message, WebSocket,
    handshake::derive_accept_key,
    protocol::{
        CloseFrame, Role,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{
    Received,
    broker::{Account, answer_of},
    stream::Stream,
};

/// How often it looks what was done to the broker meanwhile.
const LOOKING: Duration = Duration::from_millis(100);

/// Whether the request wants a WebSocket.
pub fn is_wanted(received: &Received) -> bool {
    received.header("upgrade").iter().any(|protocol| protocol.eq_ignore_ascii_case("websocket"))
}

/// The response that agrees to the upgrade.
pub fn switching(received: &Received) -> String {
    let accept = derive_accept_key(received.header("sec-websocket-key")[0].as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\nsec-websocket-accept: {accept}\r\n\r\n"
    )
}

/// Answers the upgrade as the account's broker does, and speaks as its socket until one side ends it.
pub(crate) fn serve(mut stream: Stream, received: &Received, account: &Account) {
    let request = received.to_request(account.base_url().strip_suffix("/v1/api").unwrap());
    let opened = account.with_context(|cx| account.broker().open_socket(cx, &request));
    let status = opened.as_ref().map_or_else(|response| response.status(), |_| StatusCode::SWITCHING_PROTOCOLS);
    account.remember(received, status);
    match opened {
        Ok(socket) => {
            if stream.write_all(switching(received).as_bytes()).and_then(|()| stream.flush()).is_ok() {
                Conversation::new(stream, socket, account).hold();
            }
        }
        Err(response) => {
            let _ = stream.write_all(&answer_of(&response)).and_then(|()| stream.flush());
            stream.end();
        }
    }
}

struct Conversation<'a> {
    wire: WebSocket<Stream>,
    socket: Socket,
    account: &'a Account,
    /// The broker's clock and this machine's, when it opened.
    opened: (Timestamp, Instant),
}

impl<'a> Conversation<'a> {
    fn new(stream: Stream, socket: Socket, account: &'a Account) -> Self {
        let opened = (account.with_context(|cx| cx.now()), Instant::now());
        Self { wire: WebSocket::from_raw_socket(stream, Role::Server, None), socket, account, opened }
    }

    fn now(&self) -> Timestamp {
        let (broker, here) = self.opened;
        broker.saturating_add(here.elapsed())
    }

    fn hold(mut self) {
        while self.send_what_is_due() && self.receive() {}
        // What is left of the close.
        self.wire.get_mut().set_read_timeout(Duration::from_secs(1));
        while self.wire.read().is_ok() {}
    }

    /// Whether it goes on.
    fn send_what_is_due(&mut self) -> bool {
        loop {
            let now = self.now();
            let output = self.socket.poll(&self.account.broker(), now);
            let sent = match output {
                None => return self.wire.flush().is_ok(),
                Some(SocketOutput::Message(message)) => self.send(&message),
                Some(SocketOutput::Close(Some(code))) => {
                    let _ = self.wire.close(Some(CloseFrame { code: code.into(), reason: "".into() }));
                    return false;
                }
                _ => return false,
            };
            if sent.is_err() {
                return false;
            }
        }
    }

    fn send(&mut self, message: &SocketMessage) -> Result<(), Error> {
        let mut opcode = if message.is_text() { Data::Text } else { Data::Binary };
        let mut pieces = message.pieces();
        while let Some(piece) = pieces.next() {
            let frame = Frame::message(piece, OpCode::Data(opcode), pieces.len() == 0);
            self.wire.write(Message::Frame(frame))?;
            opcode = Data::Continue;
        }
        Ok(())
    }

    /// Waits until something comes or is due; whether it goes on.
    fn receive(&mut self) -> bool {
        let now = self.now();
        let due = self.socket.next_output_at(&self.account.broker());
        let due = due.map_or(LOOKING, |due| due.saturating_duration_since(now));
        self.wire.get_mut().set_read_timeout(due.clamp(Duration::from_millis(1), LOOKING));
        match self.wire.read() {
            Ok(Message::Text(text)) => self.take(text.as_bytes()),
            Ok(Message::Binary(bytes)) => self.take(&bytes),
            Ok(Message::Close(_)) => false,
            Ok(_) => true,
            Err(Error::Io(error)) => matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut),
            Err(_) => false,
        }
    }

    fn take(&mut self, message: &[u8]) -> bool {
        let now = self.now();
        self.socket.receive(&mut self.account.broker(), now, message);
        true
    }
}
