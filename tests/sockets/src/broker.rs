//! The simulated broker behind a loopback socket, and the credentials that it accepts.

use std::{
    sync::{Arc, Mutex, MutexGuard},
    time::SystemTime,
};

use bytes::Bytes;
use http::{Response, StatusCode};

use ibkr_oauth::{
    AccessToken, Callback, Consumer, Context, Endpoints, OsEntropy, Timestamp,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, BrokerBuilder, Dropped, test_keys},
};

use super::{Address, Loopback, Received, web_socket, wire};

/// Calls `work` with the present moment and random bytes.
pub fn with_context<T>(work: impl FnOnce(&mut Context<'_>) -> T) -> T {
    let mut entropy = OsEntropy;
    work(&mut Context::new(Timestamp::from(SystemTime::now()), &mut entropy))
}

/// A response as it goes into the socket: nothing, where it is to be lost.
pub fn answer_of(response: &Response<Bytes>) -> Vec<u8> {
    if response.extensions().get::<Dropped>().is_some() { Vec::new() } else { wire(response) }
}

/// What was asked and how it was answered: target, body and status.
pub type Answered = (String, Bytes, StatusCode);

/// A broker that has given out an access token, and its consumer.
#[derive(Clone)]
pub struct Account {
    broker: Arc<Mutex<Broker>>,
    answered: Arc<Mutex<Vec<Answered>>>,
    /// The moment at which the broker's clock stands still.
    frozen: Option<Timestamp>,
    pub consumer: Consumer,
    pub access_token: AccessToken,
}

impl Account {
    /// At the base URL `ORIGIN/v1/api`.
    pub fn at(origin: &str, frozen: Option<Timestamp>) -> Self {
        Self::with(Broker::builder().strict(), origin, frozen)
    }

    fn with(builder: BrokerBuilder, origin: &str, frozen: Option<Timestamp>) -> Self {
        let base_url = format!("{origin}/v1/api");
        let mut broker = builder.base_url(&base_url).build().unwrap();
        let consumer = Consumer::builder(test_keys::CONSUMER_KEY)
            .signature_key(RsaKey::from_pem(test_keys::SIGNATURE_KEY).unwrap())
            .encryption_key(RsaKey::from_pem(test_keys::ENCRYPTION_KEY).unwrap())
            .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
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
        Self { broker: Arc::new(Mutex::new(broker)), answered: Arc::default(), frozen, consumer, access_token }
    }

    /// As [`with_context`], at the broker's time.
    pub fn with_context<T>(&self, work: impl FnOnce(&mut Context<'_>) -> T) -> T {
        let now = self.frozen.unwrap_or_else(|| Timestamp::from(SystemTime::now()));
        work(&mut Context::new(now, &mut OsEntropy))
    }

    /// All answers so far, the lost ones included.
    pub fn answered(&self) -> Vec<Answered> {
        self.answered.lock().unwrap().clone()
    }

    pub fn broker(&self) -> MutexGuard<'_, Broker> {
        self.broker.lock().unwrap()
    }

    /// `ORIGIN/v1/api`
    pub fn base_url(&self) -> &str {
        self.consumer.endpoints().base_url()
    }

    /// The broker's answer as it goes into the socket: nothing, where it is to be lost.
    pub fn answer(&self, received: &Received) -> Vec<u8> {
        let origin = self.base_url().strip_suffix("/v1/api").unwrap();
        let request = received.to_request(origin);
        let response = self.with_context(|cx| self.broker().handle(cx, &request));
        self.remember(received, response.status());
        answer_of(&response)
    }

    /// Adds to what was [answered](Self::answered).
    pub(crate) fn remember(&self, received: &Received, status: StatusCode) {
        let target = received.target().1.to_owned();
        self.answered.lock().unwrap().push((target, received.body.clone(), status));
    }
}

/// A broker that listens at a loopback address.
pub struct BrokerServer {
    pub account: Account,
    pub server: Loopback,
}

impl BrokerServer {
    pub fn start() -> Self {
        Self::at(Address::new(), None)
    }

    /// One whose sessions end, and whose WebSockets beat, that many times as fast.
    pub fn at_speed(speed: u32) -> Self {
        let address = Address::new();
        let account = Account::with(Broker::builder().strict().speed(speed), &address.origin(), None);
        Self::serve(address, account)
    }

    /// One whose clock stands still: however long its clients take, no request overtakes one with a later timestamp.
    pub fn frozen(address: Address, at: Timestamp) -> Self {
        Self::at(address, Some(at))
    }

    fn at(address: Address, frozen: Option<Timestamp>) -> Self {
        let account = Account::at(&address.origin(), frozen);
        Self::serve(address, account)
    }

    fn serve(address: Address, account: Account) -> Self {
        let shared = account.clone();
        let sockets = account.clone();
        let server = address.serve_with_web_sockets(
            move |received| shared.answer(received),
            move |stream, received| web_socket::serve(stream, received, &sockets),
        );
        Self { account, server }
    }

    pub fn broker(&self) -> MutexGuard<'_, Broker> {
        self.account.broker()
    }
}
