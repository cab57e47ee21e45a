//! All that is subscribed, and what is to be said to the broker about it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::Arc,
    time::Duration,
};

use super::{
    config::StreamConfig,
    event::StreamEvent,
    subscription::Subscription,
    topic::{Kind, Topic},
};
use crate::{
    context::Entropy,
    error::{Error, Stage},
    session::{Clock, Moment},
};

/// How many topics of other kinds than lines and histories there may be.
const OTHERS: usize = 200;
/// How long the number of a history that is not wanted any more may take to come.
const UNNUMBERED: Duration = Duration::from_secs(60);

pub(super) struct Subscriptions {
    config: StreamConfig,
    wanted: BTreeMap<Arc<str>, Subscription>,
    /// What ends subscriptions that the broker knows of, and the topic of each.
    ends: VecDeque<(Topic, String)>,
    /// Histories that are not wanted any more, and whose numbers have not come yet; and since when that is known.
    unnumbered: Vec<(Arc<str>, Option<Moment>)>,
    /// Before this moment nothing is due.
    quiet_until: Moment,
}

/// What to do next.
#[derive(Debug)]
pub(super) enum Next {
    Nothing,
    /// There is nothing to send, but something to say.
    Event(StreamEvent),
    End(String),
    Ask {
        topic: Topic,
        event: Option<StreamEvent>,
    },
}

impl Subscriptions {
    pub(super) fn new(config: StreamConfig) -> Self {
        Self {
            config,
            wanted: BTreeMap::new(),
            ends: VecDeque::new(),
            unnumbered: Vec::new(),
            quiet_until: Moment::default(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.wanted.is_empty()
    }

    pub(super) fn add(&mut self, topic: &Topic) -> Result<(), Error> {
        self.quiet_until = Moment::default();
        if let Some(known) = self.wanted.get_mut(topic.name()) {
            let mut merged = known.topic.clone();
            let Some(is_changed) = merged.merge(topic) else {
                let message = format!("{} is subscribed with other arguments", topic.name());
                return Err(Error::config(Stage::WebSocket, message)
                    .with_remedy("use the same arguments, or end the other subscription first"));
            };
            known.topic = merged;
            known.holders = known.holders.saturating_add(1);
            if is_changed {
                known.ask_again();
            }
            return Ok(());
        }
        self.check_limit(topic.kind())?;
        let name = Arc::clone(topic.shared_name());
        // What the broker was to be told, it need not be: it knows the topic still, and is asked for it once more.
        let ends = self.ends.len();
        self.ends.retain(|(ended, _)| ended.name() != topic.name());
        let is_known = self.ends.len() < ends && topic.kind() != Kind::History;
        self.wanted.insert(name, Subscription::new(topic.clone(), is_known));
        Ok(())
    }

    fn check_limit(&self, kind: Kind) -> Result<(), Error> {
        let count = |kind: Kind| self.wanted.values().filter(|known| known.topic.kind() == kind).count();
        let (present, limit, what) = match kind {
            Kind::MarketData => (count(kind), self.config.market_data_lines, "lines of market data"),
            Kind::History => (count(kind) + self.unnumbered.len(), self.config.histories, "histories"),
            _ => {
                let others = self.wanted.len() - count(Kind::MarketData) - count(Kind::History);
                (others, OTHERS, "topics")
            }
        };
        if present < limit {
            return Ok(());
        }
        let error = Error::config(Stage::WebSocket, format!("{limit} {what} are subscribed, which is the limit"));
        Err(error.with_remedy("end a subscription first; or, where the broker allows more, raise it in `StreamConfig`"))
    }

    /// One holder fewer; with the last, that is sent to the broker.
    pub(super) fn remove(&mut self, topic: &Topic) {
        let Some(known) = self.wanted.get_mut(topic.name()) else { return };
        known.holders -= 1;
        if known.holders > 0 {
            return;
        }
        let Some(gone) = self.wanted.remove(topic.name()) else { return };
        let end = match (gone.topic.kind(), &gone.server_id) {
            (Kind::History, Some(server_id)) => Some(format!("umh+{server_id}")),
            (Kind::History, None) if gone.is_awaited() => {
                self.unnumbered.push((Arc::clone(gone.topic.shared_name()), None));
                None
            }
            _ if !gone.is_known() => None,
            // It would end the account's other books too.
            (Kind::Book, _) if self.has_book(gone.topic.account()) => None,
            _ => gone.topic.end(),
        };
        self.ends.extend(end.map(|text| (gone.topic, text)));
        self.quiet_until = Moment::default();
    }

    fn has_book(&self, account: &str) -> bool {
        let mut topics = self.wanted.values().map(|known| &known.topic);
        topics.any(|topic| topic.kind() == Kind::Book && topic.account() == account)
    }

    /// The connection is gone, and messages may be missing from a moment on.
    pub(super) fn lose_connection(&mut self, since: Moment) {
        self.ends.clear();
        self.unnumbered.clear();
        self.wanted.values_mut().for_each(Subscription::forget);
        self.doubt(since);
    }

    /// The broker may have forgotten all, and messages may be missing from a moment on.
    pub(super) fn doubt(&mut self, since: Moment) {
        self.wanted.values_mut().for_each(|known| known.lose(since));
        self.quiet_until = Moment::default();
    }

    /// What is to be sent or said now, on a connection that is served; `has_room` is asked before each text.
    pub(super) fn next(
        &mut self,
        clock: &Clock,
        entropy: &mut dyn Entropy,
        mut has_room: impl FnMut() -> bool,
    ) -> Next {
        if self.quiet_until > clock.now() {
            return Next::Nothing;
        }
        self.unnumbered.retain_mut(|(_, since)| {
            let since = since.get_or_insert(clock.now());
            clock.since(Some(*since)) < UNNUMBERED
        });
        // First what makes room for others.
        if !self.ends.is_empty() {
            return match has_room().then(|| self.ends.pop_front()) {
                Some(Some((_, text))) => Next::End(text),
                _ => Next::Nothing,
            };
        }
        let mut quiet_until = clock.after(Duration::from_secs(3600));
        for known in self.wanted.values_mut() {
            let Some(deadline) = known.deadline() else { continue };
            if deadline > clock.now() {
                quiet_until = quiet_until.min(deadline);
                continue;
            }
            if known.is_to_send() && !has_room() {
                return Next::Nothing;
            }
            let due = known.act(clock, entropy);
            match (due.sends, due.event) {
                (true, event) => return Next::Ask { topic: known.topic.clone(), event },
                (false, Some(event)) => return Next::Event(event),
                (false, None) => {}
            }
        }
        self.quiet_until = quiet_until;
        Next::Nothing
    }

    /// When something is due; at once where there is something to send that waits for room.
    pub(super) fn deadline(&self) -> Moment {
        self.quiet_until
    }

    /// The subscription that a message of this name belongs to.
    fn find(&mut self, name: &str) -> Option<&mut Subscription> {
        if self.wanted.contains_key(name) {
            return self.wanted.get_mut(name);
        }
        self.wanted.values_mut().find(|known| known.topic.may_be(name))
    }

    /// The one summary or ledger, if there is just one of both.
    pub(super) fn only_rows(&self) -> Option<Arc<str>> {
        let is_rows = |known: &&Subscription| matches!(known.topic.kind(), Kind::Summary | Kind::Ledger);
        let mut rows = self.wanted.values().filter(is_rows);
        rows.next().filter(|_| rows.next().is_none()).map(|known| Arc::clone(known.topic.shared_name()))
    }

    /// A message came. Returns what it belongs to, and what it confirms.
    pub(super) fn hear(
        &mut self,
        clock: &Clock,
        name: &str,
        server_id: Option<&str>,
    ) -> (Option<Arc<str>>, Option<StreamEvent>) {
        if let Some(server_id) = server_id.filter(|_| name.starts_with("smh+")) {
            self.number(name, server_id);
        }
        let Some(known) = self.find(name) else { return (None, None) };
        let event = known.hear(clock);
        let topic = Arc::clone(known.topic.shared_name());
        if event.is_some() {
            self.quiet_until = Moment::default();
        }
        (Some(topic), event)
    }

    /// Takes the number of a history, by which it is given back; at once where it is not wanted any more.
    fn number(&mut self, name: &str, server_id: &str) {
        // What goes back to the broker is what a number may look like.
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(&byte);
        if server_id.is_empty() || server_id.len() > 64 || !server_id.bytes().all(is_plain) {
            return;
        }
        let is_it =
            |(unnumbered, _): &(Arc<str>, Option<Moment>)| unnumbered.split('@').next() == name.split('@').next();
        if let Some(at) = self.unnumbered.iter().position(is_it) {
            self.unnumbered.swap_remove(at);
            if let Ok(topic) = name.parse() {
                self.ends.push_back((topic, format!("umh+{server_id}")));
                self.quiet_until = Moment::default();
            }
        } else if let Some(known) = self.find(name) {
            known.server_id = Some(server_id.to_owned());
        }
    }

    pub(super) fn refuse(&mut self, clock: &Clock, name: &str, error: Error) -> Option<StreamEvent> {
        self.quiet_until = Moment::default();
        self.find(name)?.refuse(clock, error)
    }

    pub(super) fn knows(&mut self, name: &str) -> bool {
        self.find(name).is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::context::{EntropyError, Timestamp};

    struct Zeros;

    impl Entropy for Zeros {
        fn fill(&mut self, destination: &mut [u8]) -> Result<(), EntropyError> {
            destination.fill(0);
            Ok(())
        }
    }

    #[test]
    fn a_refusal_is_reported_once_whether_a_first_message_is_to_be_expected_or_not() {
        let error = || Error::config(Stage::WebSocket, "refused");
        for topic in ["sor", "sbd+DU1+1", "ssd+DU1", "smd+1"] {
            let (mut clock, mut now) = (Clock::default(), Timestamp::from_secs(1_700_000_000));
            let mut subscriptions = Subscriptions::new(StreamConfig::default());
            subscriptions.add(&topic.parse().unwrap()).unwrap();
            let (mut asked, mut reported) = (0, 0);
            for _ in 0..3600 {
                clock.advance(now);
                match subscriptions.next(&clock, &mut Zeros, || true) {
                    Next::Ask { .. } => {
                        asked += 1;
                        reported += usize::from(subscriptions.refuse(&clock, topic, error()).is_some());
                    }
                    Next::Nothing => now = now.saturating_add(Duration::from_secs(1)),
                    next => panic!("{topic}: {next:?}"),
                }
            }
            assert!(reported == 1 && (10..20).contains(&asked), "{topic}: {reported} of {asked}");
        }
    }

    #[test]
    fn a_history_is_given_back_by_the_number_that_the_broker_gave_it() {
        for (server_id, is_number) in
            [("20477", true), ("h1.1", true), ("q3:0_a-b", true), ("1+{}", false), ("", false), (" 1", false)]
        {
            let (clock, topic) = (Clock::default(), "smh+1".parse().unwrap());
            let mut subscriptions = Subscriptions::new(StreamConfig::default());
            subscriptions.add(&topic).unwrap();
            assert!(matches!(subscriptions.next(&clock, &mut Zeros, || true), Next::Ask { .. }));
            subscriptions.hear(&clock, "smh+1", Some(server_id));
            subscriptions.remove(&topic);
            let Next::End(end) = subscriptions.next(&clock, &mut Zeros, || true) else {
                assert!(!is_number, "{server_id}");
                continue;
            };
            assert!(is_number && end == format!("umh+{server_id}"), "{end}");
        }
    }
}
