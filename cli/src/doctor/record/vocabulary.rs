//! The words and names that a recording may have. Whatever is none of them could be somebody's.

use std::{collections::BTreeSet, sync::OnceLock};

use ibkr_oauth::diagnose::Cause;

/// Words of every day, of the protocol, and of its field names.
const WORDS: &str = include_str!("words.txt");

/// The longest text that is kept, in characters.
const LONGEST: usize = 300;

const WORD: &str = "<word>";
const NUMBER: &str = "<number>";

fn vocabulary() -> &'static BTreeSet<String> {
    static VOCABULARY: OnceLock<BTreeSet<String>> = OnceLock::new();
    VOCABULARY.get_or_init(|| {
        let explanations = Cause::ALL.iter().map(|cause| cause.explanation());
        explanations.chain([WORDS.to_owned()]).flat_map(|text| words_of(&text).collect::<Vec<_>>()).collect()
    })
}

fn words_of(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_ascii_alphabetic()).filter(|word| !word.is_empty()).map(str::to_ascii_lowercase)
}

/// Whether a word, or each part of a compound such as `accountId`, is known.
fn is_known(word: &str) -> bool {
    let is_word = |word: &str| vocabulary().contains(&word.to_ascii_lowercase());
    if !word.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return false;
    }
    is_word(word) || humps(word).iter().all(|part| part.len() > 1 && is_word(part))
}

/// The parts of a compound: `acctId` is `acct` and `Id`, `isFT` is `is` and `FT`.
fn humps(word: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = word;
    while !rest.is_empty() {
        let capitals = rest.bytes().take_while(u8::is_ascii_uppercase).count();
        let small = rest.bytes().skip(capitals).take_while(u8::is_ascii_lowercase).count();
        // The last of several capitals begins the next part, where one follows.
        let length = if capitals > 1 && small > 0 { capitals - 1 } else { capitals + small };
        let (part, after) = rest.split_at(length.max(1).min(rest.len()));
        parts.push(part);
        rest = after;
    }
    parts
}

/// Whether this is the name of a field or a header, and nothing of anybody's.
pub(super) fn is_name(name: &str) -> bool {
    name.len() <= 60 && !name.is_empty() && name.split(['_', '-']).all(is_known)
}

/// A text with its known words; the others are marked, and so are numbers.
pub(super) fn kept(text: &str) -> String {
    let mut out = String::new();
    let mut token = String::new();
    for char in text.chars().take(LONGEST).chain(['\n']) {
        if char.is_alphanumeric() {
            token.push(char);
            continue;
        }
        if token.bytes().all(|byte| byte.is_ascii_digit()) {
            out.push_str(if token.is_empty() { "" } else { NUMBER });
        } else {
            out.push_str(if is_known(&token) { &token } else { WORD });
        }
        token.clear();
        let is_plain = char.is_ascii_punctuation() && !"<>@".contains(char);
        out.push(if is_plain { char } else { ' ' });
    }
    out.split_whitespace().collect::<Vec<_>>().join(" ")
}
