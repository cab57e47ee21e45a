//! Text as it was before an editor, a browser or a word processor made it prettier.

use zeroize::Zeroizing;

/// What BEGIN and END stand between.
const HYPHENS: &str = "-----";

/// The text with plain blanks, hyphens and quotes, and without what nobody sees.
///
/// Nothing that PEM, base64 and digits are made of is changed. How many hyphens a dash has taken the place of is not known,
/// so that a row with a dash in it becomes the five that PEM has.
pub(crate) fn plain(text: &str) -> Zeroizing<String> {
    // A dash of two bytes or more becomes five, and nothing else grows: the text never moves and leaves a copy behind.
    let mut plain = Zeroizing::new(String::with_capacity(text.len().saturating_mul(3)));
    let mut rest = text;
    while let Some(char) = rest.chars().next() {
        let row = rest.len() - rest.trim_start_matches(is_hyphen_or_dash).len();
        let (taken, behind) = rest.split_at(if row == 0 { char.len_utf8() } else { row });
        match char {
            _ if row > 0 => plain.push_str(if taken.is_ascii() { taken } else { HYPHENS }),
            '\t' => plain.push(' '),
            _ if char.is_ascii() => plain.push(char),
            _ if is_invisible(char) => {}
            '\u{85}' | '\u{2028}' | '\u{2029}' => plain.push('\n'),
            _ if char.is_whitespace() => plain.push(' '),
            '\u{201c}'..='\u{201f}' | '\u{ab}' | '\u{bb}' => plain.push('"'),
            '\u{2018}'..='\u{201b}' | '\u{2039}' | '\u{203a}' => plain.push('\''),
            _ => plain.push(char),
        }
        rest = behind;
    }
    plain
}

fn is_hyphen_or_dash(char: char) -> bool {
    matches!(char, '-' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe58}' | '\u{fe63}' | '\u{ff0d}')
}

/// Soft hyphens, spaces of no width, and marks of the direction of writing.
fn is_invisible(char: char) -> bool {
    matches!(
        char,
        '\u{ad}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}'
            | '\u{2066}'..='\u{2069}' | '\u{feff}'
    )
}
