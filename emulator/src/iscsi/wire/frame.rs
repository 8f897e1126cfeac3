//! Cutting a byte stream into PDUs and putting PDUs into one: lengths, padding, digests (RFC 7143 s. 11.1 and 11.2).

use bytes::{Buf as _, Bytes, BytesMut};

/// Bytes of a basic header segment.
pub const HEADER_BYTES: usize = 48;

/// Bytes of a digest.
const DIGEST_BYTES: usize = 4;

/// A basic header segment as it is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header(pub [u8; HEADER_BYTES]);

impl Header {
    /// Operation code, without the bit for immediate delivery.
    #[must_use]
    pub const fn opcode(&self) -> u8 {
        self.0[0] & 0x3F
    }

    /// Whether it is for immediate delivery.
    #[must_use]
    pub const fn is_immediate(&self) -> bool {
        self.0[0] & 0x40 != 0
    }

    /// Length of the additional header segments in bytes.
    #[must_use]
    pub const fn additional_bytes(&self) -> usize {
        self.0[4] as usize * 4
    }

    /// Length of the data segment in bytes, without padding.
    #[must_use]
    pub const fn data_bytes(&self) -> usize {
        (self.0[5] as usize) << 16 | (self.0[6] as usize) << 8 | self.0[7] as usize
    }

    /// The same header for a data segment of this length.
    #[must_use]
    pub const fn with_data_bytes(mut self, length: usize) -> Self {
        (self.0[5], self.0[6], self.0[7]) = ((length >> 16) as u8, (length >> 8) as u8, length as u8);
        self
    }

    /// Command sequence number; every request has it in the same place.
    #[must_use]
    pub const fn command_number(&self) -> u32 {
        u32::from_be_bytes([self.0[24], self.0[25], self.0[26], self.0[27]])
    }

    /// Initiator task tag; every PDU has it in the same place.
    #[must_use]
    pub const fn initiator_task_tag(&self) -> u32 {
        u32::from_be_bytes([self.0[16], self.0[17], self.0[18], self.0[19]])
    }
}

/// A PDU that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Frame {
    /// Basic header segment.
    pub header: Header,
    /// Additional header segments.
    pub additional: Bytes,
    /// Data segment, without padding.
    pub data: Bytes,
}

/// Why a stream cannot be cut into PDUs any further.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The data segment is longer than this side declared to take.
    #[error("opcode {opcode:#04x} announces a data segment of {announced} bytes; at most {allowed} were declared")]
    DataTooLong {
        /// Its operation code.
        opcode: u8,
        /// Length announced.
        announced: usize,
        /// Longest that was declared.
        allowed: usize,
    },
    /// The digest of the header is wrong: nothing in the header can be believed, its lengths included.
    #[error("the header digest is wrong")]
    HeaderDigest,
    /// The digest of the data is wrong.
    #[error("the data digest is wrong")]
    DataDigest(Box<Header>),
}

/// How PDUs are laid out on a connection at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Framing {
    /// Whether headers carry a CRC32C.
    pub header_digest: bool,
    /// Whether data segments carry a CRC32C.
    pub data_digest: bool,
    /// Longest data segment taken from the other side.
    pub max_data: usize,
}

impl Default for Framing {
    /// As during login: no digests, 8192 bytes (RFC 7143 s. 13.12).
    fn default() -> Self {
        Self { header_digest: false, data_digest: false, max_data: 8192 }
    }
}

/// The same length with padding.
const fn padded(length: usize) -> usize {
    length.next_multiple_of(4)
}

/// CRC32C as a digest carries it.
fn digest(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part)).to_le_bytes()
}

impl Framing {
    const fn digest_bytes(wanted: bool) -> usize {
        if wanted { DIGEST_BYTES } else { 0 }
    }

    /// Bytes of the whole PDU that starts in `buffer`, once its header is there.
    ///
    /// # Errors
    /// [`FrameError::DataTooLong`].
    pub fn length_of_next(&self, buffer: &[u8]) -> Result<Option<usize>, FrameError> {
        let Some(header) = buffer.first_chunk().copied().map(Header) else { return Ok(None) };
        let (announced, allowed) = (header.data_bytes(), self.max_data);
        if announced > allowed {
            return Err(FrameError::DataTooLong { opcode: header.opcode(), announced, allowed });
        }
        let data_digest = if announced > 0 { Self::digest_bytes(self.data_digest) } else { 0 };
        let head = HEADER_BYTES + header.additional_bytes() + Self::digest_bytes(self.header_digest);
        Ok(Some(head + padded(announced) + data_digest))
    }

    /// Takes the next PDU out of `buffer`, once it is whole.
    ///
    /// # Errors
    /// [`FrameError`]; the stream is of no use after that, except that the PDU with a wrong data digest was taken out.
    pub fn take(&self, buffer: &mut BytesMut) -> Result<Option<Frame>, FrameError> {
        // Lengths under a wrong header digest may be anything, so it is looked at before they are used.
        if self.header_digest && buffer.len() >= HEADER_BYTES {
            let end = HEADER_BYTES + usize::from(buffer[4]) * 4;
            match buffer.get(end..end + DIGEST_BYTES) {
                None => return Ok(None),
                Some(found) if found != digest(&[&buffer[..end]]) => return Err(FrameError::HeaderDigest),
                Some(_) => {}
            }
        }
        let Some(length) = self.length_of_next(buffer)?.filter(|length| buffer.len() >= *length) else {
            return Ok(None);
        };
        let mut pdu = buffer.split_to(length).freeze();
        let mut header = Header([0; HEADER_BYTES]);
        pdu.copy_to_slice(&mut header.0);
        let additional = pdu.split_to(header.additional_bytes());
        if self.header_digest {
            pdu.advance(DIGEST_BYTES);
        }
        let with_padding = padded(header.data_bytes());
        if self.data_digest && with_padding > 0 && pdu[with_padding..] != digest(&[&pdu[..with_padding]]) {
            return Err(FrameError::DataDigest(Box::new(header)));
        }
        pdu.truncate(header.data_bytes());
        Ok(Some(Frame { header, additional, data: pdu }))
    }

    /// Puts a PDU without additional header segments behind what is in `out`.
    pub fn put(&self, out: &mut Vec<u8>, header: &Header, data: &[u8]) {
        self.put_header(out, header, data.len());
        if !data.is_empty() {
            out.extend_from_slice(data);
            self.put_trailer(out, data.len(), || digest_of_padded(&[data]));
        }
    }

    /// Puts header and header digest of a PDU whose data segment of this length will follow.
    pub fn put_header(&self, out: &mut Vec<u8>, header: &Header, data_bytes: usize) {
        let header = header.with_data_bytes(data_bytes);
        out.extend_from_slice(&header.0);
        if self.header_digest {
            out.extend_from_slice(&digest(&[&header.0]));
        }
    }

    /// Puts what follows a data segment of this length: padding, and the digest, which is asked for only when there is one.
    pub fn put_trailer(&self, out: &mut Vec<u8>, data_bytes: usize, data_digest: impl FnOnce() -> [u8; DIGEST_BYTES]) {
        out.resize(out.len() + padded(data_bytes) - data_bytes, 0);
        if self.data_digest {
            out.extend_from_slice(&data_digest());
        }
    }
}

/// Digest of a data segment given in parts, with its padding.
#[must_use]
pub fn digest_of_padded(parts: &[&[u8]]) -> [u8; DIGEST_BYTES] {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let crc = parts.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    crc32c::crc32c_append(crc, &[0; DIGEST_BYTES][..padded(length) - length]).to_le_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn framing(header_digest: bool, data_digest: bool) -> Framing {
        Framing { header_digest, data_digest, max_data: 8192 }
    }

    #[test]
    fn a_digest_is_that_of_the_standard() {
        // 32 bytes of zeros, RFC 7143 s. C (CRC examples).
        assert_eq!(digest(&[&[0; 32]]), [0xaa, 0x36, 0x91, 0x8a]);
    }

    #[test]
    fn a_length_that_was_not_declared_is_refused_before_it_is_waited_for() {
        let header = Header([0; HEADER_BYTES]).with_data_bytes(8193);
        let mut buffer = BytesMut::from(&header.0[..]);
        let refused = Framing::default().take(&mut buffer).unwrap_err();
        assert_eq!(refused, FrameError::DataTooLong { opcode: 0, announced: 8193, allowed: 8192 });
    }

    proptest! {
        #[test]
        fn what_is_put_is_taken(
            header in prop::array::uniform32(any::<u8>()),
            data in prop::collection::vec(any::<u8>(), 0..100),
            digests: (bool, bool),
            cut in 0usize..1000,
        ) {
            let framing = framing(digests.0, digests.1);
            let mut whole = Header([0; HEADER_BYTES]);
            whole.0[..32].copy_from_slice(&header);
            whole.0[4] = 0;
            let mut stream = Vec::new();
            framing.put(&mut stream, &whole, &data);
            framing.put(&mut stream, &whole, b"");
            let mut part = BytesMut::from(&stream[..cut.min(stream.len())]);
            let mut frames = Vec::new();
            while let Some(frame) = framing.take(&mut part).unwrap() {
                frames.push(frame);
            }
            part.extend_from_slice(&stream[cut.min(stream.len())..]);
            while let Some(frame) = framing.take(&mut part).unwrap() {
                frames.push(frame);
            }
            prop_assert_eq!(frames.len(), 2);
            prop_assert_eq!(&frames[0].data[..], &data[..]);
            prop_assert_eq!(frames[0].header, whole.with_data_bytes(data.len()));
            prop_assert!(part.is_empty());
        }

        #[test]
        fn a_changed_bit_does_not_pass_the_digests(data in prop::collection::vec(any::<u8>(), 1..60), at: prop::sample::Index, bit in 0u8..8) {
            let framing = framing(true, true);
            let mut stream = Vec::new();
            framing.put(&mut stream, &Header([7; HEADER_BYTES]).with_data_bytes(0), b"");
            // The announced length of additional segments must not reach behind the end.
            let mut header = Header([7; HEADER_BYTES]);
            header.0[4] = 0;
            stream.clear();
            framing.put(&mut stream, &header, &data);
            let place = at.index(stream.len());
            stream[place] ^= 1 << bit;
            // More bytes follow, so that a longer length is not just waited for.
            stream.resize(stream.len() + 2048, 0);
            let outcome = framing.take(&mut BytesMut::from(&stream[..]));
            prop_assert!(outcome.is_err(), "{outcome:?}");
        }

        #[test]
        fn no_bytes_break_it(bytes in prop::collection::vec(any::<u8>(), 0..400), digests: (bool, bool)) {
            let framing = framing(digests.0, digests.1);
            let mut buffer = BytesMut::from(&bytes[..]);
            while let Ok(Some(_)) = framing.take(&mut buffer) {}
        }
    }
}
