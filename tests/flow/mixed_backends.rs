//! Whole sign-ins whose two keys are of either backend, in each combination: the broker's half tells none from another.

use crate::fixture::{NOW, SeededEntropy};
use ibkr_oauth::{
    AccessToken, Consumer, ConsumerBuilder, Context,
    dh::DhGroup,
    key::RsaKey,
    simulator::{Broker, test_keys},
};

/// Who signs, who opens, and who verifies what was signed before it is sent.
const COMBINATIONS: [[Backend; 3]; 4] = [
    [Backend::Rsa, Backend::AwsLc, Backend::AwsLc],
    [Backend::AwsLc, Backend::Rsa, Backend::Rsa],
    [Backend::AwsLc, Backend::AwsLc, Backend::Rsa],
    [Backend::Rsa, Backend::Rsa, Backend::AwsLc],
];

/// So many handshakes are made with a token, before another is got.
const HANDSHAKES_OF_A_TOKEN: usize = 20;

#[derive(Clone, Copy, Debug)]
enum Backend {
    Rsa,
    AwsLc,
}

fn consumer([signs, opens, verifies]: [Backend; 3]) -> Consumer {
    let (signature, encryption) = (test_keys::SIGNATURE_KEY, test_keys::ENCRYPTION_KEY);
    let builder: ConsumerBuilder =
        Consumer::builder(test_keys::CONSUMER_KEY).dh_params(DhGroup::read(test_keys::DH_PARAMETERS).unwrap());
    let builder = match signs {
        Backend::Rsa => builder.signature_key(RsaKey::from_pem(signature).unwrap()),
        Backend::AwsLc => builder.signature_key(RsaKey::read_with_aws_lc(signature, None).unwrap()),
    };
    let builder = match opens {
        Backend::Rsa => builder.encryption_key(RsaKey::from_pem(encryption).unwrap()),
        Backend::AwsLc => builder.encryption_key(RsaKey::read_with_aws_lc(encryption, None).unwrap()),
    };
    match verifies {
        Backend::Rsa => builder.signature_public_key(RsaKey::from_pem(signature).unwrap().public_key()),
        Backend::AwsLc => builder.signature_public_key(RsaKey::read_with_aws_lc(signature, None).unwrap().public_key()),
    }
    .build()
    .unwrap()
}

fn shake_hands(count: usize) {
    let consumers = COMBINATIONS.map(consumer);
    let mut broker = Broker::builder().strict().build().unwrap();
    let mut rng = SeededEntropy(7);
    let mut token: Option<AccessToken> = None;
    let mut seen = std::collections::HashSet::new();
    for index in 0..count {
        let consumer = &consumers[index % consumers.len()];
        let mut cx = Context::new(NOW, &mut rng);
        if index % HANDSHAKES_OF_A_TOKEN == 0 {
            token = Some(test_keys::access_token(&mut broker, &mut cx).unwrap());
        }
        let unlocked = consumer.unlock(&mut cx, token.as_ref().unwrap()).unwrap();
        let exchange = unlocked.live_session_token(consumer, &mut cx).unwrap();
        let response = broker.handle(&mut cx, exchange.request());
        let combination = COMBINATIONS[index % consumers.len()];
        let token = exchange.complete(response).unwrap_or_else(|error| panic!("{index}, {combination:?}: {error}"));
        assert!(seen.insert(token.secret().expose().to_vec()), "each handshake has a token of its own");
    }
    assert_eq!(seen.len(), count);
    assert!(broker.refusals().is_empty(), "{:?}", broker.refusals());
}

#[test]
fn both_sides_agree_whoever_signs_and_opens() {
    shake_hands(60);
}

/// `cargo test --release --all-features --test flow -- --ignored mixed_backends`
#[test]
#[ignore = "takes minutes"]
fn both_sides_agree_ten_thousand_times_whoever_signs_and_opens() {
    shake_hands(10_000);
}
