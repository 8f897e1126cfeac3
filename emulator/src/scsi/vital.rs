//! Vital product data pages: 00, 80, 83, B0, B1, B2 and the vendor's own C0.

use super::blocks::COMPARE_AND_WRITE_MAX;
use super::capacity::is_thin;
use super::cdb::BLOCK;
use super::provisioning::{UNMAP_BLOCKS_MAX, UNMAP_DESCRIPTORS_MAX, UNMAP_GRANULARITY, WRITE_SAME_BLOCKS_MAX};
use super::{Stop, TRANSFER_BYTES_MAX};
use crate::array::{Array, DiskType, Provisioning, Volume};
use crate::datapath::{Sense, SessionId};

/// The pages of a volume.
const PAGES: [u8; 7] = [0x00, 0x80, 0x83, 0xB0, 0xB1, 0xB2, 0xC0];

/// A page with its header.
fn page_of(kind: u8, page: u8, body: &[u8]) -> Vec<u8> {
    let [high, low] = (body.len() as u16).to_be_bytes();
    let mut bytes = vec![kind, page, high, low];
    bytes.extend_from_slice(body);
    bytes
}

/// A page of the enclosure.
pub(super) fn enclosure_page(page: u8) -> Result<Vec<u8>, Stop> {
    match page {
        0x00 => Ok(page_of(0x0D, page, &[0x00])),
        _ => Err(Sense::INVALID_FIELD.into()),
    }
}

/// A designator for VPD page 0x83.
fn designator(protocol_and_set: u8, association_and_type: u8, body: &[u8]) -> Vec<u8> {
    let mut bytes = vec![protocol_and_set, association_and_type, 0, body.len() as u8];
    bytes.extend_from_slice(body);
    bytes
}

/// Bytes behind their length.
fn with_length(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(text.as_bytes());
    bytes
}

impl Array {
    /// A page of a volume.
    pub(super) fn vital_page(&self, session: SessionId, volume: u32, page: u8) -> Result<Vec<u8>, Stop> {
        let volume = self.volumes.get(volume).ok_or(Sense::LUN_NOT_SUPPORTED)?;
        let body = match page {
            0x00 => PAGES.to_vec(),
            0x80 => format!("{}{:05X}", self.config().serial, volume.id).into_bytes(),
            0x83 => self.designators(session, volume),
            0xB0 => block_limits(volume),
            0xB1 => self.characteristics(volume),
            0xB2 => thin_provisioning(volume),
            0xC0 => vendor_page(volume),
            _ => return Err(Sense::INVALID_FIELD.into()),
        };
        Ok(page_of(0x00, page, &body))
    }

    /// NAA 6 of the volume, then relative target port, target port group and name of the port.
    fn designators(&self, session: SessionId, volume: &Volume) -> Vec<u8> {
        let mut bytes = designator(0x01, 0x03, &volume.wwn.to_bytes());
        let port = self.nexuses.get(session).and_then(|n| self.port(n.port).ok());
        if let Some((name, tag)) = port.and_then(|p| p.iscsi().map(|(name, _)| (name, p.relative_id()))) {
            let [high, low] = tag.to_be_bytes();
            bytes.extend(designator(0x51, 0x94, &[0, 0, high, low]));
            let [high, low] = super::alua::GROUP.to_be_bytes();
            bytes.extend(designator(0x51, 0x95, &[0, 0, high, low]));
            let mut text = format!("{name},t,0x{tag:04x}").into_bytes();
            text.push(0);
            text.resize(text.len().next_multiple_of(4), 0);
            bytes.extend(designator(0x53, 0x98, &text));
        }
        bytes
    }

    /// Page B1: what kind of disks the volume lies on.
    fn characteristics(&self, volume: &Volume) -> Vec<u8> {
        let disks = self.cpg(volume.cpg.as_str()).map(|cpg| cpg.disk_type);
        let rotation: u16 = match disks {
            Ok(DiskType::Ssd) => 1,
            Ok(DiskType::Nl) => 7200,
            _ => 10_000,
        };
        let mut body = vec![0; 60];
        body[..2].copy_from_slice(&rotation.to_be_bytes());
        body
    }
}

/// Page B0.
fn block_limits(volume: &Volume) -> Vec<u8> {
    let transfer = (TRANSFER_BYTES_MAX / BLOCK) as u32;
    let mut body = vec![0, COMPARE_AND_WRITE_MAX];
    // 16 KiB is the page of the array's own space.
    body.extend_from_slice(&32u16.to_be_bytes());
    for limit in [transfer, transfer, 0] {
        body.extend_from_slice(&limit.to_be_bytes());
    }
    let thin = is_thin(volume);
    let unmap = [UNMAP_BLOCKS_MAX as u32, UNMAP_DESCRIPTORS_MAX as u32, UNMAP_GRANULARITY, 0x8000_0000];
    for limit in unmap {
        body.extend_from_slice(&(if thin { limit } else { 0 }).to_be_bytes());
    }
    body.extend_from_slice(&WRITE_SAME_BLOCKS_MAX.to_be_bytes());
    body.resize(60, 0);
    body
}

/// Page B2.
fn thin_provisioning(volume: &Volume) -> Vec<u8> {
    // Threshold exponent; UNMAP, WRITE SAME (16) and (10) unmap, unmapped blocks read as zeros; thin.
    if is_thin(volume) { vec![0, 0xE4, 0x02, 0] } else { vec![0, 0x00, 0x01, 0] }
}

/// Page C0, the vendor's own.
fn vendor_page(volume: &Volume) -> Vec<u8> {
    let kind = match volume.provisioning {
        Provisioning::Full => 0x00,
        Provisioning::Snapshot => 0x02,
        _ => 0x01,
    };
    // Reclaims space; COMPARE AND WRITE (ATS); no EXTENDED COPY.
    let features = kind | if is_thin(volume) { 0x04 } else { 0 } | 0x10;
    let mut body = vec![0x04, features, 0, 0];
    body.extend_from_slice(&16_384u32.to_be_bytes());
    body.extend_from_slice(&volume.size_bytes().to_be_bytes());
    body.extend_from_slice(&(volume.used_mib() << 20).to_be_bytes());
    body.extend_from_slice(&u64::from(volume.id).to_be_bytes());
    body.extend_from_slice(&u32::from(volume.domain.is_some()).to_be_bytes());
    body.extend(with_length(volume.name.as_str()));
    body.extend(with_length(volume.domain.as_ref().map_or("-", |d| d.as_str())));
    body.extend(with_length(volume.cpg.as_str()));
    body.extend(with_length(volume.snap_cpg.as_ref().map_or("-", |c| c.as_str())));
    let policies = &volume.policies;
    let bits = [policies.stale_ss, policies.one_host, false, policies.zero_detect];
    let word = bits.iter().enumerate().map(|(place, set)| u32::from(*set) << place).sum::<u32>();
    body.extend_from_slice(&word.to_be_bytes());
    body
}
