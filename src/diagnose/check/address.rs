//! The base URL: is it one of the broker's?

use std::net::IpAddr;

use crate::{
    diagnose::finding::{Collector, Finding},
    oauth1,
};

const PRODUCTION: &str = "https://api.ibkr.com/v1/api";
const PATHS: [&str; 2] = ["/v1/api", "/alpha/api"];
const LEAVE_OUT: &str = "leave `base_url` out: it is then `https://api.ibkr.com/v1/api`";

pub(super) fn check(base_url: Option<&str>, list: &mut Vec<Finding>) {
    let mut findings = Collector::about("base_url", list);
    let Some(text) = base_url else {
        return findings.ok(format!("not set, so production: {PRODUCTION}"));
    };
    let Ok(uri) = oauth1::parse_uri(text) else {
        return findings.error("the URL cannot be signed", LEAVE_OUT);
    };
    if text.ends_with('/') {
        findings.warning(
            "it ends in a slash, which is dropped here; another client would sign and send two slashes",
            "drop the slash at the end",
        );
    }
    let (scheme, host) = (uri.scheme_str().unwrap_or_default(), uri.host().unwrap_or_default().to_ascii_lowercase());
    let path = uri.path().trim_end_matches('/');
    if is_loopback(&host) {
        return loopback(uri.port_u16(), &mut findings);
    }
    if scheme == "http" {
        return findings.error(
            format!("{host} is called without TLS (`http`): tokens and signatures could be read on the way"),
            "write `https`",
        );
    }
    let region = host.strip_suffix(".api.ibkr.com").is_some_and(|region| matches!(region.as_bytes(), [b'1'..=b'8']));
    let is_api = region || host == "api.ibkr.com";
    if ["qa.interactivebrokers.com", "www.interactivebrokers.com"].contains(&host.as_str()) {
        findings.warning(
            format!("{host} is known from the broker's older documents; today's host is api.ibkr.com"),
            LEAVE_OUT,
        );
    } else if !is_api {
        findings.warning(format!("{host} is not known as a host of the broker's"), LEAVE_OUT);
    } else if !PATHS.contains(&path) {
        findings.error(
            format!("the path of a base URL at {host} is `/v1/api`, and here it is another"),
            format!("write `https://{host}/v1/api`"),
        );
    } else if uri.port_u16().is_some_and(|port| port != 443) {
        findings.error(format!("{host} answers at no other port than 443"), "leave the port out");
    } else if region {
        findings.warning(
            format!(
                "{host} is a regional host: it may be slower to learn of new consumer keys, or refuse this address"
            ),
            "use `https://api.ibkr.com/v1/api`, unless you chose this region on purpose",
        );
    } else {
        findings.ok(format!("{host} is the broker's production host"));
    }
}

/// Whether a base URL leads to this machine; without one, it leads to the broker.
pub(super) fn is_here(base_url: Option<&str>) -> bool {
    let uri = base_url.and_then(|text| oauth1::parse_uri(text).ok());
    uri.is_some_and(|uri| is_loopback(&uri.host().unwrap_or_default().to_ascii_lowercase()))
}

fn is_loopback(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse();
    host == "localhost" || address.is_ok_and(|address: IpAddr| address.is_loopback())
}

fn loopback(port: Option<u16>, findings: &mut Collector<'_>) {
    if port == Some(5000) {
        return findings
            .warning("this machine, at the port of the Client Portal Gateway, which serves no OAuth", LEAVE_OUT);
    }
    findings.ok("this machine: a simulator or a proxy, not the broker itself");
}
