//! What can be subscribed, in the broker's own words.

use std::{fmt, str::FromStr, sync::Arc};

use serde_json::{Map, Value};

use crate::error::{Error, Stage};

/// The longest topic, its arguments included, in bytes.
const LONGEST: usize = 8 * 1024;

/// What can be subscribed: the text that the broker's documentation gives, such as `smd+265598+{"fields":["31","84"]}`,
/// `sor+{}` or `ssd+DU1234567+{}`.
///
/// ```
/// use ibkr_oauth::stream::Topic;
///
/// let quotes: Topic = r#"smd+265598+{"fields":["31","84"]}"#.parse()?;
/// assert_eq!(quotes, Topic::market_data(265598, &["31", "84"]));
/// assert_eq!(quotes.name(), "smd+265598");
/// assert_eq!("sor".parse::<Topic>()?, Topic::orders());
/// assert!("umd+265598+{}".parse::<Topic>().is_err());
/// # Ok::<(), ibkr_oauth::Error>(())
/// ```
///
/// A few topics come without being asked for: `act` (account and features), `blt` (bulletins) and `ntf` (notifications). Such
/// a topic sends nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Topic {
    kind: Kind,
    name: Arc<str>,
    arguments: Map<String, Value>,
}

/// What the rules of a topic go by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `smd`: a line, which the broker ends after ten minutes.
    MarketData,
    /// `smh`: comes once, and holds its place until it is given back by the number in it.
    History,
    /// `sbd`.
    Book,
    /// `sor`: with no first message.
    Orders,
    /// `str`: begins with those of the past days.
    Trades,
    /// `spl`.
    ProfitAndLoss,
    /// `ssd`.
    Summary,
    /// `sld`.
    Ledger,
    /// Comes without being asked for.
    Unasked,
    /// Any other that begins with `s`.
    Other,
}

impl Topic {
    /// The quotes of a contract, named by its conid; `fields` are the broker's numbers: `31` is the last price, `84` the bid,
    /// `86` the ask.
    #[must_use]
    pub fn market_data(conid: i64, fields: &[&str]) -> Self {
        let fields = fields.iter().map(|field| Value::from(*field)).collect();
        let arguments = Map::from_iter([("fields".to_owned(), Value::Array(fields))]);
        Self { kind: Kind::MarketData, name: format!("smd+{conid}").into(), arguments }
    }

    /// The user's orders, of all accounts, as they change. There is no first message: `GET /iserver/account/orders` has those
    /// that there are.
    #[must_use]
    pub fn orders() -> Self {
        Self { kind: Kind::Orders, name: "sor".into(), arguments: Map::new() }
    }

    /// The user's trades: first those of today, then each as it happens, and again when its commission is known.
    #[must_use]
    pub fn trades() -> Self {
        Self { kind: Kind::Trades, name: "str".into(), arguments: Map::new() }
    }

    /// What its messages are called by: the text before the arguments.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether its messages are quotes, of which each has only what changed.
    #[cfg(feature = "tungstenite")]
    pub(crate) fn is_market_data(&self) -> bool {
        self.kind == Kind::MarketData
    }

    pub(super) fn kind(&self) -> Kind {
        self.kind
    }

    pub(super) fn shared_name(&self) -> &Arc<str> {
        &self.name
    }

    /// The text that subscribes.
    pub(super) fn request(&self) -> String {
        format!("{}+{}", self.name, Value::Object(self.arguments.clone()))
    }

    /// The text that ends the subscription, where that needs no number from a message.
    pub(super) fn end(&self) -> Option<String> {
        let rest = self.name.get(1..).unwrap_or_default();
        match self.kind {
            Kind::History | Kind::Unasked => None,
            Kind::Book => Some(format!("ubd+{}", self.account())),
            Kind::Trades => Some("utr".to_owned()),
            _ => Some(format!("u{rest}+{{}}")),
        }
    }

    /// What comes after the first `+`: an account, or a contract.
    pub(super) fn account(&self) -> &str {
        self.name.split('+').nth(1).unwrap_or_default()
    }

    /// Whether the trades of the past come again with each subscription.
    pub(super) fn replays(&self) -> bool {
        self.kind == Kind::Trades && self.arguments.get("realtimeUpdatesOnly") != Some(&Value::Bool(true))
    }

    /// Takes the other's fields in as well; whether that made a difference. `None` where the two are at odds.
    pub(super) fn merge(&mut self, other: &Self) -> Option<bool> {
        if self.arguments == other.arguments {
            return Some(false);
        }
        if self.kind != Kind::MarketData {
            return None;
        }
        let mut is_changed = false;
        for (key, theirs) in &other.arguments {
            match (self.arguments.get_mut(key), theirs) {
                (Some(Value::Array(ours)), Value::Array(theirs)) => {
                    for value in theirs {
                        if !ours.contains(value) {
                            ours.push(value.clone());
                            is_changed = true;
                        }
                    }
                }
                (Some(ours), theirs) if ours == theirs => {}
                (Some(_), _) => return None,
                (None, theirs) => {
                    self.arguments.insert(key.clone(), theirs.clone());
                    is_changed = true;
                }
            }
        }
        (self.request().len() <= LONGEST).then_some(is_changed)
    }

    /// Whether a message of the other name may be one of this: the broker leaves an exchange out of some.
    pub(super) fn may_be(&self, name: &str) -> bool {
        matches!(self.kind, Kind::MarketData | Kind::History | Kind::Book)
            && self.name.strip_prefix(name).is_some_and(|rest| rest.starts_with(['@', '+']))
    }
}

impl FromStr for Topic {
    type Err = Error;

    /// Reads the text that subscribes; without arguments, there are none.
    ///
    /// # Errors
    /// [`ErrorKind::Config`](crate::ErrorKind::Config) if it is no subscription.
    fn from_str(text: &str) -> Result<Self, Error> {
        let text = text.trim();
        if text.len() > LONGEST {
            return Err(refused(format!("it has more than {LONGEST} bytes")));
        }
        let (name, arguments) = text.split_at(text.find('{').unwrap_or(text.len()));
        let name = name.strip_suffix('+').unwrap_or(name);
        let arguments = match arguments {
            "" => Map::new(),
            _ => serde_json::from_str(arguments).map_err(|_| refused("its arguments are no JSON object"))?,
        };
        if !name.bytes().all(|byte| byte.is_ascii_graphic() && !br#""\{}"#.contains(&byte)) {
            return Err(refused("its name has characters that no topic has"));
        }
        let parts: Vec<&str> = name.split('+').collect();
        if parts.iter().any(|part| part.is_empty()) {
            return Err(refused("a part of its name is empty"));
        }
        let (first, count) = (parts.first().copied().unwrap_or_default(), parts.len());
        let (kind, least, most) = match first {
            "smd" => (Kind::MarketData, 2, 2),
            "smh" => (Kind::History, 2, 2),
            "sbd" => (Kind::Book, 3, 4),
            "sor" => (Kind::Orders, 1, 1),
            "str" => (Kind::Trades, 1, 1),
            "spl" => (Kind::ProfitAndLoss, 1, 1),
            "ssd" => (Kind::Summary, 2, 2),
            "sld" => (Kind::Ledger, 2, 2),
            "act" | "blt" | "ntf" => (Kind::Unasked, 1, 1),
            "sts" => return Err(refused("the stream itself understands `sts`").with_remedy("see `StreamEvent`")),
            "shs" => return Err(refused("it gives instructions")),
            _ if first.len() == 3 && first.starts_with('s') && first.bytes().all(|byte| byte.is_ascii_lowercase()) => {
                (Kind::Other, 1, usize::MAX)
            }
            _ => return Err(refused("it does not begin with the name of a subscription")),
        };
        if count < least || count > most {
            return Err(refused(format!("its name has {count} parts, of {least} or more")));
        }
        if kind == Kind::Unasked && !arguments.is_empty() {
            return Err(refused("a topic that comes by itself has no arguments"));
        }
        Ok(Self { kind, name: name.into(), arguments })
    }
}

fn refused(why: impl fmt::Display) -> Error {
    Error::config(Stage::WebSocket, format!("this topic cannot be subscribed: {why}")).with_remedy(
        "write it as the broker's documentation does: `smd+265598+{\"fields\":[\"31\"]}`, `sor+{}`, `ssd+DU1234567+{}`",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic(text: &str) -> Topic {
        text.parse().unwrap()
    }

    #[test]
    fn each_topic_is_subscribed_and_ended_in_the_words_of_the_documentation() {
        for (text, request, end) in [
            (r#"smd+8314@SMART+{"fields":["31"]}"#, r#"smd+8314@SMART+{"fields":["31"]}"#, Some("umd+8314@SMART+{}")),
            (r#"smh+1+{"period":"1d"}"#, r#"smh+1+{"period":"1d"}"#, None),
            ("sbd+DU1+8314+NYSE", "sbd+DU1+8314+NYSE+{}", Some("ubd+DU1")),
            ("sor+{}", "sor+{}", Some("uor+{}")),
            (r#"str+{"days":1}"#, r#"str+{"days":1}"#, Some("utr")),
            ("spl{}", "spl+{}", Some("upl+{}")),
            ("ssd+DU1", "ssd+DU1+{}", Some("usd+DU1+{}")),
            ("sld+DU1+{}", "sld+DU1+{}", Some("uld+DU1+{}")),
            ("sxy+a+b", "sxy+a+b+{}", Some("uxy+a+b+{}")),
            ("ntf", "ntf+{}", None),
        ] {
            assert_eq!((topic(text).request().as_str(), topic(text).end().as_deref()), (request, end), "{text}");
        }
    }

    #[test]
    fn what_is_no_subscription_is_refused() {
        for text in [
            "",
            "smd",
            "smd+",
            "smd+1+2",
            "sor+1",
            "umd+1+{}",
            "inp+exercise+{}",
            "shs+exercise",
            "sts",
            "tic",
            "system",
            "smd+1+{",
            "smd+1+[]",
            "smd+\u{e9}",
            "smd+1 2",
            "ntf+{\"a\":1}",
            "SMD+1",
            "s+d+1",
            "smdd+1",
        ] {
            assert!(text.parse::<Topic>().is_err(), "{text}");
        }
        assert!(format!("smd+{}", "1".repeat(9000)).parse::<Topic>().is_err());
    }

    #[test]
    fn fields_are_joined_and_other_arguments_are_not() {
        let mut quotes = topic(r#"smd+1+{"fields":["31"]}"#);
        assert_eq!(quotes.merge(&topic(r#"smd+1+{"fields":["84","31"]}"#)), Some(true));
        assert_eq!(quotes.request(), r#"smd+1+{"fields":["31","84"]}"#);
        assert_eq!(quotes.merge(&topic(r#"smd+1+{"fields":["84"]}"#)), Some(false));
        assert_eq!(topic("str").merge(&topic(r#"str+{"days":3}"#)), None);
    }
}
