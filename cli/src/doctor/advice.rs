//! What to do about a refused sign-in, given what the check has ruled out.

use ibkr_oauth::{
    Error, ErrorKind,
    diagnose::{Cause, Finding, Severity},
};

/// Whether the broker gave out a live session token that is not ours.
pub(super) fn is_about_proof(error: &Error) -> bool {
    error.kind() == ErrorKind::Unverified
}

/// Both sides computed different tokens, although the broker accepted signature, token and secret.
pub(super) fn on_proof(error: &Error, findings: &[Finding]) -> String {
    if !is_fine(findings, &["encryption_key", "access_token_secret"]) {
        return error.remedy().to_owned();
    }
    if !is_fine(findings, &["consumer_key"]) {
        return "compare the consumer key with the portal's, letter by letter: the proof is computed over it"
            .to_owned();
    }
    "signature, secret and keys are right, so the Diffie-Hellman parameters are not the registered ones: put the file \
     that was uploaded into `dh_params`, or upload this one in the portal"
        .to_owned()
}

/// The broker refused the request for a live session token.
pub(super) fn on_refusal(error: &Error, findings: &[Finding]) -> String {
    let fits = is_fine(findings, &["encryption_key", "access_token_secret"]);
    match error.cause() {
        Some(Cause::LiveSessionTokenRefused) if fits => {
            "the encryption key opens the secret, so the signature key is the likeliest cause: compare its SHA-256 above \
             with that of the public key that was uploaded for signing; if they agree, generate a new access token in the \
             portal and put token and secret into the bundle"
                .to_owned()
        }
        Some(Cause::ConsumerNotActiveOrUnknown) if fits => {
            "the keys are coherent, so compare the consumer key with the portal's, see that its switch is on, and then \
             wait: a new consumer key works only after the broker's weekend reset, which can take up to two weeks"
                .to_owned()
        }
        _ => error.remedy().to_owned(),
    }
}

/// Whether everything that was found about these fields is fine.
fn is_fine(findings: &[Finding], fields: &[&str]) -> bool {
    let mut findings = findings.iter().filter(|finding| fields.contains(&finding.subject));
    findings.all(|finding| finding.severity == Severity::Ok)
}
