//! Queries and forms, read by another way than the library's.

/// The pairs of a query or a form, decoded and in their order.
pub(crate) fn form_pairs(text: &str) -> Vec<(Vec<u8>, Vec<u8>)> {
    let decoded = |half: &str| percent_encoding::percent_decode_str(&half.replace('+', " ")).collect();
    let pairs = text.split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(name, value)| (decoded(name), decoded(value)))
        .collect()
}
