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

/// What has come of some topics for one who subscribed.
pub(super) struct Inbox {
    pub(super) topics: Vec<Topic>,
    messages: VecDeque<Message>,
    pub(super) waker: Option<Waker>,
}

impl Inbox {
    pub(super) fn new(topics: Vec<Topic>) -> Self {
        Self { topics, messages: VecDeque::new(), waker: None }
    }

    /// Whether messages of this topic belong here.
    pub(super) fn wants(&self, name: &str) -> bool {
        self.topics.iter().any(|topic| topic.name() == name)
    }

    /// Takes a message in: a quote is joined with the last of its line, where many wait; all else is kept.
    pub(super) fn push(&mut self, message: Message) {
        let is_quote = |topic: &Topic| topic.is_market_data() && topic.name() == &*message.topic;
        if self.messages.len() >= QUOTES && self.topics.iter().any(is_quote) {
            let mut of_line = self.messages.iter_mut().filter(|waiting| waiting.topic == message.topic);
            let last = of_line.next_back();
            if let Some(last) = last.filter(|_| of_line.count() + 1 >= QUOTES) {
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
        let mut inbox = Inbox::new(vec![Topic::market_data(1, &["31", "84"]), Topic::orders()]);
        inbox.push(quote(r#"{"84":"9.5","87_raw":1.22E7}"#));
        for number in 0..1000 {
            inbox.push(quote(&format!(r#"{{"31":"{number}","topic":"smd+1"}}"#)));
            inbox.push(Message { topic: "sor".into(), bytes: number.to_string().into() });
        }
        inbox.push(quote(r#"{"84":"9.9","83":2.02E8}"#));
        let (mut seen, mut orders) = (Vec::new(), 0);
        while let Some(message) = inbox.pop() {
            if &*message.topic == "sor" {
                orders += 1;
                continue;
            }
            seen.push(String::from_utf8(message.bytes.to_vec()).unwrap());
        }
        assert_eq!((seen.len(), orders), (QUOTES, 1000));
        assert_eq!(seen[QUOTES - 1], r#"{"31":"999","83":2.02E8,"84":"9.9","topic":"smd+1"}"#);
    }

    #[test]
    fn orders_are_never_joined() {
        let mut inbox = Inbox::new(vec![Topic::orders()]);
        for number in 0..LONGEST {
            assert!(!inbox.is_full());
            inbox.push(quote(&format!("{{\"n\":{number}}}")));
        }
        assert!(inbox.is_full());
        assert_eq!(std::iter::from_fn(|| inbox.pop()).count(), LONGEST);
    }
}
