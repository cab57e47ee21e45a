//! A modulus in hexadecimal digits: alone, or within what `openssl dhparam -text` prints.

use num_bigint::BigUint;

use super::DhGroup;
use crate::key::{KeyError, encoding::bare};

const PRINT_ANEW: &str = "give the hexadecimal digits of the prime, or what `openssl dhparam -in dhparam.pem -text -noout` \
                          prints, or the PEM file itself";

const NO_DIGIT: &str = "the Diffie-Hellman prime holds a character that is no hexadecimal digit";
const UNKNOWN_GROUP: &str =
    "OpenSSL printed only the name of the Diffie-Hellman group, and it is neither modp_2048 nor ffdhe2048";

/// Whether `text` is hexadecimal digits or OpenSSL's print of parameters, and not PEM or base64.
pub(super) fn is_likely(text: &str) -> bool {
    let text = bare(text);
    if text.contains("-----BEGIN") {
        return false;
    }
    if lines(text).any(|line| !matches!(heading(line), Heading::None)) {
        return true;
    }
    // Of base64 a third is hexadecimal digits; a prime with a slip in it is to be told from that.
    let (hexadecimal, other): (Vec<char>, Vec<char>) = lines(text).flat_map(digits).partition(char::is_ascii_hexdigit);
    hexadecimal.len() > other.len().saturating_mul(3)
}

pub(super) fn read(text: &str) -> Result<DhGroup, KeyError> {
    let text = bare(text);
    let refuse = |how: &str| KeyError::new(how).with_remedy(PRINT_ANEW);
    if text.is_empty() {
        return Err(refuse("nothing was given where Diffie-Hellman parameters are wanted: the text is empty"));
    }
    if text.contains("-----BEGIN") {
        return Err(refuse("PEM text was given where hexadecimal digits are wanted")
            .with_remedy("read it with `DhGroup::from_pem` or `DhGroup::from_text`"));
    }
    let mut printed = Printed { section: Heading::Prime(""), ..Printed::default() };
    for line in lines(text) {
        printed.take(line).map_err(refuse)?;
    }
    if let Some(group) = printed.group {
        return Ok(group);
    }
    let prime = number(&printed.prime).ok_or_else(|| refuse("the text holds no Diffie-Hellman prime"))?;
    let announced = printed.bits.unwrap_or(prime.bits());
    if announced != prime.bits() {
        return Err(refuse(&format!(
            "the Diffie-Hellman prime has {} bits where {announced} are announced: is a part of it missing?",
            prime.bits()
        )));
    }
    let generator = match printed.generator {
        None => BigUint::from(2_u8),
        Some(digits) => number(&digits).ok_or_else(|| refuse("the text holds no Diffie-Hellman generator"))?,
    };
    DhGroup::new(prime, &generator)
}

/// What has been gathered from OpenSSL's print.
#[derive(Default)]
struct Printed<'a> {
    section: Heading<'a>,
    bits: Option<u64>,
    group: Option<DhGroup>,
    prime: String,
    generator: Option<String>,
}

impl<'a> Printed<'a> {
    fn take(&mut self, line: &'a str) -> Result<(), &'static str> {
        let rest = match heading(line) {
            Heading::None => line,
            heading => {
                self.section = heading;
                match heading {
                    Heading::Title(rest) => {
                        self.bits = bits(rest);
                        ""
                    }
                    Heading::Group(name) => {
                        self.group = Some(named(name).ok_or(UNKNOWN_GROUP)?);
                        ""
                    }
                    Heading::Prime(rest) | Heading::Generator(rest) => rest,
                    Heading::Ignored | Heading::None => "",
                }
            }
        };
        match self.section {
            Heading::Prime(_) => append(&mut self.prime, rest),
            Heading::Generator(_) => append(self.generator.get_or_insert_default(), small(rest)),
            _ if rest.is_empty() || matches!(self.section, Heading::Ignored) => Ok(()),
            _ => Err(NO_DIGIT),
        }
    }
}

/// What a line begins.
#[derive(Clone, Copy, Default)]
enum Heading<'a> {
    #[default]
    None,
    /// `DH Parameters: (2048 bit)`
    Title(&'a str),
    /// `GROUP: modp_2048`, where OpenSSL 3 knows the group and so leaves out its numbers.
    Group(&'a str),
    Prime(&'a str),
    Generator(&'a str),
    Ignored,
}

fn heading(line: &str) -> Heading<'_> {
    let Some((name, rest)) = line.split_once(':') else { return Heading::None };
    match name.trim().to_ascii_lowercase().as_str() {
        "p" | "prime" | "prime p" => Heading::Prime(rest),
        "g" | "generator" | "generator g" => Heading::Generator(rest),
        "group" => Heading::Group(rest),
        "dh parameters" | "pkcs#3 dh parameters" | "x9.42 dh parameters" | "diffie-hellman-parameters" => {
            Heading::Title(rest)
        }
        "q" | "j" | "subgroup order" | "subgroup factor" | "seed" | "counter" | "recommended-private-length" => {
            Heading::Ignored
        }
        _ => Heading::None,
    }
}

/// The lines, also where their breaks were escaped on the way.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split("\\n")).map(|line| line.trim_matches(['\\', ' ', '\t', '\r']))
}

/// The digits of a line, without what may stand between and before them.
fn digits(line: &str) -> impl Iterator<Item = char> + '_ {
    let line = line.trim();
    let line = line.strip_prefix("0x").or_else(|| line.strip_prefix("0X")).unwrap_or(line);
    line.chars().filter(|char| !char.is_whitespace() && *char != ':')
}

fn append(number: &mut String, line: &str) -> Result<(), &'static str> {
    for char in digits(line) {
        if !char.is_ascii_hexdigit() {
            return Err(NO_DIGIT);
        }
        number.push(char);
    }
    Ok(())
}

/// The number of an empty string is none, not zero.
fn number(digits: &str) -> Option<BigUint> {
    BigUint::parse_bytes(digits.as_bytes(), 16)
}

/// `2` of `2 (0x2)`: OpenSSL prints a small generator in decimal too.
fn small(rest: &str) -> &str {
    rest.split_once('(').map_or(rest, |(_, hexadecimal)| hexadecimal.trim_end().trim_end_matches(')'))
}

/// `2048` of `(2048 bit)`.
fn bits(rest: &str) -> Option<u64> {
    rest.trim().strip_prefix('(')?.split_once(' ')?.0.parse().ok()
}

fn named(group: &str) -> Option<DhGroup> {
    match group.trim() {
        "modp_2048" => Some(DhGroup::modp_2048()),
        "ffdhe2048" => Some(DhGroup::ffdhe_2048()),
        _ => None,
    }
}
