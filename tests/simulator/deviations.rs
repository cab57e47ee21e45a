//! The broker refuses each single deviation: a good request of the client's, with one thing changed, is refused for
//! exactly that, and unchanged it is then accepted.

mod address;
mod authorization;
pub(crate) mod good;
mod json_body;
mod query;
mod resources;
mod signature;
mod time;
mod tokens;

use crate::websocket::{opening, subscriptions};

/// For each reason a test that provokes it.
const PROVOKED: &[(&str, fn())] = &[
    ("user_agent_missing", address::no_user_agent),
    ("content_length_missing", address::no_content_length),
    ("content_length_differs", address::another_content_length),
    ("uri_not_absolute", address::a_relative_uri),
    ("userinfo_present", address::a_user_in_the_uri),
    ("scheme_differs", address::the_scheme),
    ("host_differs", address::the_host),
    ("port_differs", address::the_port),
    ("path_outside_base", address::a_path_outside_the_base),
    ("path_not_normal", address::a_path_with_two_spellings),
    ("method_not_allowed", address::the_method_of_a_sign_in),
    ("authorization_missing", authorization::no_authorization),
    ("authorization_repeated", authorization::two_authorizations),
    ("authorization_scheme_unknown", authorization::another_scheme_word),
    ("authorization_malformed", authorization::a_header_of_another_form),
    ("parameters_malformed", json_body::a_body_that_is_not_one_object_of_strings),
    ("parameter_misplaced", authorization::a_parameter_in_the_query_or_form),
    ("parameter_repeated", authorization::a_repeated_parameter),
    ("parameter_unknown", authorization::an_unknown_parameter),
    ("parameter_missing", json_body::a_name_missing_in_the_body),
    ("version_unsupported", authorization::another_version),
    ("signature_method_differs", authorization::the_other_signature_method),
    ("consumer_unknown", authorization::the_consumer_key_in_lower_case),
    ("consumer_inactive", authorization::a_consumer_that_is_not_active),
    ("first_party_only", authorization::a_first_party_that_asks_for_a_request_token),
    ("realm_differs", authorization::another_realm),
    ("token_unknown", tokens::another_access_token),
    ("request_token_unknown", tokens::another_request_token),
    ("request_token_used", tokens::a_request_token_used_before),
    ("consent_missing", tokens::a_request_token_without_consent),
    ("consent_page_unknown", tokens::a_visit_to_another_page),
    ("redirect_malformed", tokens::a_visit_with_another_redirect),
    ("verifier_differs", tokens::another_verifier),
    ("callback_malformed", tokens::another_callback),
    ("challenge_malformed", tokens::a_challenge_of_another_form),
    ("challenge_out_of_range", tokens::a_challenge_out_of_range),
    ("timestamp_malformed", time::a_timestamp_that_is_no_number_of_seconds),
    ("timestamp_outside_window", time::a_timestamp_outside_the_window),
    ("timestamp_out_of_order", time::a_timestamp_smaller_than_one_accepted),
    ("nonce_repeated", time::a_request_sent_twice),
    ("signature_malformed", authorization::a_signature_of_another_length),
    ("signature_differs", signature::a_flipped_bit_of_the_signature),
    ("live_session_token_missing", signature::no_live_session_token_yet),
    ("live_session_token_expired", signature::a_live_session_token_that_has_expired),
    ("body_unexpected", json_body::the_body_beside_the_header),
    ("body_malformed", resources::a_body_of_another_form),
    ("brokerage_session_closed", resources::no_brokerage_session),
    ("accounts_not_queried", resources::no_accounts_before_market_data),
    ("publish_not_true", resources::publish_not_true),
    ("resource_unknown", resources::no_such_resource),
    ("account_unknown", resources::no_such_account),
    ("session_value_differs", opening::a_socket_without_its_session_waits_for_it),
    ("subscribed_too_early", subscriptions::what_is_subscribed_before_the_status_is_lost),
    ("topic_unknown", subscriptions::what_is_not_understood_is_an_error_without_a_topic),
    ("market_data_lines_exceeded", subscriptions::there_are_a_hundred_lines),
    ("histories_exceeded", subscriptions::a_history_comes_once_and_holds_its_place),
    ("rate_exceeded", time::more_requests_than_allowed),
    ("penalty_box", time::more_requests_than_allowed),
    ("entropy_failed", resources::a_broker_without_random_bytes),
];

#[test]
fn each_reason_is_provoked_by_the_test_that_says_so() {
    for (reason, provoke) in PROVOKED {
        good::take_seen();
        provoke();
        assert!(good::take_seen().contains(reason), "{reason:?}");
    }
}

/// The reasons are no part of the interface, so that their source has to say which there are.
#[test]
fn no_reason_is_left_out() {
    let source = include_str!("../../src/simulator/reason.rs");
    let declared: Vec<&str> = source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .filter_map(|line| line.split_once("\" =>")?.0.rsplit_once('"'))
        .map(|(_, name)| name)
        .collect();
    let provoked: Vec<&str> = PROVOKED.iter().map(|(reason, _)| *reason).collect();
    assert_eq!(provoked, declared);
}
