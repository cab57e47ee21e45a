//! Messages that nobody has read yet.

use std::{
    collections::{BTreeMap, VecDeque},
    task::Waker,
};

use serde_json::value::RawValue;

use crate::stream::{Message, Topic};

/// How many quotes of a line may wait until they are joined.
const QUOTES: usize = 64;
/// How many messages of another topic may wait until no more is read from the broker.
const LONGEST: usize = 10_000;

/// What has come of a topic for one who subscribed.
pub(super) struct Inbox {
    pub(super) topic: Topic,
    messages: VecDeque<Message>,
    pub(super) waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(topic: Topic) -> Self {
        Self { topic, messages: VecDeque::new(), waker: None }
    }

    /// Takes a message in: a quote is joined with the last, where many wait; all else is kept.
    pub(super) fn push(&mut self, message: Message) {
        if self.topic.is_market_data() && self.messages.len() >= QUOTES {
            if let Some(last) = self.messages.back_mut() {
                if let Some(bytes) = joined(&last.bytes, &message.bytes) {
                    *last = Message { bytes: bytes.into(), ..message };
                    return;
                }
            }
        }
        self.messages.push_back(message);
    }

    pub(super) fn pop(&mut self) -> Option<Message> {
        self.messages.pop_front()
    }

    pub(super) fn is_full(&self) -> bool {
        self.messages.len() >= LONGEST
    }
}

/// Both quotes in one: of each field the later value, byte for byte as it came. A quote has only the fields that changed.
/// `None` where one is no object of plain names.
fn joined(earlier: &[u8], later: &[u8]) -> Option<Vec<u8>> {
    let mut fields: BTreeMap<&str, &RawValue> = serde_json::from_slice(earlier).ok()?;
    fields.extend(serde_json::from_slice::<BTreeMap<&str, &RawValue>>(later).ok()?);
    serde_json::to_vec(&fields).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quote(text: &str) -> Message {
        Message { topic: "smd+1".into(), bytes: text.to_owned().into() }
    }

    #[test]
    fn quotes_that_wait_are_joined_and_no_field_is_lost() {
        let mut inbox = Inbox::new(Topic::market_data(1, &["31", "84"]));
        inbox.push(quote(r#"{"84":"9.5","87_raw":1.22E7}"#));
        for number in 0..1000 {
            inbox.push(quote(&format!(r#"{{"31":"{number}","topic":"smd+1"}}"#)));
        }
        inbox.push(quote(r#"{"84":"9.9","83":2.02E8}"#));
        let mut seen = Vec::new();
        while let Some(message) = inbox.pop() {
            seen.push(String::from_utf8(message.bytes.to_vec()).unwrap());
        }
        assert_eq!(seen.len(), QUOTES);
        assert_eq!(seen[QUOTES - 1], r#"{"31":"999","83":2.02E8,"84":"9.9","topic":"smd+1"}"#);
    }

    #[test]
    fn orders_are_never_joined() {
        let mut inbox = Inbox::new(Topic::orders());
        for number in 0..LONGEST {
            assert!(!inbox.is_full());
            inbox.push(quote(&format!("{{\"n\":{number}}}")));
        }
        assert!(inbox.is_full());
        assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), LONGEST);
    }
}
