//! The recording answers each question as the simulator behaves: lenient, strict, and with each fault.

use ibkr_oauth::simulator::{Broker, Fault};

use super::{
    ALL, Simulated, answers,
    expected::{LENIENT, STRICT, only_sign_in, otherwise, with},
};

#[test]
fn of_a_lenient_one() {
    assert_eq!(answers(&Simulated::new(Broker::builder()).record(ALL)), LENIENT);
}

#[test]
fn of_a_strict_one() {
    assert_eq!(answers(&Simulated::new(Broker::builder().strict()).record(ALL)), with(STRICT));
}

#[test]
fn with_each_fault() {
    for (name, _) in Fault::names() {
        let mut simulated = Simulated::new(Broker::builder());
        simulated.broker.inject(name.parse().unwrap());
        let recording = simulated.record(ALL);
        let Some(sign_in) = only_sign_in(name) else {
            assert_eq!(answers(&recording), with(&otherwise(name)), "{name}");
            continue;
        };
        assert_eq!(simulated.sent.len(), 1, "{name}");
        for (question, answer) in answers(&recording) {
            match question {
                "sign_in" => assert_eq!(answer, sign_in, "{name}"),
                "clock" | "cookies" | "expiry" => {}
                _ => assert_eq!(answer, "not asked", "{name}: {question}"),
            }
        }
    }
}

#[test]
fn what_struck_stays_visible() {
    for (fault, before) in [
        ("gone", "410 gone"),
        ("unavailable", "503 backend_unavailable"),
        ("drop-request", "no response in time"),
        ("expired-lst", "401 not_authenticated"),
    ] {
        let mut simulated = Simulated::new(Broker::builder());
        simulated.broker.inject(fault.parse().unwrap());
        let recording = simulated.record(ALL);
        let struck: Vec<&str> = recording.probes.iter().filter_map(|probed| probed.before.as_deref()).collect();
        assert_eq!(struck, [before], "{fault}");
    }
}

#[test]
fn a_clock_that_is_off_is_an_answer() {
    for (fault, by) in [("clock-ahead", "600"), ("clock-behind", "-600")] {
        let mut simulated = Simulated::new(Broker::builder());
        simulated.broker.inject(fault.parse().unwrap());
        let expected = format!("a date in each, the broker's clock ahead by {by} s");
        assert!(answers(&simulated.record(ALL)).contains(&("clock", expected.as_str())), "{fault}");
    }
}
