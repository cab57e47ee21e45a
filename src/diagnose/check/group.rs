//! The Diffie-Hellman parameters.

use crypto_primes::{Flavor, is_prime};

use crate::{
    bundle::{CredentialBundle, KeySource, WHICH_PRIME, read_dh_prime},
    dh::DhGroup,
    diagnose::finding::{Collector, Finding},
    error::Error,
    key::encoding::text_of,
    secret::Secret,
};

const ANEW: &str = "`openssl dhparam -out dhparam.pem 2048` makes new parameters; upload them in the portal too";

/// The parameters as `dh_params` has them, or as a `dh_prime`, or both.
pub(super) fn check(bundle: &CredentialBundle, list: &mut Vec<Finding>) {
    let (params, prime) = (bundle.dh_params.as_ref(), bundle.dh_prime.as_ref());
    let (params, prime) = (params.map(KeySource::content), prime.map(KeySource::content));
    let Some(params) = params else {
        if let Some(prime) = prime {
            check_one("dh_prime", prime, read_dh_prime, list);
        }
        return;
    };
    let group = check_one("dh_params", params, |content| DhGroup::read(content), list);
    let Some(prime) = prime else { return };
    let mut findings = Collector::about("dh_prime", list);
    let prime = match prime {
        Ok(prime) => prime,
        Err(error) => return findings.error(error.message(), error.remedy()),
    };
    match (read_dh_prime(prime.expose()), group) {
        (Err(error), _) => findings.error(error.message(), error.remedy()),
        (Ok(prime), Some(group)) if prime.prime_hex() == group.prime_hex() => {
            findings.ok("the prime of `dh_params`, in digits");
        }
        (Ok(_), Some(_)) => findings.error("it is not the prime of `dh_params`", WHICH_PRIME),
        (Ok(_), None) => {}
    }
}

/// Returns what could be read.
fn check_one(
    field: &'static str,
    content: Result<&Secret, Error>,
    read: fn(&[u8]) -> Result<DhGroup, Error>,
    list: &mut Vec<Finding>,
) -> Option<DhGroup> {
    let mut findings = Collector::about(field, list);
    let content = match content {
        Ok(content) => content.expose(),
        Err(error) => {
            findings.error(error.message(), error.remedy());
            return None;
        }
    };
    match read(content) {
        Ok(group) => {
            judge(&group, content, &mut findings);
            Some(group)
        }
        Err(error) => {
            findings.error(error.message(), error.remedy());
            None
        }
    }
}

fn judge(group: &DhGroup, content: &[u8], findings: &mut Collector<'_>) {
    let bits = group.bits();
    if bits == 2048 {
        findings.ok("the prime has 2048 bits, as IBKR asks for");
    } else {
        findings.warning(format!("the prime has {bits} bits; IBKR asks for 2048"), ANEW);
    }
    findings.ok(match text_of(content).and_then(|text| DhGroup::kind_of_digits(&text)) {
        Some(kind) => format!("given as {kind} digits, which have no sign; look after the file that was uploaded"),
        None => "its numbers are encoded as positive ones (with the sign byte where it is needed)".to_owned(),
    });
    let known = [(DhGroup::modp_2048(), "group 14 of RFC 3526"), (DhGroup::ffdhe_2048(), "`ffdhe2048` of RFC 7919")];
    if let Some((_, name)) = known.iter().find(|(known, _)| known == group) {
        return findings.ok(format!("{name}: a safe prime, and the generator 2"));
    }
    let is = |flavor| is_prime(flavor, group.montgomery().modulus().as_ref());
    // A safe prime is the usual case, and then one test answers both questions.
    if is(Flavor::Safe) {
        findings.ok("a safe prime");
    } else if is(Flavor::Any) {
        findings.warning("a prime, but not a safe one: (p - 1) / 2 is composite", ANEW);
    } else {
        findings.error(
            "not a prime: a digit was changed or lost, or the parameters were never any good",
            format!("copy the parameters again, whole; if they are as they were made, {ANEW}"),
        );
    }
    match u32::try_from(group.generator()).ok() {
        Some(2) if !group.generator_exceeded_prime() => findings.ok("the generator is 2"),
        Some(small) => findings.warning(format!("the generator is {small}; IBKR always uses 2"), ANEW),
        None => findings.warning("the generator is a large number; IBKR always uses 2", ANEW),
    }
    if group.generator_exceeded_prime() {
        findings.warning("the generator is larger than the prime", ANEW);
    }
}
