//! The layers below the sign-in: name, connection, TLS, and the clocks.

use std::{
    net::{TcpStream, ToSocketAddrs},
    time::Duration,
};

use ibkr_oauth::{
    Endpoints,
    bytes::Bytes,
    diagnose::clock_skew,
    http::{HeaderMap, HeaderValue, Request, header::USER_AGENT},
    local,
    session::Failure as SendFailure,
    transport::{Limits, Transport},
};
use tokio_rustls::rustls;

use crate::{
    among_sources, arguments, connection, default_port, failure::Failure, http_client::HttpClient, proxy::Route,
    report::Report,
};

const PROXY: &str = "proxy";
const REACHABILITY: &str = "reachability";
const TLS: &str = "tls";
const CLOCK: &str = "clock";

const CHECK_PROXY: &str = "check the proxy that the environment names: HTTPS_PROXY or HTTP_PROXY, ALL_PROXY, NO_PROXY";

/// How long a connection, and then a reply, is waited for.
const PATIENCE: Duration = Duration::from_secs(10);
/// The least difference of the clocks that is more than latency and rounding, in seconds.
const NOTEWORTHY: u64 = 5;
/// The difference from which on requests are likely to be refused, in seconds: a little less than the usual tolerance.
const TOO_MUCH: u64 = 240;

/// Whether something answers that the sign-in can be tried with.
pub(super) fn probe(
    client: &HttpClient,
    endpoints: &Endpoints,
    user_agent: &HeaderValue,
    report: &mut Report,
) -> Result<bool, Failure> {
    let url = arguments::absolute_url(endpoints.base_url())?;
    let route = connection::route(endpoints)?;
    let own = (url.host().unwrap_or_default(), default_port::of_url(&url));
    match &route {
        Route::Through { shown, variable, .. } => report.ok(PROXY, &format!("{shown}, as {variable} says"))?,
        Route::Excepted(variable) => report.ok(PROXY, &format!("none: {variable} names {}", own.0))?,
        Route::Direct => {}
    }
    if !report.concluded(REACHABILITY, &connect(&route, own))? {
        return Ok(false);
    }
    let mut request = Request::new(Bytes::new());
    *request.uri_mut() = url.clone();
    request.headers_mut().insert(USER_AGENT, user_agent.clone());
    let sent = local::now();
    let is_secure = url.scheme_str() == Some("https");
    let mut limits = Limits::default();
    limits.timeout = PATIENCE;
    match client.send(request, limits) {
        Ok(response) => {
            if is_secure {
                report.ok(TLS, "the certificate is good")?;
            }
            compare_clocks(clock_skew(response.headers(), sent, local::now()), response.headers(), report)?;
            Ok(true)
        }
        Err(error) => {
            explain(&error, &route, is_secure, report)?;
            Ok(false)
        }
    }
}

/// Tries the first step of the way: to the proxy where there is one, and else to the host itself, by name and port.
fn connect(route: &Route, own: (&str, u16)) -> Result<String, Failure> {
    let (proxy, (host, port)) = match route {
        Route::Through { proxy, .. } => (true, (proxy.host.as_str(), proxy.port)),
        Route::Excepted(_) | Route::Direct => (false, own),
    };
    let place = format!("{}{host}:{port}", if proxy { "the proxy " } else { "" });
    let failed = |what: String, remedy| Failure::refused(what, if proxy { CHECK_PROXY } else { remedy });
    // The address of a URL has brackets around it where it is one of IPv6.
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let addresses = (name, port).to_socket_addrs().map_err(|error| {
        let remedy = "check the host in `base_url`, the network and its name servers";
        failed(format!("the name of {place} leads nowhere: {error}"), remedy)
    })?;
    let mut why = "it has no address".to_owned();
    for address in addresses {
        match TcpStream::connect_timeout(&address, PATIENCE) {
            Ok(_) => return Ok(format!("{place} takes connections")),
            Err(error) => why = error.to_string(),
        }
    }
    let remedy = "check `base_url`, the network, and whether a firewall lets this program out or a proxy is needed";
    Err(failed(format!("{place} cannot be reached: {why}"), remedy))
}

fn compare_clocks(skew: Option<i64>, headers: &HeaderMap, report: &mut Report) -> Result<(), Failure> {
    const SET: &str = "set the clock of this machine by a time server (NTP)";
    let Some(seconds) = skew else {
        let why =
            if headers.contains_key("date") { "the reply took too long to tell" } else { "the reply has no date" };
        return report.ok(CLOCK, &format!("could not be compared: {why}"));
    };
    let by = seconds.unsigned_abs();
    let relation = if seconds < 0 { "behind" } else { "ahead of" };
    let message = format!("the broker's clock is {by} s {relation} this machine's");
    match by {
        0..NOTEWORTHY => report.ok(CLOCK, "agrees with the broker's, to within seconds"),
        NOTEWORTHY..TOO_MUCH => report.warning(CLOCK, &message, SET),
        _ => report.error(CLOCK, &format!("{message}: requests dated so are refused"), SET),
    }
}

fn explain(error: &SendFailure, route: &Route, is_secure: bool, report: &mut Report) -> Result<(), Failure> {
    if let Some(error) = among_sources::find::<rustls::Error>(error).filter(|_| is_secure) {
        let text = error.to_string();
        let remedy = if text.contains("CaUsedAsEndEntity") {
            "the server shows the certificate of an authority as its own: have one made for it that this authority signed, \
             and give the authority's by `--ca-certificate`"
        } else if text.contains("UnknownIssuer") {
            "if a company's proxy looks into TLS, give its certificate by `--ca-certificate`; if not, somebody else answers \
             in the broker's place: check `base_url` and the network"
        } else if text.contains("xpired") || text.contains("NotValidYet") {
            "set the clock of this machine; if it is right, the certificate of the server is out of date"
        } else if text.contains("NotValidForName") {
            "check the host in `base_url`: the certificate is for another one"
        } else {
            "check `base_url`: what answers there speaks no TLS that can be trusted (is it `http`, or another port?)"
        };
        return report.error(TLS, &format!("no connection that can be trusted: {text}"), remedy);
    }
    if matches!(route, Route::Through { .. }) {
        return report.error(REACHABILITY, &format!("there is no reply through the proxy: {error}"), CHECK_PROXY);
    }
    let subject = if is_secure { TLS } else { REACHABILITY };
    report.error(
        subject,
        &format!("there is no reply: {error}"),
        "check `base_url`, and whether a proxy or a firewall stands between; then try again",
    )
}
