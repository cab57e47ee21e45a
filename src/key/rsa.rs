//! RSA keys held in memory.

/// placeholder
#[derive(Debug)]
pub struct RsaKey;
/// placeholder
#[derive(Debug)]
pub struct RsaPublicKey;
