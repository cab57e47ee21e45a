//! The broker's WebSocket: messages in, messages out, on the broker's clock.

// Each file names only files before it: socket_fault, journal, message, command, feed, order_messages, login, agenda, socket,
// subscribing, controls, upgrade.
mod agenda;
mod command;
mod controls;
mod feed;
pub(super) mod journal;
mod login;
mod message;
mod order_messages;
mod socket;
pub(super) mod socket_fault;
mod subscribing;
mod upgrade;

pub use self::{
    message::{SocketMessage, SocketOutput},
    socket::Socket,
};
