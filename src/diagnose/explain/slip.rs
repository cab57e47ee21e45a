//! The slips that clients are known to make when they sign.

use std::fmt;

use serde::{Serialize, Serializer};

/// What a client did otherwise than it should.
///
/// `Display` says it in one line; [`name`](Self::name) is for programs, and never changes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Slip {
    /// The text has not a method and three parts with `&` between them.
    NotABaseString,
    /// The opened secret does not stand before the base string, where it should.
    SecretNotPrepended,
    /// Something stands before the base string, where nothing should.
    SecretPrepended,
    /// The secret before the base string is in upper-case hexadecimal.
    SecretInUpperCase,
    /// The secret before the base string is another one.
    SecretDiffers,
    /// The method is another one.
    Method,
    /// The method is not in upper case.
    MethodCase,
    /// The scheme is another one: `http` signed, `https` called.
    Scheme,
    /// The host is another one.
    Host,
    /// The host is not in lower case.
    HostCase,
    /// The port is another one.
    Port,
    /// The scheme's own port is named, which is to be left out.
    DefaultPort,
    /// The path is another one.
    Path,
    /// A slash at the end of the path is too many or missing.
    TrailingSlash,
    /// Two slashes follow each other in the path: base URL and path both brought one.
    DoubleSlash,
    /// The URL's query stands in the URL instead of among the parameters.
    QueryInUrl,
    /// The query stands among the parameters instead of in the URL, where the query policy wants it.
    QueryNotInUrl,
    /// The query's parameters are missing.
    QueryMissing,
    /// A parameter is missing.
    ParameterMissing,
    /// A parameter is there that should not be.
    ParameterAdded,
    /// Of parameters with one name only some are left: a map lost them.
    DuplicateLost,
    /// A parameter is there more often than it was sent.
    ParameterDoubled,
    /// `realm` is among the parameters; it is never signed.
    RealmIncluded,
    /// `oauth_signature` is among the parameters; it cannot sign itself.
    SignatureIncluded,
    /// `oauth_version` is there, which the broker does not want.
    VersionAdded,
    /// The parameters are in another order.
    Order,
    /// Something is percent-encoded once more than it should be.
    DoubleEncoding,
    /// Something is percent-encoded once less than it should be.
    SingleEncoding,
    /// A space is written as `+` instead of `%20`.
    PlusForSpace,
    /// An escape has lower-case digits, as in `%2f`.
    LowerCaseEscapes,
    /// An unreserved character, such as `~`, is encoded.
    UnreservedEncoded,
    /// A reserved character, such as `'` or `*`, is not encoded.
    ReservedNotEncoded,
    /// A value is written as Python prints bytes: `b'…'`.
    BytesPrinted,
    /// The timestamp is in milliseconds.
    MillisecondsTimestamp,
    /// Nonce or timestamp differ: these are two attempts, not one.
    AnotherAttempt,
    /// A value differs in some other way.
    Value,
    /// The pair of a parameter without value lost its `=`.
    EqualsSignMissing,
    /// The signature is not percent-encoded in the header.
    SignatureNotEncoded,
    /// The signature is percent-encoded twice in the header.
    SignatureEncodedTwice,
    /// A value in the header has no quotes around it.
    HeaderValueUnquoted,
    /// A parameter stands in the header twice.
    HeaderParameterRepeated,
    /// `oauth_signature_method` is one that the broker does not know.
    SignatureMethodUnknown,
    /// The header lacks a parameter that every signature has.
    HeaderParameterMissing,
}

impl Slip {
    /// The name for programs: lower case, with underscores.
    #[must_use]
    pub const fn name(self) -> &'static str {
        self.texts().0
    }

    /// What to do about it.
    #[must_use]
    pub const fn remedy(self) -> &'static str {
        self.texts().2
    }

    #[allow(clippy::too_many_lines, reason = "a table")]
    const fn texts(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::NotABaseString => (
                "not_a_base_string",
                "the text is no base string: it has not a method and three parts with `&` between them",
                "give the text that is signed, `METHOD&url&parameters`, not the header or the URL",
            ),
            Self::SecretNotPrepended => (
                "secret_not_prepended",
                "the opened secret does not stand before the base string",
                "for the live session token, sign the opened secret in lower-case hexadecimal and, with nothing between \
                 them, the base string",
            ),
            Self::SecretPrepended => (
                "secret_prepended",
                "something stands before the base string",
                "only the request for a live session token is signed with the secret before the base string",
            ),
            Self::SecretInUpperCase => (
                "secret_in_upper_case",
                "the secret before the base string is in upper-case hexadecimal",
                "write it in lower case",
            ),
            Self::SecretDiffers => (
                "secret_differs",
                "another secret stands before the base string",
                "open the access token's newest secret with the decryption key, and write its bytes in hexadecimal",
            ),
            Self::Method => ("method", "the method is another one", "sign the method with which the request is sent"),
            Self::MethodCase => ("method_case", "the method is not in upper case", "sign the method in upper case"),
            Self::Scheme => (
                "scheme",
                "the scheme is another one",
                "sign the scheme with which the request is sent: `https`, also behind a proxy",
            ),
            Self::Host => (
                "host",
                "the host is another one",
                "sign the host that is really called: another of the broker's hosts needs another signature",
            ),
            Self::HostCase => ("host_case", "the host is not in lower case", "sign scheme and host in lower case"),
            Self::Port => ("port", "the port is another one", "sign the port that is really called"),
            Self::DefaultPort => (
                "default_port",
                "the scheme's own port is named",
                "leave `:443` out of an `https` URL, and `:80` out of an `http` URL",
            ),
            Self::Path => {
                ("path", "the path is another one", "sign the path that is really called, `/v1/api` included")
            }
            Self::TrailingSlash => (
                "trailing_slash",
                "a slash at the end of the path is too many or missing",
                "sign the path exactly as it is sent",
            ),
            Self::DoubleSlash => (
                "double_slash",
                "two slashes follow each other in the path",
                "drop the slash at the end of the base URL",
            ),
            Self::QueryInUrl => (
                "query_in_url",
                "the query stands in the URL instead of among the parameters",
                "move the query's pairs among the parameters (RFC 5849 section 3.4.1.3), or choose the query policy \
                 `in-url` to sign so",
            ),
            Self::QueryNotInUrl => (
                "query_not_in_url",
                "the query does not stand in the URL, where the query policy wants it",
                "choose another query policy than `in-url`: `rfc5849` or `omit`",
            ),
            Self::QueryMissing => (
                "query_missing",
                "the query's parameters are missing",
                "add the query's pairs to the parameters, or choose the query policy `omit` to sign without them",
            ),
            Self::ParameterMissing => {
                ("parameter_missing", "a parameter is missing", "sign every parameter that is sent")
            }
            Self::ParameterAdded => (
                "parameter_added",
                "a parameter is there that should not be",
                "sign only what is sent in the query, in a form or in the header",
            ),
            Self::DuplicateLost => (
                "duplicate_lost",
                "of parameters with one name some are lost",
                "keep the parameters in a list of pairs, not in a map",
            ),
            Self::ParameterDoubled => (
                "parameter_doubled",
                "a parameter is there more often than it was sent",
                "collect the parameters once, from the finished request",
            ),
            Self::RealmIncluded => (
                "realm_included",
                "`realm` is among the parameters",
                "send the realm in the header, and leave it out of the base string",
            ),
            Self::SignatureIncluded => (
                "signature_included",
                "`oauth_signature` is among the parameters",
                "leave `oauth_signature` out of the base string",
            ),
            Self::VersionAdded => (
                "version_added",
                "`oauth_version` is there",
                "leave `oauth_version` out, of the header and of the base string",
            ),
            Self::Order => (
                "order",
                "the parameters are in another order",
                "sort by the bytes of the encoded name, then of the encoded value, not by locale nor as joined text",
            ),
            Self::DoubleEncoding => (
                "double_encoding",
                "something is percent-encoded once more than it should be",
                "encode each name and value once, and the whole once more; decode the query's values first",
            ),
            Self::SingleEncoding => (
                "single_encoding",
                "something is percent-encoded once less than it should be",
                "encode each name and value by itself before the whole is encoded, or choose the query policy \
                 `decoded-once` to sign so",
            ),
            Self::PlusForSpace => (
                "plus_for_space",
                "a space is written as `+`",
                "encode a space as `%20`: take an encoder for RFC 3986, not one for forms",
            ),
            Self::LowerCaseEscapes => (
                "lower_case_escapes",
                "an escape has lower-case digits",
                "write escapes in upper case: `%2F`, not `%2f`",
            ),
            Self::UnreservedEncoded => (
                "unreserved_encoded",
                "an unreserved character is encoded",
                "leave letters, digits and `-._~` as they are",
            ),
            Self::ReservedNotEncoded => (
                "reserved_not_encoded",
                "a reserved character is not encoded",
                "encode everything but letters, digits and `-._~`, also `!`, `'`, `(`, `)`, `*` and `/`",
            ),
            Self::BytesPrinted => (
                "bytes_printed",
                "a value is written as Python prints bytes: `b'…'`",
                "decode the bytes to text first: `value.decode()`",
            ),
            Self::MillisecondsTimestamp => {
                ("milliseconds_timestamp", "the timestamp is in milliseconds", "send seconds since 1970: ten digits")
            }
            Self::AnotherAttempt => (
                "another_attempt",
                "nonce or timestamp differ: these are two attempts",
                "compare base strings with the same nonce and timestamp",
            ),
            Self::Value => ("value", "a value differs", "sign the value that is sent"),
            Self::EqualsSignMissing => (
                "equals_sign_missing",
                "a parameter without value has lost its `=`",
                "sign `name=` for a parameter without value, or choose the query policy `raw-pairs` to sign so",
            ),
            Self::SignatureNotEncoded => (
                "signature_not_encoded",
                "`oauth_signature` is not percent-encoded in the header",
                "percent-encode the Base64 once: `+` becomes `%2B`, `/` becomes `%2F`, `=` becomes `%3D`",
            ),
            Self::SignatureEncodedTwice => (
                "signature_encoded_twice",
                "`oauth_signature` is percent-encoded twice in the header",
                "percent-encode the Base64 once: `%2B`, not `%252B`",
            ),
            Self::HeaderValueUnquoted => {
                ("header_value_unquoted", "a value in the header has no quotes around it", "write `name=\"value\"`")
            }
            Self::HeaderParameterRepeated => (
                "header_parameter_repeated",
                "a parameter stands in the header twice",
                "send each OAuth parameter once",
            ),
            Self::SignatureMethodUnknown => (
                "signature_method_unknown",
                "`oauth_signature_method` is one that the broker does not know",
                "sign the three requests of the sign-in with RSA-SHA256, all others with HMAC-SHA256",
            ),
            Self::HeaderParameterMissing => (
                "header_parameter_missing",
                "the header lacks a parameter that every signature has",
                "send `oauth_consumer_key`, `oauth_nonce`, `oauth_signature_method`, `oauth_timestamp` and \
                 `oauth_signature`",
            ),
        }
    }
}

impl fmt::Display for Slip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.texts().1)
    }
}

impl Serialize for Slip {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

/// What is wrong with the decoded parameters of a header.
pub(super) fn of_parameters(parameters: &[(String, String)]) -> Vec<Slip> {
    let value = |wanted: &str| parameters.iter().find(|(name, _)| name == wanted).map(|(_, value)| value.as_str());
    let mut slips = Vec::new();
    let needed = ["oauth_consumer_key", "oauth_nonce", "oauth_signature_method", "oauth_timestamp", "oauth_signature"];
    if needed.iter().any(|name| value(name).is_none()) {
        slips.push(Slip::HeaderParameterMissing);
    }
    if value("oauth_timestamp").is_some_and(in_milliseconds) {
        slips.push(Slip::MillisecondsTimestamp);
    }
    if value("oauth_signature_method").is_some_and(|method| !["RSA-SHA256", "HMAC-SHA256"].contains(&method)) {
        slips.push(Slip::SignatureMethodUnknown);
    }
    if parameters.iter().any(|(_, value)| value.starts_with("b'") && value.ends_with('\'')) {
        slips.push(Slip::BytesPrinted);
    }
    if value("oauth_version").is_some() {
        slips.push(Slip::VersionAdded);
    }
    let repeated = |(index, (name, _)): (usize, &(String, String))| {
        parameters.iter().take(index).any(|(earlier, _)| earlier == name)
    };
    if parameters.iter().enumerate().any(repeated) {
        slips.push(Slip::HeaderParameterRepeated);
    }
    slips
}

/// Seconds have ten digits until the year 2286.
pub(super) fn in_milliseconds(timestamp: &str) -> bool {
    timestamp.len() >= 13 && timestamp.bytes().all(|byte| byte.is_ascii_digit())
}
