//! What a batch of schedules played, and what it never reached.

use std::borrow::Cow;
use std::collections::BTreeMap;

use serde::Serialize;

use super::swarm::FaultKind;
use crate::node::STEPS;

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Topic {
    /// Faults that were played.
    Fault,
    /// Steps of the node port at which a plugin was killed, before or after their effect.
    CrashPoint,
    /// Decisions of the fencing code.
    Decision,
    /// Refusals that a caller heard.
    Refusal,
    /// Steps that were written ahead into records.
    Step,
    /// Answers to Mount.
    Mount,
    /// Answers to Unmount.
    Unmount,
    /// Answers to Create and Remove.
    Volume,
    /// Answers to the Unmount of `docker cp`.
    DockerCp,
    /// Requests to the store that brought no answer.
    Store,
    /// Requests to the array that brought no answer.
    Array,
    /// Removals of exports that did not do what they said.
    Removal,
    /// What happened to clients and applications.
    Client,
}

impl Topic {
    /// In words, for a table.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Fault => "faults",
            Self::CrashPoint => "crash points",
            Self::Decision => "decisions",
            Self::Refusal => "refusals",
            Self::Step => "steps written ahead",
            Self::Mount => "answers to Mount",
            Self::Unmount => "answers to Unmount",
            Self::Volume => "answers to Create and Remove",
            Self::DockerCp => "docker cp",
            Self::Store => "lost store requests",
            Self::Array => "lost array requests",
            Self::Removal => "odd removals",
            Self::Client => "clients",
        }
    }

    /// Topics of which everything that can be is known, so that what was never reached can be named.
    pub const KNOWN: [Self; 4] = [Self::Fault, Self::CrashPoint, Self::Decision, Self::Refusal];

    /// Everything that can be counted under a topic of [`KNOWN`](Self::KNOWN).
    #[must_use]
    pub fn everything(self) -> Vec<String> {
        let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        match self {
            Self::Fault => FaultKind::ALL.iter().map(|kind| kind.name().to_owned()).collect(),
            Self::CrashPoint => {
                let steps = STEPS.iter().filter(|step| may_crash_at(step));
                steps.flat_map(|step| [format!("before {step}"), format!("after {step}")]).collect()
            }
            Self::Decision => owned(&DECISIONS),
            Self::Refusal => REFUSALS.iter().map(|(name, _)| (*name).to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Steps of containers are not the plugin's, before `facts` it has done nothing that could be torn off, and some looks are no steps.
#[must_use]
pub(super) fn may_crash_at(step: &str) -> bool {
    !matches!(
        step,
        "append"
            | "fsync"
            | "run_container"
            | "stop_container"
            | "facts"
            | "is_mounted_elsewhere"
            | "finds_luns_by_itself"
    )
}

/// Every decision of the fencing code, as `way: step`. Reading exports and contest is part of deciding.
const DECISIONS: [&str; 23] = [
    "mount: AddReference",
    "mount: CleanFenced",
    "mount: Remount",
    "mount: TearDown",
    "mount: OpenTakeover",
    "mount: Wait",
    "mount: Claim",
    "mount: Refuse StillCreating",
    "mount: Refuse BeingRemoved",
    "mount: Refuse OwnedElsewhere",
    "mount: Refuse Thrashing",
    "mount: Refuse ExportedToStrangers",
    "mount: Refuse MountedByOthers",
    "mount: Refuse DuplicateIdentity",
    "unmount: DropReference",
    "unmount: Release",
    "unmount: FinishRelease",
    "unmount: Leave",
    "reconcile: Nothing",
    "reconcile: FinishRelease",
    "reconcile: Unclaimed",
    "reconcile: Leave",
    "reconcile: ClearQuarantine",
];

/// Every refusal of the fencing code, with words that only it says.
const REFUSALS: [(&str, &str); 14] = [
    ("StillCreating", "still being created"),
    ("BeingRemoved", "is being removed"),
    ("OwnedElsewhere", "does not let this node take it"),
    ("Thrashing", "take the volume from each other"),
    ("ExportedToStrangers", "is no node of this cluster"),
    ("StillExported", "the array still exports the volume to"),
    ("MountedByOthers", "but not by this plugin"),
    ("Quarantined", "it is in quarantine for this volume"),
    ("InUse", "unmount it first"),
    ("DuplicateIdentity", "is not registered in the metadata store"),
    ("DuplicateIdentity by host", "stands for node"),
    ("StoreIsOlder", "restored from an older state"),
    ("NotBlank", "the device is not blank"),
    ("FilesystemGone", "the device shows no filesystem"),
];

/// The refusal that an answer tells of.
#[must_use]
pub(super) fn refusal_in(answer: &str) -> Option<&'static str> {
    REFUSALS.iter().find(|(_, words)| answer.contains(words)).map(|(name, _)| *name)
}

/// How often each kind of thing happened.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Coverage(BTreeMap<Topic, BTreeMap<Cow<'static, str>, u64>>);

impl Coverage {
    /// Counts one more.
    pub fn count(&mut self, topic: Topic, name: &str) {
        self.add(topic, name, 1);
    }

    fn add(&mut self, topic: Topic, name: &str, more: u64) {
        let kinds = self.0.entry(topic).or_default();
        match kinds.get_mut(name) {
            Some(count) => *count += more,
            None => {
                kinds.insert(Cow::Owned(name.to_owned()), more);
            }
        }
    }

    /// Adds the counts of another batch.
    pub fn merge(&mut self, other: &Self) {
        for (topic, kinds) in &other.0 {
            for (name, count) in kinds {
                self.add(*topic, name, *count);
            }
        }
    }

    /// How often this happened.
    #[must_use]
    pub fn of(&self, topic: Topic, name: &str) -> u64 {
        self.0.get(&topic).and_then(|kinds| kinds.get(name)).copied().unwrap_or_default()
    }

    /// How often anything of a topic happened.
    #[must_use]
    pub fn total(&self, topic: Topic) -> u64 {
        self.0.get(&topic).map_or(0, |kinds| kinds.values().sum())
    }

    /// Everything that can happen under a topic of [`Topic::KNOWN`] and did not.
    #[must_use]
    pub fn never(&self, topic: Topic) -> Vec<String> {
        topic.everything().into_iter().filter(|name| self.of(topic, name) == 0).collect()
    }

    /// What happened least often under a topic, the rarest first.
    #[must_use]
    pub fn rarest(&self, topic: Topic, at_most: usize) -> Vec<(&str, u64)> {
        let mut kinds: Vec<(&str, u64)> = self
            .0
            .get(&topic)
            .into_iter()
            .flat_map(|kinds| kinds.iter().map(|(name, count)| (name.as_ref(), *count)))
            .collect();
        kinds.sort_by_key(|(_, count)| *count);
        kinds.truncate(at_most);
        kinds
    }

    /// Everything, topic by topic.
    pub fn all(&self) -> impl Iterator<Item = (Topic, &str, u64)> {
        self.0.iter().flat_map(|(topic, kinds)| kinds.iter().map(|(name, count)| (*topic, name.as_ref(), *count)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_never_happened_is_named() {
        let mut coverage = Coverage::default();
        coverage.count(Topic::Fault, "Freeze");
        coverage.count(Topic::Fault, "Freeze");
        let mut more = Coverage::default();
        more.count(Topic::Fault, "Reboot");
        coverage.merge(&more);
        assert_eq!((coverage.of(Topic::Fault, "Freeze"), coverage.total(Topic::Fault)), (2, 3));
        let never = coverage.never(Topic::Fault);
        assert!(never.contains(&"SanCut".to_owned()) && !never.contains(&"Reboot".to_owned()), "{never:?}");
        assert_eq!(coverage.rarest(Topic::Fault, 1), [("Reboot", 1)]);
    }

    #[test]
    fn a_refusal_is_recognised_by_its_words() {
        use hpe3par_docker_plugin::fencing::Refusal;
        use hpe3par_docker_plugin::node::NodeId;
        let (owner, asking) = (NodeId::new("a"), NodeId::new("b"));
        let thrashing = Refusal::Thrashing { owner, asking, takeovers: 3, window: 600 };
        let refusals = [
            (Refusal::StillCreating, "StillCreating"),
            (Refusal::BeingRemoved, "BeingRemoved"),
            (Refusal::OwnedElsewhere { owner: NodeId::new("a"), alive: true }, "OwnedElsewhere"),
            (thrashing, "Thrashing"),
            (Refusal::ExportedToStrangers { rows: vec!["host x, LUN 1".to_owned()] }, "ExportedToStrangers"),
            (Refusal::StillExported { rows: vec!["host x, LUN 1".to_owned()] }, "StillExported"),
            (Refusal::MountedByOthers { at: vec!["/mnt".into()] }, "MountedByOthers"),
            (Refusal::Quarantined { epoch: 3, reason: "held".to_owned() }, "Quarantined"),
            (Refusal::InUse { owner: NodeId::new("a") }, "InUse"),
            (Refusal::StoreIsOlder { remembered: 4, stored: 3 }, "StoreIsOlder"),
            (Refusal::NotBlank, "NotBlank"),
            (Refusal::FilesystemGone { found: "Blank".to_owned() }, "FilesystemGone"),
        ];
        for (refusal, name) in refusals {
            assert_eq!(refusal_in(&refusal.to_string()), Some(name), "{refusal}");
        }
    }
}
