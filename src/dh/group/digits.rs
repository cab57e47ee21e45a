//! A modulus in digits, hexadecimal or decimal: alone, or within what `openssl dhparam -text` prints.

use num_bigint::BigUint;

use super::DhGroup;
use crate::{
    error::Error,
    key::encoding::{self, bare},
};

const PRINT_ANEW: &str = "give the hexadecimal digits of the prime, or what `openssl dhparam -in dhparam.pem -text -noout` \
                          prints, or the PEM file itself";

const NO_DIGIT: &str = "the Diffie-Hellman prime holds a character that is no hexadecimal digit";
const UNKNOWN_GROUP: &str =
    "OpenSSL printed only the name of the Diffie-Hellman group, and it is neither modp_2048 nor ffdhe2048";

/// So many digits without a letter are decimal: of as many hexadecimal ones, it happens once in 10^26 times.
const LEAST_DECIMAL: usize = 128;
/// A modulus of 8192 bits has 2467 decimal digits. To read them takes time that grows faster than they.
const MOST_DECIMAL: usize = 4096;

impl DhGroup {
    /// Reads digits, or OpenSSL's print of parameters.
    pub(crate) fn from_digits(text: &str) -> Result<Self, Error> {
        read(&encoding::plain(text))
    }

    /// The name of the digits for which [`read`](Self::read) takes the text, if it does.
    #[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
    pub(crate) fn kind_of_digits(text: &str) -> Option<&'static str> {
        kind(&encoding::plain(text))
    }
}

/// Whether `text` is digits or OpenSSL's print of parameters, and not PEM or base64.
pub(super) fn are_likely(text: &str) -> bool {
    let text = bare(text);
    if text.contains("-----BEGIN") {
        return false;
    }
    if lines(text).any(|line| heading(line).is_some()) {
        return true;
    }
    // Of base64 a third is hexadecimal digits; a prime with a slip in it is to be told from that.
    let (hexadecimal, other): (Vec<char>, Vec<char>) = lines(text).flat_map(digits).partition(char::is_ascii_hexdigit);
    hexadecimal.len() > other.len().saturating_mul(3)
}

/// Whether the digits are hexadecimal or decimal ones, if they are [likely](are_likely) to be any.
#[cfg(any(feature = "rsa", feature = "aws-lc-rs"))]
fn kind(text: &str) -> Option<&'static str> {
    let printed = are_likely(text).then(|| Printed::of(bare(text)).ok()).flatten()?;
    Some(if printed.prime.are_decimal() { "decimal" } else { "hexadecimal" })
}

fn read(text: &str) -> Result<DhGroup, Error> {
    let text = bare(text);
    let refuse = |how: &str| Error::key(how.to_owned()).with_remedy(PRINT_ANEW);
    if text.is_empty() {
        return Err(refuse("nothing was given where Diffie-Hellman parameters are wanted: the text is empty"));
    }
    if text.contains("-----BEGIN") {
        return Err(refuse("PEM text was given where hexadecimal digits are wanted")
            .with_remedy("read it with `DhGroup::read`"));
    }
    let printed = Printed::of(text).map_err(refuse)?;
    if let Some(group) = printed.group {
        return Ok(group);
    }
    let number = |digits: &Digits, what: &str| {
        let too_many =
            |count| refuse(&format!("the Diffie-Hellman {what} has {count} decimal digits; {MOST_DECIMAL} are read"));
        let number = digits.number().map_err(too_many)?;
        number.ok_or_else(|| refuse(&format!("the text holds no Diffie-Hellman {what}")))
    };
    let prime = number(&printed.prime, "prime")?;
    let announced = printed.bits.unwrap_or(prime.bits());
    if announced != prime.bits() {
        return Err(refuse(&format!(
            "the Diffie-Hellman prime has {} bits where {announced} are announced: is a part of it missing?",
            prime.bits()
        )));
    }
    let generator = match printed.generator {
        None => BigUint::from(2_u8),
        Some(digits) => number(&digits, "generator")?,
    };
    DhGroup::new(prime, &generator)
}

/// What has been gathered from OpenSSL's print.
#[derive(Default)]
struct Printed {
    bits: Option<u64>,
    group: Option<DhGroup>,
    prime: Digits,
    generator: Option<Digits>,
}

impl Printed {
    fn of(text: &str) -> Result<Self, &'static str> {
        let (mut printed, mut section) = (Self::default(), Section::Prime);
        for line in lines(text) {
            let (found, rest) = heading(line).unwrap_or((section, line));
            section = found;
            match section {
                Section::Prime => printed.prime.append(rest)?,
                Section::Generator => printed.generator.get_or_insert_default().append(small(rest))?,
                Section::Ignored => {}
                _ if rest.is_empty() => {}
                Section::Title => printed.bits = Some(bits(rest).ok_or(NO_DIGIT)?),
                Section::Group => printed.group = Some(named(rest).ok_or(UNKNOWN_GROUP)?),
            }
        }
        Ok(printed)
    }
}

/// What lines are about, from their heading on.
#[derive(Clone, Copy)]
enum Section {
    /// `DH Parameters: (2048 bit)`
    Title,
    /// `GROUP: modp_2048`, where OpenSSL 3 knows the group and so leaves out its numbers.
    Group,
    Prime,
    Generator,
    Ignored,
}

/// What a line begins, and the rest of it, if it is a heading.
fn heading(line: &str) -> Option<(Section, &str)> {
    let (name, rest) = line.split_once(':')?;
    let section = match name.trim().to_ascii_lowercase().as_str() {
        "p" | "prime" | "prime p" => Section::Prime,
        "g" | "generator" | "generator g" => Section::Generator,
        "group" => Section::Group,
        "dh parameters" | "pkcs#3 dh parameters" | "x9.42 dh parameters" | "diffie-hellman-parameters" => {
            Section::Title
        }
        "q" | "j" | "subgroup order" | "subgroup factor" | "seed" | "counter" | "recommended-private-length" => {
            Section::Ignored
        }
        _ => return None,
    };
    Some((section, rest))
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

/// The digits of a number.
#[derive(Default)]
struct Digits {
    text: String,
    /// `0x` or colons say that they are hexadecimal.
    is_marked: bool,
}

impl Digits {
    fn append(&mut self, line: &str) -> Result<(), &'static str> {
        for char in digits(line) {
            if !char.is_ascii_hexdigit() {
                return Err(NO_DIGIT);
            }
            self.text.push(char);
        }
        self.is_marked |= line.contains([':', 'x', 'X']);
        Ok(())
    }

    /// The number; that of no digits is none, not zero. Or how many decimal digits there are, where they are too many.
    fn number(&self) -> Result<Option<BigUint>, usize> {
        if self.are_decimal() && self.text.len() > MOST_DECIMAL {
            return Err(self.text.len());
        }
        Ok(BigUint::parse_bytes(self.text.as_bytes(), if self.are_decimal() { 10 } else { 16 }))
    }

    fn are_decimal(&self) -> bool {
        !self.is_marked && self.text.len() >= LEAST_DECIMAL && self.text.bytes().all(|byte| byte.is_ascii_digit())
    }
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
