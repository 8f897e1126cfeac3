//! The basic header segments of all PDUs (RFC 7143 s. 11.3 to 11.19).
//!
//! Each structure holds the fields of one PDU in the order of the wire; lengths belong to [`Framing`](super::Framing). Flags stay
//! bytes, with constants for their bits.

use super::{HEADER_BYTES, Header};

/// Target transfer tag or initiator task tag that names nothing.
pub const NO_TAG: u32 = 0xFFFF_FFFF;

/// The bit F (final) of data, text and task PDUs, and T (transit) of a login.
pub const FINAL: u8 = 0x80;

/// The bit C (continue) of login and text PDUs.
pub const CONTINUE: u8 = 0x40;

/// Flags of [`ScsiCommand`].
pub mod command_flags {
    /// Data goes to the initiator.
    pub const READ: u8 = 0x40;
    /// Data goes to the target.
    pub const WRITE: u8 = 0x20;
}

/// Flags of [`ScsiResponse`] and, with [`STATUS`](response_flags::STATUS), of [`DataIn`].
pub mod response_flags {
    /// The residual count says how much was missing room.
    pub const OVERFLOW: u8 = 0x04;
    /// The residual count says how much was not transferred.
    pub const UNDERFLOW: u8 = 0x02;
    /// The last Data-In carries the status.
    pub const STATUS: u8 = 0x01;
}

/// What stands behind the header of a PDU.
pub trait Pdu: Sized {
    /// Operation code.
    const OPCODE: u8;

    /// The header on the wire.
    fn encode(&self) -> Header;

    /// Reads the header; `None` when its operation code is another one.
    fn decode(header: &Header) -> Option<Self>;
}

/// A field of fixed size.
trait Field: Copy {
    fn put(self, bytes: &mut [u8]);
    fn get(bytes: &[u8]) -> Self;
}

impl Field for u8 {
    fn put(self, bytes: &mut [u8]) {
        bytes[..1].copy_from_slice(&[self]);
    }
    fn get(bytes: &[u8]) -> Self {
        bytes.first().copied().unwrap_or_default()
    }
}

impl Field for u16 {
    fn put(self, bytes: &mut [u8]) {
        bytes[..2].copy_from_slice(&self.to_be_bytes());
    }
    fn get(bytes: &[u8]) -> Self {
        bytes.first_chunk().copied().map(Self::from_be_bytes).unwrap_or_default()
    }
}

impl Field for u32 {
    fn put(self, bytes: &mut [u8]) {
        bytes[..4].copy_from_slice(&self.to_be_bytes());
    }
    fn get(bytes: &[u8]) -> Self {
        bytes.first_chunk().copied().map(Self::from_be_bytes).unwrap_or_default()
    }
}

impl<const N: usize> Field for [u8; N] {
    fn put(self, bytes: &mut [u8]) {
        bytes[..N].copy_from_slice(&self);
    }
    fn get(bytes: &[u8]) -> Self {
        bytes.first_chunk().copied().unwrap_or([0; N])
    }
}

/// Makes the structure of a PDU from its fields and their places. Requests start with the bit for immediate delivery.
macro_rules! pdu {
    ($(#[$doc:meta])* request $name:ident = $opcode:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $at:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name {
            /// Whether it is for immediate delivery.
            pub immediate: bool,
            $($(#[$field_doc])* pub $field: $kind,)*
        }
        impl Pdu for $name {
            const OPCODE: u8 = $opcode;
            fn encode(&self) -> Header {
                let mut bytes = [0; HEADER_BYTES];
                bytes[0] = $opcode | if self.immediate { 0x40 } else { 0 };
                $(Field::put(self.$field, &mut bytes[$at..]);)*
                Header(bytes)
            }
            fn decode(header: &Header) -> Option<Self> {
                let immediate = header.is_immediate();
                (header.opcode() == $opcode).then(|| Self { immediate, $($field: Field::get(&header.0[$at..]),)* })
            }
        }
    };
    ($(#[$doc:meta])* response $name:ident = $opcode:literal { $($(#[$field_doc:meta])* $field:ident: $kind:ty = $at:literal,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
        pub struct $name { $($(#[$field_doc])* pub $field: $kind,)* }
        impl Pdu for $name {
            const OPCODE: u8 = $opcode;
            fn encode(&self) -> Header {
                let mut bytes = [0; HEADER_BYTES];
                bytes[0] = $opcode;
                $(Field::put(self.$field, &mut bytes[$at..]);)*
                Header(bytes)
            }
            fn decode(header: &Header) -> Option<Self> {
                (header.opcode() == $opcode).then(|| Self { $($field: Field::get(&header.0[$at..]),)* })
            }
        }
    };
}

pdu! {
    /// NOP-Out (s. 11.18): a ping, or the answer to one.
    request NopOut = 0x00 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// LUN, copied from the NOP-In it answers.
        lun: [u8; 8] = 8,
        /// Initiator task tag; [`NO_TAG`] when no answer is wanted.
        initiator_task_tag: u32 = 16,
        /// Tag of the NOP-In it answers, else [`NO_TAG`].
        target_transfer_tag: u32 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
    }
}
pdu! {
    /// SCSI Command (s. 11.3).
    request ScsiCommand = 0x01 {
        /// [`FINAL`], [`command_flags`] and the task attribute.
        flags: u8 = 1,
        /// Logical unit number.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Bytes that the initiator means to transfer.
        expected_data_transfer_length: u32 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
        /// Command descriptor block, or its first 16 bytes.
        cdb: [u8; 16] = 32,
    }
}
pdu! {
    /// Task Management Function Request (s. 11.5).
    request TaskManagementRequest = 0x02 {
        /// [`FINAL`] and the function.
        function: u8 = 1,
        /// Logical unit number.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Task that the function is about.
        referenced_task_tag: u32 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
        /// Command sequence number of the referenced task.
        ref_cmd_sn: u32 = 32,
    }
}
pdu! {
    /// Login Request (s. 11.12).
    request LoginRequest = 0x03 {
        /// [`FINAL`] (transit), [`CONTINUE`], current and next stage.
        flags: u8 = 1,
        /// Highest version supported.
        version_max: u8 = 2,
        /// Lowest version supported.
        version_min: u8 = 3,
        /// Session id, part of the initiator.
        isid: [u8; 6] = 8,
        /// Session id, part of the target; 0 for a new session.
        tsih: u16 = 14,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Connection id.
        cid: u16 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
    }
}
pdu! {
    /// Text Request (s. 11.10).
    request TextRequest = 0x04 {
        /// [`FINAL`] and [`CONTINUE`].
        flags: u8 = 1,
        /// Logical unit number, copied with the tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag of the response it goes on from, else [`NO_TAG`].
        target_transfer_tag: u32 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
    }
}
pdu! {
    /// SCSI Data-Out (s. 11.7).
    request DataOut = 0x05 {
        /// [`FINAL`].
        flags: u8 = 1,
        /// Logical unit number, copied with the tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag of the R2T it answers; [`NO_TAG`] when unsolicited.
        target_transfer_tag: u32 = 20,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
        /// Number within its sequence.
        data_sn: u32 = 36,
        /// Place of the data in the transfer.
        buffer_offset: u32 = 40,
    }
}
pdu! {
    /// Logout Request (s. 11.14).
    request LogoutRequest = 0x06 {
        /// [`FINAL`] and the reason.
        reason: u8 = 1,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Connection id.
        cid: u16 = 20,
        /// Command sequence number.
        cmd_sn: u32 = 24,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
    }
}
pdu! {
    /// SNACK Request (s. 11.16); only error recovery levels above 0 have it.
    request SnackRequest = 0x10 {
        /// [`FINAL`] and the type.
        flags: u8 = 1,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Next status number expected.
        exp_stat_sn: u32 = 28,
    }
}
pdu! {
    /// NOP-In (s. 11.19).
    response NopIn = 0x20 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// Logical unit number, copied with the tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag that an answer has to carry; [`NO_TAG`] when none is wanted.
        target_transfer_tag: u32 = 20,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
    }
}
pdu! {
    /// SCSI Response (s. 11.4).
    response ScsiResponse = 0x21 {
        /// [`FINAL`] and [`response_flags`].
        flags: u8 = 1,
        /// 0 completed at the target, 1 target failure.
        response: u8 = 2,
        /// SCSI status.
        status: u8 = 3,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// How many Data-In and R2T PDUs were sent.
        exp_data_sn: u32 = 36,
        /// Residual count of the read part of a bidirectional command.
        bidirectional_residual: u32 = 40,
        /// Residual count.
        residual: u32 = 44,
    }
}
pdu! {
    /// Task Management Function Response (s. 11.6).
    response TaskManagementResponse = 0x22 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// What became of the function.
        response: u8 = 2,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
    }
}
pdu! {
    /// Login Response (s. 11.13).
    response LoginResponse = 0x23 {
        /// [`FINAL`] (transit), [`CONTINUE`], current and next stage.
        flags: u8 = 1,
        /// Highest version supported.
        version_max: u8 = 2,
        /// Version in use.
        version_active: u8 = 3,
        /// Session id, part of the initiator.
        isid: [u8; 6] = 8,
        /// Session id, part of the target.
        tsih: u16 = 14,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Class and detail of the status.
        status: u16 = 36,
    }
}
pdu! {
    /// Text Response (s. 11.11).
    response TextResponse = 0x24 {
        /// [`FINAL`] and [`CONTINUE`].
        flags: u8 = 1,
        /// Logical unit number, for the initiator to copy with the tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag to go on with, else [`NO_TAG`].
        target_transfer_tag: u32 = 20,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
    }
}
pdu! {
    /// SCSI Data-In (s. 11.7).
    response DataIn = 0x25 {
        /// [`FINAL`] and [`response_flags`].
        flags: u8 = 1,
        /// SCSI status, with [`response_flags::STATUS`].
        status: u8 = 3,
        /// Logical unit number, with a tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag that an acknowledgement has to carry, else [`NO_TAG`].
        target_transfer_tag: u32 = 20,
        /// Status sequence number, with [`response_flags::STATUS`].
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Number within the transfer.
        data_sn: u32 = 36,
        /// Place of the data in the transfer.
        buffer_offset: u32 = 40,
        /// Residual count, with [`response_flags::STATUS`].
        residual: u32 = 44,
    }
}
pdu! {
    /// Logout Response (s. 11.15).
    response LogoutResponse = 0x26 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// 0 closed.
        response: u8 = 2,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Seconds to wait before a new attempt.
        time2wait: u16 = 40,
        /// Seconds for which tasks are kept.
        time2retain: u16 = 42,
    }
}
pdu! {
    /// Ready To Transfer (s. 11.8).
    response ReadyToTransfer = 0x31 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// Logical unit number, for the initiator to copy with the tag.
        lun: [u8; 8] = 8,
        /// Initiator task tag.
        initiator_task_tag: u32 = 16,
        /// Tag that the data has to carry.
        target_transfer_tag: u32 = 20,
        /// Next status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Number within the transfer.
        r2t_sn: u32 = 36,
        /// Place of the wanted data in the transfer.
        buffer_offset: u32 = 40,
        /// Bytes wanted.
        desired_length: u32 = 44,
    }
}
pdu! {
    /// Asynchronous Message (s. 11.9).
    response AsyncMessage = 0x32 {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// Logical unit number of a SCSI event.
        lun: [u8; 8] = 8,
        /// [`NO_TAG`], always.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Event: 1 logout requested, 2 connection will be dropped, 3 all connections will be dropped.
        event: u8 = 36,
        /// Code of a vendor's event.
        vendor_code: u8 = 37,
        /// First parameter.
        parameter1: u16 = 38,
        /// Second parameter.
        parameter2: u16 = 40,
        /// Third parameter.
        parameter3: u16 = 42,
    }
}
pdu! {
    /// Reject (s. 11.17); its data is the header of the rejected PDU.
    response Reject = 0x3F {
        /// [`FINAL`], always.
        final_bit: u8 = 1,
        /// Why; see [`reject_reason`].
        reason: u8 = 2,
        /// [`NO_TAG`], always.
        initiator_task_tag: u32 = 16,
        /// Status sequence number.
        stat_sn: u32 = 24,
        /// Next command number expected.
        exp_cmd_sn: u32 = 28,
        /// Highest command number taken.
        max_cmd_sn: u32 = 32,
        /// Number of the data PDU or R2T at fault.
        data_sn: u32 = 36,
    }
}

/// Reasons of [`Reject`] (RFC 7143 s. 11.17.1).
pub mod reject_reason {
    /// Data (payload) digest error.
    pub const DATA_DIGEST: u8 = 0x02;
    /// SNACK reject.
    pub const SNACK: u8 = 0x03;
    /// Protocol error.
    pub const PROTOCOL: u8 = 0x04;
    /// Command not supported.
    pub const NOT_SUPPORTED: u8 = 0x05;
    /// Invalid PDU field.
    pub const INVALID_FIELD: u8 = 0x09;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Decoding any header of a kind and encoding it again keeps every field.
    fn survives<P: Pdu + PartialEq + std::fmt::Debug>(bytes: [u8; HEADER_BYTES]) {
        let mut header = Header(bytes);
        header.0[0] = P::OPCODE | bytes[0] & 0x40;
        let first = P::decode(&header).unwrap();
        assert_eq!(P::decode(&first.encode()).unwrap(), first);
        header.0[0] ^= 0x07;
        assert_eq!(P::decode(&header), None, "another operation code is another PDU");
    }

    proptest! {
        #[test]
        fn every_pdu_survives_the_wire(low in prop::array::uniform32(any::<u8>()), high in prop::array::uniform16(any::<u8>())) {
            let mut bytes = [0; HEADER_BYTES];
            bytes[..32].copy_from_slice(&low);
            bytes[32..].copy_from_slice(&high);
            survives::<NopOut>(bytes);
            survives::<ScsiCommand>(bytes);
            survives::<TaskManagementRequest>(bytes);
            survives::<LoginRequest>(bytes);
            survives::<TextRequest>(bytes);
            survives::<DataOut>(bytes);
            survives::<LogoutRequest>(bytes);
            survives::<SnackRequest>(bytes);
            survives::<NopIn>(bytes);
            survives::<ScsiResponse>(bytes);
            survives::<TaskManagementResponse>(bytes);
            survives::<LoginResponse>(bytes);
            survives::<TextResponse>(bytes);
            survives::<DataIn>(bytes);
            survives::<LogoutResponse>(bytes);
            survives::<ReadyToTransfer>(bytes);
            survives::<AsyncMessage>(bytes);
            survives::<Reject>(bytes);
        }
    }

    #[test]
    fn fields_are_where_the_standard_has_them() {
        let command = ScsiCommand { immediate: true, cmd_sn: 0x0102_0304, cdb: [9; 16], ..ScsiCommand::default() };
        let Header(bytes) = command.encode();
        assert_eq!((bytes[0], &bytes[24..28], &bytes[32..]), (0x41, &[1, 2, 3, 4][..], &[9; 16][..]));
        let Header(bytes) = LoginResponse { status: 0x0201, tsih: 5, ..LoginResponse::default() }.encode();
        assert_eq!((bytes[0], bytes[15], bytes[36], bytes[37]), (0x23, 5, 2, 1));
    }
}
