//! A user of the program, and the broker behind the base URL.

use std::{fs, path::PathBuf};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ibkr_oauth::{AccessToken, simulator::test_keys};
use serde_json::{Value, json};

use super::{Folder, Outcome, run_in};
use ibkr_oauth_sockets::{
    Address, Loopback,
    broker::{Account, BrokerServer},
};

/// What a user has: the bundle, its keys, and the broker behind its base URL.
pub(crate) struct User {
    pub(crate) folder: Folder,
    pub(crate) bundle: PathBuf,
    pub(crate) secrets: Vec<String>,
}

impl User {
    pub(crate) fn new(base_url: &str, token: &AccessToken) -> Self {
        let folder = Folder::new();
        folder.write("keys/signature.pem", test_keys::SIGNATURE_KEY);
        folder.write("keys/dh.pem", test_keys::DH_PARAMETERS);
        let secret = STANDARD.encode(token.encrypted_secret());
        let bundle = json!({
            "consumer_key": test_keys::CONSUMER_KEY,
            "base_url": base_url,
            "access_token": token.token(),
            "access_token_secret": secret,
            "signature_key": {"file": "keys/signature.pem"},
            "encryption_key": {"env": "TEST_ENCRYPTION_KEY"},
            "dh_params": {"file": "keys/dh.pem"},
        });
        let bundle = folder.write("bundle.json", bundle.to_string());
        let lines = test_keys::SIGNATURE_KEY.lines().chain(test_keys::ENCRYPTION_KEY.lines());
        let lines = lines.filter(|line| !line.starts_with("---")).map(str::to_owned);
        Self { folder, bundle, secrets: lines.chain([secret]).collect() }
    }

    /// Makes the bundle again with other values for some of its fields; `null` takes a field away.
    pub(crate) fn change(&self, changes: &Value) -> PathBuf {
        let mut bundle: Value = serde_json::from_slice(&fs::read(&self.bundle).unwrap()).unwrap();
        for (name, value) in changes.as_object().unwrap() {
            bundle[name] = value.clone();
            bundle.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        }
        self.folder.write("changed.json", bundle.to_string())
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Outcome {
        let (command, rest) = arguments.split_first().unwrap();
        let bundle = self.bundle.to_str().unwrap();
        let arguments: Vec<&str> = [*command, "--bundle", bundle].into_iter().chain(rest.iter().copied()).collect();
        let outcome = run_in(&self.folder.0, &arguments);
        self.assert_no_secret_in(&outcome);
        outcome
    }

    pub(crate) fn assert_no_secret_in(&self, outcome: &Outcome) {
        for secret in &self.secrets {
            let shown = format!("{}{}", String::from_utf8_lossy(&outcome.stdout), outcome.stderr);
            assert!(!shown.contains(secret.as_str()), "{shown}");
        }
    }
}

pub(crate) fn start() -> (BrokerServer, User) {
    start_with_server(BrokerServer::start())
}

/// As [`start`], with a broker whose heartbeats come each half a second.
pub(crate) fn start_fast() -> (BrokerServer, User) {
    start_with_server(BrokerServer::at_speed(20))
}

fn start_with_server(server: BrokerServer) -> (BrokerServer, User) {
    let user = User::new(server.account.base_url(), &server.account.access_token);
    (server, user)
}

/// A server that lets users sign in, and answers everything else with these bytes.
pub(crate) fn start_with(reply: &'static [u8]) -> (Loopback, User) {
    let address = Address::new();
    let account = Account::at(&address.origin(), None);
    let user = User::new(account.base_url(), &account.access_token);
    let signs_in = |target: &str| target.contains("/oauth/");
    let server = address.serve_on(move |received| match received.target() {
        (_, target) if signs_in(target) => account.answer(received),
        _ => reply.to_vec(),
    });
    (server, user)
}
