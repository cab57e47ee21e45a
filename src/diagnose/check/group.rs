//! The Diffie-Hellman parameters.

use crate::{
    dh::DhGroup,
    diagnose::findings::{Collector, Finding, Subject},
    key::encoding::text_of,
};

const ANEW: &str = "`openssl dhparam -out dhparam.pem 2048` makes new parameters; upload them in the portal too";

pub(super) fn check(content: Option<&[u8]>, list: &mut Vec<Finding>) {
    let Some(content) = content else { return };
    let mut findings = Collector::about(Subject::DhParams, list);
    let text = text_of(content);
    let group = match text.as_ref().map_or_else(|| DhGroup::from_der(content), |text| DhGroup::from_text(text)) {
        Ok(group) => group,
        Err(error) => return findings.error(error.to_string(), error.remedy().unwrap_or(ANEW)),
    };
    let bits = group.bits();
    if bits == 2048 {
        findings.ok("the prime has 2048 bits, as IBKR asks for");
    } else {
        findings.warning(format!("the prime has {bits} bits; IBKR asks for 2048"), ANEW);
    }
    findings.ok(match text.and_then(|text| DhGroup::kind_of_digits(&text)) {
        Some(kind) => format!("given as {kind} digits, which have no sign; look after the file that was uploaded"),
        None => "its numbers are encoded as positive ones (with the sign byte where it is needed)".to_owned(),
    });
    let known = [(DhGroup::modp_2048(), "group 14 of RFC 3526"), (DhGroup::ffdhe_2048(), "`ffdhe2048` of RFC 7919")];
    if let Some((_, name)) = known.iter().find(|(known, _)| *known == group) {
        return findings.ok(format!("{name}: a safe prime, and the generator 2"));
    }
    let report = group.check();
    if report.is_safe_prime {
        findings.ok("a safe prime");
    } else if report.is_prime {
        findings.warning("a prime, but not a safe one: (p - 1) / 2 is composite", ANEW);
    } else {
        findings.error(
            "not a prime: a digit was changed or lost, or the parameters were never any good",
            format!("copy the parameters again, whole; if they are as they were made, {ANEW}"),
        );
    }
    match report.small_generator {
        Some(2) if !report.generator_exceeded_prime => findings.ok("the generator is 2"),
        Some(small) => findings.warning(format!("the generator is {small}; IBKR always uses 2"), ANEW),
        None => findings.warning("the generator is a large number; IBKR always uses 2", ANEW),
    }
    if report.generator_exceeded_prime {
        findings.warning("the generator is larger than the prime", ANEW);
    }
}
