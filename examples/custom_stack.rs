//! A session over nothing but `std::net::TcpStream`: no HTTP client, no runtime, no adapter.
//!
//! ```sh
//! cargo run --example custom_stack --features simulator
//! ```
//! It speaks plain HTTP, as the simulator does. For the real broker put your TLS around the stream.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a program opens sockets and asks the clock, which the library never does"
)]

mod loopback;

use std::{
    error::Error,
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, SystemTime},
};

use bytes::Bytes;
use http::{Request, Response, header};
use ibkr_oauth::{
    Context, OsEntropy, Timestamp,
    driver::Driver,
    session::{Failure, FailureKind, Session, SessionConfig},
};

/// The whole HTTP client: one request, one connection. (It knows no chunks, as the simulator sends none.)
fn send(request: &Request<Bytes>, timeout: Duration) -> Result<Response<Bytes>, Box<dyn Error>> {
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

fn main() -> Result<(), Box<dyn Error>> {
    let (consumer, access_token) = loopback::credentials()?;
    let now = || Timestamp::from(SystemTime::now());
    let token = consumer.unlock(&mut Context::new(now(), &mut OsEntropy), &access_token)?;
    // One thread drives the session. What it needs of us is a function that sends.
    let driver = Driver::new(Session::new(consumer, token, SessionConfig::default()), OsEntropy);
    let handle = driver.handle();
    let maybe_sent = |error: Box<dyn Error>| Failure { kind: FailureKind::MaybeSent, detail: error.to_string() };
    let driving = std::thread::spawn(move || {
        let send = |request: Request<Bytes>, timeout| send(&request, timeout).map_err(maybe_sent);
        driver.run_blocking(send, |event| println!("   {event}"));
    });

    // All others ask for a signer, and send as they like.
    let signer = handle.ready_blocking(Duration::from_secs(60))?;
    let url = signer.consumer().endpoints().url("/portfolio/accounts")?;
    let mut request = Request::get(url).header(header::USER_AGENT, "my-bot/1.0").body(Bytes::new())?;
    signer.sign(&mut Context::new(now(), &mut OsEntropy), &mut request)?;
    let response = send(&request, Duration::from_secs(30))?;
    println!("{} {}", response.status(), String::from_utf8_lossy(response.body()));

    handle.shutdown();
    driving.join().map_err(|_| "the driver's thread panicked")?;
    Ok(())
}
