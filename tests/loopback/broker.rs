//! The simulated broker behind a loopback socket, and the credentials that it accepts.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use ibkr_oauth::{
    AccessToken, Callback, Consumer, Context, Endpoints, OsEntropy, Timestamp,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, Lost, test_keys},
};

use super::{Address, Loopback, Received, wire};

/// Calls `work` with the present moment and random bytes.
pub(crate) fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut entropy = OsEntropy;
    work(&mut Context::new(Timestamp::from(SystemTime::now()), &mut entropy))
}

/// A broker that has given out an access token, and its consumer.
#[derive(Clone)]
pub(crate) struct Account {
    broker: Arc<Mutex<Broker>>,
    pub(crate) consumer: Consumer,
    pub(crate) access_token: AccessToken,
}

impl Account {
    /// At the base URL `ORIGIN/v1/api`.
    pub(crate) fn at(origin: &str) -> Self {
        let base_url = format!("{origin}/v1/api");
        let mut broker = Broker::builder().base_url(&base_url).build().unwrap();
        let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
            .signing_key(RsaKey::from_pem(test_keys::SIGNING_KEY).unwrap())
            .decryption_key(RsaKey::from_pem(test_keys::DECRYPTION_KEY).unwrap())
            .dh_group(DhGroup::from_pem(test_keys::DH_PARAMETERS).unwrap())
            .endpoints(Endpoints::new(&base_url).unwrap())
            .build()
            .unwrap();
        let access_token = with_context(|cx| {
            let exchange = consumer.request_token(cx, Callback::OutOfBand).unwrap();
            let reply = broker.handle(cx, exchange.request());
            let consent = exchange.complete(reply).unwrap();
            let callback = broker.consent(cx, consent.url()).unwrap();
            let exchange = consent.verifier(&callback).unwrap().access_token(&consumer, cx).unwrap();
            let reply = broker.handle(cx, exchange.request());
            exchange.complete(reply).unwrap()
        });
        Self { broker: Arc::new(Mutex::new(broker)), consumer, access_token }
    }

    pub(crate) fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    /// `ORIGIN/v1/api`
    pub(crate) fn base_url(&self) -> &str {
        self.consumer.endpoints().base_url()
    }

    /// The broker's answer as it goes into the socket: nothing, where it is to be lost.
    pub(crate) fn answer(&self, received: &Received) -> Vec<u8> {
        let origin = self.base_url().strip_suffix("/v1/api").unwrap();
        let request = received.to_request(origin);
        let response = with_context(|cx| self.broker().handle(cx, &request));
        if response.extensions().get::<Lost>().is_some() { Vec::new() } else { wire(&response) }
    }
}

/// A broker that listens at a loopback address.
pub(crate) struct BrokerServer {
    pub(crate) account: Account,
    pub(crate) server: Loopback,
}

impl BrokerServer {
    pub(crate) fn start() -> Self {
        let address = Address::new();
        let account = Account::at(&address.origin());
        let shared = account.clone();
        Self { account, server: address.serve(move |received| shared.answer(received)) }
    }

    pub(crate) fn broker(&self) -> MutexGuard<'_, Broker> {
        self.account.broker()
    }
}
