//! `ibkr-oauth authorize`

use std::{
    io::{self, BufRead, Read},
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError, Sender},
    thread,
    time::{Duration, Instant},
};

use clap::{Args, value_parser};
use ibkr_oauth::{Callback, Consent, ErrorKind, Verifier, http::Uri};
use serde_json::json;

use crate::{
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    failure::Failure,
    hidden,
    output::{self, Format},
    serving,
};

mod bundle_file;
mod callback;
mod heard;
mod visit;

use bundle_file::BundleFile;
use heard::Heard;
use visit::{Meaning, OwnAddress};

/// The arguments of `authorize`.
#[derive(Args)]
#[command(after_help = "\
For third parties: first parties get their access token from the portal. Prints the page on which the user logs in and
consents, waits until the browser is sent back with the answer to this very request, and writes `access_token` and
`access_token_secret` into the bundle; all else in it stays as it is, also what is changed meanwhile. Where that is
impossible by then, the token goes into a new file. The address that the browser was sent to may be pasted here whole, or
only the verifier in it.

Examples:
  ibkr-oauth authorize --bundle bundle.json
  ibkr-oauth authorize --bundle bundle.json --listen 127.0.0.1:5002 --open-browser
  ibkr-oauth authorize --bundle bundle.json --listen 127.0.0.1:5002 --callback oob")]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Wait for the browser at this port, or address and port, of this machine.
    #[arg(long, value_name = "PORT|HOST:PORT", value_parser = serving::parse_address)]
    listen: Option<SocketAddr>,
    /// The callback that is named to the broker: `oob` stands for the registered one. Unless given, it is `oob`, or with
    /// `--listen` that address.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Open the page in the browser of this machine.
    #[arg(long)]
    open_browser: bool,
    /// How long the answer is waited for.
    #[arg(long, value_name = "SECONDS", default_value_t = 900, value_parser = value_parser!(u64).range(1..=86_400))]
    timeout: u64,
}

/// The most notes that are shown: a web page can send the browser here without end.
const MOST_NOTES: usize = 20;

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let end = Instant::now() + Duration::from_secs(arguments.timeout);
    let file = BundleFile::open(arguments.bundle.path())?;
    let bundle = arguments.bundle.read_whole()?;
    let consumer = bundle.consumer()?;
    let client = arguments.connection.client(consumer.endpoints())?;
    let (sender, heard) = mpsc::channel();
    let listener = arguments.listen.map(listen).transpose()?;

    let own = listener.as_ref().map(|(_, address)| format!("http://{address}/callback"));
    let callback = match arguments.callback.as_deref().or(own.as_deref()) {
        None | Some("oob") => Callback::OutOfBand,
        Some(url) => Callback::Url(url),
    };
    let consent = credentials::with_context(|cx| consumer.request_token(cx, callback))?.send(&client)?;
    let server = listener.map(|(listener, address)| {
        let own = OwnAddress::new(address, url_of(callback).as_ref());
        callback::serve(listener, own, consent.clone(), sender.clone())
    });
    let server = server.transpose()?;
    let url = consent.url().to_string();
    format.print(&url, &json!({ "authorize_url": url }))?;
    output::print_note("Open this page, log in and consent. Then paste the address that the browser was sent to:");
    if arguments.open_browser {
        open_browser(&url);
    }
    thread::spawn(move || read_pasted(&sender));
    let verifier = wait(&consent, &heard, server.is_some(), end)?.ok_or_else(|| {
        Failure::refused(
            format!("no answer came within {} s", arguments.timeout),
            "run this again, and consent sooner, or give more time by `--timeout`",
        )
    })?;

    // So that the browser gets its page.
    if let Some(server) = server {
        server.stop();
    }
    let token = credentials::with_context(|cx| verifier.access_token(&consumer, cx))?.send(&client)?;
    hidden::add(token.token());
    file.write(bundle.consumer_key(), &token)?;
    let path = arguments.bundle.path().display();
    let login = match token.is_paper() {
        Some(true) => " of a paper login",
        Some(false) => " of a live login",
        None => "",
    };
    let object = json!({ "bundle": path.to_string(), "is_paper": token.is_paper() });
    format.print(&format!("The access token{login} is in {path}"), &object)
}

fn listen(address: SocketAddr) -> Result<(TcpListener, SocketAddr), Failure> {
    let cannot = |what: String| Failure::usage(what, "give a free port of this machine, such as `127.0.0.1:5002`");
    if !address.ip().is_loopback() {
        return Err(cannot(format!("{address} can be reached from other machines")));
    }
    let refused = |error: io::Error| cannot(format!("{address} cannot be listened at: {error}"));
    let listener = TcpListener::bind(address).map_err(refused)?;
    let address = listener.local_addr().map_err(refused)?;
    Ok((listener, address))
}

/// The callback; `None` where only the broker knows it.
fn url_of(callback: Callback<'_>) -> Option<Uri> {
    match callback {
        Callback::Url(url) => url.parse().ok(),
        _ => None,
    }
}

/// The most bytes that are read of what is pasted: an address has a few hundred.
const MOST_PASTED: u64 = 64 << 10;

/// Hands over what is pasted, line by line.
fn read_pasted(heard: &Sender<Heard>) {
    for line in io::stdin().lock().take(MOST_PASTED).lines() {
        let Ok(line) = line else { break };
        if !line.trim().is_empty() && heard.send(Heard::Pasted(line)).is_err() {
            return;
        }
    }
    // Where nobody waits any more, nobody has to know.
    let _ = heard.send(Heard::InputEnded);
}

/// Waits for the answer that belongs to this consent; `None` if it does not come in time.
fn wait(consent: &Consent, heard: &Receiver<Heard>, listens: bool, end: Instant) -> Result<Option<Verifier>, Failure> {
    let mut notes = 0_usize;
    loop {
        let pasted = match heard.recv_timeout(end.saturating_duration_since(Instant::now())) {
            Ok(Heard::Visit(Meaning::Consented(verifier))) => return Ok(Some(verifier)),
            Ok(Heard::Visit(Meaning::Note(note))) => {
                notes = notes.saturating_add(1);
                match notes {
                    0..MOST_NOTES => output::print_note(&note),
                    MOST_NOTES => output::print_note("more visits without an answer are not reported"),
                    _ => {}
                }
                continue;
            }
            Ok(Heard::Pasted(line)) => whole(consent, line.trim()),
            Ok(Heard::InputEnded) if listens => continue,
            Ok(Heard::Visit(Meaning::Nothing)) => continue,
            Err(RecvTimeoutError::Timeout) => return Ok(None),
            Ok(Heard::InputEnded) | Err(RecvTimeoutError::Disconnected) => {
                return Err(Failure::usage("the input ended without an address", "paste it, or give `--listen`"));
            }
        };
        match consent.verifier(&pasted) {
            Ok(verifier) => return Ok(Some(verifier)),
            // A slip of the hand is no answer.
            Err(error) if error.kind() != ErrorKind::Rejected || !looks_like_address(&pasted) => {
                output::print_note(&format!("{error}; waiting for another"));
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// The callback's query, where only the verifier was pasted.
fn whole(consent: &Consent, pasted: &str) -> String {
    if !pasted.is_empty() && pasted.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return format!("oauth_token={}&oauth_verifier={pasted}", consent.request_token());
    }
    pasted.to_owned()
}

fn looks_like_address(text: &str) -> bool {
    text.contains("://") || text.starts_with('/')
}

fn open_browser(url: &str) {
    let (program, arguments): (&str, &[&str]) = if cfg!(target_os = "macos") {
        ("open", &[])
    } else if cfg!(windows) {
        ("rundll32", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    };
    let mut command = Command::new(program);
    command.args(arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    if let Err(error) = command.spawn() {
        output::print_note(&format!("no browser could be opened ({program}: {error})"));
    }
}
