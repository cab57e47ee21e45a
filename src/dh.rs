//! Diffie-Hellman: the group that was registered with IBKR.

mod group;

pub use self::group::{DhGroup, GroupReport};
