//! One thing that two base strings have otherwise.

use std::fmt;

use serde::Serialize;

use super::text;
use crate::diagnose::explain::slip::Slip;

/// Which part of a base string differs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Place {
    /// The whole of it.
    Whole,
    /// What stands before the method.
    Prepend,
    /// The method.
    Method,
    /// The URL.
    Uri,
    /// The parameters as a whole.
    Parameters,
    /// The parameter of this name.
    Parameter(String),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Whole => f.write_str("base string"),
            Self::Prepend => f.write_str("before the method"),
            Self::Method => f.write_str("method"),
            Self::Uri => f.write_str("URL"),
            Self::Parameters => f.write_str("parameters"),
            Self::Parameter(name) => write!(f, "`{name}`"),
        }
    }
}

/// One thing that the other base string has otherwise. Credentials are hidden.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// The likely cause.
    pub slip: Slip,
    /// What stands there in the first base string; `None` where there is nothing, or nothing to be shown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// What stands there in the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<String>,
}

impl Difference {
    pub(super) fn new(place: Place, slip: Slip) -> Self {
        Self { place, slip, expected: None, found: None }
    }

    pub(super) fn showing(self, expected: Option<&str>, found: Option<&str>) -> Self {
        let (expected, found) = text::excerpts(expected, found);
        Self { expected, found, ..self }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.slip)?;
        if let Some(expected) = &self.expected {
            write!(f, "\n  expected  {expected}")?;
        }
        if let Some(found) = &self.found {
            write!(f, "\n  found     {found}")?;
        }
        write!(f, "\n  -> {}", self.slip.remedy())
    }
}
