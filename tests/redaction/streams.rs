//! What goes into a stream and comes out of it shows neither the session's cookie, nor the token in the URL, nor what the
//! broker said.

use std::fmt::Debug;

use bytes::Bytes;
use http::Response;
use ibkr_oauth::{
    Context,
    session::{self, Failure, FailureKind, Session, SessionConfig},
    simulator::{Broker, test_keys},
    stream::{Input, Output, Stream, StreamConfig, Topic},
};

use crate::fixture::{NOW, SeededEntropy};

#[derive(Default)]
struct Seen(Vec<String>);

impl Seen {
    fn see(&mut self, value: &impl Debug) {
        self.0.extend([format!("{value:?}"), format!("{value:#?}")]);
    }
}

#[test]
fn a_stream_shows_no_cookie_no_token_and_no_message() {
    let (mut broker, mut rng, mut now) = (Broker::builder().strict().build().unwrap(), SeededEntropy(1), NOW);
    let token = test_keys::unlocked_token(&mut broker, &mut Context::new(now, &mut rng)).unwrap();
    let access_token = token.token().to_owned();
    let mut session = Session::new(test_keys::consumer().unwrap(), token, SessionConfig::default());
    let mut stream = Stream::new(StreamConfig::default());
    for topic in [Topic::orders(), Topic::trades(), "ssd+MARKER".parse().unwrap()] {
        stream.subscribe(&topic).unwrap();
    }
    let mut seen = Seen::default();
    let mut inputs = vec![
        Input::Closed(Some(1000)),
        Input::Failed(Failure::new(FailureKind::NotSent, "no")),
        Input::Frame(Bytes::from_static(b"{\"MARKER\":\"\xff\"}")),
        Input::Frame(Bytes::from_static(b"MARKER")),
        Input::Frame(Bytes::from_static(br#"{"topic":"sor","args":[{"account":"MARKER"}]}"#)),
        Input::Frame(Bytes::from_static(br#"{"topic":"tic","alive":true,"id":"MARKER"}"#)),
        Input::Frame(Bytes::from_static(br#"{"topic":"sts","args":{"authenticated":true,"username":"MARKER"}}"#)),
        Input::Frame(Bytes::from_static(br#"{"topic":"system","success":"MARKER"}"#)),
        Input::Frame(Bytes::from_static(br#"{"message":"waiting for session"}"#)),
        Input::Opened,
    ];
    let (mut sent, mut requests) = (Vec::new(), Vec::new());
    while session.view().last_tickle().is_none() || !inputs.is_empty() {
        match session.poll_output(&mut Context::new(now, &mut rng)) {
            session::Output::Transmit { id, request, .. } => {
                let response = if request.uri().path().ends_with("/tickle") {
                    Response::new(Bytes::from_static(br#"{"session":"MARKER5e55"}"#))
                } else {
                    broker.handle(&mut Context::new(now, &mut rng), &request)
                };
                session.handle_input(&mut Context::new(now, &mut rng), session::Input::Response { id, response });
            }
            session::Output::Timeout { at } if inputs.len() == 10 => {
                now = at;
                session.handle_input(&mut Context::new(now, &mut rng), session::Input::Timeout);
            }
            _ => {}
        }
        seen.see(session.view());
        loop {
            let output = stream.poll_output(&mut Context::new(now, &mut rng), session.view());
            seen.see(&output);
            seen.see(&stream);
            match output {
                Output::Open(request) => {
                    let cookie = request.headers()[http::header::COOKIE].to_str().unwrap();
                    assert_eq!(cookie, "api=MARKER5e55");
                    assert!(request.uri().query().unwrap().contains(&access_token));
                    requests.push(request);
                    let input = inputs.pop().unwrap();
                    seen.see(&input);
                    stream.handle_input(&mut Context::new(now, &mut rng), input);
                }
                Output::Send(text) => sent.push(String::from_utf8(text.expose().to_vec()).unwrap()),
                Output::Event(event) => {
                    seen.see(&event);
                    // A sentence may name the topic, which is the application's own word.
                    seen.0.push(event.to_string().replace("ssd+MARKER", ""));
                }
                Output::Timeout { .. } => break,
                _ => {}
            }
        }
        if !requests.is_empty() {
            if let Some(input) = inputs.pop() {
                seen.see(&input);
                stream.handle_input(&mut Context::new(now, &mut rng), input);
            }
        }
    }
    assert!(sent.contains(&r#"{"session":"MARKER5e55"}"#.to_owned()), "{sent:?}");
    assert!(stream.counts().messages >= 2, "{:?}", stream.counts());
    for text in &seen.0 {
        let text = text.replace("ssd+MARKER", "");
        assert!(!text.contains("MARKER") && !text.contains(&access_token), "{text}");
    }
}
