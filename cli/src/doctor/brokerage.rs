//! The brokerage session: is there one, and if not, can it be opened?

use ibkr_oauth::Signer;
use ureq::Agent;

use crate::{brokerage, credentials::with_context, failure::Failure, report::Report};

const BROKERAGE: &str = "brokerage_session";

pub(super) fn probe(agent: &Agent, signer: &Signer, report: &mut Report) -> Result<(), Failure> {
    // One that is open is left alone.
    let asked = with_context(|cx| signer.brokerage().status(cx)).and_then(|exchange| exchange.send(agent));
    if asked.as_ref().is_ok_and(ibkr_oauth::BrokerageStatus::is_ready) {
        return report.ok(BROKERAGE, "open already");
    }
    match brokerage::open(agent, signer) {
        Ok(()) => report.ok(BROKERAGE, "opened; without tickles it ends in six minutes"),
        Err(failure) => report.error_of(BROKERAGE, failure.what(), failure.remedy(), failure.cause()),
    }
}
