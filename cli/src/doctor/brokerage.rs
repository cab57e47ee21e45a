//! The brokerage session: is there one, and if not, can it be opened?

use ibkr_oauth::{BrokerageStatus, Signer};

use crate::{brokerage, credentials::with_context, failure::Failure, http_client::HttpClient, report::Report};

const BROKERAGE: &str = "brokerage_session";

/// Whether there is one.
pub(super) fn probe(client: &HttpClient, signer: &Signer, report: &mut Report) -> Result<bool, Failure> {
    // One that is open is left alone.
    let asked = with_context(|cx| signer.brokerage().status(cx)).and_then(|exchange| exchange.send(client));
    let outcome = if asked.as_ref().is_ok_and(BrokerageStatus::is_ready) {
        Ok("open already".to_owned())
    } else {
        brokerage::open(client, signer).map(|()| "opened; without tickles it ends in six minutes".to_owned())
    };
    report.concluded(BROKERAGE, &outcome)
}
