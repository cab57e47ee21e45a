//! The three signed steps of the sign-in and the user's consent between them, one file each.
//!
//! ```text
//! request_token ─► Consent ─► (browser) ─► Verifier ─► access_token ─► AccessToken ─► UnlockedToken
//!                                                                     ─► live_session_token ─► LiveSessionToken
//! ```
//!
//! Users with credentials from IBKR's portal have the access token already, and start there.

mod access_token;
mod authorize;
mod live_session_token;
mod request_token;

pub use self::{
    access_token::{AccessToken, UnlockedToken},
    authorize::{Consent, Verifier},
    live_session_token::LiveSessionToken,
    request_token::Callback,
};

/// Whether a text can be a token of the broker's, and so be in a header and a URL: visible ASCII.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}
