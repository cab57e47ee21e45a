//! `ibkr-oauth token`

use clap::Args;
use zeroize::Zeroizing;

use crate::{
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    failure::Failure,
    output::{self, Format},
};

/// The arguments of `token`.
#[derive(Args)]
#[command(
    after_help = r#"Prints {"live_session_token":"<Base64>","expires_at":"<RFC 3339>"}; `expires_at` is null where the broker
did not say. With `--output text` the token alone.

Examples:
  ibkr-oauth token --bundle bundle.json
  ibkr-oauth token --bundle bundle.json --output text | ibkr-oauth sign --bundle bundle.json \
      --live-session-token - GET https://api.ibkr.com/v1/api/portfolio/accounts"#
)]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
}

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let bundle = arguments.bundle.read_whole()?;
    let token = credentials::access_token(&bundle)?;
    let consumer = bundle.consumer()?;
    let token = credentials::sign_in(&arguments.connection.client(consumer.endpoints())?, &consumer, &token)?;
    let expires_at = token.expires_at().map_or_else(|| "null".to_owned(), |moment| format!("\"{moment}\""));
    let base64 = credentials::base64(token.secret());
    if format == Format::Text {
        return output::print_credential(&Zeroizing::new(format!("{}\n", *base64)));
    }
    let object = Zeroizing::new(format!("{{\"live_session_token\":\"{}\",\"expires_at\":{expires_at}}}\n", *base64));
    output::print_credential(&object)
}
