//! `ibkr-oauth sign`

use clap::Args;
use ibkr_oauth::{Secret, Signer, local};
use serde_json::json;

use crate::{
    arguments::{QueryPolicyArguments, RequestArguments},
    credentials::{self, BundleArguments},
    failure::Failure,
    hidden,
    output::{self, Format},
    standard_input,
};

/// The longest text, with blanks, that is read for a live session token.
const LONGEST_TOKEN: usize = 4096;

const COPY_AGAIN: &str = "copy it again, whole: 28 characters, the last of them `=`, as `ibkr-oauth token` prints it";

/// The arguments of `sign`.
#[derive(Args)]
#[command(after_help = "\
With --nonce and --timestamp the same arguments always give the same header. A header is good for one request.
A body of JSON is not signed. Of the bundle's keys none is read.

Examples:
  ibkr-oauth sign --bundle bundle.json --live-session-token \"$TOKEN\" GET https://api.ibkr.com/v1/api/tickle
  ibkr-oauth token --bundle bundle.json --output text |
      ibkr-oauth sign --bundle bundle.json --live-session-token - GET https://api.ibkr.com/v1/api/tickle")]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    /// The live session token: 20 bytes in Base64, as `token` prints it; `-` reads it from standard input, so that it
    /// is seen in no list of processes.
    #[arg(long, value_name = "BASE64", allow_hyphen_values = true)]
    live_session_token: String,
    /// The nonce, any printable ASCII, instead of a random one.
    #[arg(long, allow_hyphen_values = true)]
    nonce: Option<String>,
    /// The timestamp, in seconds since 1970, instead of the present one.
    #[arg(long, value_name = "SECONDS")]
    timestamp: Option<u64>,
    #[command(flatten)]
    query_policy: QueryPolicyArguments,
    #[command(flatten)]
    request: RequestArguments,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let bundle = arguments.bundle.read()?;
    let consumer = arguments.query_policy.apply(bundle.keyless_consumer_builder()).build()?;
    let access_token = credentials::access_token(&bundle)?;
    let given = &arguments.live_session_token;
    let given = standard_input::given(given, "a live session token", LONGEST_TOKEN, COPY_AGAIN)?;
    let live_session_token = Secret::from_base64(&given)
        .ok_or_else(|| Failure::usage("the live session token is not Base64", COPY_AGAIN))?;
    hidden::add(&credentials::base64(&live_session_token));
    let signer = Signer::from_stored(&consumer, access_token.token(), &live_session_token)?;
    let (parts, form) = arguments.request.read()?;
    let (nonce, timestamp) = attempt(arguments.nonce.as_deref(), arguments.timestamp)?;
    let signature = signer.sign_with(&parts, form.as_deref(), &nonce, timestamp)?;
    let header = String::from_utf8_lossy(signature.authorization.as_bytes());
    match format {
        Format::Text => output::print_credential(&format!("{header}\n")),
        Format::Json => output::print_credential(&format!("{}\n", json!({ "authorization": header }))),
    }
}

/// Nonce and timestamp of an attempt: as given, or a random one and the present.
pub(crate) fn attempt(nonce: Option<&str>, timestamp: Option<u64>) -> Result<(String, u64), Failure> {
    let nonce = match nonce {
        Some(nonce) => nonce.to_owned(),
        None => credentials::random_hex::<16>()?,
    };
    Ok((nonce, timestamp.unwrap_or_else(|| local::now().as_secs())))
}
