//! `ibkr-oauth doctor`

use std::path::PathBuf;

use clap::Args;
use ibkr_oauth::{
    Consumer, CredentialBundle, LiveSessionToken,
    diagnose::{self, Finding},
};

use crate::{
    arguments::QueryPolicyArguments,
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    failure::Failure,
    http_client::HttpClient,
    output::Format,
    report::Report,
};

mod advice;
mod brokerage;
mod demonstration;
mod network;
mod record;
mod requests;
mod websocket;

use record::RecordArguments;

/// The arguments of `doctor`.
#[derive(Args)]
#[command(after_help = "\
Checks the bundle, then goes up layer by layer and stops where it can get no further: proxy, reachability,
TLS, clock, live session token, its proof, a request under each query policy, brokerage session, and the WebSocket, which
is opened once and subscribes to nothing. Places no order, logs nobody out, and throws out no session; a brokerage session
that it opens ends by itself after six minutes. The last line names the one thing to do. Nothing secret is shown: the output may be pasted in a forum. The status is 1 where there is
an error.

With `--record`, what nobody knows about the broker is asked after the token: at most 64 requests, which read and change
nothing, each listed first. The file has the broker's behaviour and nothing of yours; send it to the project.

Examples:
  ibkr-oauth doctor --simulated
  ibkr-oauth doctor --bundle bundle.json
  ibkr-oauth doctor --bundle bundle.json --offline
  ibkr-oauth doctor --bundle bundle.json --ca-certificate proxy.pem --output json
  ibkr-oauth doctor --bundle paper.json --record recording.json")]
pub(crate) struct Arguments {
    /// The file with the bundle, a JSON object.
    #[arg(long, value_name = "FILE")]
    bundle: Option<PathBuf>,
    /// Without a bundle: show on a simulated account what this looks like, once with everything as it should be, and once
    /// with a consumer key that is not active yet.
    #[arg(long, conflicts_with_all = ["bundle", "offline", "record", "query_policy", "ca_certificate"])]
    simulated: bool,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Only check the bundle: keys, secret and parameters, and whether they fit together. Nothing is sent.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    query_policy: QueryPolicyArguments,
    #[command(flatten)]
    record: RecordArguments,
}

const ALL_IS_WELL_SO_FAR: &str = "nothing is wrong with these credentials by themselves: sign in; if the broker then says \
                                  `invalid consumer`, only waiting is left, until the weekend reset activates the \
                                  consumer key";
const ALL_IS_WELL: &str = "nothing is wrong: sign in, and trade";

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    if arguments.simulated {
        return demonstration::run(format);
    }
    let Some(bundle) = &arguments.bundle else {
        return Err(Failure::usage(
            "no bundle is given",
            "give the file with your credentials by `--bundle FILE`; or, to see what this looks like with a simulated account, \
             `ibkr-oauth doctor --simulated`",
        ));
    };
    arguments.record.check(format)?;
    let bundle = BundleArguments::at(bundle).read_whole()?;
    let keyless = arguments.query_policy.apply(bundle.keyless_consumer_builder()).build();
    // What keeps it from being made is said before anything is checked.
    let client = match &keyless {
        Ok(consumer) if !arguments.offline => Some(arguments.connection.client(consumer.endpoints())?),
        _ => None,
    };
    let mut report = Report::new(format);
    let findings = credentials::with_context(|cx| diagnose::check(&bundle, cx));
    for finding in &findings {
        report.add(finding.clone())?;
    }
    if arguments.offline {
        return report.finish(ALL_IS_WELL_SO_FAR);
    }
    let keyless = keyless?;
    if let Some(client) = client {
        probe(arguments, &bundle, &keyless, &client, &findings, &mut report, format)?;
    }
    report.finish(ALL_IS_WELL)
}

/// Goes up layer by layer, as far as it can.
fn probe(
    arguments: &Arguments,
    bundle: &CredentialBundle,
    keyless: &Consumer,
    client: &HttpClient,
    findings: &[Finding],
    report: &mut Report,
    format: Format,
) -> Result<(), Failure> {
    if !network::probe(client, keyless.endpoints(), keyless.user_agent(), report)? {
        return Ok(());
    }
    let token = negotiate(bundle, client, findings, report)?;
    // It asks more than the layers above, and before there is a brokerage session. How a sign-in is refused is of interest too.
    if arguments.record.is_wanted() {
        return arguments.record.run(bundle, &arguments.query_policy, client, report, format);
    }
    let Some(token) = token else { return Ok(()) };
    // From the token's bytes, since each policy needs a signer of its own.
    let Some(signer) = requests::probe(client, keyless.query_policy(), &token, report)? else { return Ok(()) };
    let has_brokerage_session = brokerage::probe(client, &signer, report)?;
    websocket::probe(client, &signer, has_brokerage_session, report)
}

const LIVE_SESSION_TOKEN: &str = "live_session_token";
const PROOF: &str = "proof";

fn negotiate(
    bundle: &CredentialBundle,
    client: &HttpClient,
    findings: &[Finding],
    report: &mut Report,
) -> Result<Option<LiveSessionToken>, Failure> {
    let signed_in = bundle.consumer().map_err(Failure::from).and_then(|consumer| {
        let token = credentials::access_token(bundle)?;
        let exchange = credentials::with_context(|cx| consumer.unlock(cx, &token)?.live_session_token(&consumer, cx))?;
        Ok(exchange.send(client))
    });
    match signed_in {
        // What keeps the bundle from being used was checked and is known, or it is nobody's fault but the reader's.
        Err(failure) => {
            report.failed(LIVE_SESSION_TOKEN, &failure)?;
        }
        Ok(Err(error)) if advice::is_about_proof(&error) => {
            report.ok(LIVE_SESSION_TOKEN, "the broker took the request, and with it signature, secret and token")?;
            let remedy = advice::on_proof(&error, findings);
            report.failed(PROOF, &Failure::from(error).with_remedy(remedy))?;
        }
        Ok(Err(error)) => {
            let remedy = advice::on_refusal(&error, findings);
            report.failed(LIVE_SESSION_TOKEN, &Failure::from(error).with_remedy(remedy))?;
        }
        Ok(Ok(token)) => {
            credentials::hide(&token);
            let until = token.expires_at().map_or_else(String::new, |moment| format!("; it expires at {moment}"));
            report.ok(LIVE_SESSION_TOKEN, &format!("negotiated{until}"))?;
            report.ok(PROOF, "the broker proved that it has the same one")?;
            return Ok(Some(token));
        }
    }
    Ok(None)
}
