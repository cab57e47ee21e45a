//! The list of hosts that are reached without a proxy, as `NO_PROXY` has it.
//!
//! The forms are those of curl and of Go. `ureq` has a list of its own, which knows no blanks, ports, networks or
//! subdomains of a plain name, and ignores what it does not know.

use std::net::{IpAddr, Ipv4Addr};

/// What the list says about a host.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Exception {
    /// The host is reached without a proxy.
    Listed,
    NotListed,
    /// No entry is for this host, and this one cannot be understood.
    Unclear(String),
}

/// Looks for a host (an IPv6 address with or without its brackets) and its port.
///
/// Entries are separated by commas or blanks, in any case: `*`; a name, for itself and what is below it; `.name` or
/// `*.name`, for what is below it; `name*`, for what begins so; an address; a network such as `10.0.0.0/8`. All but the
/// first and the last may have a port, and are for that one alone then.
pub(crate) fn look_up(list: &str, host: &str, port: u16) -> Exception {
    let host = host.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.').to_ascii_lowercase();
    let mut unclear = None;
    for entry in list.split(|char: char| char == ',' || char.is_whitespace()).filter(|entry| !entry.is_empty()) {
        match is_for(&entry.to_ascii_lowercase(), &host, port) {
            Some(true) => return Exception::Listed,
            Some(false) => {}
            None => unclear = unclear.or(Some(entry)),
        }
    }
    unclear.map_or(Exception::NotListed, |entry| Exception::Unclear(entry.to_owned()))
}

/// `None` for an entry that cannot be understood.
fn is_for(entry: &str, host: &str, port: u16) -> Option<bool> {
    if entry == "*" {
        return Some(true);
    }
    if let Some((network, length)) = entry.split_once('/') {
        return contains(network, length, host.parse().ok());
    }
    let (name, only_port) = split_port(entry)?;
    let is_port = only_port.is_none_or(|only| only == port);
    let address = host.parse::<IpAddr>();
    if let Ok(named) = name.parse::<IpAddr>() {
        return Some(is_port && address == Ok(named));
    }
    let is_name = |name: &str| {
        !name.is_empty() && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '.' | '-' | '_'))
    };
    let name = name.trim_end_matches('.');
    let (is_host, rest) = if let Some(end) = name.strip_prefix('*') {
        (host.ends_with(end) && host.len() > end.len(), end)
    } else if let Some(beginning) = name.strip_suffix('*') {
        (host.starts_with(beginning), beginning)
    } else if let Some(parent) = name.strip_prefix('.') {
        (host.ends_with(name) && host.len() > name.len(), parent)
    } else {
        (host.strip_suffix(name).is_some_and(|above| above.is_empty() || above.ends_with('.')), name)
    };
    // What an address ends with says nothing.
    let is_host = is_host && (address.is_err() || name.ends_with('*'));
    is_name(rest).then_some(is_port && is_host)
}

/// The entry without its port.
fn split_port(entry: &str) -> Option<(&str, Option<u16>)> {
    if let Some(bracketed) = entry.strip_prefix('[') {
        let (address, rest) = bracketed.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(port) => Some((address, Some(port.parse().ok()?))),
            None => rest.is_empty().then_some((address, None)),
        };
    }
    match entry.split_once(':') {
        // An address of IPv6, which has more of them.
        Some((_, rest)) if rest.contains(':') => Some((entry, None)),
        Some((name, port)) => Some((name, Some(port.parse().ok()?))),
        None => Some((entry, None)),
    }
}

/// Whether the network, such as `10.0.0.0` or `10` with the length `8`, has the address.
fn contains(network: &str, length: &str, address: Option<IpAddr>) -> Option<bool> {
    let length: u32 = length.parse().ok()?;
    let network = network.parse().ok().or_else(|| abbreviated(network).map(IpAddr::V4))?;
    let most = if network.is_ipv4() { 32 } else { 128 };
    if length > most {
        return None;
    }
    // All bits of a shift would be too many for it.
    let head = |bits: u128| bits.checked_shr(most - length).unwrap_or(0);
    let bits = |address: IpAddr| match address {
        IpAddr::V4(address) => u128::from(address.to_bits()),
        IpAddr::V6(address) => address.to_bits(),
    };
    let same = |address: IpAddr| address.is_ipv4() == network.is_ipv4() && head(bits(address)) == head(bits(network));
    Some(address.is_some_and(same))
}

/// The address of a network of which the zeros at the end are left out, as in `169.254/16`.
fn abbreviated(network: &str) -> Option<Ipv4Addr> {
    let mut octets = [0; 4];
    let mut places = octets.iter_mut();
    for octet in network.split('.') {
        *places.next()? = octet.parse().ok()?;
    }
    Some(Ipv4Addr::from(octets))
}
