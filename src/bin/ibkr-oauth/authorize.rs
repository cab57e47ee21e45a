//! `ibkr-oauth authorize`

use std::{
    io,
    net::{SocketAddr, TcpListener},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, Sender},
    thread,
};

use clap::Args;
use ibkr_oauth::{Callback, Consent, ErrorKind, Verifier, adapter::ureq::send, http::Uri};
use serde_json::json;

use crate::{
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    failure::Failure,
    output::{self, Format},
};

mod bundle_file;
mod callback;

use bundle_file::BundleFile;

/// The arguments of `authorize`.
#[derive(Args)]
#[command(after_help = "\
For third parties: first parties get their access token from the portal. Prints the page on which the user logs in and
consents, waits until the browser is sent back, and writes `access_token` and `access_token_secret` into the bundle; all
else in it stays as it is, also what is changed meanwhile. Where that is impossible by then, the token goes into a new
file. The address that the browser was sent to may be pasted here whole, or only the verifier in it.

Examples:
  ibkr-oauth authorize --bundle bundle.json
  ibkr-oauth authorize --bundle bundle.json --listen 127.0.0.1:5002 --open-browser
  ibkr-oauth authorize --bundle bundle.json --listen 127.0.0.1:5002 --callback oob")]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Wait for the browser at this address of this machine.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    /// The callback that is named to the broker: `oob` stands for the registered one. Unless given, it is `oob`, or with
    /// `--listen` that address.
    #[arg(long, value_name = "URL")]
    callback: Option<String>,
    /// Open the page in the browser of this machine.
    #[arg(long)]
    open_browser: bool,
}

/// Where an answer came from, and what it says.
enum Answer {
    /// The browser came, or somebody who pretends to be one.
    Browser(String),
    Pasted(String),
    /// Nothing more will be pasted.
    InputEnded,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let file = BundleFile::open(arguments.bundle.path())?;
    let bundle = arguments.bundle.read_whole()?;
    let consumer = bundle.consumer()?;
    let agent = arguments.connection.agent()?;
    let (sender, answers) = mpsc::channel();
    let listener = arguments.listen.map(listen).transpose()?;

    let own = listener.as_ref().map(|(_, address)| format!("http://{address}/callback"));
    let callback = match arguments.callback.as_deref().or(own.as_deref()) {
        None | Some("oob") => Callback::OutOfBand,
        Some(url) => Callback::Url(url),
    };
    let listens = listener.is_some();
    if let Some((listener, _)) = listener {
        let (answers, path) = (sender.clone(), path_of(callback));
        thread::spawn(move || callback::serve(&listener, path.as_deref(), &answers));
    }
    let consent = send(&agent, credentials::with_context(|cx| consumer.request_token(cx, callback))?)?;
    let url = consent.url().to_string();
    match format {
        Format::Text => output::print_line(&url)?,
        Format::Json => output::print_json(&json!({ "authorize_url": url }))?,
    }
    output::print_note("Open this page, log in and consent. Then paste the address that the browser was sent to:");
    if arguments.open_browser {
        open_browser(&url);
    }
    thread::spawn(move || read_pasted(&sender));
    let verifier = wait(&consent, &answers, listens)?;

    let token = send(&agent, credentials::with_context(|cx| verifier.access_token(&consumer, cx))?)?;
    file.write(bundle.consumer_key(), &token)?;
    let path = arguments.bundle.path().display();
    match format {
        Format::Json => output::print_json(&json!({ "bundle": path.to_string(), "is_paper": token.is_paper() })),
        Format::Text => {
            let login = match token.is_paper() {
                Some(true) => " of a paper login",
                Some(false) => " of a live login",
                None => "",
            };
            output::print_line(&format!("The access token{login} is in {path}"))
        }
    }
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

/// The path of the callback; `None` where only the broker knows it.
fn path_of(callback: Callback<'_>) -> Option<String> {
    match callback {
        Callback::Url(url) => url.parse().ok().map(|url: Uri| url.path().to_owned()),
        _ => None,
    }
}

/// Hands over what is pasted, line by line.
fn read_pasted(answers: &Sender<Answer>) {
    for line in io::stdin().lines() {
        let Ok(line) = line else { break };
        if !line.trim().is_empty() && answers.send(Answer::Pasted(line)).is_err() {
            return;
        }
    }
    // Where nobody waits any more, nobody has to know.
    let _ = answers.send(Answer::InputEnded);
}

/// Waits for the answer that belongs to this consent.
fn wait(consent: &Consent, answers: &Receiver<Answer>, listens: bool) -> Result<Verifier, Failure> {
    loop {
        let answer = answers.recv().unwrap_or(Answer::InputEnded);
        let (text, is_pasted) = match answer {
            Answer::Browser(url) => (url, false),
            Answer::Pasted(line) => (whole(consent, line.trim()), true),
            Answer::InputEnded if listens => continue,
            Answer::InputEnded => {
                return Err(Failure::usage("the input ended without an address", "paste it, or give `--listen`"));
            }
        };
        match consent.verifier(&text) {
            Ok(verifier) => return Ok(verifier),
            // Whatever reaches the port may be forged, and a slip of the hand is no answer either.
            Err(error) if error.kind() != ErrorKind::Rejected || (is_pasted && !looks_like_address(&text)) => {
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
