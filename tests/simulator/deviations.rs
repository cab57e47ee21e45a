//! The broker refuses each single deviation: a good request of the client's, with one thing changed, is refused for
//! exactly that, and unchanged it is then accepted.

mod address;
mod authorization;
mod good;
mod json_body;
mod query;
mod resources;
mod signature;
mod time;
mod tokens;

use ibkr_oauth::simulator::RefusalReason::{self, *};

/// For each reason a test that provokes it.
const PROVOKED: &[(RefusalReason, fn())] = &[
    (UserAgentMissing, address::no_user_agent),
    (ContentLengthMissing, address::no_content_length),
    (ContentLengthDiffers, address::another_content_length),
    (UriNotAbsolute, address::a_relative_uri),
    (UserinfoPresent, address::a_user_in_the_uri),
    (SchemeDiffers, address::the_scheme),
    (HostDiffers, address::the_host),
    (PortDiffers, address::the_port),
    (PathOutsideBase, address::a_path_outside_the_base),
    (PathNotNormal, address::a_path_with_two_spellings),
    (MethodNotAllowed, address::the_method_of_a_sign_in),
    (AuthorizationMissing, authorization::no_authorization),
    (AuthorizationRepeated, authorization::two_authorizations),
    (AuthorizationSchemeUnknown, authorization::another_scheme_word),
    (AuthorizationMalformed, authorization::a_header_of_another_form),
    (ParametersMalformed, json_body::a_body_that_is_not_one_object_of_strings),
    (ParameterMisplaced, authorization::a_parameter_in_the_query_or_form),
    (ParameterRepeated, authorization::a_repeated_parameter),
    (ParameterUnknown, authorization::an_unknown_parameter),
    (ParameterMissing, json_body::a_name_missing_in_the_body),
    (VersionUnsupported, authorization::another_version),
    (SignatureMethodDiffers, authorization::the_other_signature_method),
    (ConsumerUnknown, authorization::the_consumer_key_in_lower_case),
    (ConsumerInactive, authorization::a_consumer_that_is_not_active),
    (FirstPartyOnly, authorization::a_first_party_that_asks_for_a_request_token),
    (RealmDiffers, authorization::another_realm),
    (TokenUnknown, tokens::another_access_token),
    (RequestTokenUnknown, tokens::another_request_token),
    (RequestTokenUsed, tokens::a_request_token_used_before),
    (ConsentMissing, tokens::a_request_token_without_consent),
    (ConsentPageUnknown, tokens::a_visit_to_another_page),
    (RedirectMalformed, tokens::a_visit_with_another_redirect),
    (VerifierDiffers, tokens::another_verifier),
    (CallbackMalformed, tokens::another_callback),
    (ChallengeMalformed, tokens::a_challenge_of_another_form),
    (ChallengeOutOfRange, tokens::a_challenge_out_of_range),
    (TimestampMalformed, time::a_timestamp_that_is_no_number_of_seconds),
    (TimestampOutsideWindow, time::a_timestamp_outside_the_window),
    (TimestampOutOfOrder, time::a_timestamp_smaller_than_one_accepted),
    (NonceRepeated, time::a_request_sent_twice),
    (SignatureMalformed, authorization::a_signature_of_another_length),
    (SignatureDiffers, signature::a_flipped_bit_of_the_signature),
    (LiveSessionTokenMissing, signature::no_live_session_token_yet),
    (LiveSessionTokenExpired, signature::a_live_session_token_that_has_expired),
    (BodyUnexpected, json_body::the_body_beside_the_header),
    (BodyMalformed, resources::a_body_of_another_form),
    (BrokerageSessionClosed, resources::no_brokerage_session),
    (PublishNotTrue, resources::publish_not_true),
    (ResourceUnknown, resources::no_such_resource),
    (AccountUnknown, resources::no_such_account),
    (RateExceeded, time::more_requests_than_allowed),
    (PenaltyBox, time::more_requests_than_allowed),
    (EntropyFailed, resources::a_broker_without_random_bytes),
];

#[test]
fn each_reason_is_provoked_by_the_test_that_says_so() {
    for (reason, provoke) in PROVOKED {
        good::take_seen();
        provoke();
        assert!(good::take_seen().contains(reason), "{reason:?}");
    }
}

/// The enum is not exhaustive for other crates, so that its source has to tell what there is.
#[test]
fn no_reason_is_left_out() {
    let source = include_str!("../../src/simulator/refusal.rs");
    let (_, body) = source.split_once("pub enum RefusalReason {").unwrap();
    let (body, _) = body.split_once("\n}").unwrap();
    let declared: Vec<&str> = body.lines().filter_map(|line| line.trim().strip_suffix(',')).collect();
    let provoked: Vec<String> = PROVOKED.iter().map(|(reason, _)| format!("{reason:?}")).collect();
    assert_eq!(provoked, declared);
}
