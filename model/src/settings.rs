//! What is explored: the bound, the environment, and guards of the protocol that are taken away.

use std::fmt;
use std::str::FromStr;

/// A guard of the protocol that can be taken away, named by what is then done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Guard {
    /// After the claim nothing is revoked.
    SkipRevoke,
    /// A removal that was answered counts as done; the exports are not listed again.
    SkipReadBack,
    /// The record is not read again after the export.
    SkipValidation,
    /// Unmount frees the record before filesystem and device are down.
    FreeBeforeDeviceDown,
    /// An export with unknown outcome is repeated with the same LUN number.
    ReuseLunNumber,
    /// A node that lost the volume is exported it again without having cleaned up.
    ExportToQuarantined,
    /// Cleaning only takes the mount out of the mount table: no shutdown, no queue failed, no device dropped.
    NoCleaning,
    /// A mount that is there counts as success, whoever owns the volume.
    AlreadyMountedIsSuccess,
    /// Rows are removed as listed; the record is not read again between listing and removing.
    RemoveUnchecked,
    /// The claimer settles only after removals of its own, not after those of a claimer before it.
    SettleOwnRemovalsOnly,
    /// Nobody waits for writes in flight to settle.
    SkipSettle,
    /// A node exports and mounts while an earlier export request of its own may still take effect.
    MountBesideLateExport,
    /// A LUN number is burned by the node whose export was not answered, not by a claim or release that ends an open attempt.
    BurnAfterwards,
    /// An owner forgets other nodes' burned numbers after a while, not only its own.
    OwnerForgetsBurned,
    /// A claim is written over whatever the record says by then.
    ClaimUncompared,
    /// A device is deleted although a container or a process still holds it.
    DetachHeld,
    /// A removal names host and LUN number, but not the volume.
    RemoveByNumber,
    /// The WWN is not read from the device that is found at the exported LUN number.
    SkipIdentity,
    /// A number is handed out again although this kernel still has a device that is bound to it.
    IgnoreDevices,
    /// A number is handed out again although another volume's record names it as attempted or burned.
    IgnoreOtherRecords,
    /// A number is handed out again although the array lists another volume's export by it.
    IgnoreListed,
    /// Devices, listed exports and other records are looked at before the counter is read, not after.
    LookEarly,
}

impl Guard {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::SkipRevoke,
        Self::SkipReadBack,
        Self::SkipValidation,
        Self::FreeBeforeDeviceDown,
        Self::ReuseLunNumber,
        Self::ExportToQuarantined,
        Self::NoCleaning,
        Self::AlreadyMountedIsSuccess,
        Self::RemoveUnchecked,
        Self::SettleOwnRemovalsOnly,
        Self::SkipSettle,
        Self::MountBesideLateExport,
        Self::BurnAfterwards,
        Self::OwnerForgetsBurned,
        Self::ClaimUncompared,
        Self::DetachHeld,
        Self::RemoveByNumber,
        Self::SkipIdentity,
        Self::IgnoreDevices,
        Self::IgnoreOtherRecords,
        Self::IgnoreListed,
        Self::LookEarly,
    ];

    /// Name on a command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::SkipRevoke => "skip-revoke",
            Self::SkipReadBack => "skip-read-back",
            Self::SkipValidation => "skip-validation",
            Self::FreeBeforeDeviceDown => "free-before-device-down",
            Self::ReuseLunNumber => "reuse-lun-number",
            Self::ExportToQuarantined => "export-to-quarantined",
            Self::NoCleaning => "no-cleaning",
            Self::AlreadyMountedIsSuccess => "already-mounted-is-success",
            Self::RemoveUnchecked => "remove-unchecked",
            Self::SettleOwnRemovalsOnly => "settle-own-removals-only",
            Self::SkipSettle => "skip-settle",
            Self::MountBesideLateExport => "mount-beside-late-export",
            Self::BurnAfterwards => "burn-afterwards",
            Self::OwnerForgetsBurned => "owner-forgets-burned",
            Self::ClaimUncompared => "claim-uncompared",
            Self::DetachHeld => "detach-held",
            Self::RemoveByNumber => "remove-by-number",
            Self::SkipIdentity => "skip-identity",
            Self::IgnoreDevices => "ignore-devices",
            Self::IgnoreOtherRecords => "ignore-other-records",
            Self::IgnoreListed => "ignore-listed",
            Self::LookEarly => "look-early",
        }
    }

    /// It keeps two volumes apart that share the LUN numbers of a host; with one volume it has nothing to guard.
    #[must_use]
    pub fn needs_two_volumes(self) -> bool {
        matches!(
            self,
            Self::RemoveByNumber
                | Self::SkipIdentity
                | Self::IgnoreDevices
                | Self::IgnoreOtherRecords
                | Self::IgnoreListed
                | Self::LookEarly
        )
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl FromStr for Guard {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let known = || Self::ALL.map(Self::name).join(", ");
        Self::ALL
            .into_iter()
            .find(|guard| guard.name() == text)
            .ok_or_else(|| format!("'{text}' is no guard; known are {}", known()))
    }
}

/// What is explored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// Nodes, 1 to 3.
    pub nodes: usize,
    /// Volumes, 1 or 2. With two, a LUN number may be handed out to the other volume again at any moment, as if the
    /// counter had gone all the way round.
    pub volumes: usize,
    /// Faults in one run: requests with unknown outcome, plugin restarts and reboots, in any mixture.
    pub faults: u8,
    /// The array refuses to export the volume to a second host.
    pub one_host: bool,
    /// Kernels scan new LUNs by themselves.
    pub autoscan: bool,
    /// Containers and processes may hold the filesystem on their own.
    pub holders: bool,
    /// The array answers a removal before writes in flight have settled.
    pub early_removal: bool,
    /// Guards taken away.
    pub removed: Vec<Guard>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            nodes: 2,
            volumes: 1,
            faults: 2,
            one_host: false,
            autoscan: true,
            holders: false,
            early_removal: true,
            removed: Vec::new(),
        }
    }
}

impl Settings {
    /// The guard was taken away.
    #[must_use]
    pub fn without(&self, guard: Guard) -> bool {
        self.removed.contains(&guard)
    }
}

impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let switch = |on| if on { "on" } else { "off" };
        write!(
            f,
            "{} nodes, {} volumes, {} faults, one-host {}, autoscan {}, holders {}, early removal {}",
            self.nodes,
            self.volumes,
            self.faults,
            switch(self.one_host),
            switch(self.autoscan),
            switch(self.holders),
            switch(self.early_removal)
        )?;
        for guard in &self.removed {
            write!(f, ", without the guard against {guard}")?;
        }
        Ok(())
    }
}
