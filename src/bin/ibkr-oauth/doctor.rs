//! `ibkr-oauth doctor`

use clap::Args;
use ibkr_oauth::{
    CredentialBundle, LiveSessionToken,
    diagnose::{Examination, Verdict},
};
use ureq::Agent;

use crate::{
    arguments::QueryPolicyArguments,
    connection::ConnectionArguments,
    credentials::{self, BundleArguments},
    examine,
    failure::Failure,
    output::Format,
    report::Report,
};

mod advice;
mod brokerage;
mod network;
mod requests;

/// The arguments of `doctor`.
#[derive(Args)]
#[command(after_help = "\
Examines the bundle as `examine` does, then goes up layer by layer and stops where it can get no further: reachability,
TLS, clock, live session token, its proof, a request under each query policy, brokerage session. Places no order, logs
nobody out, and throws out no session; a brokerage session that it opens ends by itself after six minutes. The last line
names the one thing to do. Nothing secret is shown: the output may be pasted in a forum. The status is 1 where there is
an error.

Examples:
  ibkr-oauth doctor --bundle bundle.json
  ibkr-oauth doctor --bundle bundle.json --offline
  ibkr-oauth doctor --bundle bundle.json --ca-certificate proxy.pem --output json")]
pub(crate) struct Arguments {
    #[command(flatten)]
    bundle: BundleArguments,
    #[command(flatten)]
    connection: ConnectionArguments,
    /// Only examine the bundle; send nothing.
    #[arg(long)]
    offline: bool,
    #[command(flatten)]
    query_policy: QueryPolicyArguments,
}

const ALL_IS_WELL: &str = "nothing is wrong: sign in, and trade";

pub(crate) fn run(arguments: &Arguments, format: Format) -> Result<(), Failure> {
    let bundle = arguments.bundle.read_whole()?;
    let agent = arguments.connection.agent()?;
    let mut report = Report::new(format);
    let examination = examine::examine(&bundle, &mut report)?;
    if arguments.offline {
        return report.finish(examination.next_step());
    }
    probe(&bundle, &agent, &arguments.query_policy, &examination, &mut report)?;
    report.finish(ALL_IS_WELL)
}

/// Goes up layer by layer, as far as it can.
fn probe(
    bundle: &CredentialBundle,
    agent: &Agent,
    query_policy: &QueryPolicyArguments,
    examination: &Examination,
    report: &mut Report,
) -> Result<(), Failure> {
    let keyless = query_policy.apply(bundle.keyless_consumer_builder()).build()?;
    if !network::probe(agent, keyless.endpoints(), keyless.user_agent(), report)? {
        return Ok(());
    }
    let Some(token) = negotiate(bundle, agent, examination, report)? else { return Ok(()) };
    // From the token's bytes, since each policy needs a signer of its own.
    let access_token = credentials::access_token(bundle)?;
    let Some(signer) = requests::probe(agent, &keyless, &access_token, &token, report)? else { return Ok(()) };
    brokerage::probe(agent, &signer, report)
}

const LIVE_SESSION_TOKEN: &str = "live_session_token";
const PROOF: &str = "proof";

fn negotiate(
    bundle: &CredentialBundle,
    agent: &Agent,
    examination: &Examination,
    report: &mut Report,
) -> Result<Option<LiveSessionToken>, Failure> {
    let signed_in = bundle.consumer().map_err(Failure::from).and_then(|consumer| {
        let token = credentials::access_token(bundle)?;
        let exchange = credentials::with_context(|cx| consumer.unlock(cx, &token)?.live_session_token(&consumer, cx))?;
        Ok(ibkr_oauth::adapter::ureq::send(agent, exchange))
    });
    match signed_in {
        // What keeps the bundle from being used was examined and is known, or it is nobody's fault but the reader's.
        Err(failure) => report.error(LIVE_SESSION_TOKEN, failure.what(), failure.remedy())?,
        Ok(Err(error)) if advice::is_about_proof(&error) => {
            report.fine(LIVE_SESSION_TOKEN, "the broker took the request, and with it signature, secret and token")?;
            report.error(PROOF, &error.to_string(), &advice::on_proof(&error, examination))?;
        }
        Ok(Err(error)) => {
            report.error(LIVE_SESSION_TOKEN, &error.to_string(), &advice::on_refusal(&error, examination))?;
        }
        Ok(Ok(token)) => {
            credentials::hide(&token);
            let until = token.expires_at().map_or_else(String::new, |moment| format!("; it expires at {moment}"));
            report.fine(LIVE_SESSION_TOKEN, &format!("negotiated{until}"))?;
            report.fine(PROOF, "the broker proved that it has the same one")?;
            return Ok(Some(token));
        }
    }
    Ok(None)
}

/// Whether everything that was found about these fields is fine.
fn is_fine(examination: &Examination, fields: &[&str]) -> bool {
    let mut findings = examination.findings().iter().filter(|finding| fields.contains(&finding.subject.name()));
    findings.all(|finding| finding.verdict == Verdict::Fine)
}
