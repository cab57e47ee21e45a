//! What most programs need not know of an [`Exchange`]: its two halves, signatures that are made
//! elsewhere, and where the OAuth parameters are.

mod pending_response;
pub(crate) mod request;
mod unsigned;

pub(crate) use self::request::Exchange;
pub use self::{pending_response::PendingResponse, unsigned::Unsigned};
pub use crate::consumer::ParameterPlacement;
