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

use super::{Address, Loopback, wire};

/// A broker that listens at a loopback address, and has given out an access token.
pub(crate) struct BrokerServer {
    pub(crate) server: Loopback,
    broker: Arc<Mutex<Broker>>,
    pub(crate) consumer: Consumer,
    pub(crate) access_token: AccessToken,
}

/// Calls `work` with the present moment and random bytes.
pub(crate) fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut entropy = OsEntropy;
    work(&mut Context::new(Timestamp::from(SystemTime::now()), &mut entropy))
}

impl BrokerServer {
    pub(crate) fn start() -> Self {
        let address = Address::new();
        let origin = address.origin();
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
        let broker = Arc::new(Mutex::new(broker));
        let shared = Arc::clone(&broker);
        let server = address.serve(move |received| {
            let request = received.to_request(&origin);
            let response = with_context(|cx| shared.lock().unwrap().handle(cx, &request));
            if response.extensions().get::<Lost>().is_some() { Vec::new() } else { wire(&response) }
        });
        Self { server, broker, consumer, access_token }
    }

    pub(crate) fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    /// `http://127.0.0.1:PORT/v1/api`
    pub(crate) fn base_url(&self) -> &str {
        self.consumer.endpoints().base_url()
    }
}
