//! OAuth 1.0a signatures as RFC 5849 section 3 defines them, and nothing of IBKR.
//!
//! A signature covers the *signature base string*: method, URI and parameters in one canonical text. This module makes
//! that text, and writes the `Authorization: OAuth` header. Keys and signature methods live elsewhere.
//!
//! ```
//! use ibkr_oauth::oauth1;
//!
//! let uri = oauth1::parse_uri("https://api.ibkr.com/v1/api/iserver/secdef/search?symbol=BRK%20B")?;
//! let parameters = [("oauth_nonce", "7d8f3e4a"), ("oauth_timestamp", "1700000000")];
//! assert_eq!(
//!     oauth1::base_string(&http::Method::GET, &uri, &parameters, None)?,
//!     "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fiserver%2Fsecdef%2Fsearch&\
//!      oauth_nonce%3D7d8f3e4a%26oauth_timestamp%3D1700000000%26symbol%3DBRK%2520B",
//! );
//! # Ok::<(), oauth1::UriError>(())
//! ```

mod append;
mod base_string;
mod base_uri;
mod encode;
mod encoded_base;
mod header;
mod origin;
mod parameters;
mod request_signature;
mod uri_error;

pub(crate) use self::{
    append::{append_base64_encoded, append_encoded, append_encoded_twice, append_reserved, append_unreserved},
    base_string::{Pair, joined},
    base_uri::{base_uri, parse_path_and_query},
    encode::{decode_escape, is_unreserved, percent_decode_lossy},
    encoded_base::{EncodedBase, append_base_uri},
    header::write_header,
    origin::Origin,
    parameters::{is_form_media_type, parameters, wire_pairs},
};
pub use self::{
    base_string::base_string, base_uri::parse_uri, encode::percent_encode, parameters::is_form,
    request_signature::RequestSignature, uri_error::UriError,
};
