//! A protected request under each query policy.

use std::time::Duration;

use ibkr_oauth::{
    Error, LiveSessionToken, QueryPolicy, Signer,
    bytes::Bytes,
    http::{Request, StatusCode},
};

use crate::{credentials, failure::Failure, http_client::HttpClient, report::Report};

const REQUESTS: &str = "requests";

/// Needs no brokerage session. Its query tells the policies apart: one reserved character is encoded, one is not.
const RESOURCE: &str = "/trsrv/stocks?symbols=AAPL,IBM%2CMSFT";

/// The time between two requests, so that no limit is touched.
const PAUSE: Duration = Duration::from_millis(150);

/// How a request fared.
enum Fate {
    Accepted,
    Refused(Error),
    Unclear(Error),
}

/// A signer of a policy that the broker accepts: of the user's `own`, if it can be.
pub(super) fn probe(
    client: &HttpClient,
    own: QueryPolicy,
    token: &LiveSessionToken,
    report: &mut Report,
) -> Result<Option<Signer>, Failure> {
    let mut accepted = Vec::new();
    let mut refused = Vec::new();
    let mut refusal = None;
    for policy in QueryPolicy::ALL {
        let signer = credentials::signer_under(policy, token)?;
        match send(client, &signer)? {
            Fate::Accepted => accepted.push(policy),
            Fate::Refused(error) => {
                refused.push(policy);
                refusal.get_or_insert(error);
            }
            Fate::Unclear(error) => {
                let what = format!("under `{policy}`: {error}");
                report.failed(REQUESTS, &Failure::refused(what, error.remedy()).about(&error))?;
                return Ok(None);
            }
        }
        credentials::pause(PAUSE);
    }
    if accepted.contains(&own) {
        let others = match refused.as_slice() {
            [] => "; so it is under every other, so that the broker seems not to look at the query".to_owned(),
            refused => format!("; not under {}", names(refused)),
        };
        report.ok(REQUESTS, &format!("accepted under the query policy `{own}`{others}"))?;
        return Ok(Some(credentials::signer_under(own, token)?));
    }
    match (accepted.as_slice(), refusal) {
        ([first, ..], _) => {
            report.error(
                REQUESTS,
                &format!("refused under the query policy `{own}`, accepted under {}", names(&accepted)),
                &format!("write `\"query_policy\": \"{first}\"` into the bundle"),
            )?;
            return Ok(Some(credentials::signer_under(*first, token)?));
        }
        ([], Some(error)) => {
            let what = format!("refused under every query policy: {error}");
            report.failed(REQUESTS, &Failure::refused(what, error.remedy()).about(&error))?;
        }
        ([], None) => {}
    }
    Ok(None)
}

fn names(policies: &[QueryPolicy]) -> String {
    let names: Vec<String> = policies.iter().map(|policy| format!("`{policy}`")).collect();
    names.join(", ")
}

fn send(client: &HttpClient, signer: &Signer) -> Result<Fate, Failure> {
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = signer.consumer().endpoints().url(RESOURCE)?;
    let response = match credentials::with_context(|cx| signer.send(client, cx, request)) {
        Ok(response) => response,
        Err(error) => return Ok(Fate::Unclear(error)),
    };
    let status = response.status();
    Ok(match Error::from_response(&response) {
        None => Fate::Accepted,
        Some(error) if status == StatusCode::UNAUTHORIZED => Fate::Refused(error),
        // Nobody is told so whose signature is wrong.
        Some(_) if [StatusCode::BAD_REQUEST, StatusCode::NOT_FOUND].contains(&status) => Fate::Accepted,
        Some(error) => Fate::Unclear(error),
    })
}
