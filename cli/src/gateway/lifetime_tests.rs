//! The end of a gateway whose session ends by itself, and of one that is asked for it, on the virtual clock.

use std::{cell::RefCell, process::ExitCode, time::Duration};

use ibkr_oauth::{
    Timestamp,
    client::{Client, ClientDriver},
    session::{SessionConfig, SessionEvent, State},
    simulator::{Broker, InProcess, test_keys},
    transport::AsyncTransport as _,
};

use super::lifetime::Lifetime;
use crate::{driving, failure::Failure};

const START: Timestamp = Timestamp::from_secs(1_700_000_000);

fn start() -> (InProcess, Client<InProcess>, ClientDriver<InProcess>) {
    let network = InProcess::new(Broker::default(), START);
    let bundle = network.broker(test_keys::bundle).unwrap();
    let (client, driver) = Client::start(network.clone(), &bundle, SessionConfig::default()).unwrap();
    (network, client, driver)
}

#[test]
fn keys_that_are_refused_end_it_with_the_reason() {
    let (network, client, driver) = start();
    network.broker(|broker, _| broker.inject("invalid-consumer*99".parse().unwrap()));
    let (runtime, closed) = (driving::runtime().ok().unwrap(), RefCell::new(0));
    let ended = Lifetime::new().last(runtime, driver, client.handle(), |_| {}, || *closed.borrow_mut() += 1);
    let error = ended.unwrap_err();
    assert!(error.to_string().contains("invalid consumer") && !error.remedy().is_empty(), "{error}");
    assert_eq!(Failure::from(error).exit_code(), ExitCode::FAILURE);
    assert_eq!(*closed.borrow(), 1, "what uses the session is closed");
    // The broker may know them a moment later.
    let waited = network.now().saturating_duration_since(START);
    assert!(waited >= Duration::from_secs(30) && waited <= Duration::from_secs(90), "{waited:?}");
}

#[test]
fn asked_to_end_it_closes_first_and_logs_out_then() {
    let (_, client, driver) = start();
    let lifetime = Lifetime::new();
    let end = lifetime.end();
    let on_event = move |event: &SessionEvent| {
        if matches!(event, SessionEvent::StateChanged { to: State::Live, .. }) {
            end();
        }
    };
    let found = RefCell::new(None);
    let close = || *found.borrow_mut() = Some(client.handle().view().state());
    lifetime.last(driving::runtime().ok().unwrap(), driver, client.handle(), on_event, close).unwrap();
    assert!(found.borrow().is_some_and(|state| !matches!(state, State::Closing | State::Closed)), "{found:?}");
    assert_eq!(client.handle().view().state(), State::Closed);
}
