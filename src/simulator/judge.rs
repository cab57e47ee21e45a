//! What is accepted in one request, and what was accepted in it although the written contract has it otherwise.

use std::fmt;

use super::{
    reason::Reason,
    refusal::{Objection, refuse},
};

/// Judges one request or visit, and notes what it let pass.
#[derive(Debug)]
pub(super) struct Judge {
    pub(super) is_strict: bool,
    seen: Vec<Deviation>,
}

impl Judge {
    pub(super) const fn new(is_strict: bool) -> Self {
        Self { is_strict, seen: Vec::new() }
    }

    /// Notes the deviation, or refuses it for the reason and the detail.
    pub(super) fn tolerate(
        &mut self,
        deviation: Deviation,
        reason: Reason,
        detail: impl fmt::Display,
    ) -> Result<(), Objection> {
        if self.is_strict {
            return refuse(reason, detail);
        }
        self.note(deviation);
        Ok(())
    }

    pub(super) fn note(&mut self, deviation: Deviation) {
        if !self.seen.contains(&deviation) {
            self.seen.push(deviation);
        }
    }

    /// The names of what was let pass, in the order found.
    pub(super) fn names(&self) -> Vec<&'static str> {
        self.seen.iter().map(|deviation| deviation.name()).collect()
    }
}

/// The deviations, each with its name.
macro_rules! deviations {
    ($($(#[$doc:meta])* $deviation:ident $name:literal,)*) => {
        /// What of a request was read leniently. Each is a refusal where the broker is strict.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Deviation {
            $($(#[$doc])* $deviation,)*
        }

        impl Deviation {
            pub(super) const fn name(self) -> &'static str {
                match self {
                    $(Self::$deviation => $name,)*
                }
            }
        }
    };
}

deviations! {
    /// A `Host` header that names another host or port than the URL.
    HostOfAnotherName "host_of_another_name",
    /// A value of the `Authorization` header without its quotes.
    HeaderValueUnquoted "header_value_unquoted",
    /// A reserved character in a value of the header that is not percent-encoded.
    HeaderValueRaw "header_value_raw",
    /// `%2f` for `%2F` in the header.
    HeaderEscapeInLowerCase "header_escape_in_lower_case",
    /// An escape in the header for a character that needs none.
    HeaderEscapeNeedless "header_escape_needless",
    /// Blanks in the header around a name or before a value.
    HeaderBlanks "header_blanks",
    /// A comma behind the header's last parameter.
    HeaderTrailingComma "header_trailing_comma",
    /// A header without `realm`.
    RealmMissing "realm_missing",
    /// `oauth_callback` without a scheme, which is taken for `oob`.
    CallbackWithoutScheme "callback_without_scheme",
    /// `diffie_hellman_challenge` with upper-case digits.
    ChallengeInUpperCase "challenge_in_upper_case",
    /// `diffie_hellman_challenge` with zeros in front.
    ChallengeWithLeadingZeros "challenge_with_leading_zeros",
    /// A form or JSON body beside the header of a request of the sign-in.
    BodyBesideHeader "body_beside_header",
    /// A chunked body of no bytes where a `POST` without a body says `Content-Length: 0`.
    EmptyChunkedBody "empty_chunked_body",
    /// `oauth_timestamp` is up to five seconds behind one accepted before.
    TimestampBehind "timestamp_behind",
    /// A request of the sign-in whose parameters were encoded once in place of twice.
    SignInEncodedOnce "sign_in_encoded_once",
    /// A space in query or form was signed as `+`.
    SpaceSignedAsPlus "space_signed_as_plus",
    /// `/` in query or form was signed as itself.
    SlashSignedRaw "slash_signed_raw",
    /// Query or form were signed as Java's `URLEncoder` writes them.
    SignedByUrlEncoder "signed_by_url_encoder",
    /// A live session token that signs after `/logout`.
    TokenUsedAfterLogout "token_used_after_logout",
    /// `/logout` by `GET`.
    LogoutByGet "logout_by_get",
    /// The brokerage session opened by `GET`.
    OpenedByGet "opened_by_get",
    /// `publish` or `compete` in the query.
    OpenedByQuery "opened_by_query",
    /// `publish` or `compete` in a form.
    OpenedByForm "opened_by_form",
    /// `publish` or `compete` as JSON text in place of a boolean.
    OpenedByText "opened_by_text",
    /// `redirect_uri` with `\/` for `/`.
    RedirectWithBackslashes "redirect_with_backslashes",
    /// The WebSocket's cookie is `{"session":"…"}`, as the Java gateway has it.
    CookieAsJson "cookie_as_json",
    /// `Authorization` at the WebSocket, which takes no notice of it.
    AuthorizationAtWebSocket "authorization_at_websocket",
}
