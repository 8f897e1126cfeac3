//! SCSI-like commands that do not stay in flight: REPORT LUNS, INQUIRY, READ CAPACITY, READ, SYNCHRONIZE CACHE.

use std::collections::BTreeSet;
use std::time::Duration;

use super::{ReadFault, Sense, SessionId};
use crate::array::{Array, ArrayError, Lun, VlunGeneration, Volume, VolumeName, Wwn};

/// Most bytes that one read may ask for.
pub const TRANSFER_MAX: usize = 64 << 20;

/// Why a command did not end well.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IoError {
    /// CHECK CONDITION with this sense.
    #[error("the array answered with sense {0}")]
    Sense(Sense),
    /// The session is gone: there is nobody to answer.
    #[error("the session is gone")]
    NexusLost,
    /// The task was aborted: there is no answer.
    #[error("the task was aborted")]
    Aborted,
}

/// What stands behind a LUN.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Inquiry {
    /// A volume: vendor `3PARdata`, product `VV`.
    Disk {
        /// World wide name, VPD page 0x83.
        wwn: Wwn,
        /// Name; VPD page 0xC0 of real arrays carries it.
        volume: VolumeName,
        /// Template it is reached through.
        generation: VlunGeneration,
        /// Size in bytes.
        size_bytes: u64,
        /// Whether it refuses writes.
        read_only: bool,
        /// Whether space is allocated on demand, so that UNMAP makes sense.
        thin: bool,
    },
    /// The enclosure at LUN 254: vendor `3PARdata`, product `SES`.
    Enclosure,
}

impl Array {
    /// REPORT LUNS: the LUNs of the session, with the enclosure at 254 where the persona has it. Takes the unit attention.
    ///
    /// # Errors
    /// [`IoError::NexusLost`] without such a session.
    pub fn report_luns(&mut self, now: Duration, session: SessionId) -> Result<Vec<Lun>, IoError> {
        self.advance(now);
        self.take_unit_attention(session);
        let nexus = self.nexuses.get(session).ok_or(IoError::NexusLost)?;
        let path = (nexus.initiator.clone(), nexus.port);
        let mut luns: BTreeSet<Lun> = self.luns_on(&path).into_keys().collect();
        if self.sees_enclosure(session) {
            luns.insert(Lun::SES);
        }
        Ok(luns.into_iter().collect())
    }

    /// INQUIRY with the pages that tell what a LUN is.
    ///
    /// # Errors
    /// LOGICAL UNIT NOT SUPPORTED when nothing is there; [`IoError::NexusLost`] without such a session.
    pub fn inquiry(&self, session: SessionId, lun: Lun) -> Result<Inquiry, IoError> {
        match self.volume_behind(session, lun) {
            Ok((generation, volume)) => Ok(Inquiry::Disk {
                wwn: volume.wwn.clone(),
                volume: volume.name.clone(),
                generation,
                size_bytes: volume.size_bytes(),
                read_only: volume.read_only,
                thin: volume.provisioning != crate::array::Provisioning::Full,
            }),
            Err(IoError::Sense(_)) if lun == Lun::SES && self.sees_enclosure(session) => Ok(Inquiry::Enclosure),
            Err(refusal) => Err(refusal),
        }
    }

    /// World wide name of the volume at a LUN (VPD page 0x83).
    ///
    /// # Errors
    /// Those of [`Array::inquiry`]; INVALID FIELD IN CDB for the enclosure.
    pub fn vpd83(&self, session: SessionId, lun: Lun) -> Result<Wwn, IoError> {
        match self.inquiry(session, lun)? {
            Inquiry::Disk { wwn, .. } => Ok(wwn),
            Inquiry::Enclosure => Err(IoError::Sense(Sense::INVALID_FIELD)),
        }
    }

    /// READ CAPACITY: size in bytes.
    ///
    /// # Errors
    /// LOGICAL UNIT NOT SUPPORTED or [`IoError::NexusLost`].
    pub fn read_capacity(&self, session: SessionId, lun: Lun) -> Result<u64, IoError> {
        self.volume_behind(session, lun).map(|(_, volume)| volume.size_bytes())
    }

    /// READ. What was never written reads as zeros.
    ///
    /// # Errors
    /// LOGICAL UNIT NOT SUPPORTED, INVALID FIELD IN CDB above [`TRANSFER_MAX`], LOGICAL BLOCK ADDRESS OUT OF RANGE, UNRECOVERED READ ERROR where a fault is injected, or
    /// [`IoError::NexusLost`].
    pub fn read(
        &mut self,
        now: Duration,
        session: SessionId,
        lun: Lun,
        offset: u64,
        length: usize,
    ) -> Result<Vec<u8>, IoError> {
        self.advance(now);
        let id = self.volume_behind(session, lun)?.1.id;
        let volume = self.volumes.get_mut(id).ok_or(IoError::Sense(Sense::LUN_NOT_SUPPORTED))?;
        if length > TRANSFER_MAX {
            return Err(IoError::Sense(Sense::INVALID_FIELD));
        }
        let end = offset.checked_add(length as u64);
        if end.is_none_or(|end| end > volume.size_bytes()) {
            return Err(IoError::Sense(Sense::OUT_OF_RANGE));
        }
        if volume.read_fault.as_mut().is_some_and(|fault| fault.strikes(offset, length as u64)) {
            return Err(IoError::Sense(Sense::READ_ERROR));
        }
        let mut buffer = vec![0; length];
        volume.blocks.read(offset, &mut buffer);
        self.count_read(session, lun, id, length as u64);
        Ok(buffer)
    }

    /// SYNCHRONIZE CACHE. An accepted write is durable already, so this only tells whether the LUN is still there.
    ///
    /// # Errors
    /// LOGICAL UNIT NOT SUPPORTED or [`IoError::NexusLost`].
    pub fn flush(&mut self, now: Duration, session: SessionId, lun: Lun) -> Result<(), IoError> {
        self.advance(now);
        self.volume_behind(session, lun).map(drop)
    }

    /// Takes the unit attention REPORTED LUNS DATA HAS CHANGED from a session, if one waits. Commands of this interface do not fail
    /// because of it; a SCSI front end must report it.
    pub fn take_unit_attention(&mut self, session: SessionId) -> Option<Sense> {
        let nexus = self.nexuses.get_mut(session)?;
        std::mem::take(&mut nexus.luns_changed).then_some(Sense::LUNS_CHANGED)
    }

    /// Injects a read fault into a volume, or takes it away.
    ///
    /// # Errors
    /// 23 when the volume does not exist.
    pub fn set_read_fault(&mut self, volume: &str, fault: Option<ReadFault>) -> Result<(), ArrayError> {
        let id = self.volume(volume)?.id;
        if let Some(volume) = self.volumes.get_mut(id) {
            volume.read_fault = fault;
        }
        Ok(())
    }

    /// Reads the medium of a volume past every mask and fault, for checkers.
    ///
    /// # Errors
    /// 23 when the volume does not exist, 43 when the range is not inside it or longer than [`TRANSFER_MAX`].
    pub fn peek(&self, volume: &str, offset: u64, length: usize) -> Result<Vec<u8>, ArrayError> {
        let volume = self.volume(volume)?;
        let end = offset.checked_add(length as u64);
        if length > TRANSFER_MAX || end.is_none_or(|end| end > volume.size_bytes()) {
            return Err(ArrayError::exceeds_range().with_ref("offset"));
        }
        let mut buffer = vec![0; length];
        volume.blocks.read(offset, &mut buffer);
        Ok(buffer)
    }

    /// The volume that a session reaches at a LUN, and through which template.
    fn volume_behind(&self, session: SessionId, lun: Lun) -> Result<(VlunGeneration, &Volume), IoError> {
        let nexus = self.nexuses.get(session).ok_or(IoError::NexusLost)?;
        let path = (nexus.initiator.clone(), nexus.port);
        let template = self.resolve(&path, lun);
        template
            .and_then(|t| self.volumes.get(t.volume).map(|v| (t.generation, v)))
            .ok_or(IoError::Sense(Sense::LUN_NOT_SUPPORTED))
    }

    /// Whether the host of a session sees the enclosure.
    fn sees_enclosure(&self, session: SessionId) -> bool {
        let host = self.nexuses.get(session).and_then(|n| self.host_of(&n.initiator));
        self.config.ses_lun && host.is_some_and(|h| h.persona.has_ses_lun())
    }
}
