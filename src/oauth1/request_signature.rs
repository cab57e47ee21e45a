//! A signature and what it was made over.

use http::HeaderValue;

/// A signature with the steps that led to it, from [`Signer::sign_with`](crate::Signer::sign_with).
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestSignature {
    /// The signature base string (RFC 5849 section 3.4.1). It holds no secret.
    pub base_string: String,
    /// The signature in Base64, not yet percent-encoded.
    pub signature: String,
    /// The value of the `Authorization` header.
    pub authorization: HeaderValue,
}
