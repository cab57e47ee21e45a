//! The brokerage session: is there one, and if not, can it be opened?

use ibkr_oauth::Signer;

use crate::{brokerage, credentials::with_context, failure::Failure, http_client::HttpClient, report::Report};

const BROKERAGE: &str = "brokerage_session";

/// Whether there is one.
pub(super) fn probe(client: &HttpClient, signer: &Signer, report: &mut Report) -> Result<bool, Failure> {
    // One that is open is left alone.
    let asked = with_context(|cx| signer.brokerage().status(cx)).and_then(|exchange| exchange.send(client));
    if asked.as_ref().is_ok_and(ibkr_oauth::BrokerageStatus::is_ready) {
        report.ok(BROKERAGE, "open already")?;
        return Ok(true);
    }
    match brokerage::open(client, signer) {
        Ok(()) => {
            report.ok(BROKERAGE, "opened; without tickles it ends in six minutes")?;
            Ok(true)
        }
        Err(failure) => {
            report.failed(BROKERAGE, &failure)?;
            Ok(false)
        }
    }
}
