//! What happens between two states, in words for a story.

use std::fmt;

use crate::state::{Filesystem, Lun, NodeId};

/// One step of the world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Event {
    /// The node it happens on or for; requests to the array carry the host they are about.
    pub node: NodeId,
    /// What happens.
    pub what: What,
    /// LUN number and host it is about, if any.
    pub lun: Option<(NodeId, Lun)>,
    /// It uses up a fault.
    pub fault: bool,
}

/// Kinds of steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is explained by its sentence below")]
pub enum What {
    MountSeesLeftovers,
    MountIsThere,
    OpensTakeover,
    RecordChanged,
    DecidesToClaim,
    Claims,
    AddsReference,
    FindsMountGone,
    MountsAgain,
    MountVanishes,
    HolderComes,
    HolderLeaves,
    StillHeld,
    StaysMounted,
    ListsRows,
    Removes,
    RemovesLate,
    RemovesAndDies,
    ReadsBack,
    Settles,
    ExportOnItsWay,
    LooksForNumber,
    WritesAttempt,
    WritesReturnedAttempt,
    Exports,
    ExportRefused,
    ExportUnknown,
    Burns,
    ExportsAndDies,
    AttachFails,
    AttachesAndDies,
    MountsFilesystem,
    MountFails,
    VerifyFails,
    AnswersSuccess,
    LostOwnership,
    UnmountBegins,
    ReconcileReleases,
    ReconcileCleans,
    ReconcileClears,
    WriteBackWaits,
    DiesWhileCleaning(Filesystem),
    ListsOwn,
    ReadsBackOwn,
    Frees,
    LeavesQuarantine,
    FindsLateExports,
    ForgetsBurned,
    LateCreate,
    LateRemoval,
    KernelScans,
    PluginRestarts,
    Reboots,
    OtherAllots,
    OtherAllotsReturned,
    OtherExports,
    OtherExportRefused,
    OtherExportUnknown,
    OtherLateCreate,
    OtherRemoved,
    OtherRemovedLate,
    OtherLateRemoval,
    OtherAttaches,
    OtherMounts,
    OtherUnmounts,
    OtherCleans,
}

impl Event {
    /// The sentence, with `lun` in place of the model's small LUN numbers.
    pub fn tell(&self, f: &mut fmt::Formatter<'_>, lun: impl Fn(NodeId, Lun) -> usize) -> fmt::Result {
        let node = self.node;
        let address =
            self.lun.map_or_else(String::new, |(host, number)| format!("LUN {} to {host}", lun(host, number)));
        match self.what {
            What::MountSeesLeftovers => {
                write!(f, "{node}: Mount. Finds leftovers of an earlier life in its kernel; takes them down first")
            }
            What::MountIsThere => write!(f, "{node}: Mount. The volume is mounted here already; answers success"),
            What::OpensTakeover => {
                write!(f, "{node}: Mount. Another node has the volume: opens a takeover and starts its timer")
            }
            What::RecordChanged => write!(f, "{node}: the record says otherwise by now; leaves it alone"),
            What::DecidesToClaim => write!(f, "{node}: Mount. Nothing of the volume is here; decides to claim it"),
            What::HolderComes => write!(f, "{node}: a container takes hold of the mount in a namespace of its own"),
            What::HolderLeaves => write!(f, "{node}: the container lets go"),
            What::StillHeld => write!(f, "{node}: shuts the filesystem down; its device is still held and stays"),
            What::StaysMounted => write!(f, "{node}: the device is still held: leaves everything mounted"),
            What::Claims => {
                write!(
                    f,
                    "{node}: Mount. Nothing of the volume is here; claims it in a new epoch, lists the exports, reads the record"
                )
            }
            What::AddsReference => write!(f, "{node}: Mount. It is mounted here still; takes the release back"),
            What::FindsMountGone => {
                write!(f, "{node}: Mount. The mount has vanished, the device of its own export is there")
            }
            What::MountsAgain => write!(f, "{node}: mounts the device again"),
            What::MountVanishes => write!(f, "{node}: somebody unmounts the volume by hand"),
            What::ListsRows => write!(f, "{node}: lists the volume's exports, then reads the record"),
            What::Removes => write!(f, "{node}: removes the export {address}"),
            What::RemovesLate => write!(
                f,
                "{node}: removes the export {address}; the answer says done or never comes, the removal is still on its way"
            ),
            What::RemovesAndDies => {
                write!(f, "{node}: sends the removal of {address} and its plugin dies; the removal is still on its way")
            }
            What::ReadsBack => write!(f, "{node}: reads the exports back, then the record"),
            What::Settles => write!(f, "{node}: has waited until writes in flight are settled"),
            What::ExportOnItsWay => {
                write!(f, "{node}: an export request of its own may still take effect; gives up for now")
            }
            What::LooksForNumber => write!(f, "{node}: looks which LUN numbers are in use"),
            What::WritesAttempt => write!(f, "{node}: writes the fresh number of {address} into the record"),
            What::WritesReturnedAttempt => {
                write!(f, "{node}: the counter has come round: writes the number of {address} into the record")
            }
            What::Exports => write!(f, "{node}: exports the volume as {address}, then reads the record"),
            What::ExportRefused => write!(f, "{node}: its export as {address} is refused; lists again"),
            What::ExportUnknown => write!(f, "{node}: its export as {address} is not answered; it is still on its way"),
            What::Burns => write!(f, "{node}: burns the number of {address}"),
            What::ExportsAndDies => {
                write!(f, "{node}: sends the export as {address} and its plugin dies; the request is still on its way")
            }
            What::AttachesAndDies => write!(f, "{node}: attaches {address} and its plugin dies"),
            What::AttachFails => write!(f, "{node}: does not find the volume at its LUN; undoes its Mount"),
            What::MountsFilesystem => {
                write!(f, "{node}: attaches {address}, reads the WWN from it, mounts the filesystem")
            }
            What::MountFails => write!(f, "{node}: no path works; undoes its Mount"),
            What::VerifyFails => write!(f, "{node}: does not see the mount it should; undoes it"),
            What::AnswersSuccess => {
                write!(f, "{node}: sees the mount, through the exported LUN and no other; commits and answers: mounted")
            }
            What::LostOwnership => {
                write!(f, "{node}: the record says that it does not own the volume any more; undoes its Mount")
            }
            What::UnmountBegins => write!(f, "{node}: Unmount of the last reference"),
            What::ReconcileReleases => {
                write!(
                    f,
                    "{node}: a release or an interrupted attempt of its own: takes down what is here, lists its exports"
                )
            }
            What::ReconcileCleans => write!(f, "{node}: takes down what is left of a volume it does not own"),
            What::ReconcileClears => write!(f, "{node}: nothing of the lost volume is left here: leaves quarantine"),
            What::WriteBackWaits => write!(f, "{node}: cannot write back, no path works; tries again later"),
            What::DiesWhileCleaning(left) => {
                let left = match left {
                    Filesystem::ShutDown => "the filesystem is shut down, its queue is not failed",
                    Filesystem::Silenced => "the filesystem is shut down and still in the mount table",
                    Filesystem::Detached => "the filesystem is unmounted here, its holder keeps it alive",
                    _ => "the filesystem is unmounted, its devices are there",
                };
                write!(f, "{node}: its plugin dies while it takes the volume down: {left}")
            }
            What::ListsOwn => write!(f, "{node}: is clean, lists its own exports"),
            What::ReadsBackOwn => write!(f, "{node}: reads its own exports back"),
            What::Frees => write!(f, "{node}: has no export left; frees the record"),
            What::LeavesQuarantine => write!(f, "{node}: has no export left; leaves quarantine"),
            What::FindsLateExports => write!(
                f,
                "{node}: finds exports of given-up requests, and will forget their numbers when they are gone"
            ),
            What::ForgetsBurned => {
                write!(f, "{node}: forgets burned numbers; their requests are older than a request can get")
            }
            What::LateCreate => write!(f, "array: the given-up export {address} takes effect now"),
            What::LateRemoval => write!(f, "array: the removal of {address} takes effect now"),
            What::KernelScans => {
                write!(f, "{node}: its kernel finds {address} by itself; the path joins the map of this WWN")
            }
            What::PluginRestarts => write!(f, "{node}: its plugin is restarted"),
            What::Reboots => write!(f, "{node}: reboots"),
            What::OtherAllots => {
                write!(f, "{node}, other volume: writes the fresh number of {address} into its record")
            }
            What::OtherAllotsReturned => {
                write!(
                    f,
                    "{node}, other volume: the counter has come round: writes the number of {address} into its record"
                )
            }
            What::OtherExports => write!(f, "{node}, other volume: is exported as {address}"),
            What::OtherExportRefused => write!(f, "{node}, other volume: its export as {address} is refused"),
            What::OtherExportUnknown => {
                write!(f, "{node}, other volume: its export as {address} is not answered; it is still on its way")
            }
            What::OtherLateCreate => write!(f, "array: the other volume's given-up export {address} takes effect now"),
            What::OtherRemoved => write!(f, "{node}, other volume: its export {address} is removed"),
            What::OtherRemovedLate => {
                write!(f, "{node}, other volume: the removal of its export {address} is still on its way")
            }
            What::OtherLateRemoval => write!(f, "array: the removal of the other volume's {address} takes effect now"),
            What::OtherAttaches => write!(f, "{node}, other volume: a device of it appears at {address}"),
            What::OtherMounts => write!(f, "{node}, other volume: is mounted"),
            What::OtherUnmounts => write!(f, "{node}, other volume: is unmounted, its device stays"),
            What::OtherCleans => write!(f, "{node}, other volume: is taken down in this kernel"),
        }
    }
}
