//! iSCSI on the wire (RFC 7143), for both ends: nothing in here knows what a target or an initiator does with a PDU.
//!
//! [`Frame`] and [`Framing`] cut a byte stream into PDUs and put PDUs into one, with digests; the structures of [`pdu`] are the
//! basic header segments; [`text`] is the `key=value` form of login and text negotiation; [`serial`] compares sequence numbers.
//! Everything that comes from the other side is bounded before memory is taken for it, and nothing in it can panic.
//!
//! ```
//! use bytes::BytesMut;
//! use hpe3par_emulator::iscsi::wire::{Framing, pdu::{NopOut, Pdu as _}};
//!
//! let ping = NopOut { final_bit: 0x80, initiator_task_tag: 7, target_transfer_tag: 0xFFFF_FFFF, ..NopOut::default() };
//! let mut stream = Vec::new();
//! Framing::default().put(&mut stream, &ping.encode(), b"hello");
//! let frame = Framing::default().take(&mut BytesMut::from(&stream[..])).unwrap().unwrap();
//! assert_eq!(NopOut::decode(&frame.header).unwrap(), ping);
//! assert_eq!(&frame.data[..], b"hello");
//! ```

pub mod frame;
pub mod pdu;
pub mod serial;
pub mod text;

pub use self::frame::{Frame, FrameError, Framing, HEADER_BYTES, Header};
