//! An HTTP stack of your own: here nothing but `std::net::TcpStream`, with no HTTP client, no runtime and no adapter.
//!
//! ```sh
//! cargo run --example custom_stack --features simulator
//! ```
//! It speaks plain HTTP, as the simulator does. For the real broker put your TLS around the stream.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    reason = "a program opens sockets and starts threads, which the library never does"
)]

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    thread,
    time::Duration,
};

use bytes::Bytes;
use http::{Request, Response, header};
use ibkr_oauth::{
    client::blocking::Client,
    session::{Failure, FailureKind, SessionConfig},
    transport::{Limits, Transport},
};

mod support;

#[derive(Clone)]
struct MyStack;

impl Transport for MyStack {
    fn send(&self, request: Request<Bytes>, limits: Limits) -> Result<Response<Bytes>, Failure> {
        // The connection may have broken after the broker had acted.
        exchange(&request, limits.timeout).map_err(|error| Failure::new(FailureKind::MaybeSent, error))
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let (ibkr, driver) = Client::start(MyStack, &support::bundle()?, SessionConfig::default())?;
    thread::spawn(|| driver.run());
    println!("{}", ibkr.get("/iserver/accounts")?.text()?);
    Ok(ibkr.shutdown()?)
}

/// The whole HTTP client: one request, one connection. (It knows no chunks, as the simulator sends none.)
fn exchange(request: &Request<Bytes>, timeout: Duration) -> Result<Response<Bytes>, Box<dyn Error + Send + Sync>> {
    let uri = request.uri();
    let host = uri.authority().filter(|_| uri.scheme_str() == Some("http")).ok_or("this example has no TLS")?;
    let mut stream = TcpStream::connect(host.as_str())?;
    stream.set_read_timeout(Some(timeout))?;
    let target = uri.path_and_query().map_or("/", |target| target.as_str());
    let mut bytes = Vec::new();
    write!(bytes, "{} {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n", request.method())?;
    for (name, value) in request.headers().iter().filter(|(name, _)| *name != header::CONTENT_LENGTH) {
        write!(bytes, "{name}: {}\r\n", value.to_str()?)?;
    }
    write!(bytes, "content-length: {}\r\n\r\n", request.body().len())?;
    stream.write_all(&[&bytes, &request.body()[..]].concat())?;

    let mut reply = Vec::new();
    stream.take(1 << 20).read_to_end(&mut reply)?;
    let end = reply.windows(4).position(|window| window == b"\r\n\r\n").ok_or("the reply has no end")?;
    let (head, body) = reply.split_at(end + 4);
    let mut lines = str::from_utf8(head)?.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).ok_or("the reply has no status")?;
    let headers = lines.filter_map(|line| line.split_once(": "));
    let response = headers.fold(Response::builder().status(status), |all, (name, value)| all.header(name, value));
    Ok(response.body(Bytes::copy_from_slice(body))?)
}
