//! Telling what two base strings of one request have otherwise, and why.

use std::fmt;

use serde::Serialize;

use super::{
    parse::{BaseString, Encoding},
    slip::Slip,
};
use crate::diagnose::mask::Mask;

mod difference;
mod pairs;
mod text;
mod uri;

pub use self::difference::{Difference, Place};

/// What two base strings have otherwise.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Comparison {
    position: Option<usize>,
    differences: Vec<Difference>,
}

impl Comparison {
    /// Whether they are the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.differences.is_empty()
    }

    /// Where the other base string begins to differ, in bytes, counted from its method on.
    #[must_use]
    pub fn position(&self) -> Option<usize> {
        self.position
    }

    /// The differences from left to right; those that come of two attempts at one request stand at the end.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// The likely cause of the first difference.
    #[must_use]
    pub fn likely_cause(&self) -> Option<Slip> {
        self.differences.first().map(|difference| difference.slip)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_same() {
            return f.write_str("the base strings are the same");
        }
        if let Some(position) = self.position {
            writeln!(f, "the base strings differ from byte {position} on")?;
        }
        for (index, difference) in self.differences.iter().enumerate() {
            write!(f, "{}{difference}", if index == 0 { "" } else { "\n" })?;
        }
        Ok(())
    }
}

/// Tells what `found`, a base string, has otherwise than `expected`, and what the likely cause is.
///
/// A secret that stands before either is noticed, compared, and never shown.
///
/// ```
/// use ibkr_oauth::diagnose::{Slip, compare};
///
/// let expected = "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fx&oauth_nonce%3D1%26symbol%3DBRK%2520B";
/// let found = "GET&https%3A%2F%2Fapi.ibkr.com%2Fv1%2Fapi%2Fx&oauth_nonce%3D1%26symbol%3DBRK%2BB";
/// let comparison = compare(expected, found);
/// assert_eq!(comparison.likely_cause(), Some(Slip::PlusForSpace));
/// assert_eq!(comparison.differences()[0].found.as_deref(), Some("symbol=BRK+B"));
/// ```
#[must_use]
pub fn compare(expected: &str, found: &str) -> Comparison {
    let mut mask = Mask::default();
    for pair in [expected, found].into_iter().filter_map(BaseString::parse).flat_map(|parsed| parsed.pairs) {
        mask.learn(&pair.key(), pair.value());
    }
    against(expected, None, found, &mask)
}

/// `prepended` says whether a secret belongs before the expected base string, where that is known without it.
pub(super) fn against(expected: &str, prepended: Option<bool>, found: &str, mask: &Mask) -> Comparison {
    let (Some(ours), Some(theirs)) = (BaseString::parse(expected), BaseString::parse(found)) else {
        let differences = vec![Difference::new(Place::Whole, Slip::NotABaseString)];
        return Comparison { position: None, differences };
    };
    let mut differences = Vec::new();
    differences
        .extend(prepend_slip(&ours, prepended, theirs.prepend).map(|slip| Difference::new(Place::Prepend, slip)));
    if ours.method != theirs.method {
        let same = ours.method.eq_ignore_ascii_case(theirs.method);
        let slip = if same { Slip::MethodCase } else { Slip::Method };
        differences.push(Difference::new(Place::Method, slip).showing(Some(ours.method), Some(theirs.method)));
    }
    differences.extend(encoding_slip(ours.uri_encoding, theirs.uri_encoding, Place::Uri));
    uri::compare(&ours, &theirs, mask, &mut differences);
    differences.extend(encoding_slip(ours.pairs_encoding, theirs.pairs_encoding, Place::Parameters));
    pairs::compare(&ours, &theirs, mask, &mut differences);
    // What differs only between two attempts says nothing about either.
    differences.sort_by_key(|difference| difference.slip == Slip::AnotherAttempt);
    let position = ours.text.bytes().zip(theirs.text.bytes()).position(|(ours, theirs)| ours != theirs);
    let shorter = ours.text.len().min(theirs.text.len());
    let position = position.or_else(|| (ours.text.len() != theirs.text.len()).then_some(shorter));
    if differences.is_empty() && position.is_some() {
        differences.push(Difference::new(Place::Whole, Slip::Value));
    }
    Comparison { position, differences }
}

fn prepend_slip(ours: &BaseString<'_>, prepended: Option<bool>, found: &str) -> Option<Slip> {
    let has_upper = found.bytes().any(|byte| byte.is_ascii_uppercase());
    let is_hexadecimal = found.bytes().all(|byte| byte.is_ascii_hexdigit());
    match (prepended.unwrap_or(!ours.prepend.is_empty()), found.is_empty()) {
        (true, true) => Some(Slip::SecretNotPrepended),
        (false, false) => Some(Slip::SecretPrepended),
        (false, true) => None,
        (true, false) if prepended.is_some() && has_upper && is_hexadecimal => Some(Slip::SecretInUpperCase),
        (true, false) if prepended.is_some() => (!is_hexadecimal).then_some(Slip::SecretDiffers),
        (true, false) if ours.prepend == found => None,
        (true, false) if ours.prepend.eq_ignore_ascii_case(found) => Some(Slip::SecretInUpperCase),
        (true, false) => Some(Slip::SecretDiffers),
    }
}

fn encoding_slip(ours: Encoding, theirs: Encoding, place: Place) -> Option<Difference> {
    let slip = match (ours, theirs) {
        _ if ours == theirs => return None,
        (_, Encoding::Never) | (Encoding::Twice, Encoding::Once) => Slip::SingleEncoding,
        (_, Encoding::Twice) | (Encoding::Never, Encoding::Once) => Slip::DoubleEncoding,
        (Encoding::Once, Encoding::Once) => return None,
    };
    Some(Difference::new(place, slip))
}
