//! The broker's WebSocket: messages in, messages out, on the broker's clock.

// Each file names only files before it: journal, message, command, feed, order_messages, login, socket, subscribing, controls,
// upgrade.
mod command;
mod controls;
mod feed;
pub(super) mod journal;
mod login;
mod message;
mod order_messages;
mod socket;
mod subscribing;
mod upgrade;

pub use self::{
    message::{SocketMessage, SocketOutput},
    socket::Socket,
};
