//! What a frame does.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;

use super::{
    Message, Output, Phase, Stream, StreamEvent,
    connection::{Change, WaitingForSession},
    frame::{Frame, Topicality},
};
use crate::{
    error::{Cause, Error, Stage},
    secret::wipe,
};

/// How seldom unreadable frames are spoken of.
const APART: Duration = Duration::from_secs(60);

impl Stream {
    pub(super) fn read(&mut self, bytes: Bytes) {
        self.counts.frames = self.counts.frames.saturating_add(1);
        let now = self.clock.now();
        let Phase::Connected(connection) = &mut self.phase else { return };
        connection.heard = now;
        let bytes = match String::from_utf8_lossy(&bytes) {
            Cow::Borrowed(_) => bytes,
            Cow::Owned(text) => {
                self.counts.not_utf8 = self.counts.not_utf8.saturating_add(1);
                Bytes::from(text)
            }
        };
        let text = str::from_utf8(&bytes).unwrap_or_default();
        let frame = Frame::read(text);
        if frame == Frame::Alive {
            drop(frame);
            // The answer to a beat has the session.
            return wipe(bytes);
        }
        match frame {
            Frame::Alive => {}
            Frame::Unreadable => {
                self.counts.unreadable = self.counts.unreadable.saturating_add(1);
                self.report_unreadable();
            }
            Frame::WaitingForSession => {
                if connection.waiting == WaitingForSession::NotSaid {
                    connection.waiting = WaitingForSession::Said;
                }
            }
            Frame::LoggedIn => {
                let change = connection.log_in(now, self.wants_brokerage);
                self.change(change);
            }
            Frame::Status(news) => {
                let change = connection.learn(now, news, self.wants_brokerage);
                self.change(change);
            }
            Frame::Error { topic, words } => self.take_error(topic.as_deref(), &words, &bytes),
            Frame::Data { topic: Topicality::Named(topic), server_id } => {
                let (known, event) = self.subscriptions.hear(&self.clock, &topic, server_id.as_deref());
                let topic = known.unwrap_or_else(|| Arc::from(&*topic));
                self.hand_on(topic, bytes.clone(), event);
            }
            Frame::Data { topic: Topicality::Rows, .. } => {
                let topic = self.subscriptions.only_rows();
                let event = topic.as_deref().and_then(|topic| self.subscriptions.hear(&self.clock, topic, None).1);
                self.hand_on(topic.unwrap_or_default(), bytes, event);
            }
            Frame::Data { topic: Topicality::Unnamed, .. } => self.hand_on(Arc::default(), bytes, None),
        }
    }

    fn hand_on(&mut self, topic: Arc<str>, bytes: Bytes, event: Option<StreamEvent>) {
        if let Some(event) = event {
            self.emit(event);
        }
        self.counts.messages = self.counts.messages.saturating_add(1);
        self.outputs.push_back(Output::Message(Message { topic, bytes }));
    }

    fn change(&mut self, change: Change) {
        match change {
            Change::None => {}
            Change::Ready => {
                self.counts.connections = self.counts.connections.saturating_add(1);
                self.emit(StreamEvent::Ready);
            }
            // The session looks into it.
            Change::Doubtful => self.outputs.push_back(Output::Tickle),
            // Where the broker meant it, what was subscribed is gone.
            Change::Restored(since) => {
                self.subscriptions.doubt(since);
                self.emit(StreamEvent::Restored { since: self.clock.wall(since) });
            }
        }
    }

    fn take_error(&mut self, topic: Option<&str>, words: &str, bytes: &Bytes) {
        let Phase::Connected(connection) = &self.phase else { return };
        // The broker lets who was waiting in meanwhile, and then does not know the answer.
        let was_answered = connection.waiting == WaitingForSession::Answered;
        if topic.is_none() && was_answered && words.starts_with("Topic unknown") {
            return;
        }
        let error = |message: &str| {
            Error::from_words(Stage::WebSocket, message.to_owned(), words, Cause::BrokerageNotReady).with_nothing_sent()
        };
        match topic.filter(|topic| self.subscriptions.knows(topic)) {
            Some(topic) => {
                let event = self.subscriptions.refuse(&self.clock, topic, error("the broker refused a subscription"));
                if let Some(event) = event {
                    self.emit(event);
                    // If it is the brokerage session that is missing, its keeper finds out.
                    self.outputs.push_back(Output::Tickle);
                }
            }
            None if topic.is_some() => self.hand_on(Arc::from(topic.unwrap_or_default()), bytes.clone(), None),
            None => self.emit(StreamEvent::Error(error("the broker sent an error"))),
        }
    }

    pub(super) fn report_unreadable(&mut self) {
        let now = self.clock.now();
        if self.unreadable_reported.is_some_and(|last| now.since(last) < APART) {
            return;
        }
        let frames = self.counts.unreadable - self.unreadable_before;
        (self.unreadable_reported, self.unreadable_before) = (Some(now), self.counts.unreadable);
        self.emit(StreamEvent::Unreadable { frames });
    }
}
