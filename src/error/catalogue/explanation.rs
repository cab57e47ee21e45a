//! All that is known about a cause, for people.

use std::fmt::Write as _;

use super::{LOOK_FIRST, cause::Cause, entry::Entry, statuses, words};

/// A section for each cause, with its name as the heading.
const SECTIONS: &str = include_str!("causes.md");

impl Cause {
    /// The cause with this [`name`](Self::name); `-` counts as `_`, and upper case as lower.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let name = name.trim().to_ascii_lowercase().replace('-', "_");
        Self::ALL.iter().copied().find(|cause| cause.name() == name)
    }

    /// What is known about it, in several lines of text: what it means, how the broker says it, and what to do.
    ///
    /// ```
    /// use ibkr_oauth::diagnose::Cause;
    ///
    /// let text = Cause::CompetingSession.explanation();
    /// assert!(text.starts_with("competing_session: another session of this user has the brokerage session\n"));
    /// assert!(text.contains("\nWhat to do:\n"));
    /// ```
    #[must_use]
    pub fn explanation(self) -> String {
        let mut text = format!("{}: {self}\n\n{}\n", self.name(), section(self.name()).unwrap_or_default());
        let mut signs: Vec<String> = entries_of(self).map(sign).collect();
        if signs.is_empty() {
            signs.push("no words that name it: it shows in what else a response says".to_owned());
        }
        let mut remedies = vec![self.remedy()];
        if matches!(self, Self::BackendUnavailable | Self::Timeout) {
            remedies.push(LOOK_FIRST);
        }
        // Writing into a text cannot fail.
        let _ = writeln!(text, "\nHow the broker says it:\n- {}", signs.join("\n- "));
        let _ = writeln!(text, "\nWhat to do:\n- {}", remedies.join("\n- "));
        text
    }
}

fn entries_of(cause: Cause) -> impl Iterator<Item = &'static Entry> {
    words::WORDS.iter().chain(statuses::STATUSES).filter(move |entry| entry.cause == cause)
}

fn sign(entry: &Entry) -> String {
    let status = entry.status.map_or_else(|| "any status".to_owned(), |status| status.to_string());
    let words = match entry.text {
        "" => " whose words are not known".to_owned(),
        text => format!(" with the words `{text}`"),
    };
    let stage = entry.stage.map_or_else(String::new, |stage| format!(", of a request of the stage `{stage}`"));
    format!("{status}{words}{stage}")
}

fn section(name: &str) -> Option<&'static str> {
    let (_, text) = SECTIONS.split("\n# ").map(|part| part.trim_start_matches("# ")).find_map(|part| {
        let (heading, text) = part.split_once('\n')?;
        (heading.trim_end() == name).then_some((heading, text))
    })?;
    Some(text.trim())
}

#[cfg(test)]
mod tests {
    use super::{Cause, SECTIONS, section};

    #[test]
    fn each_cause_has_a_section_and_each_section_a_cause() {
        let headings: Vec<&str> = SECTIONS.lines().filter_map(|line| line.strip_prefix("# ")).collect();
        let names: Vec<&str> = Cause::ALL.iter().map(|cause| cause.name()).collect();
        assert_eq!(headings, names);
        for cause in Cause::ALL {
            assert!(section(cause.name()).is_some_and(|text| text.len() > 30), "{cause:?}");
        }
    }

    #[test]
    fn an_explanation_says_what_to_do() {
        for cause in Cause::ALL {
            let text = cause.explanation();
            let (_, remedies) = text.split_once("\nWhat to do:\n- ").unwrap_or_default();
            assert!(remedies.len() > 20 && !text.contains('\r'), "{text}");
            assert!(text.contains("\nHow the broker says it:\n- "), "{text}");
        }
    }

    #[test]
    fn a_cause_is_found_by_its_name() {
        for cause in Cause::ALL {
            let name = cause.name();
            assert_eq!(Cause::from_name(name), Some(*cause));
            assert_eq!(Cause::from_name(&name.replace('_', "-").to_ascii_uppercase()), Some(*cause));
            assert_eq!(Cause::from_name(&name[1..]), None);
        }
    }
}
