//! A secret, and how it may look in memory.

use memchr::memmem::Finder;

/// A secret to be searched for, in every form that it may have in memory.
///
/// A part is as bad as the whole: each 16 bytes of each form are searched for by themselves.
pub struct Marker {
    name: &'static str,
    parts: Vec<Finder<'static>>,
}

const PART: usize = 16;

impl Marker {
    /// Bytes that stand in memory as they are.
    #[must_use]
    pub fn bytes(name: &'static str, secret: &[u8]) -> Self {
        Self { name, parts: Vec::new() }.and(secret)
    }

    /// A big-endian number, which calculations keep with its last byte first.
    #[must_use]
    pub fn number(name: &'static str, secret: &[u8]) -> Self {
        let reversed: Vec<u8> = secret.iter().rev().copied().collect();
        Self::bytes(name, secret).and(&reversed)
    }

    /// Another form of the same secret.
    #[must_use]
    pub fn and(mut self, form: &[u8]) -> Self {
        assert!(form.len() >= 8, "fewer bytes are found by chance");
        let last = &form[form.len().saturating_sub(PART)..];
        self.parts.extend(form.chunks_exact(PART).chain([last]).map(|part| Finder::new(part).into_owned()));
        self
    }

    /// Its hexadecimal digits, in lower and upper case.
    #[must_use]
    pub fn and_hexadecimal(self, secret: &[u8]) -> Self {
        let digits: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
        self.and(digits.as_bytes()).and(digits.to_uppercase().as_bytes())
    }

    /// What the secret is called.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Whether a part of it is in these bytes.
    #[must_use]
    pub fn is_in(&self, block: &[u8]) -> bool {
        self.parts.iter().any(|part| part.find(block).is_some())
    }
}
