//! Who computes with RSA keys: the crate `rsa`, or AWS-LC where that is left out.

#[cfg(all(feature = "aws-lc-rs", not(feature = "rsa")))]
mod by_aws_lc;
#[cfg(feature = "rsa")]
mod by_rsa;

#[cfg(all(feature = "aws-lc-rs", not(feature = "rsa")))]
pub(crate) use self::by_aws_lc::private_key;
#[cfg(feature = "rsa")]
pub(crate) use self::by_rsa::private_key;
