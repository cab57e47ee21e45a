//! The broker's WebSocket as a connection, without a network and on the virtual clock.

use std::{
    collections::VecDeque,
    future::Future,
    io::{self, Read, Write},
    pin::Pin,
    task::{Context as TaskContext, Poll, Waker},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{
    HeaderValue, Request, Response, StatusCode,
    header::{SEC_WEBSOCKET_ACCEPT, SEC_WEBSOCKET_KEY},
};
use sha1::{Digest, Sha1};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_tungstenite::tungstenite::{
    Error, Message, WebSocket,
    protocol::{
        CloseFrame, Role,
        frame::{
            Frame,
            coding::{Data, OpCode},
        },
    },
};

use super::{
    super::{
        faults::Dropped,
        websocket::{Socket, SocketMessage, SocketOutput},
    },
    InProcess, Sleep,
};
use crate::{
    adapter::tungstenite::Upgrade,
    session::{Failure, FailureKind},
};

/// RFC 6455 section 1.3.
const ACCEPT: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// How many bytes wait at most for who reads them.
const WAITING: usize = 256 << 10;

impl Upgrade for InProcess {
    type Connection = Connection;

    async fn upgrade(&self, request: Request<()>) -> Result<Response<Connection>, Failure> {
        let Some(key) = request.headers().get(SEC_WEBSOCKET_KEY).cloned() else {
            return Err(Failure::new(FailureKind::NotSent, "there is no Sec-WebSocket-Key"));
        };
        let socket = match self.broker(|broker, cx| broker.open_socket(cx, &request)) {
            Ok(socket) => socket,
            // Whoever opens has a time-out of its own.
            Err(response) if response.extensions().get::<Dropped>().is_some() => return std::future::pending().await,
            Err(response) => {
                let why = format!("the simulator opens no WebSocket: {}", response.status());
                return Err(Failure::new(FailureKind::NotSent, why));
            }
        };
        let accept = STANDARD.encode(Sha1::new().chain_update(key.as_bytes()).chain_update(ACCEPT).finalize());
        let mut response = Response::new(Connection::new(self.clone(), socket));
        *response.status_mut() = StatusCode::SWITCHING_PROTOCOLS;
        response.headers_mut().extend(HeaderValue::try_from(accept).ok().map(|accept| (SEC_WEBSOCKET_ACCEPT, accept)));
        Ok(response)
    }
}

/// The client's end of a connection whose other end is the broker.
#[allow(unnameable_types, reason = "its name is that of an associated type")]
pub struct Connection {
    network: InProcess,
    socket: Socket,
    wire: WebSocket<Pipe>,
    /// Until the broker has something to send.
    sleep: Option<Sleep>,
    reader: Option<Waker>,
    is_over: bool,
}

debug_fields!(Connection { is_over });

/// What goes to and fro between the client and the broker's half of the protocol.
#[derive(Default)]
struct Pipe {
    to_broker: VecDeque<u8>,
    to_client: VecDeque<u8>,
}

impl Read for Pipe {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.to_broker.is_empty() { Err(io::ErrorKind::WouldBlock.into()) } else { self.to_broker.read(buffer) }
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.to_client.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Connection {
    fn new(network: InProcess, socket: Socket) -> Self {
        let wire = WebSocket::from_raw_socket(Pipe::default(), Role::Server, None);
        Self { network, socket, wire, sleep: None, reader: None, is_over: false }
    }

    /// Has the broker take what the client has sent.
    fn take(&mut self) {
        while !self.is_over {
            let message = match self.wire.read() {
                Ok(Message::Text(text)) => text.into(),
                Ok(Message::Binary(bytes)) => bytes,
                Ok(_) => continue,
                Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(_) => {
                    self.is_over = true;
                    break;
                }
            };
            let mut state = self.network.lock();
            let now = state.now;
            state.activity += 1;
            self.socket.receive(&mut state.broker, now, &message);
        }
        let _ = self.wire.flush();
    }

    /// Puts down what the broker sends.
    fn give(&mut self) {
        while self.wire.get_ref().to_client.len() < WAITING {
            let mut state = self.network.lock();
            let now = state.now;
            let Some(output) = self.socket.poll(&state.broker, now) else { break };
            state.activity += 1;
            drop(state);
            let result = match output {
                SocketOutput::Message(message) => self.write(&message),
                SocketOutput::Close(Some(code)) => {
                    self.wire.close(Some(CloseFrame { code: code.into(), reason: "".into() }))
                }
                SocketOutput::Close(None) => Err(Error::ConnectionClosed),
            };
            self.is_over |= result.is_err();
        }
        let _ = self.wire.flush();
    }

    fn write(&mut self, message: &SocketMessage) -> Result<(), Error> {
        let mut opcode = if message.is_text() { Data::Text } else { Data::Binary };
        let mut pieces = message.pieces();
        while let Some(piece) = pieces.next() {
            let frame = Frame::message(piece, OpCode::Data(opcode), pieces.len() == 0);
            self.wire.write(Message::Frame(frame))?;
            opcode = Data::Continue;
        }
        Ok(())
    }

    /// Waits until the broker has something to send, or something is done to it, or said by the client.
    fn wait(&mut self, task: &mut TaskContext<'_>) -> Poll<()> {
        self.reader = Some(task.waker().clone());
        let mut state = self.network.lock();
        state.readers.retain(|reader| !reader.will_wake(task.waker()));
        state.readers.push(task.waker().clone());
        let next = self.socket.next_output_at(&state.broker);
        drop(state);
        if self.sleep.as_ref().map(|sleep| sleep.key.0) != next {
            self.sleep = next.map(|at| self.network.sleep_until(at));
        }
        let Some(sleep) = &mut self.sleep else { return Poll::Pending };
        let result = Pin::new(sleep).poll(task);
        if result.is_ready() {
            self.sleep = None;
        }
        result
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        task: &mut TaskContext<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        loop {
            self.give();
            let waiting = &mut self.wire.get_mut().to_client;
            if !waiting.is_empty() {
                let count = waiting.len().min(buffer.remaining());
                let mut bytes = vec![0; count];
                waiting.read_exact(&mut bytes)?;
                buffer.put_slice(&bytes);
                return Poll::Ready(Ok(()));
            }
            if self.is_over {
                return Poll::Ready(Ok(()));
            }
            if self.wait(task).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

impl AsyncWrite for Connection {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.is_over {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        self.wire.get_mut().to_broker.extend(bytes);
        self.take();
        if let Some(reader) = self.reader.take() {
            reader.wake();
        }
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut TaskContext<'_>) -> Poll<io::Result<()>> {
        self.is_over = true;
        Poll::Ready(Ok(()))
    }
}
