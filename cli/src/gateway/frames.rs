//! The frames of RFC 6455, as far as a relay must know them: where each ends, and what a short text says. Everything else
//! passes by its bytes, for the broker sends texts that are no UTF-8.

use ibkr_oauth::bytes::{Bytes, BytesMut};

/// The longest frame: the broker names no limit, and sends replays of days.
const LONGEST: usize = 16 << 20;

pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
/// From here on come frames about the connection.
const CONTROL: u8 = 8;

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    /// The last frame of its message.
    pub(crate) is_last: bool,
    /// Its content, without its mask.
    pub(crate) payload: Bytes,
    /// As it came.
    pub(crate) raw: Bytes,
}

/// What a peer sent that is no frame, or too long a one.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct NoFrame;

/// Bytes of one direction, of which frames are cut.
#[derive(Default)]
pub(crate) struct Frames(BytesMut);

impl Frames {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }

    /// The next frame, if all of it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Frame>, NoFrame> {
        let bytes: &[u8] = &self.0;
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        let (opcode, is_last, is_masked) = (first & 0xf, first & 0x80 != 0, second & 0x80 != 0);
        // Extensions are never agreed on.
        let is_control_too_long = opcode >= CONTROL && (second & 0x7f > 125 || !is_last);
        if first & 0x70 != 0 || is_control_too_long {
            return Err(NoFrame);
        }
        let (length, length_bytes): (_, usize) = match second & 0x7f {
            126 => (rest.first_chunk::<2>().map(|bytes| u64::from(u16::from_be_bytes(*bytes))), 2),
            127 => (rest.first_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes)), 8),
            short => (Some(u64::from(short)), 0),
        };
        let Some(length) = length else { return Ok(None) };
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or(NoFrame)?;
        let mask_at = 2 + length_bytes;
        let at = mask_at + if is_masked { 4 } else { 0 };
        let Some(end) = at.checked_add(length).filter(|end| *end <= bytes.len()) else { return Ok(None) };
        let mask = bytes.get(mask_at..at).unwrap_or_default().to_vec();
        let raw = self.0.split_to(end).freeze();
        let mut payload = raw.slice(at..);
        if is_masked {
            payload = payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask).collect();
        }
        Ok(Some(Frame { opcode, is_last, payload, raw }))
    }
}

impl Frame {
    /// Whether it is about the connection, and not part of a message.
    pub(crate) fn is_control(&self) -> bool {
        self.opcode >= CONTROL
    }

    /// Whether it is a message of its own.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_last && matches!(self.opcode, TEXT | BINARY)
    }
}

/// A frame of these bytes as a server sends it, or with a mask as a client does.
pub(crate) fn framed(opcode: u8, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let masked: u8 = if mask.is_some() { 0x80 } else { 0 };
    let mut frame = vec![0x80 | opcode];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..=125), _) => frame.push(masked | length),
        (_, Ok(length)) => {
            frame.push(masked | 0x7e);
            frame.extend_from_slice(&length.to_be_bytes());
        }
        _ => {
            frame.push(masked | 0x7f);
            frame.extend_from_slice(&u64::try_from(payload.len()).unwrap_or(u64::MAX).to_be_bytes());
        }
    }
    match mask {
        None => frame.extend_from_slice(payload),
        Some(mask) => {
            frame.extend_from_slice(&mask);
            frame.extend(payload.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte ^ mask));
        }
    }
    frame.into()
}
