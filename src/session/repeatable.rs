//! Which requests may be sent again although the broker may have acted on them.

use http::Method;
use percent_encoding::percent_decode_str;

/// Whether sending the request again does no harm even if the broker has acted on it: safe methods always, `PUT` and
/// `DELETE` (RFC 9110 section 9.2.2) unless they are about an order, no other.
pub(crate) fn is_repeatable(method: &Method, path: &str) -> bool {
    method.is_safe() || [Method::PUT, Method::DELETE].contains(method) && !path.split('/').any(is_about_orders)
}

/// The broker changes, cancels and confirms orders under these segments.
fn is_about_orders(segment: &str) -> bool {
    let segment = percent_decode_str(segment).decode_utf8_lossy();
    ["order", "orders", "reply"].iter().any(|known| segment.eq_ignore_ascii_case(known))
}
