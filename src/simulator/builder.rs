//! Making a broker.

use std::time::Duration;

use super::{
    address::{Base, is_absolute_url},
    arithmetic::{Group, RsaPublic},
    availability::{Availability, RateLimit},
    broker::{Broker, BrokerError},
    profile::Profile,
    registry::{AccessGrant, Consent, Registry, RequestToken},
    test_keys,
};
use crate::{consumer::QueryPolicy, context::Timestamp, dh::DhGroup, secret::Secret};

/// Makes a [`Broker`] that differs from the default one.
///
/// ```
/// use ibkr_oauth::{QueryPolicy, simulator::Broker};
///
/// let broker = Broker::builder()
///     .base_url("http://localhost:5000/v1/api")
///     .query_policy(QueryPolicy::RawPairs)
///     .access_token("218c1d970d85a8442825", [7; 32])
///     .build()?;
/// # Ok::<(), ibkr_oauth::simulator::BrokerError>(())
/// ```
#[must_use]
#[expect(clippy::struct_excessive_bools, reason = "the settings do not depend on each other")]
pub struct BrokerBuilder {
    consumer_key: String,
    realm: Option<String>,
    signature_key: String,
    encryption_key: String,
    group: DhGroup,
    base_url: String,
    query_policies: Option<Vec<QueryPolicy>>,
    is_strict: bool,
    paper: bool,
    is_active: bool,
    first_party_only: bool,
    accounts: Vec<String>,
    callback: String,
    consent_page: Option<String>,
    access_token: Option<(String, Secret)>,
    request_token: Option<(String, String)>,
    live_session_token: Option<(Secret, Timestamp)>,
    brokerage_session: bool,
    availability: Availability,
    clock_skew: i64,
}

debug_fields!(BrokerBuilder { consumer_key, base_url, query_policies });

impl Broker {
    /// A builder that starts from what [`Broker::default`] knows.
    pub fn builder() -> BrokerBuilder {
        BrokerBuilder::new()
    }
}

impl BrokerBuilder {
    fn new() -> Self {
        Self {
            consumer_key: test_keys::CONSUMER_KEY.to_owned(),
            realm: None,
            signature_key: test_keys::SIGNATURE_PUBLIC_KEY.to_owned(),
            encryption_key: test_keys::ENCRYPTION_PUBLIC_KEY.to_owned(),
            group: DhGroup::modp_2048(),
            base_url: "https://api.ibkr.com/v1/api".to_owned(),
            query_policies: None,
            is_strict: false,
            paper: true,
            is_active: true,
            first_party_only: false,
            accounts: vec!["DU0000001".to_owned()],
            callback: "https://www.example.com/callback".to_owned(),
            consent_page: None,
            access_token: None,
            request_token: None,
            live_session_token: None,
            brokerage_session: false,
            availability: Availability::default(),
            clock_skew: 0,
        }
    }

    /// The consumer key: [`test_keys::CONSUMER_KEY`] unless set.
    pub fn consumer_key(mut self, consumer_key: impl Into<String>) -> Self {
        self.consumer_key = consumer_key.into();
        self
    }

    /// The realm of the consumer: `test_realm` for the consumer key `TESTCONS` and `limited_poa` for every other,
    /// unless set.
    pub fn realm(mut self, realm: impl Into<String>) -> Self {
        self.realm = Some(realm.into());
        self
    }

    /// The public half of the key that signs, as PEM `PUBLIC KEY` text: that of [`test_keys::SIGNATURE_KEY`] unless set.
    pub fn signature_public_key(mut self, pem: impl Into<String>) -> Self {
        self.signature_key = pem.into();
        self
    }

    /// The key that access token secrets are encrypted to, as PEM `PUBLIC KEY` text:
    /// that of [`test_keys::ENCRYPTION_KEY`] unless set.
    pub fn encryption_public_key(mut self, pem: impl Into<String>) -> Self {
        self.encryption_key = pem.into();
        self
    }

    /// The Diffie-Hellman parameters: RFC 3526 group 14 with generator 2 unless set.
    pub fn dh_params(mut self, group: &DhGroup) -> Self {
        self.group = group.clone();
        self
    }

    /// Where the broker listens: an `http` or `https` URL with a host, without query and without a slash at its end.
    /// `https://api.ibkr.com/v1/api` unless set.
    pub fn base_url(mut self, base_url: impl Into<String>) -> Self {
        self.base_url = base_url.into();
        self
    }

    /// Refuses each deviation from the written contract that is otherwise accepted and
    /// [named](super::AcceptedRequest::deviations). Unless set otherwise, queries are then verified by RFC 5849, and a
    /// logout ends the live session token.
    pub const fn strict(mut self) -> Self {
        self.is_strict = true;
        self
    }

    /// Verifies query and form parameters of protected requests by this policy alone. Unless set, a lenient broker takes
    /// [any](Self::any_query_policy), and a strict one RFC 5849. The requests of the sign-in are always verified by RFC 5849.
    pub fn query_policy(mut self, query_policy: QueryPolicy) -> Self {
        self.query_policies = Some(vec![query_policy]);
        self
    }

    /// Takes query and form parameters of protected requests by whichever policy explains the signature, and says which
    /// did: [`AcceptedRequest::query_policies`](super::AcceptedRequest::query_policies).
    pub fn any_query_policy(mut self) -> Self {
        self.query_policies = Some(QueryPolicy::ALL.to_vec());
        self
    }

    /// Whether the user has a paper login: `true` unless set.
    pub const fn paper(mut self, paper: bool) -> Self {
        self.paper = paper;
        self
    }

    /// Whether the consumer is active: `true` unless set. An inactive one is answered `invalid consumer`.
    pub const fn active(mut self, active: bool) -> Self {
        self.is_active = active;
        self
    }

    /// Whether the consumer is a first party, which gets its access token from the portal and is refused the request
    /// for a request token or an access token: `false` unless set.
    pub const fn first_party_only(mut self, first_party_only: bool) -> Self {
        self.first_party_only = first_party_only;
        self
    }

    /// The user's accounts: `DU0000001` unless set.
    pub fn accounts<A: Into<String>>(mut self, accounts: impl IntoIterator<Item = A>) -> Self {
        self.accounts = accounts.into_iter().map(Into::into).collect();
        self
    }

    /// The callback URL registered for the consumer: `https://www.example.com/callback` unless set.
    pub fn callback(mut self, url: impl Into<String>) -> Self {
        self.callback = url.into();
        self
    }

    /// The URL of the consent page, without query. Unless set, `https://www.interactivebrokers.com/authorize`, with
    /// or without the `www.`, and `/authorize` at the host of the base URL.
    pub fn consent_page(mut self, url: impl Into<String>) -> Self {
        self.consent_page = Some(url.into());
        self
    }

    /// An access token and its opened secret, as the portal hands them out to first parties.
    pub fn access_token(mut self, token: impl Into<String>, secret: impl Into<Vec<u8>>) -> Self {
        self.access_token = Some((token.into(), Secret::from(secret.into())));
        self
    }

    /// A request token that the user has consented to already, and the verifier that goes with it.
    pub fn request_token(mut self, token: impl Into<String>, verifier: impl Into<String>) -> Self {
        self.request_token = Some((token.into(), verifier.into()));
        self
    }

    /// A live session token of the pre-registered access token, as if it had been negotiated before. Without
    /// [`access_token`](Self::access_token) it is left aside.
    pub fn live_session_token(mut self, live_session_token: impl Into<Vec<u8>>, expires_at: Timestamp) -> Self {
        self.live_session_token = Some((Secret::from(live_session_token.into()), expires_at));
        self
    }

    /// Whether the brokerage session is open at the first request, as if opened then and its accounts asked for: `false` unless set.
    pub const fn brokerage_session(mut self, open: bool) -> Self {
        self.brokerage_session = open;
        self
    }

    /// The brokerage session ends each midnight of a place whose time is this many seconds ahead of UTC (New York in
    /// winter: −18000), and has to be opened anew; the live session token stays. Unless set, it has no such end.
    pub const fn daily_reset(mut self, utc_offset: i32) -> Self {
        self.availability.daily_reset = Some(utc_offset);
        self
    }

    /// From `from` on until just before `until`, by the broker's clock, every request is answered with 503, in turn with
    /// a JSON error and with an empty body. The broker looks at none of them. May be called more than once.
    pub fn maintenance(mut self, from: Timestamp, until: Timestamp) -> Self {
        self.availability.maintenance.push((from, until));
        self
    }

    /// For this time after the brokerage session was opened its status says `"authenticated": true, "established": false`
    /// and `/iserver` answers `no bridge`: no time unless set.
    pub const fn settling(mut self, settling: Duration) -> Self {
        self.availability.settling = settling;
        self
    }

    /// More requests than that within any second are answered with 429 and open the penalty box: until its end, by the
    /// time handed to [`handle`](Broker::handle), every request is answered with 429, and does not make it longer. The
    /// first is among the [`refusals`](Broker::refusals) as `rate_exceeded`, the
    /// others as `penalty_box`. Unless set, there is no limit.
    pub const fn rate_limit(mut self, requests_per_second: u32, penalty_box: Duration) -> Self {
        self.availability.rate_limit = Some(RateLimit { requests_per_second, penalty_box });
        self
    }

    /// Divides how long things take: the life of a live session token, of a brokerage session without a tickle and of a
    /// market data line, the settling, the penalty boxes, the time from one heartbeat of a WebSocket to the next. Timestamps are judged by the clock as it is. 1 unless set; 0 is 1.
    pub const fn speed(mut self, speed: u32) -> Self {
        self.availability.speed = speed;
        self
    }

    /// How long after a frame of a market data line the next one comes: 500 ms unless set, at least 1 ms. Not divided by
    /// the [speed](Self::speed).
    pub const fn market_data_period(mut self, period: Duration) -> Self {
        self.availability.market_data_period = Some(period);
        self
    }

    /// The broker's clock is this many seconds ahead of the time handed to it, or behind where negative: 0 unless set.
    pub const fn clock_skew(mut self, seconds: i64) -> Self {
        self.clock_skew = seconds;
        self
    }

    /// Makes the broker.
    ///
    /// # Errors
    /// When a key is not a PEM public key of at least 1024 bits, when the Diffie-Hellman modulus has fewer than 512 bits, or
    /// when the base URL or the callback is not a URL as described.
    pub fn build(self) -> Result<Broker, BrokerError> {
        let read = |what: &str, pem: &str| {
            let key = RsaPublic::from_pem(pem);
            key.map_err(|error| BrokerError(format!("the {what} public key cannot be read: {error}")))
        };
        let (signature_key, encryption_key) =
            (read("signature", &self.signature_key)?, read("encryption", &self.encryption_key)?);
        let group = Group::new(&self.group)
            .ok_or_else(|| BrokerError("the Diffie-Hellman modulus has fewer than 512 bits".to_owned()))?;
        let base = Base::parse(&self.base_url).ok_or_else(|| {
            BrokerError(format!("`{}` is not an http or https URL without a slash at its end", self.base_url))
        })?;
        if !is_absolute_url(&self.callback) {
            return Err(BrokerError(format!("the callback `{}` is not an http or https URL", self.callback)));
        }
        let realm = self.realm.unwrap_or_else(|| {
            if self.consumer_key == "TESTCONS" { "test_realm".to_owned() } else { "limited_poa".to_owned() }
        });
        let mut registry = Registry::default();
        if let Some((token, verifier)) = self.request_token {
            let (callback, consent) = (self.callback.clone(), Consent::Given { verifier });
            registry.add_request_token(token, RequestToken { callback, consent });
        }
        registry.grant = self.access_token.map(|(token, secret)| AccessGrant::new(token, secret));
        if let (Some(grant), Some((token, expires_at))) = (&mut registry.grant, self.live_session_token) {
            grant.add_live_session_token(token, None, expires_at);
        }
        let usual: &[QueryPolicy] = if self.is_strict { &[QueryPolicy::Rfc5849] } else { &QueryPolicy::ALL };
        let query_policies = self.query_policies.unwrap_or_else(|| usual.to_vec());
        let mut availability = self.availability;
        if let Some(limit) = availability.rate_limit {
            let penalty_box = availability.scaled(limit.penalty_box);
            availability.rate_limit = Some(RateLimit { penalty_box, ..limit });
        }
        let profile = Profile {
            consumer_key: self.consumer_key,
            realm,
            signature_key,
            encryption_key,
            group,
            base,
            query_policies,
            is_strict: self.is_strict,
            paper: self.paper,
            is_active: self.is_active,
            first_party_only: self.first_party_only,
            accounts: self.accounts,
            callback: self.callback,
            consent_page: self.consent_page,
            availability,
        };
        Ok(Broker::new(profile, registry, self.brokerage_session, self.clock_skew))
    }
}

impl Default for Broker {
    /// A broker at `https://api.ibkr.com/v1/api` that knows the one consumer of the [`test_keys`].
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the builder's defaults are constants, and a test builds them")]
        Self::builder().build().expect("the builder's defaults make a broker")
    }
}
