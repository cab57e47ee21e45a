//! A small HTTP/1.1 server on the loopback interface, with TLS if wanted, for tests over real sockets.
//!
//! Each request is read whole before it is answered; a thread for each connection, and at most `MOST_CONNECTIONS` over
//! the server's life. Nothing sleeps: whoever waits is woken by a byte, the end of a connection or a timeout.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::must_use_candidate,
    clippy::exhaustive_enums,
    clippy::new_without_default,
    clippy::return_self_not_must_use,
    missing_docs,
    missing_debug_implementations,
    reason = "what tests use fails by panicking"
)]
#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "it opens sockets, reads the clock and starts threads"
)]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use self::stream::Stream;

use bytes::Bytes;
use http::{Request, Response};

pub mod broker;
pub mod stream;
pub mod web_socket;

/// The most connections that a server takes.
const MOST_CONNECTIONS: usize = 4096;
/// The longest request that is read, in bytes.
const LONGEST_REQUEST: usize = 1 << 20;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// A request as it came from the socket.
#[derive(Clone, Debug)]
pub struct Received {
    /// Request line and headers, with the line ends, without the empty line behind them.
    pub head: String,
    pub body: Bytes,
}

impl Received {
    /// The method and the request target.
    pub fn target(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap(), words.next().unwrap())
    }

    /// The values of the header called `name`, in whichever case.
    pub fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The request with an absolute URI: `origin`, such as `http://127.0.0.1:4000`, and the target as it came.
    pub fn to_request(&self, origin: &str) -> Request<Bytes> {
        let (method, target) = self.target();
        let mut request = Request::builder().method(method).uri(format!("{origin}{target}"));
        for (name, value) in self.head.lines().skip(1).filter_map(|line| line.split_once(':')) {
            request = request.header(name, value.trim());
        }
        request.body(self.body.clone()).unwrap()
    }
}

/// A response as it goes into the socket, with its length.
pub fn wire(response: &Response<Bytes>) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        if name == http::header::CONTENT_LENGTH || name == http::header::CONNECTION {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    out.extend_from_slice(format!("content-length: {}\r\n\r\n", response.body().len()).as_bytes());
    out.extend_from_slice(response.body());
    out
}

/// What is done with a connection whose request wants a WebSocket.
type Upgrade = dyn Fn(Stream, &Received) + Send + Sync;
type Converse = dyn Fn(Stream) + Send + Sync;

/// An address to listen at, before it is known what to answer there.
pub struct Address {
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
}

impl Address {
    pub fn new() -> Self {
        Self { listener: TcpListener::bind(("127.0.0.1", 0)).unwrap(), tls: None }
    }

    pub fn with_tls(config: Arc<rustls::ServerConfig>) -> Self {
        Self { tls: Some(config), ..Self::new() }
    }

    /// `http://127.0.0.1:PORT`, or `https://…`
    pub fn origin(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://{}", self.listener.local_addr().unwrap())
    }

    /// Answers each request with the bytes that `answer` returns, and ends the connection then.
    pub fn serve(self, answer: impl FnMut(&Received) -> Vec<u8> + Send + 'static) -> Loopback {
        self.serve_requests(answer, false, None)
    }

    /// As [`serve`](Self::serve), but a connection goes on until the client ends it or the answer is empty.
    pub fn serve_on(self, answer: impl FnMut(&Received) -> Vec<u8> + Send + 'static) -> Loopback {
        self.serve_requests(answer, true, None)
    }

    /// As [`serve_on`](Self::serve_on), but a connection on which a WebSocket is wanted is left to `upgrade`.
    pub fn serve_with_web_sockets(
        self,
        answer: impl FnMut(&Received) -> Vec<u8> + Send + 'static,
        upgrade: impl Fn(Stream, &Received) + Send + Sync + 'static,
    ) -> Loopback {
        self.serve_requests(answer, true, Some(Box::new(upgrade)))
    }

    fn serve_requests(
        self,
        answer: impl FnMut(&Received) -> Vec<u8> + Send + 'static,
        goes_on: bool,
        upgrade: Option<Box<Upgrade>>,
    ) -> Loopback {
        let answer = Mutex::new(answer);
        let received = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&received);
        let converse = move |mut stream: Stream| {
            while let Some(request) = read_request(&mut stream) {
                log.lock().unwrap().push(request.clone());
                if let Some(upgrade) = upgrade.as_ref().filter(|_| web_socket::is_wanted(&request)) {
                    return upgrade(stream, &request);
                }
                let bytes = (answer.lock().unwrap())(&request);
                // A client that has seen enough may be gone.
                let _ = stream.write_all(&bytes).and_then(|()| stream.flush());
                if !goes_on || bytes.is_empty() {
                    break;
                }
            }
            stream.end();
        };
        self.start(received, Arc::new(converse))
    }

    /// Has `converse` do as it likes with each connection.
    pub fn serve_raw(self, converse: impl Fn(Stream) + Send + Sync + 'static) -> Loopback {
        self.start(Arc::default(), Arc::new(converse))
    }

    fn start(self, received: Arc<Mutex<Vec<Received>>>, converse: Arc<Converse>) -> Loopback {
        let (origin, address) = (self.origin(), self.listener.local_addr().unwrap());
        let stop = Arc::new(AtomicBool::new(false));
        let open: Arc<Mutex<Vec<Weak<TcpStream>>>> = Arc::default();
        let acceptor = {
            let (stop, open) = (Arc::clone(&stop), Arc::clone(&open));
            std::thread::spawn(move || {
                let mut connections = Vec::new();
                for stream in self.listener.incoming().take(MOST_CONNECTIONS) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream.map(Arc::new) else { continue };
                    let _ = stream.set_read_timeout(Some(SILENCE));
                    let _ = stream.set_write_timeout(Some(SILENCE));
                    open.lock().unwrap().push(Arc::downgrade(&stream));
                    let (converse, tls) = (Arc::clone(&converse), self.tls.clone());
                    connections.push(std::thread::spawn(move || converse(Stream::new(stream, tls))));
                }
                for connection in connections {
                    let _ = connection.join();
                }
            })
        };
        Loopback { origin, address, received, open, stop, acceptor: Some(acceptor) }
    }
}

/// A running server; it stops when dropped.
pub struct Loopback {
    origin: String,
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    open: Arc<Mutex<Vec<Weak<TcpStream>>>>,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Loopback {
    /// A server that answers each request with the same bytes.
    pub fn always(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Address::new().serve(move |_| bytes.clone())
    }

    /// `http://127.0.0.1:PORT`
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// All requests so far.
    pub fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap()
    }

    /// How many connections were made so far.
    pub fn connections(&self) -> usize {
        self.open.lock().unwrap().len()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        for stream in self.open.lock().unwrap().iter().filter_map(Weak::upgrade) {
            let _ = stream.shutdown(Shutdown::Read);
        }
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

pub fn read_request(stream: &mut impl Read) -> Option<Received> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8192];
    let head_length = loop {
        if let Some(place) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break place;
        }
        read_more(stream, &mut bytes, &mut chunk)?;
    };
    let head = String::from_utf8(bytes[..head_length].to_vec()).ok()?;
    let mut request = Received { head, body: Bytes::new() };
    let length: usize = request.header("content-length").first().map_or(Some(0), |length| length.parse().ok())?;
    while bytes.len() < head_length + 4 + length {
        read_more(stream, &mut bytes, &mut chunk)?;
    }
    request.body = Bytes::copy_from_slice(&bytes[head_length + 4..head_length + 4 + length]);
    Some(request)
}

fn read_more(stream: &mut impl Read, bytes: &mut Vec<u8>, chunk: &mut [u8]) -> Option<()> {
    let count = stream.read(chunk).ok().filter(|count| *count > 0 && bytes.len() + count <= LONGEST_REQUEST)?;
    bytes.extend_from_slice(&chunk[..count]);
    Some(())
}
