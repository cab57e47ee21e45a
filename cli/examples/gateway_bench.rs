//! What the gateway costs beside a plain reverse proxy of axum, in one run:
//!
//! ```sh
//! cargo build --release --package ibkr-oauth-cli --bins --examples
//! target/release/examples/gateway_bench target/release/ibkr-oauth
//! ```
//!
//! All three (the proxy, the gateway, and what both ask) are processes or threads of one machine, over plain HTTP. What both ask
//! answers at once, so that what is measured is theirs; sign-in goes on to the simulated broker.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a program prints, reads its arguments, and measures time"
)]

use std::{
    env,
    error::Error,
    fs,
    net::SocketAddr,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{Request, State},
    http::{
        HeaderMap, HeaderName, StatusCode, Uri,
        header::{CONNECTION, CONTENT_TYPE, HOST, TE, TRAILER, TRANSFER_ENCODING, UPGRADE},
    },
    response::{IntoResponse, Response},
    serve::{Listener, ListenerExt as _},
};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde_json::Value;
use tokio::{net::TcpListener, time};

type AnyError = Box<dyn Error + Send + Sync>;
type Http = Client<HttpConnector, Body>;

const PATH: &str = "/v1/api/portfolio/DU0000001/meta";
/// What a portfolio's page may have.
const LENGTH: usize = 1024;
const ROUNDS: usize = 41;
const SEQUENTIAL: usize = 250;
const CLIENTS: usize = 32;
const SPAN: Duration = Duration::from_millis(500);

fn http() -> Http {
    let mut connector = HttpConnector::new();
    connector.set_nodelay(true);
    Client::builder(TokioExecutor::new()).build(connector)
}

/// What is the connection's, and no proxy passes on: RFC 9110 section 7.6.1.
const OF_CONNECTION: [HeaderName; 7] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
];

fn without_connection(headers: &mut HeaderMap) {
    for name in OF_CONNECTION {
        headers.remove(name);
    }
}

/// A plain reverse proxy: axum's own example, with the least that RFC 9110 demands of one. It looks at nothing, and streams.
async fn proxy(listener: TcpListener, upstream: String) -> Result<(), AnyError> {
    async fn forward(State((client, upstream)): State<(Http, Arc<str>)>, mut request: Request) -> Response {
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(target) = format!("{upstream}{path}").parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        *request.uri_mut() = target;
        request.headers_mut().remove(HOST);
        without_connection(request.headers_mut());
        match client.request(request).await {
            Ok(mut response) => {
                without_connection(response.headers_mut());
                response.map(Body::new).into_response()
            }
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
    let router = Router::new().fallback(forward).with_state((http(), Arc::from(upstream)));
    Ok(axum::serve(without_delay(listener), router).await?)
}

/// As the gateway's listener is, too.
fn without_delay(listener: TcpListener) -> impl Listener<Addr = SocketAddr> {
    listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    })
}

/// What both ask: one path is answered at once, all else by the simulated broker.
async fn upstream(listener: TcpListener, broker: String) -> Result<(), AnyError> {
    async fn answer(State((client, broker)): State<(Http, Arc<str>)>, mut request: Request) -> Response {
        if request.uri().path() == PATH {
            return ([(CONTENT_TYPE, "application/json")], format!("[\"{}\"]", "x".repeat(LENGTH))).into_response();
        }
        let path = request.uri().path_and_query().map_or("/", |path| path.as_str());
        let Ok(target) = format!("{broker}{path}").parse::<Uri>() else {
            return StatusCode::BAD_REQUEST.into_response();
        };
        *request.uri_mut() = target;
        match client.request(request).await {
            Ok(response) => response.map(Body::new).into_response(),
            Err(_) => StatusCode::BAD_GATEWAY.into_response(),
        }
    }
    let router = Router::new().fallback(answer).with_state((http(), Arc::from(broker)));
    Ok(axum::serve(without_delay(listener), router).await?)
}

/// A process, ended when this is.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program, and reads the JSON of its first line.
fn start(program: &str, arguments: &[&str]) -> Result<(Running, Value), AnyError> {
    use std::io::{BufRead, BufReader};

    let mut child = Command::new(program)
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .stdin(Stdio::null())
        .spawn()?;
    let out = child.stdout.take().ok_or("no output")?;
    let mut line = String::new();
    BufReader::new(out).read_line(&mut line)?;
    Ok((Running(child), serde_json::from_str(&line)?))
}

fn text(value: &Value, name: &str) -> String {
    value.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

async fn get(client: &Http, url: &Uri) -> Result<(), AnyError> {
    let response = client.get(url.clone()).await?;
    let status = response.status();
    let body = to_bytes(Body::new(response.into_body()), usize::MAX).await?;
    if status != StatusCode::OK || body.len() < LENGTH {
        return Err(format!("{url}: {status}").into());
    }
    Ok(())
}

/// How long each of so many requests takes, one after the other.
async fn sequential(client: &Http, url: &Uri, times: &mut Vec<Duration>) -> Result<(), AnyError> {
    for _ in 0..SEQUENTIAL {
        let start = Instant::now();
        get(client, url).await?;
        times.push(start.elapsed());
    }
    Ok(())
}

/// How many requests many clients have answered, and in how many seconds.
async fn concurrent(url: &Uri) -> Result<(f64, f64), AnyError> {
    let count = Arc::new(AtomicU64::new(0));
    let start = Instant::now();
    let clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let (client, url, count) = (http(), url.clone(), Arc::clone(&count));
            tokio::spawn(async move {
                while start.elapsed() < SPAN {
                    get(&client, &url).await?;
                    count.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), AnyError>(())
            })
        })
        .collect();
    for client in clients {
        client.await??;
    }
    let count = u32::try_from(count.load(Ordering::Relaxed))?;
    Ok((f64::from(count), start.elapsed().as_secs_f64()))
}

/// The processor time that a process has used so far, in seconds.
fn used(process: u32) -> Result<f64, AnyError> {
    let mut nanoseconds = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let times = fs::read_to_string(thread?.path().join("schedstat"))?;
        nanoseconds += times.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(Duration::from_nanos(nanoseconds).as_secs_f64())
}

/// What one of the two did in a round.
struct Round {
    requests_per_second: f64,
    /// Processor time for each request.
    seconds: f64,
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or_default()
}

fn micros(times: &mut [Duration], share: usize) -> u128 {
    times.sort_unstable();
    times.get(times.len() * share / 100).map_or(0, Duration::as_micros)
}

#[tokio::main]
async fn main() -> Result<(), AnyError> {
    let arguments: Vec<String> = env::args().collect();
    let own = arguments.first().cloned().unwrap_or_default();
    match arguments.iter().skip(1).map(String::as_str).collect::<Vec<_>>()[..] {
        ["proxy", upstream] => {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            println!("{{\"address\":\"{}\"}}", listener.local_addr()?);
            proxy(listener, upstream.to_owned()).await
        }
        [program] => compare(&own, program).await,
        _ => Err("give the path of the program `ibkr-oauth`".into()),
    }
}

async fn compare(own: &str, program: &str) -> Result<(), AnyError> {
    let folder = tempfile::tempdir()?;
    let out = folder.path().join("sim");
    let out = out.to_string_lossy();
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let asked = format!("http://{}", listener.local_addr()?);
    let (_broker, ready) = start(program, &["simulate", "--out", &out, "--base-url", &format!("{asked}/v1/api")])?;
    tokio::spawn(upstream(listener, format!("http://{}", text(&ready, "address"))));
    let bundle = format!("{out}/bundle.json");
    let (proxy_process, proxy) = start(own, &["proxy", &asked])?;
    let options = ["gateway", "--bundle", &bundle, "--listen", "0", "--per-second", "100000"];
    let (gateway, ready) = start(program, &options)?;
    let targets = [&proxy, &ready].map(|ready| format!("http://{}{PATH}", text(ready, "address")).parse::<Uri>());
    let [proxy, gateway_url] = targets;
    let targets = [("plain proxy", proxy?), ("gateway", gateway_url?)];

    let client = http();
    for _ in 0..100 {
        if get(&client, &targets[1].1).await.is_ok() {
            break;
        }
        time::sleep(Duration::from_millis(100)).await;
    }
    let mut times = [Vec::new(), Vec::new()];
    let mut rounds = [Vec::new(), Vec::new()];
    let processes = [proxy_process.0.id(), gateway.0.id()];
    // In turns, so that a neighbour's load falls on both.
    for _ in 0..ROUNDS {
        for ((_, url), times) in targets.iter().zip(&mut times) {
            sequential(&client, url, times).await?;
        }
        for ((_, url), (process, rounds)) in targets.iter().zip(processes.into_iter().zip(&mut rounds)) {
            let before = used(process)?;
            let (count, seconds) = concurrent(url).await?;
            let used = used(process)? - before;
            rounds.push(Round { requests_per_second: count / seconds, seconds: used / count });
        }
    }
    for ((name, _), (times, rounds)) in targets.iter().zip(times.iter_mut().zip(&rounds)) {
        println!(
            "{name:<12} median {:>5} µs  99th percentile {:>6} µs  {:>8.0} requests/s  {:>5.1} µs of a processor for each",
            micros(times, 50),
            micros(times, 99),
            median(rounds.iter().map(|round| round.requests_per_second)),
            median(rounds.iter().map(|round| round.seconds)) * 1e6,
        );
    }
    let [plain, signing] = &rounds;
    let pairs = || signing.iter().zip(plain);
    let rate = median(pairs().map(|(one, other)| one.requests_per_second / other.requests_per_second));
    let processor = median(pairs().map(|(one, other)| one.seconds / other.seconds));
    println!(
        "gateway / plain proxy, median of {ROUNDS} rounds: {rate:.2} of the requests a second, {processor:.2} of the processor"
    );
    let status = fs::read_to_string(format!("/proc/{}/status", gateway.0.id())).unwrap_or_default();
    let peak = status.lines().find(|line| line.starts_with("VmHWM")).unwrap_or("no memory known");
    println!("gateway's memory at most, {peak}");
    Ok(())
}
