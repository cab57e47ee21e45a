//! Characters that nobody sees, or that change how others are seen.

use std::borrow::Cow;

/// Whether the character is seen by nobody, or garbles what is around it: controls of terminals (among them U+009B,
/// which starts a command as ESC does), separators of lines, what turns the direction of writing around, joiners, tags, and
/// all else that Unicode has as a format character or as ignorable by default.
#[must_use]
pub fn is_invisible(char: char) -> bool {
    char.is_control()
        || matches!(char,
            '\u{ad}' | '\u{34f}' | '\u{600}'..='\u{605}' | '\u{61c}' | '\u{6dd}' | '\u{70f}' | '\u{890}'..='\u{891}'
            | '\u{8e2}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}' | '\u{180b}'..='\u{180f}'
            | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
            | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{110bd}' | '\u{110cd}'
            | '\u{13430}'..='\u{1343f}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
            | '\u{e0000}'..='\u{e0fff}')
}

/// The text in one line and with nothing in it that is [invisible](is_invisible): a line break or a tab is a space, and all
/// else is replaced with its escape, such as `\u{202e}`.
///
/// For what others wrote, wherever it is shown or logged.
///
/// ```
/// use ibkr_oauth::diagnose::escape_invisible;
///
/// assert_eq!(escape_invisible("no\n\u{202e}thing"), r"no \u{202e}thing");
/// ```
#[must_use]
pub fn escape_invisible(text: &str) -> Cow<'_, str> {
    if !text.contains(is_invisible) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len().saturating_add(16));
    for char in text.chars() {
        match char {
            '\n' | '\r' | '\t' => escaped.push(' '),
            _ if is_invisible(char) => escaped.extend(char.escape_unicode()),
            _ => escaped.push(char),
        }
    }
    Cow::Owned(escaped)
}
