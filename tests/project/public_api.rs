//! Whose types stand in the public interface, as `docs/public-api.txt` lists it: a foreign crate there would tie every
//! user to its major version. (`bash .ci/audit api` sees to it that the list is true.)

use std::collections::BTreeSet;

const PUBLIC_API: &str = include_str!("../../docs/public-api.txt");

/// The standard library; `http` and `bytes`, which are exported again; the traits of serde.
const ALLOWED: [&str; 7] = ["ibkr_oauth", "core", "alloc", "std", "http", "bytes", "serde_core"];

/// The crates that an item's text names: whatever is first in a path and no type parameter.
fn crates(item: &str) -> BTreeSet<&str> {
    let is_part = |char: char| char.is_alphanumeric() || matches!(char, '_' | ':');
    let paths = item.split(|char: char| !is_part(char)).filter(|path| path.contains("::"));
    let first = paths.filter_map(|path| path.split("::").next());
    first.filter(|name| name.starts_with(|char: char| char.is_ascii_lowercase())).collect()
}

/// The clients that have an adapter, and the crates whose types each is made of.
const CLIENTS: [(&str, &[&str]); 4] = [
    ("ureq", &["ureq"]),
    ("reqwest", &["reqwest"]),
    ("hyper", &["hyper", "hyper_util", "http_body_util"]),
    // The traits of what reads and writes.
    ("tungstenite", &["tokio", "hyper", "hyper_util", "reqwest"]),
];

/// Whether the item is a method or a type of a client's, which it has as a transport.
fn is_of(client: &[&str], item: &str) -> bool {
    let path = item.trim_start_matches("pub ").trim_start_matches("async ");
    let path = path.trim_start_matches("fn ").trim_start_matches("type ");
    client.iter().any(|name| path.starts_with(&format!("{name}::")))
}

#[test]
fn the_core_names_only_http_bytes_and_serde() {
    let is_core = |item: &&str| {
        let is_of_client = CLIENTS.iter().any(|(_, crates)| is_of(crates, item));
        !item.contains("ibkr_oauth::adapter") && !item.starts_with("impl ibkr_oauth::transport::") && !is_of_client
    };
    let items: Vec<&str> = PUBLIC_API.lines().filter(is_core).collect();
    assert!(items.len() > 500, "{} items", items.len());
    for item in items {
        let foreign: Vec<_> = crates(item).into_iter().filter(|name| !ALLOWED.contains(name)).collect();
        assert!(foreign.is_empty(), "{foreign:?} in {item}");
    }
}

#[test]
fn an_adapter_names_only_its_own_client() {
    for (adapter, own) in CLIENTS {
        let module = format!("ibkr_oauth::adapter::{adapter}::");
        let of_client = format!(" for {adapter}::");
        let is_own = |item: &&str| item.contains(&module) || item.contains(&of_client) || is_of(own, item);
        let items: Vec<&str> = PUBLIC_API.lines().filter(is_own).collect();
        assert!(!items.is_empty(), "{adapter} has no items");
        for item in items {
            let is_foreign = |name: &&str| !ALLOWED.contains(name) && !own.contains(name);
            let foreign: Vec<_> = crates(item).into_iter().filter(is_foreign).collect();
            assert!(foreign.is_empty(), "{foreign:?} in {item}");
        }
    }
}
