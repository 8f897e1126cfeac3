//! What happens between two states, in words for a story.

use std::fmt;

use crate::state::{Lun, NodeId};

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
    MountBegins,
    MountSeesLeftovers,
    MountIsThere,
    ListsForDecision,
    WaitsForTimer,
    OpensTakeover,
    RecordChanged,
    Claims,
    AddsReference,
    FindsMountGone,
    MountsAgain,
    MountVanishes,
    ListsRows,
    ReadsRecordBeforeRemoval,
    Removes,
    RemovesLate,
    RemovesAndDies,
    ReadsBack,
    Settles,
    AwaitsBurned,
    WritesAttempt,
    Exports,
    ExportRefused,
    ExportUnknown,
    ExportsAndDies,
    Validates,
    Attaches,
    AttachFails,
    MountsFilesystem,
    MountFails,
    VerifiesMount,
    VerifyFails,
    AnswersSuccess,
    LostOwnership,
    Undoes,
    UnmountBegins,
    ReconcileReleases,
    ReconcileCleans,
    ReconcileClears,
    WritesBack,
    WriteBackFails,
    WriteBackWaits,
    Unmounts,
    UnmountWaits,
    ShutsDown,
    LazilyUnmounts,
    FailsQueue,
    UnmountsFenced,
    DropsDevice,
    ListsOwn,
    ReadsBackOwn,
    Frees,
    LeavesQuarantine,
    FindsLateExports,
    ForgetsBurned,
    TimerRunsOut,
    LateCreate,
    LateCreateRefused,
    CreateLost,
    LateRemoval,
    RemovalLost,
    KernelScans,
    ArraySettles,
    PluginRestarts,
    Reboots,
}

impl Event {
    /// The sentence, with `lun` in place of the model's small LUN numbers.
    pub fn tell(&self, f: &mut fmt::Formatter<'_>, lun: impl Fn(NodeId, Lun) -> usize) -> fmt::Result {
        let node = self.node;
        let address =
            self.lun.map_or_else(String::new, |(host, number)| format!("LUN {} to {host}", lun(host, number)));
        match self.what {
            What::MountBegins => {
                write!(f, "{node}: Mount. Reads the record, looks at its kernel: nothing of the volume is here")
            }
            What::MountSeesLeftovers => {
                write!(f, "{node}: Mount. Finds leftovers of an earlier life in its kernel; cleans first")
            }
            What::MountIsThere => write!(f, "{node}: Mount. The volume is mounted here already"),
            What::ListsForDecision => write!(f, "{node}: lists the exports and decides to claim"),
            What::WaitsForTimer => write!(f, "{node}: a takeover's timer runs; waits"),
            What::OpensTakeover => write!(f, "{node}: opens a takeover and starts its timer"),
            What::RecordChanged => write!(f, "{node}: the record changed meanwhile; decides anew"),
            What::Claims => write!(f, "{node}: claims the volume in a new epoch"),
            What::AddsReference => write!(f, "{node}: adds a reference, answers success"),
            What::FindsMountGone => {
                write!(f, "{node}: Mount. The mount has vanished, the device of its own export is there")
            }
            What::MountsAgain => write!(f, "{node}: mounts the device again"),
            What::MountVanishes => write!(f, "{node}: somebody unmounts the volume by hand"),
            What::ListsRows => write!(f, "{node}: lists the volume's exports"),
            What::ReadsRecordBeforeRemoval => {
                write!(f, "{node}: reads the record: still the owner, so every listed row is of this epoch or older")
            }
            What::Removes => write!(f, "{node}: removes the export {address}"),
            What::RemovesLate => write!(
                f,
                "{node}: removes the export {address}; the answer says done or never comes, the removal is still on its way"
            ),
            What::RemovesAndDies => {
                write!(f, "{node}: sends the removal of {address} and its plugin dies; the removal is still on its way")
            }
            What::ReadsBack => write!(f, "{node}: reads the exports back"),
            What::Settles => write!(f, "{node}: has waited until writes in flight are settled"),
            What::AwaitsBurned => {
                write!(f, "{node}: has waited until no earlier export request of its own can take effect any more")
            }
            What::WritesAttempt => write!(f, "{node}: writes the fresh number of {address} into the record"),
            What::Exports => write!(f, "{node}: exports the volume as {address}"),
            What::ExportRefused => write!(f, "{node}: its export as {address} is refused; lists again"),
            What::ExportUnknown => write!(f, "{node}: its export as {address} is not answered; it is still on its way"),
            What::ExportsAndDies => {
                write!(f, "{node}: sends the export as {address} and its plugin dies; the request is still on its way")
            }
            What::Validates => write!(f, "{node}: reads the record: still the owner"),
            What::Attaches => write!(f, "{node}: attaches {address}"),
            What::AttachFails => write!(f, "{node}: finds nothing at {address}; the Mount fails"),
            What::MountsFilesystem => write!(f, "{node}: mounts the filesystem"),
            What::MountFails => write!(f, "{node}: no path works; the Mount fails"),
            What::VerifiesMount => write!(f, "{node}: sees the mount, through the exported LUN and no other"),
            What::VerifyFails => write!(f, "{node}: does not see what it should; the Mount fails"),
            What::AnswersSuccess => write!(f, "{node}: commits and answers: mounted"),
            What::LostOwnership => {
                write!(f, "{node}: the record says that another node owns the volume; undoes its own")
            }
            What::Undoes => write!(f, "{node}: reads the record to undo the failed Mount"),
            What::UnmountBegins => write!(f, "{node}: Unmount of the last reference"),
            What::ReconcileReleases => {
                write!(f, "{node}: reconciliation finds an interrupted attempt or release of its own; finishes it")
            }
            What::ReconcileCleans => {
                write!(f, "{node}: reconciliation finds leftovers of a volume it does not own; cleans")
            }
            What::ReconcileClears => write!(f, "{node}: reconciliation finds nothing of the lost volume left here"),
            What::WritesBack => write!(f, "{node}: writes its cache back"),
            What::WriteBackFails => write!(f, "{node}: cannot write back, no path works; unmounts all the same"),
            What::WriteBackWaits => write!(f, "{node}: cannot write back, no path works; tries again later"),
            What::Unmounts => write!(f, "{node}: unmounts the filesystem"),
            What::UnmountWaits => write!(f, "{node}: cannot unmount, no path works; tries again later"),
            What::ShutsDown => write!(f, "{node}: shuts the filesystem down"),
            What::LazilyUnmounts => {
                write!(f, "{node}: unmounts lazily and calls itself clean; cache and map stay in the kernel")
            }
            What::FailsQueue => write!(f, "{node}: fails the requests its map queues"),
            What::UnmountsFenced => write!(f, "{node}: unmounts the dead filesystem"),
            What::DropsDevice => write!(f, "{node}: deletes map and SCSI devices"),
            What::ListsOwn => write!(f, "{node}: lists its own exports"),
            What::ReadsBackOwn => write!(f, "{node}: reads its own exports back"),
            What::Frees => write!(f, "{node}: frees the record"),
            What::LeavesQuarantine => write!(f, "{node}: proves itself clean and leaves quarantine"),
            What::FindsLateExports => write!(f, "{node}: reconciliation finds exports of given-up requests"),
            What::ForgetsBurned => {
                write!(f, "{node}: forgets burned numbers; their requests are older than a request can get")
            }
            What::TimerRunsOut => write!(f, "the takeover's timer runs out"),
            What::LateCreate => write!(f, "array: the given-up export {address} takes effect now"),
            What::LateCreateRefused => write!(f, "array: refuses the given-up export {address}"),
            What::CreateLost => write!(f, "array: the given-up export {address} is lost for good"),
            What::LateRemoval => write!(f, "array: the removal of {address} takes effect now"),
            What::RemovalLost => write!(f, "array: the removal of {address} is lost for good"),
            What::KernelScans => {
                write!(f, "{node}: its kernel finds {address} by itself; the path joins the map of this WWN")
            }
            What::ArraySettles => write!(f, "array: the last writes in flight from {node} are refused"),
            What::PluginRestarts => write!(f, "{node}: its plugin is restarted"),
            What::Reboots => write!(f, "{node}: reboots"),
        }
    }
}
