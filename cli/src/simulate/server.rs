//! A small HTTP/1.1 server: one thread for each connection, connections that stay, and a bound to everything.

use std::{
    io::{self, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ibkr_oauth::{
    bytes::Bytes,
    http::{
        HeaderMap, HeaderName, HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
        header::{CONNECTION, CONTENT_LENGTH, EXPECT, TRANSFER_ENCODING},
    },
};

use super::simulation::Simulation;

/// The most connections at a time.
const MOST_CONNECTIONS: usize = 64;
/// The longest head of a request, in bytes.
const LONGEST_HEAD: usize = 64 << 10;
/// The most headers of a request.
const MOST_HEADERS: usize = 100;
/// The longest body of a request, in bytes.
const LONGEST_BODY: usize = 1 << 20;
/// How long a connection may stay without a request.
const IDLE: Duration = Duration::from_secs(120);
/// How long a request may take to arrive.
const ARRIVAL: Duration = Duration::from_secs(30);

/// Answers for ever.
pub(super) fn serve(listener: &TcpListener, origin: &str, simulation: &Arc<Simulation>) {
    let origin: Arc<str> = Arc::from(origin);
    let count = Arc::new(AtomicUsize::new(0));
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            // Too many open files, most likely: wait until some are closed.
            thread::sleep(Duration::from_millis(50));
            continue;
        };
        let mut connection = Connection { stream, buffer: Vec::new(), origin: Arc::clone(&origin) };
        if count.fetch_add(1, Ordering::SeqCst) >= MOST_CONNECTIONS {
            count.fetch_sub(1, Ordering::SeqCst);
            let _ = connection.refuse(StatusCode::SERVICE_UNAVAILABLE);
            continue;
        }
        let (simulation, count) = (Arc::clone(simulation), Arc::clone(&count));
        thread::spawn(move || {
            // However it ends, the next connection is not concerned.
            let _ = connection.converse(&simulation);
            count.fetch_sub(1, Ordering::SeqCst);
        });
    }
}

struct Connection {
    stream: TcpStream,
    /// What has arrived and was not looked at yet.
    buffer: Vec<u8>,
    origin: Arc<str>,
}

/// What stands before a request's body.
struct Head {
    request: Request<()>,
    /// In bytes, with the empty line.
    length: usize,
    body_length: usize,
    stays: bool,
}

/// Why there is no request.
enum Trouble {
    /// Nobody is there, or nobody who speaks HTTP in time.
    Gone,
    /// To be answered with this status.
    Refused(StatusCode),
}

impl From<io::Error> for Trouble {
    fn from(_: io::Error) -> Self {
        Self::Gone
    }
}

impl Connection {
    fn converse(&mut self, simulation: &Simulation) -> io::Result<()> {
        self.stream.set_nodelay(true)?;
        self.stream.set_write_timeout(Some(ARRIVAL))?;
        loop {
            let (request, stays) = match self.read_request() {
                Ok(request) => request,
                Err(Trouble::Gone) => return Ok(()),
                Err(Trouble::Refused(status)) => return self.refuse(status),
            };
            let method = request.method().clone();
            let Some(response) = simulation.answer(request) else { return Ok(()) };
            self.stream.write_all(&wire(&response, &method, stays))?;
            if !stays {
                return self.part();
            }
        }
    }

    fn refuse(&mut self, status: StatusCode) -> io::Result<()> {
        let mut response = Response::new(Bytes::new());
        *response.status_mut() = status;
        self.stream.write_all(&wire(&response, &Method::GET, false))?;
        self.part()
    }

    /// Closes the connection so that the client gets all that was written: bytes left unread would reset it.
    fn part(&mut self) -> io::Result<()> {
        self.stream.shutdown(std::net::Shutdown::Write)?;
        self.stream.set_read_timeout(Some(Duration::from_secs(1)))?;
        let mut unread = [0; 8192];
        let until = Instant::now() + Duration::from_secs(2);
        while Instant::now() < until && self.stream.read(&mut unread)? > 0 {}
        Ok(())
    }

    fn read_request(&mut self) -> Result<(Request<Bytes>, bool), Trouble> {
        let mut deadline = None;
        let head = loop {
            if let Some(head) = parse_head(&self.buffer, &self.origin)? {
                break head;
            }
            if self.buffer.len() > LONGEST_HEAD {
                return Err(Trouble::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
            }
            if !self.buffer.is_empty() {
                deadline.get_or_insert_with(|| Instant::now() + ARRIVAL);
            }
            self.read_more(deadline)?;
        };
        let Head { request, length, body_length, stays } = head;
        let end = length.saturating_add(body_length);
        let awaits =
            request.headers().get(EXPECT).is_some_and(|wish| wish.as_bytes().eq_ignore_ascii_case(b"100-continue"));
        if awaits && self.buffer.len() < end {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let deadline = *deadline.get_or_insert_with(|| Instant::now() + ARRIVAL);
        while self.buffer.len() < end {
            self.read_more(Some(deadline))?;
        }
        let after = self.buffer.split_off(end);
        let body = self.buffer.split_off(length);
        self.buffer = after;
        Ok((request.map(|()| Bytes::from(body)), stays))
    }

    fn read_more(&mut self, deadline: Option<Instant>) -> Result<(), Trouble> {
        let wait = deadline.map_or(IDLE, |deadline| deadline.saturating_duration_since(Instant::now()));
        if wait.is_zero() {
            return Err(Trouble::Refused(StatusCode::REQUEST_TIMEOUT));
        }
        self.stream.set_read_timeout(Some(wait))?;
        let mut chunk = [0; 8192];
        match self.stream.read(&mut chunk)? {
            0 => Err(Trouble::Gone),
            count => {
                self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
        }
    }
}

/// `None` where the head is not whole yet.
fn parse_head(buffer: &[u8], origin: &str) -> Result<Option<Head>, Trouble> {
    const BAD: Trouble = Trouble::Refused(StatusCode::BAD_REQUEST);
    let mut slots = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut parsed = httparse::Request::new(&mut slots);
    let length = match parsed.parse(buffer) {
        Ok(httparse::Status::Complete(length)) if length <= LONGEST_HEAD => length,
        Ok(httparse::Status::Complete(_)) => return Err(Trouble::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)),
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(httparse::Error::TooManyHeaders) => {
            return Err(Trouble::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE));
        }
        Err(_) => return Err(BAD),
    };
    let mut request = Request::new(());
    *request.method_mut() = parsed.method.and_then(|method| method.parse().ok()).ok_or(BAD)?;
    *request.uri_mut() = absolute(parsed.path.unwrap_or_default(), origin).ok_or(BAD)?;
    *request.version_mut() = if parsed.version == Some(1) { Version::HTTP_11 } else { Version::HTTP_10 };
    for header in parsed.headers.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BAD)?;
        let value = HeaderValue::from_bytes(header.value).map_err(|_| BAD)?;
        request.headers_mut().append(name, value);
    }
    if request.headers().contains_key(TRANSFER_ENCODING) {
        return Err(Trouble::Refused(StatusCode::LENGTH_REQUIRED));
    }
    let body_length = body_length(request.headers()).ok_or(BAD)?;
    if body_length > LONGEST_BODY {
        return Err(Trouble::Refused(StatusCode::PAYLOAD_TOO_LARGE));
    }
    let says_close = |value: &HeaderValue| value.to_str().is_ok_and(|text| text.to_ascii_lowercase().contains("close"));
    let stays = request.version() == Version::HTTP_11 && !request.headers().get_all(CONNECTION).iter().any(says_close);
    Ok(Some(Head { request, length, body_length, stays }))
}

/// `None` where the lengths cannot be read, or contradict each other.
fn body_length(headers: &HeaderMap) -> Option<usize> {
    let mut lengths = headers.get_all(CONTENT_LENGTH).iter();
    let Some(first) = lengths.next() else { return Some(0) };
    if lengths.any(|other| other != first) || !first.as_bytes().iter().all(u8::is_ascii_digit) {
        return None;
    }
    first.to_str().ok()?.parse().ok()
}

/// The URL of a request target: of a path, or of a URL as proxies are told it.
fn absolute(target: &str, origin: &str) -> Option<Uri> {
    let path = match target.split_once("://") {
        Some((scheme, rest)) if !scheme.contains(['/', '?']) => rest.find('/').and_then(|at| rest.get(at..))?,
        _ => target,
    };
    if !path.starts_with('/') || path.contains('#') {
        return None;
    }
    format!("{origin}{path}").parse().ok()
}

/// The response as it goes into the socket.
fn wire(response: &Response<Bytes>, method: &Method, stays: bool) -> Vec<u8> {
    let mut out = format!("HTTP/1.1 {}\r\n", response.status()).into_bytes();
    for (name, value) in response.headers() {
        if name == CONTENT_LENGTH || name == CONNECTION {
            continue;
        }
        out.extend_from_slice(name.as_str().as_bytes());
        out.extend_from_slice(b": ");
        out.extend_from_slice(value.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    let connection = if stays { "keep-alive" } else { "close" };
    let length = response.body().len();
    out.extend_from_slice(format!("content-length: {length}\r\nconnection: {connection}\r\n\r\n").as_bytes());
    if method != Method::HEAD {
        out.extend_from_slice(response.body());
    }
    out
}
