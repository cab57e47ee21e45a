//! The frames of RFC 6455, as far as a relay must know them: where each ends, and what a short text says. Everything else
//! passes by its bytes, for the broker sends texts that are no UTF-8.

use std::io::Cursor;

use ibkr_oauth::bytes::{Bytes, BytesMut};
use tokio_tungstenite::tungstenite::protocol::frame::{
    FrameHeader,
    coding::{Control, Data, OpCode},
};

/// The longest frame: the broker names no limit, and sends replays of days.
const LONGEST: usize = 16 << 20;
/// The longest one that is about the connection.
const LONGEST_CONTROL: usize = 125;

pub(crate) const TEXT: OpCode = OpCode::Data(Data::Text);
pub(crate) const CLOSE: OpCode = OpCode::Control(Control::Close);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: OpCode,
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
        let mut head = Cursor::new(&self.0);
        let Some((header, length)) = FrameHeader::parse(&mut head).map_err(|_| NoFrame)? else { return Ok(None) };
        let at = usize::try_from(head.position()).map_err(|_| NoFrame)?;
        let length = usize::try_from(length).ok().filter(|length| *length <= LONGEST).ok_or(NoFrame)?;
        let FrameHeader { is_final, rsv1, rsv2, rsv3, opcode, mask } = header;
        let is_bad_control = matches!(opcode, OpCode::Control(_)) && (length > LONGEST_CONTROL || !is_final);
        // Extensions are never agreed on.
        if rsv1 || rsv2 || rsv3 || is_bad_control {
            return Err(NoFrame);
        }
        let Some(end) = at.checked_add(length).filter(|end| *end <= self.0.len()) else { return Ok(None) };
        let raw = self.0.split_to(end).freeze();
        let payload = match mask {
            Some(mask) => masked(&raw.slice(at..), mask).collect(),
            None => raw.slice(at..),
        };
        Ok(Some(Frame { opcode, is_last: is_final, payload, raw }))
    }
}

impl Frame {
    /// Whether it is about the connection, and not part of a message.
    pub(crate) fn is_control(&self) -> bool {
        matches!(self.opcode, OpCode::Control(_))
    }

    /// Whether it begins a message.
    pub(crate) fn begins(&self) -> bool {
        matches!(self.opcode, OpCode::Data(Data::Text | Data::Binary))
    }

    /// Whether it is a message of its own.
    pub(crate) fn is_whole(&self) -> bool {
        self.is_last && self.begins()
    }
}

/// A frame of these bytes as a server sends it, or with a mask as a client does.
pub(crate) fn framed(opcode: OpCode, payload: &[u8], mask: Option<[u8; 4]>) -> Bytes {
    let mut frame = Vec::new();
    let header = FrameHeader { opcode, mask, ..FrameHeader::default() };
    // Writing into a vector cannot fail.
    let _ = header.format(u64::try_from(payload.len()).unwrap_or(u64::MAX), &mut frame);
    frame.extend(masked(payload, mask.unwrap_or_default()));
    frame.into()
}

/// Bytes with the mask on, or off again.
fn masked(bytes: &[u8], mask: [u8; 4]) -> impl Iterator<Item = u8> {
    bytes.iter().zip(mask.into_iter().cycle()).map(|(byte, mask)| byte ^ mask)
}
