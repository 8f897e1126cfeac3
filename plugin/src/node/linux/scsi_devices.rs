//! The SCSI disks of this node, as sysfs shows them, and their deletion.
//!
//! A disk is known by what the kernel read when it found it: after a LUN number is used again for another volume, this
//! identity is that of the old volume (observed). Before anything is mounted the identity is read afresh, see
//! [`super::attaching`].

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use super::mountinfo::DeviceNumber;
use super::step::Step;
use super::unfinished::{Object, Unfinished};
use super::{Roots, sysfs, vpd};
use crate::array::{Lun, Wwn};
use crate::node::NodeError;

/// Vendor in the INQUIRY data of all arrays of the family (observed).
const VENDOR: &str = "3PARdata";
/// How long a deleted device may stay visible.
const GONE_WITHIN: Duration = Duration::from_secs(10);
/// First number of the flat addressing method in the kernel's form of a LUN (SAM-5 s. 4.7.7: 01b in the two upper bits).
const FLAT: u64 = 0x4000;

/// An initiator port and a target port that see each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Nexus {
    pub(super) host: u32,
    pub(super) channel: u32,
    pub(super) target: u32,
}

/// One disk: one path to a volume.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ScsiDisk {
    /// Kernel name, such as `sdb`.
    pub(super) name: String,
    /// Where it was found.
    pub(super) nexus: Nexus,
    /// LUN as the kernel writes it.
    lun: u64,
    /// Identity read when the kernel found it.
    pub(super) wwn: Option<Wwn>,
    /// `running`, `offline`, `transport-offline`, `blocked`, …
    pub(super) state: String,
    /// Maps that are made of it.
    pub(super) holders: Vec<String>,
    /// Its number.
    pub(super) number: Option<DeviceNumber>,
    vendor: String,
}

impl ScsiDisk {
    /// LUN number at this host. Numbers from 256 on come in the flat form from some targets.
    pub(super) fn lun(&self) -> Option<Lun> {
        let number = if self.lun >= FLAT { self.lun.checked_sub(FLAT)? } else { self.lun };
        u32::try_from(number).ok().and_then(|number| Lun::try_from(number).ok())
    }

    /// It belongs to an array of the family.
    pub(super) fn is_of_array(&self) -> bool {
        self.vendor == VENDOR || self.wwn.as_ref().is_some_and(vpd::is_of_array)
    }

    /// The kernel sends commands to it.
    pub(super) fn is_running(&self) -> bool {
        self.state == "running"
    }

    /// `/dev/sdb`
    pub(super) fn node(&self, roots: &Roots) -> PathBuf {
        roots.dev.join(&self.name)
    }
}

/// The LUN numbers to scan for, in the kernel's form: from 256 on targets differ in the addressing method they answer to.
pub(super) fn scan_numbers(lun: Lun) -> Vec<u64> {
    let number = u64::from(lun.number());
    if number < 256 { vec![number] } else { vec![FLAT + number, number] }
}

/// All SCSI disks.
///
/// # Errors
/// sysfs cannot be read.
pub(super) fn disks(roots: &Roots) -> Result<Vec<ScsiDisk>, NodeError> {
    let directory = roots.sys.join("block");
    let step = Step::new("listing SCSI disks", directory.display());
    let names = sysfs::names(&directory).map_err(|error| step.failed(error))?;
    let mut disks = Vec::new();
    for name in names.into_iter().filter(|name| name.starts_with("sd")) {
        if let Some(disk) = disk(roots, name).map_err(|error| step.failed(error))? {
            disks.push(disk);
        }
    }
    Ok(disks)
}

/// `None` when it vanished, or is no SCSI disk.
fn disk(roots: &Roots, name: String) -> io::Result<Option<ScsiDisk>> {
    let block = roots.sys.join("block").join(&name);
    let device = block.join("device");
    let Some(address) = sysfs::target_name(&device)? else { return Ok(None) };
    let Some((nexus, lun)) = parse_address(&address) else { return Ok(None) };
    let wwn = match sysfs::bytes(&device.join("vpd_pg83")) {
        Ok(Some(page)) => vpd::wwn(&page),
        // Reading the page of a device without VPD pages fails with an error of its own.
        Ok(None) | Err(_) => None,
    };
    let wwn = match wwn {
        Some(wwn) => Some(wwn),
        None => sysfs::text(&device.join("wwid")).unwrap_or_default().as_deref().and_then(vpd::wwn_of_text),
    };
    Ok(Some(ScsiDisk {
        nexus,
        lun,
        wwn,
        vendor: sysfs::text(&device.join("vendor"))?.unwrap_or_default(),
        state: sysfs::text(&device.join("state"))?.unwrap_or_default(),
        holders: sysfs::names(&block.join("holders"))?,
        number: sysfs::text(&block.join("dev"))?.as_deref().and_then(DeviceNumber::parse),
        name,
    }))
}

/// `host:channel:target:lun`
fn parse_address(address: &str) -> Option<(Nexus, u64)> {
    let mut parts = address.split(':');
    let (host, channel, target) = (parts.next()?, parts.next()?, parts.next()?);
    let lun = parts.next()?.parse().ok()?;
    let nexus = Nexus { host: host.parse().ok()?, channel: channel.parse().ok()?, target: target.parse().ok()? };
    parts.next().is_none().then_some((nexus, lun))
}

/// Deletes a disk: the kernel aborts its tasks and forgets it. Refused while a map is made of it.
///
/// # Errors
/// [`NodeError::Busy`] while a map holds it, or the kernel refused, or it did not vanish in time.
pub(super) async fn delete(roots: &Roots, unfinished: &Unfinished, disk: &ScsiDisk) -> Result<(), NodeError> {
    let step = Step::new("deleting SCSI device", &disk.name);
    if !disk.holders.is_empty() {
        return Err(step.busy());
    }
    let block = roots.sys.join("block").join(&disk.name);
    let (attribute, expected) = (block.join("device/delete"), format!("{}:{}", address_of(disk), disk.lun));
    // Flushing its cache may wait for a device that does not answer.
    let on = disk.wwn.as_ref().map(Object::from).into_iter().collect();
    step.clone()
        .changing(unfinished, on, Duration::from_secs(40), move |step| {
            let device = attribute.parent().map(sysfs::target_name).transpose().map_err(|error| step.failed(error))?;
            // The name may belong to another device by now.
            if device.flatten().as_deref() != Some(expected.as_str()) {
                return Ok(());
            }
            step.still_wanted()?;
            sysfs::write(&attribute, "1").map(|_| ()).map_err(|error| step.failed(error))
        })
        .await?;
    let deadline = tokio::time::Instant::now() + GONE_WITHIN;
    while still_there(&block, disk) {
        if tokio::time::Instant::now() >= deadline {
            return Err(step.failed("the kernel still shows it after its deletion"));
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    Ok(())
}

fn address_of(disk: &ScsiDisk) -> String {
    format!("{}:{}:{}", disk.nexus.host, disk.nexus.channel, disk.nexus.target)
}

fn still_there(block: &std::path::Path, disk: &ScsiDisk) -> bool {
    let address = sysfs::target_name(&block.join("device"));
    address.is_ok_and(|address| address.as_deref() == Some(&format!("{}:{}", address_of(disk), disk.lun)))
}

/// Makes a host look at one LUN of one target: nothing else is found by it.
///
/// # Errors
/// The kernel refused.
pub(super) fn scan(roots: &Roots, nexus: Nexus, lun: u64) -> Result<(), NodeError> {
    let attribute = roots.sys.join(format!("class/scsi_host/host{}/scan", nexus.host));
    let step =
        Step::new("scanning for the LUN", format_args!("host{} {}:{}:{lun}", nexus.host, nexus.channel, nexus.target));
    let command = format!("{} {} {lun}", nexus.channel, nexus.target);
    match sysfs::write(&attribute, &command) {
        Ok(true) => Ok(()),
        Ok(false) => Err(step.failed("the SCSI host is gone")),
        Err(error) => Err(step.failed(error)),
    }
}
