//! A part of a file, while it is gathered and while it is on its way.

use bytes::{Buf as _, Bytes};
use object_store::PutPayload;

use super::PART_BYTES;

/// Bytes of a piece. A part is given to the connection piece by piece, so that it is seen whether they move.
pub(super) const PIECE_BYTES: usize = 64 * 1024;

/// Gathers a part, in pieces of which each has the memory that it needs and none is ever moved. One buffer for all
/// of it would grow by doubling, past the size of a part, and be held whole by what is cut from it: twice the memory
/// of what is on its way.
#[derive(Default)]
pub(super) struct Part {
    pieces: Vec<Bytes>,
    filling: Vec<u8>,
    len: usize,
}

impl Part {
    /// Takes as much of `bytes` as there is room for.
    pub(super) fn fill(&mut self, bytes: &mut Bytes) {
        let mut room = PART_BYTES - self.len;
        while room > 0 && !bytes.is_empty() {
            if self.filling.capacity() == 0 {
                self.filling = Vec::with_capacity(PIECE_BYTES);
            }
            let most = PIECE_BYTES - self.filling.len();
            let taken = bytes.len().min(most).min(room);
            self.filling.extend_from_slice(&bytes[..taken]);
            bytes.advance(taken);
            room -= taken;
            self.len += taken;
            if self.filling.len() == PIECE_BYTES {
                self.pieces.push(std::mem::take(&mut self.filling).into());
            }
        }
    }

    pub(super) fn is_full(&self) -> bool {
        self.len == PART_BYTES
    }

    pub(super) fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// What is gathered, to be sent; begins anew.
    pub(super) fn take(&mut self) -> PutPayload {
        let Self {
            mut pieces,
            filling,
            ..
        } = std::mem::take(self);
        if !filling.is_empty() {
            pieces.push(filling.into());
        }
        pieces.into_iter().collect()
    }

    /// How much memory it has.
    #[cfg(test)]
    fn memory(&self) -> usize {
        let full: usize = self.pieces.iter().map(Bytes::len).sum();
        full + self.filling.capacity()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_has_no_more_memory_than_its_bytes_and_a_piece() {
        let mut part = Part::default();
        let mut came = 0;
        // Of all sizes that a connection brings.
        for size in (1..).step_by(7_919) {
            let mut bytes = Bytes::from(vec![b'x'; size]);
            part.fill(&mut bytes);
            came += size - bytes.len();
            assert!(part.memory() <= came + PIECE_BYTES, "after {came} bytes");
            if part.is_full() {
                break;
            }
        }
        assert_eq!(came, PART_BYTES);
        assert_eq!(part.memory(), PART_BYTES);
        let payload = part.take();
        assert_eq!(payload.content_length(), PART_BYTES);
        assert!(payload.iter().all(|piece| piece.len() == PIECE_BYTES));
        assert!(
            part.is_empty() && part.memory() == 0,
            "what is sent is let go"
        );
    }
}
