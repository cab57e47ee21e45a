//! Requests signed as they should be that ask for what there is not, and a broker that cannot answer.

use bytes::Bytes;
use http::Method;
use ibkr_oauth::{
    Context, Entropy, EntropyError, QueryPolicy, Timestamp, exchange::ParameterPlacement, simulator::Broker,
};

use crate::deviations::good::{FORM, Good, JSON, LIVE_SESSION_TOKEN, NOW, SECRET, TOKEN, note, set};

const OPEN: &str = "/iserver/auth/ssodh/init";

fn post(path: &str, body: (&str, &str)) -> Good {
    Good::of_policy(QueryPolicy::Rfc5849, Method::POST, path, Some(body))
}

fn turned_down(mut good: Good, reason: &'static str) {
    let request = good.request.clone();
    good.turns_down(reason, &request);
}

#[test]
pub(crate) fn no_brokerage_session() {
    let broker = Broker::builder()
        .strict()
        .access_token(TOKEN, SECRET)
        .live_session_token(LIVE_SESSION_TOKEN, Timestamp::from_secs(NOW + 3600))
        .build()
        .unwrap();
    let good = Good::signed_for(broker, QueryPolicy::Rfc5849, Method::GET, "/iserver/accounts", None);
    turned_down(good, "brokerage_session_closed");
}

#[test]
pub(crate) fn no_accounts_before_market_data() {
    let open = (JSON, r#"{"publish":true,"compete":true}"#);
    let mut good = post(OPEN, open);
    let request = good.request.clone();
    good.takes(&request);
    let path = "/iserver/marketdata/snapshot?conids=265598";
    let mut good = Good::signed_for(good.broker, QueryPolicy::Rfc5849, Method::GET, path, None);
    let request = good.resigned(|pairs| set(pairs, "oauth_nonce", "another"));
    good.turns_down("accounts_not_queried", &request);
}

#[test]
pub(crate) fn publish_not_true() {
    for body in [r#"{"publish":false,"compete":true}"#, r#"{"compete":true}"#, r#"{"publish":"true","compete":true}"#] {
        let good = post(OPEN, (JSON, r#"{"publish":true,"compete":true}"#));
        let request = good.mutated(|request| {
            request.headers_mut().remove(http::header::CONTENT_LENGTH);
            *request.body_mut() = Bytes::from(body);
        });
        let mut good = good;
        good.turns_down("publish_not_true", &request);
    }
}

#[test]
pub(crate) fn a_body_of_another_form() {
    turned_down(post(OPEN, (JSON, "{")), "body_malformed");
    turned_down(post(OPEN, (JSON, r#"{"publish":true,"compete":1}"#)), "body_malformed");
    turned_down(post(OPEN, (FORM, "publish=true&compete=true")), "body_malformed");
    turned_down(post("/iserver/account/DU0000001/orders", (JSON, "[]")), "body_malformed");
    turned_down(post("/accounts/DU0000001/order_impact", (JSON, "{}")), "body_malformed");
}

#[test]
pub(crate) fn no_such_resource() {
    for path in ["/portfolio", "/portfolio/Accounts", "/iserver/account/a/b/orders", "/oauth"] {
        turned_down(Good::protected(Method::GET, path), "resource_unknown");
    }
}

#[test]
pub(crate) fn no_such_account() {
    turned_down(post("/iserver/account/DU9/orders", (JSON, r#"{"orders":[]}"#)), "account_unknown");
    turned_down(post("/accounts/du0000001/order_impact", (FORM, "a=1")), "account_unknown");
}

/// A source of random bytes that fails.
struct Broken;

impl Entropy for Broken {
    fn fill(&mut self, _: &mut [u8]) -> Result<(), EntropyError> {
        Err(EntropyError::default())
    }
}

#[test]
pub(crate) fn a_broker_without_random_bytes() {
    for mut good in [
        Good::request_token(ParameterPlacement::Header),
        Good::access_token(ParameterPlacement::Header),
        Good::live_session_token(ParameterPlacement::Header),
        Good::protected(Method::POST, "/tickle"),
    ] {
        let mut broken = Broken;
        let mut cx = Context::new(Timestamp::from_secs(NOW), &mut broken);
        assert_eq!(good.broker.handle(&mut cx, &good.request).status(), 503);
        assert_eq!(good.broker.refusals()[0].reason, "entropy_failed");
        note("entropy_failed");
    }
}
