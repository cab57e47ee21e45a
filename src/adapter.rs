//! Sending with a ready-made HTTP client. Each client is a feature of its own, off by default, and turns on no TLS.

#[cfg(feature = "ureq")]
pub mod ureq;
