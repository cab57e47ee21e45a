//! `ibkr-oauth token`

use base64::{Engine as _, engine::general_purpose::STANDARD};
use clap::Args;
use ureq::Agent;
use zeroize::Zeroizing;

use crate::{
    credentials::{self, BundleArguments},
    failure::Failure,
    output,
};

/// The arguments of `token`.
#[derive(Args)]
#[command(
    after_help = r#"Prints {"live_session_token":"<Base64>","expires_at":"<RFC 3339>"}; `expires_at` is null where the broker
did not say.

Example:
  ibkr-oauth token --bundle bundle.json"#
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let bundle = arguments.bundle.read_whole()?;
    let token = credentials::access_token(&bundle)?;
    let token = credentials::sign_in(&Agent::new_with_defaults(), &bundle.consumer()?, &token)?;
    let expires_at = token.expires_at().map_or_else(|| "null".to_owned(), |moment| format!("\"{moment}\""));
    let base64 = Zeroizing::new(STANDARD.encode(token.secret().expose()));
    let object = Zeroizing::new(format!("{{\"live_session_token\":\"{}\",\"expires_at\":{expires_at}}}\n", *base64));
    output::print_bytes(object.as_bytes())
}
