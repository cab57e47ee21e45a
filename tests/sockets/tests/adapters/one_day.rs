//! One day of a client through every adapter, over real sockets, plain and with TLS: sign-in, requests, a live session
//! token that dies while 200 requests are on their way, logout.

use std::{
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, channel},
    },
    time::{Duration, SystemTime},
};

use crate::clients::{Adapter, Patience, drive, for_each_adapter};
use bytes::Bytes;
use http::{Method, Request, StatusCode};
use ibkr_oauth::{
    Compete, Consumer, ErrorKind, Timestamp,
    dh::DhGroup,
    driver::SessionHandle,
    session::{Advice, Report, Session, SessionConfig, SessionEvent, State},
    simulator::{Fault, test_keys},
};
use ibkr_oauth_sockets::{Address, broker::BrokerServer, stream::certificate};

const SEARCH: &str = "/iserver/secdef/search";
const IMPACT: &str = "/accounts/DU0000001/order_impact";
const CALLS: usize = 200;

for_each_adapter!(a_day_without_tls, a_day_with_tls, an_unknown_certificate_is_not_trusted);

fn a_day_without_tls<A: Adapter>() {
    a_day(Address::new(), &A::new());
}

fn a_day_with_tls<A: Adapter>() {
    let (certificate, config) = certificate();
    a_day(Address::with_tls(config), &Arc::new(A::with(Some(&certificate), Patience::Usual)));
}

fn an_unknown_certificate_is_not_trusted<A: Adapter>() {
    let ((certificate, _), (_, config)) = (certificate(), certificate());
    let adapter = A::with(Some(&certificate), Patience::Usual);
    let server = BrokerServer::frozen(Address::with_tls(config), now());
    let (consumer, token) = (&server.account.consumer, &server.account.access_token);
    let exchange =
        server.account.with_context(|cx| consumer.unlock(cx, token).unwrap().live_session_token(consumer, cx).unwrap());
    let error = adapter.send(exchange).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unavailable);
    assert!(error.to_string().to_lowercase().contains("certificate"), "{error}");
    assert!(error.remedy().contains("certificates; nothing was sent"), "{error}: {}", error.remedy());
    assert!(server.server.received().is_empty());
}

fn now() -> Timestamp {
    Timestamp::from(SystemTime::now())
}

/// What one call came to.
#[derive(Debug, PartialEq, Eq)]
enum Fate {
    Done,
    /// It may have been executed, and is not repeated for that.
    Uncertain,
}

/// A call of an application's own, as the documentation of [`SessionHandle`] has it.
fn call<A: Adapter>(adapter: &A, server: &BrokerServer, handle: &SessionHandle, number: usize) -> Fate {
    let (method, body, path) = if number.is_multiple_of(2) {
        (Method::GET, String::new(), format!("{SEARCH}?n={number}&symbol=BRK%20B"))
    } else {
        (Method::POST, format!("n={number}&Side=BUY%20now"), IMPACT.to_owned())
    };
    let mut attempt = 0;
    loop {
        attempt += 1;
        let signer = adapter.ready(handle).unwrap();
        let mut request = Request::builder().method(&method).uri(format!("{}{path}", server.account.base_url()));
        if method == Method::POST {
            request = request.header("content-type", "application/x-www-form-urlencoded");
        }
        let request = request.body(Bytes::from(body.clone())).unwrap();
        let uri = request.uri().clone();
        let reply = server.account.with_context(|cx| adapter.sign_and_send(&signer, cx, request));
        let Ok(reply) = reply else {
            assert_eq!(method, Method::POST, "only these get lost here: {}", reply.unwrap_err());
            return Fate::Uncertain;
        };
        let signed_at = server.account.with_context(|cx| cx.now());
        let report = Report::new(signer.token_id(), signed_at, &method, &uri, &reply).attempt(attempt);
        let advice = match handle.report(&report) {
            Advice::AwaitSession(ticket) => adapter.resolve(handle, ticket),
            advice => advice,
        };
        match advice {
            Advice::None => {
                let echo = if method == Method::GET { "x-simulator-query" } else { "x-simulator-form" };
                let echo = reply.headers()[echo].to_str().unwrap().replace(' ', "");
                assert!(echo.contains(&format!("[\"n\",\"{number}\"]")), "{number} got {echo}");
                return Fate::Done;
            }
            // The next signer comes when the session is live again.
            Advice::Resend | Advice::WaitUntil(_) => {}
            Advice::ResendIfIdempotent => return Fate::Uncertain,
            advice => panic!("{number}: {} {advice:?}", reply.status()),
        }
    }
}

fn await_state(events: &Receiver<SessionEvent>, wanted: State) {
    loop {
        match events.recv_timeout(Duration::from_secs(60)).unwrap() {
            SessionEvent::StateChanged { to, .. } if to == wanted => return,
            SessionEvent::GaveUp { error } => panic!("{error}"),
            _ => {}
        }
    }
}

/// One at a time: each has hundreds of threads.
static TURN: Mutex<()> = Mutex::new(());

fn a_day<A: Adapter>(address: Address, adapter: &Arc<A>) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let now = now();
    let server = BrokerServer::frozen(address, now);
    let consumer = server.account.consumer.clone();
    let token = server.account.with_context(|cx| consumer.unlock(cx, &server.account.access_token).unwrap());
    // The key store has the other key.
    let keyless = Consumer::builder(test_keys::CONSUMER_KEY)
        .dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap())
        .endpoints(consumer.endpoints().clone())
        .build()
        .unwrap();
    let session = Session::new(keyless, token, SessionConfig::default());
    let (tell, events) = channel();
    let (handle, driving) = drive(adapter, session, now, move |event| drop(tell.send(event)));
    await_state(&events, State::Live);
    assert_eq!(server.broker().live_session_tokens_issued(), 1);

    assert_eq!(call(&**adapter, &server, &handle, 1000), Fate::Done);
    assert_eq!(call(&**adapter, &server, &handle, 1001), Fate::Done);
    let signer = adapter.ready(&handle).unwrap();
    let exchange = server.account.with_context(|cx| signer.brokerage().open(cx, Compete::Yield).unwrap());
    assert!(adapter.send(exchange).unwrap().is_ready());

    // The weather: the token dies among the requests, three forms are not answered, and two times it is 503.
    for fault in [
        Fault::expire_live_session_token().after(77),
        Fault::drop_response().at(IMPACT).after(10).times(3),
        Fault::status(503).at(IMPACT).after(30),
        Fault::status(503).at(SEARCH).after(20),
    ] {
        server.broker().inject(fault);
    }
    let before = server.account.answered().len();
    let fates: Vec<Fate> = std::thread::scope(|scope| {
        let call = |number| {
            let (server, handle) = (&server, handle.clone());
            scope.spawn(move || call(&**adapter, server, &handle, number))
        };
        let calls: Vec<_> = (0..CALLS).map(call).collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    assert_eq!(server.broker().live_session_tokens_issued(), 2, "one new handshake, however many were refused");

    // A form that was answered with 401 may go again, and no other.
    let answered = server.account.answered().split_off(before);
    for (number, fate) in fates.iter().enumerate() {
        let of_this = |target: &str, body: &[u8]| {
            let (query, form) = (format!("?n={number}&"), format!("n={number}&"));
            target.contains(&query) || body.starts_with(form.as_bytes())
        };
        let statuses = answered.iter().filter(|(target, body, _)| of_this(target, body)).map(|(_, _, status)| *status);
        let (last, refused) = statuses.collect::<Vec<_>>().split_last().map(|(l, r)| (*l, r.to_vec())).unwrap();
        assert_eq!(*fate == Fate::Done, last == StatusCode::OK, "{number}");
        let allowed = |status: &StatusCode| {
            *status == StatusCode::UNAUTHORIZED || (number.is_multiple_of(2) && status.is_server_error())
        };
        assert!(refused.iter().all(allowed), "{number}: {refused:?}, then {last}");
    }
    assert_eq!(fates.iter().filter(|fate| **fate == Fate::Uncertain).count(), 4);
    let refused = answered.iter().filter(|(_, _, status)| *status == StatusCode::UNAUTHORIZED).count();
    assert!(refused > 0, "the token died too late");

    await_state(&events, State::Live);
    handle.shutdown();
    driving.join().unwrap();
    let last = events.iter().last().unwrap();
    assert!(matches!(last, SessionEvent::StateChanged { to: State::Closed, .. }), "{last:?}");
    let (target, _, status) = server.account.answered().pop().unwrap();
    assert_eq!((target.as_str(), status), ("/v1/api/logout", StatusCode::OK));
    assert_eq!(handle.view().state(), State::Closed);
    assert_eq!(handle.ready_blocking(Duration::ZERO).unwrap_err().kind(), ErrorKind::Unavailable);
    // Nothing was refused but what the dead token had signed.
    assert_eq!(server.broker().refusals().len(), answered_401(&server));
    let connections = server.server.connections();
    println!("{refused} refused, {} answered over {connections} connections", answered.len());
}

fn answered_401(server: &BrokerServer) -> usize {
    server.account.answered().iter().filter(|(_, _, status)| *status == StatusCode::UNAUTHORIZED).count()
}
