//! What the examples talk to: the broker that the first argument's bundle names or, without one, the simulator behind a
//! socket of this machine.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "it opens sockets, reads its arguments, and starts threads"
)]
#![allow(clippy::mod_module_files, reason = "`support.rs` would be an example of its own")]
#![allow(dead_code, reason = "not every example that shares this file needs all of it")]

use std::{
    error::Error,
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use ibkr_oauth::{
    AccessToken, Consumer, Context, CredentialBundle,
    local::SystemContext,
    simulator::{Broker, Socket, SocketOutput, test_keys},
};
use tungstenite::{Message, WebSocket, handshake::derive_accept_key, protocol::Role};

/// The bundle that is named on the command line or, without one, that of the simulator, which is started then.
pub(crate) fn bundle() -> Result<CredentialBundle, Box<dyn Error>> {
    match std::env::args().nth(1) {
        Some(path) => Ok(CredentialBundle::from_file(path)?),
        None => Ok(Simulator::start()?.at_work(test_keys::bundle)?),
    }
}

/// What is in it: who we are, and the token from the portal.
pub(crate) fn credentials() -> Result<(Consumer, AccessToken), Box<dyn Error>> {
    let bundle = bundle()?;
    Ok((bundle.consumer()?, bundle.access_token()?.ok_or("the bundle has no access token")?))
}

/// The simulated broker, which listens until the program ends.
#[derive(Clone)]
pub(crate) struct Simulator {
    broker: Arc<Mutex<Broker>>,
    origin: String,
}

impl Simulator {
    pub(crate) fn start() -> Result<Self, Box<dyn Error>> {
        let listener = TcpListener::bind(("127.0.0.1", 0))?;
        let origin = format!("http://{}", listener.local_addr()?);
        let broker = Broker::builder().base_url(format!("{origin}/v1/api")).build()?;
        let simulator = Self { broker: Arc::new(Mutex::new(broker)), origin };
        let server = simulator.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let server = server.clone();
                std::thread::spawn(move || server.converse(stream));
            }
        });
        Ok(simulator)
    }

    fn at_work<T>(&self, work: impl FnOnce(&mut Broker, &mut Context<'_>) -> T) -> T {
        let mut broker = self.broker.lock().unwrap_or_else(PoisonError::into_inner);
        work(&mut broker, &mut SystemContext::new().context())
    }

    fn converse(&self, mut stream: TcpStream) -> io::Result<()> {
        while let Some(request) = self.read(&mut stream)? {
            if let Some(key) = request.headers().get(http::header::SEC_WEBSOCKET_KEY) {
                let accept = derive_accept_key(key.as_bytes());
                match self.at_work(|broker, cx| broker.open_socket(cx, &request)) {
                    Ok(socket) => {
                        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade";
                        write!(stream, "{head}\r\nsec-websocket-accept: {accept}\r\n\r\n")?;
                        return self.stream(socket, stream);
                    }
                    Err(response) => return stream.write_all(&wire(&response)),
                }
            }
            let response = self.at_work(|broker, cx| broker.handle(cx, &request));
            let bytes = wire(&response);
            stream.write_all(&bytes)?;
            if request.headers().get(http::header::CONNECTION).is_some_and(|value| value == "close") {
                break;
            }
        }
        Ok(())
    }

    /// Talks by WebSocket until one side ends it.
    fn stream(&self, mut socket: Socket, stream: TcpStream) -> io::Result<()> {
        let mut connection = WebSocket::from_raw_socket(stream, Role::Server, None);
        loop {
            let next = self.at_work(|broker, cx| match socket.poll(broker, cx.now()) {
                Some(output) => Ok(output),
                // What is done by HTTP is seen soon.
                None => Err(socket.next_output_at(broker).map(|at| at.saturating_duration_since(cx.now()))),
            });
            let sent = match next {
                Ok(SocketOutput::Message(message)) if message.is_text() => {
                    connection.send(Message::text(String::from_utf8_lossy(message.payload()).into_owned()))
                }
                Ok(SocketOutput::Message(message)) => connection.send(Message::Binary(message.payload().clone())),
                Ok(_) | Err(None) => return connection.close(None).map_err(io::Error::other),
                Err(Some(wait)) => {
                    let wait = wait.clamp(Duration::from_millis(1), Duration::from_millis(100));
                    connection.get_ref().set_read_timeout(Some(wait))?;
                    match connection.read() {
                        Ok(message) if message.is_text() || message.is_binary() => {
                            let bytes = message.into_data();
                            self.at_work(|broker, cx| socket.receive(broker, cx.now(), &bytes));
                            Ok(())
                        }
                        Err(tungstenite::Error::Io(error))
                            if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut) =>
                        {
                            Ok(())
                        }
                        other => other.map(drop),
                    }
                }
            };
            sent.map_err(io::Error::other)?;
        }
    }

    /// The next request; `None` where the client has no more.
    fn read(&self, stream: &mut TcpStream) -> io::Result<Option<Request<Bytes>>> {
        let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
        loop {
            let head = bytes.windows(4).position(|window| window == b"\r\n\r\n");
            if let Some((head, body)) = head.and_then(|end| bytes.split_at_checked(end + 4)) {
                let request = self.parse(&String::from_utf8_lossy(head)).map_err(io::Error::other)?;
                let length = request.headers().get(http::header::CONTENT_LENGTH);
                let length = length.and_then(|length| length.to_str().ok()?.parse().ok()).unwrap_or(0);
                if let Some(body) = body.get(..length) {
                    return Ok(Some(request.map(|()| Bytes::copy_from_slice(body))));
                }
            }
            match stream.read(&mut chunk)? {
                0 => return Ok(None),
                count => bytes.extend_from_slice(chunk.get(..count).unwrap_or_default()),
            }
        }
    }

    fn parse(&self, head: &str) -> http::Result<Request<()>> {
        let (start, headers) = head.split_once("\r\n").unwrap_or_default();
        let mut words = start.split(' ');
        let request = Request::builder().method(words.next().unwrap_or_default());
        let request = request.uri(format!("{}{}", self.origin, words.next().unwrap_or_default()));
        let headers = headers.lines().filter_map(|line| line.split_once(':'));
        headers.fold(request, |request, (name, value)| request.header(name, value.trim())).body(())
    }
}

/// A response as it goes into the socket.
fn wire(response: &http::Response<Bytes>) -> Vec<u8> {
    let length = response.body().len();
    let mut bytes = format!("HTTP/1.1 {}\r\ncontent-length: {length}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers().iter().filter(|(name, _)| *name != http::header::CONTENT_LENGTH) {
        bytes.extend_from_slice(&[name.as_str().as_bytes(), b": ", value.as_bytes(), b"\r\n"].concat());
    }
    bytes.extend_from_slice(&[b"\r\n", &response.body()[..]].concat());
    bytes
}
