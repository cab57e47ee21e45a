//! What a WebSocket is to be sent, and when, as far as that is decided.

use std::collections::VecDeque;

use bytes::Bytes;
use serde_json::Value;

use crate::context::Timestamp;

/// Something to be sent.
pub(super) enum Due {
    Message(Bytes),
    Close(Option<u16>),
}

/// In order of time, and of what was decided first where the time is the same.
#[derive(Default)]
pub(super) struct Agenda(VecDeque<(Timestamp, Due)>);

impl Agenda {
    pub(super) fn put(&mut self, at: Timestamp, due: Due) {
        let place = self.0.partition_point(|(other, _)| *other <= at);
        self.0.insert(place, (at, due));
    }

    pub(super) fn say(&mut self, at: Timestamp, message: &Value) {
        self.put(at, Due::Message(message.to_string().into()));
    }

    pub(super) fn first_at(&self) -> Option<Timestamp> {
        self.0.front().map(|(at, _)| *at)
    }

    pub(super) fn pop(&mut self) -> Option<(Timestamp, Due)> {
        self.0.pop_front()
    }
}
