//! `ibkr-oauth request`

use clap::Args;
use ibkr_oauth::{
    Consumer, Error, Secret, Signer,
    bytes::Bytes,
    diagnose::Cause,
    http::{
        HeaderValue, Method, Request, Response, Uri,
        header::{CONTENT_TYPE, SET_COOKIE},
    },
    oauth1::is_form,
};
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::{
    arguments::{self, Pair},
    brokerage, credentials,
    failure::Failure,
    http_client::HttpClient,
    output::{self, Format},
    sign_in::SignInArguments,
};

/// The arguments of `request`.
#[derive(Args)]
#[command(after_help = "\
The body of the response goes to standard output, byte for byte, and its status line to standard error; on a terminal,
invisible characters in it are escaped. With `--output json` both are one object,
{\"status\":…,\"headers\":{…},\"body\":…}, the body parsed where it is JSON. A credential of the bundle's in it is
[hidden].

Examples:
  ibkr-oauth request --bundle bundle.json GET /portfolio/accounts
  ibkr-oauth request --bundle bundle.json --open GET '/iserver/marketdata/snapshot?conids=265598&fields=31,84'
  ibkr-oauth request --bundle bundle.json --open POST /iserver/account/DU1/orders --json '{\"orders\":[]}'
  ibkr-oauth request --bundle bundle.json POST /accounts/DU1/order_impact --form conid=265598 --form side=BUY")]
pub(crate) struct Arguments {
    #[command(flatten)]
    sign_in: SignInArguments,
    /// Open the brokerage session first, which whatever lies under `/iserver` needs, and query its accounts, which orders
    /// and market data need. A session elsewhere is left alone.
    #[arg(long)]
    open: bool,
    /// The method; `get` is taken for `GET`.
    #[arg(value_parser = arguments::parse_method)]
    method: Method,
    /// A path, which is appended to the base URL, or an absolute URL at the same host. A query may follow.
    #[arg(value_name = "PATH-or-URL")]
    url: String,
    /// A JSON body, sent as it stands here.
    #[arg(long, value_name = "TEXT", conflicts_with = "form", allow_hyphen_values = true)]
    json: Option<String>,
    /// A pair of a form body; repeat it for more.
    #[arg(long, value_name = "K=V", allow_hyphen_values = true, value_parser = arguments::parse_pair)]
    form: Vec<Pair>,
}

const ACCOUNTS: &str = "/iserver/accounts";

impl Arguments {
    fn body(&self) -> Result<(Option<HeaderValue>, Bytes), Failure> {
        if let Some(json) = &self.json {
            let valid: Result<IgnoredAny, _> = serde_json::from_str(json);
            valid.map_err(|error| {
                Failure::usage(format!("the text of `--json` is not JSON: {error}"), "quote it whole")
            })?;
            return Ok((Some(HeaderValue::from_static("application/json")), Bytes::from(json.clone())));
        }
        if self.form.is_empty() {
            return Ok((None, Bytes::new()));
        }
        Ok((Some(arguments::FORM), arguments::form_body(&self.form)))
    }
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let (media_type, body) = arguments.body()?;
    let (consumer, access_token) = arguments.sign_in.credentials()?;
    let url = arguments::url_at(consumer.endpoints(), &arguments.url)?;
    let request = build(&arguments.method, &url, media_type, body);
    check_signable(&consumer, &request)?;

    let client = arguments.sign_in.connection.client(consumer.endpoints())?;
    let signer = credentials::sign_in(&client, &consumer, &access_token)?.signer();
    if arguments.open {
        brokerage::open(&client, &signer)?;
        // Without it the broker refuses the first orders and snapshots. What it answers matters to nobody.
        let accounts = consumer.endpoints().url(ACCOUNTS)?;
        if url.path() != accounts.path() {
            send_settled(&client, &signer, &build(&Method::GET, &accounts, None, Bytes::new()), true)?;
        }
    }
    let response = send_settled(&client, &signer, &request, arguments.open)?;

    print(&response, format)?;
    Error::from_response(&response).map_or(Ok(()), |error| Err(explain(&error, arguments.open)))
}

fn print(response: &Response<Bytes>, format: Format) -> Result<(), Failure> {
    let status = response.status();
    if format == Format::Json {
        let mut headers = serde_json::Map::new();
        for (name, value) in response.headers() {
            // What signs in by itself belongs into no log.
            if name != SET_COOKIE {
                headers.insert(name.to_string(), String::from_utf8_lossy(value.as_bytes()).into());
            }
        }
        let body = serde_json::from_slice(response.body())
            .unwrap_or_else(|_| Value::from(String::from_utf8_lossy(response.body())));
        return output::print_data(&json!({ "status": status.as_u16(), "headers": headers, "body": body }));
    }
    let reason = status.canonical_reason().unwrap_or_default();
    output::print_note(format!("{:?} {} {reason}", response.version(), status.as_u16()).trim_end());
    output::print_body(response.body())
}

fn build(method: &Method, url: &Uri, media_type: Option<HeaderValue>, body: Bytes) -> Request<Bytes> {
    let mut request = Request::new(body);
    request.method_mut().clone_from(method);
    request.uri_mut().clone_from(url);
    if let Some(media_type) = media_type {
        request.headers_mut().insert(CONTENT_TYPE, media_type);
    }
    request
}

/// Refuses what cannot be signed before anything is sent.
fn check_signable(consumer: &Consumer, request: &Request<Bytes>) -> Result<(), Failure> {
    let form = is_form(request.headers()).then_some(&request.body()[..]);
    let (parts, ()) = request.clone().map(drop).into_parts();
    Signer::from_stored(consumer, "unknown yet", &Secret::from(vec![0; 20]))?.sign_with(&parts, form, "0", 0)?;
    Ok(())
}

/// Sends the request; again, signed anew, while a brokerage session that was just opened is not there yet. Such a response
/// says that nothing was done.
fn send_settled(
    client: &HttpClient,
    signer: &Signer,
    request: &Request<Bytes>,
    opened: bool,
) -> Result<Response<Bytes>, Failure> {
    let mut attempt = 1;
    loop {
        let response = credentials::with_context(|cx| signer.send(client, cx, request.clone()))?;
        let settling = opened && Error::from_response(&response).is_some_and(|error| is_no_bridge(&error));
        if !settling || attempt == brokerage::ATTEMPTS {
            return Ok(response);
        }
        credentials::pause(brokerage::PAUSE);
        attempt += 1;
    }
}

fn is_no_bridge(error: &Error) -> bool {
    error.cause() == Some(Cause::NoBrokerageSession)
}

fn explain(error: &Error, opened: bool) -> Failure {
    let about_session = matches!(error.cause(), Some(Cause::NoBrokerageSession | Cause::NotAuthenticated));
    let remedy = match (about_session, opened) {
        (true, false) => "add `--open`, which opens the brokerage session first",
        (true, true) => "the brokerage session was opened and is not ready yet: wait a minute, then run this again",
        (false, _) => error.remedy(),
    };
    // The response was understood, so the command line and the bundle are not at fault whatever the status.
    Failure::refused(error.to_string(), remedy).about(error)
}
