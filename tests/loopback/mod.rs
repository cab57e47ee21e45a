//! A small HTTP/1.1 server on the loopback interface, for tests over real sockets.
//!
//! One request for each connection, read whole before it is answered; a thread for each connection, and at most
//! [`MOST_CONNECTIONS`] over the server's life. Nothing sleeps: whoever waits is woken by a byte, the end of a connection
//! or a timeout.

#![allow(dead_code, reason = "not every test that shares this file needs all of it")]

use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response};

#[cfg(all(feature = "simulator", feature = "getrandom"))]
pub(crate) mod broker;

/// The most connections that a server takes.
const MOST_CONNECTIONS: usize = 256;
/// The longest request that is read, in bytes.
const LONGEST_REQUEST: usize = 1 << 20;
/// How long a connection may be silent.
const SILENCE: Duration = Duration::from_secs(10);

/// A request as it came from the socket.
#[derive(Clone, Debug)]
pub(crate) struct Received {
    /// Request line and headers, with the line ends, without the empty line behind them.
    pub(crate) head: String,
    pub(crate) body: Bytes,
}

impl Received {
    /// The method and the request target.
    pub(crate) fn target(&self) -> (&str, &str) {
        let mut words = self.head.split(' ');
        (words.next().unwrap(), words.next().unwrap())
    }

    /// The values of the header called `name`, in whichever case.
    pub(crate) fn header(&self, name: &str) -> Vec<&str> {
        let lines = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        lines.filter(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).collect()
    }

    /// The request with an absolute URI: `origin`, such as `http://127.0.0.1:4000`, and the target as it came.
    pub(crate) fn to_request(&self, origin: &str) -> Request<Bytes> {
        let (method, target) = self.target();
        let mut request = Request::builder().method(method).uri(format!("{origin}{target}"));
        for (name, value) in self.head.lines().skip(1).filter_map(|line| line.split_once(':')) {
            request = request.header(name, value.trim());
        }
        request.body(self.body.clone()).unwrap()
    }
}

/// A response as it goes into the socket, with its length and the notice that the connection ends.
pub(crate) fn wire(response: &Response<Bytes>) -> Vec<u8> {
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
    out.extend_from_slice(format!("content-length: {}\r\nconnection: close\r\n\r\n", response.body().len()).as_bytes());
    out.extend_from_slice(response.body());
    out
}

type Answer = dyn FnMut(&Received) -> Vec<u8> + Send;

/// An address to listen at, before it is known what to answer there.
pub(crate) struct Address(TcpListener);

impl Address {
    pub(crate) fn new() -> Self {
        Self(TcpListener::bind(("127.0.0.1", 0)).unwrap())
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    /// Answers each request with the bytes that `answer` returns, and ends the connection then.
    pub(crate) fn serve(self, answer: impl FnMut(&Received) -> Vec<u8> + Send + 'static) -> Loopback {
        let origin = self.origin();
        let address = self.0.local_addr().unwrap();
        let answer: Arc<Mutex<Answer>> = Arc::new(Mutex::new(answer));
        let received = Arc::new(Mutex::new(Vec::new()));
        let stop = Arc::new(AtomicBool::new(false));
        let acceptor = {
            let (received, stop) = (Arc::clone(&received), Arc::clone(&stop));
            std::thread::spawn(move || {
                let mut connections = Vec::new();
                for stream in self.0.incoming().take(MOST_CONNECTIONS) {
                    if stop.load(Ordering::SeqCst) {
                        break;
                    }
                    let Ok(stream) = stream else { continue };
                    let (answer, received) = (Arc::clone(&answer), Arc::clone(&received));
                    connections.push(std::thread::spawn(move || converse(stream, &answer, &received)));
                }
                for connection in connections {
                    let _ = connection.join();
                }
            })
        };
        Loopback { origin, address, received, stop, acceptor: Some(acceptor) }
    }
}

/// A running server; it stops when dropped.
pub(crate) struct Loopback {
    origin: String,
    address: SocketAddr,
    received: Arc<Mutex<Vec<Received>>>,
    stop: Arc<AtomicBool>,
    acceptor: Option<JoinHandle<()>>,
}

impl Loopback {
    /// A server that answers each request with the same bytes.
    pub(crate) fn always(bytes: impl Into<Vec<u8>>) -> Self {
        let bytes = bytes.into();
        Address::new().serve(move |_| bytes.clone())
    }

    /// `http://127.0.0.1:PORT`
    pub(crate) fn origin(&self) -> &str {
        &self.origin
    }

    /// All requests so far.
    pub(crate) fn received(&self) -> MutexGuard<'_, Vec<Received>> {
        self.received.lock().unwrap()
    }
}

impl Drop for Loopback {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        // Wakes the acceptor, which then sees that it is to stop.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn converse(mut stream: TcpStream, answer: &Mutex<Answer>, received: &Mutex<Vec<Received>>) {
    let _ = stream.set_read_timeout(Some(SILENCE));
    let _ = stream.set_write_timeout(Some(SILENCE));
    let Some(request) = read_request(&mut stream) else { return };
    received.lock().unwrap().push(request.clone());
    let bytes = (answer.lock().unwrap())(&request);
    // A client that has seen enough may be gone.
    let _ = stream.write_all(&bytes);
    let _ = stream.shutdown(Shutdown::Write);
    // To close with unread bytes would reset the connection, and the client might lose the reply.
    let _ = stream.read(&mut [0; 1024]);
}

fn read_request(stream: &mut TcpStream) -> Option<Received> {
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

fn read_more(stream: &mut TcpStream, bytes: &mut Vec<u8>, chunk: &mut [u8]) -> Option<()> {
    let count = stream.read(chunk).ok().filter(|count| *count > 0 && bytes.len() + count <= LONGEST_REQUEST)?;
    bytes.extend_from_slice(&chunk[..count]);
    Some(())
}
