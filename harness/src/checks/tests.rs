//! Every checker goes red on a bad history made by hand, and stays quiet on a good one.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use hpe3par_docker_plugin::array::{Lun, Wwn};

use super::*;
use crate::node::format::{Link, RecordId};
use crate::node::{Leftovers, Life, NodeEvent};

fn wwn(id: u32) -> Wwn {
    format!("60002ac0000000000000{id:04x}0000b69e").parse().unwrap()
}

fn life(node: &str, mount: u64) -> Life {
    Life { node: node.to_owned(), boot: 1, mount, epoch: 0 }
}

fn record_id(number: u64, branch: u8) -> RecordId {
    RecordId { number, link: Link([branch; 16]) }
}

/// Builds a history second by second.
#[derive(Default)]
struct Story(Vec<Fact>);

impl Story {
    fn tell(mut self, kind: FactKind) -> Self {
        let at = Duration::from_secs(self.0.len() as u64);
        self.0.push(Fact { at, kind });
        self
    }
    fn exported(self, host: &str, lun: u32, generation: u64) -> Self {
        self.tell(FactKind::Exported { volume: wwn(1), host: host.to_owned(), lun, generation })
    }
    fn unexported(self, host: &str, lun: u32, generation: u64) -> Self {
        self.tell(FactKind::Unexported { volume: wwn(1), host: host.to_owned(), lun, generation })
    }
    fn on(self, node: &str, event: NodeEvent) -> Self {
        self.tell(FactKind::Node { node: node.to_owned(), event })
    }
    fn device(self, node: &str, lun: u32) -> Self {
        self.on(node, NodeEvent::DeviceAdded { wwn: wwn(1), lun: Lun::try_from(lun).unwrap() })
    }
    fn mounted(self, node: &str, mount: u64, chain: &[RecordId]) -> Self {
        let (dir, chain) = (PathBuf::from("/m"), chain.to_vec());
        self.on(node, NodeEvent::Mounted { wwn: wwn(1), life: life(node, mount), dir, chain })
    }
    fn acknowledged(self, node: &str, record: RecordId) -> Self {
        self.on(node, NodeEvent::Acknowledged { wwn: wwn(1), life: life(node, 1), record })
    }
    fn wrote(self, node: &str, mount: u64, to: u32, accepted: bool) -> Self {
        let life = Some(LifeKey::from(&life(node, mount)));
        let write = WriteFact { volume: Some(wwn(to)), host: Some(node.to_owned()), lun: 1, offset: 0, accepted, life };
        self.tell(FactKind::Write(write))
    }
    fn record(self, epoch: u64, owner: Option<&str>, phase: Phase, lun: Option<u32>) -> Self {
        let owner = owner.map(|node| (node.to_owned(), "boot".to_owned()));
        let lun = lun.and_then(|lun| Lun::try_from(lun).ok());
        self.tell(FactKind::Record(RecordFact { volume: wwn(1), epoch, owner, phase, lun }))
    }
    fn asked(self, node: &str) -> Self {
        self.tell(FactKind::MountAsked { node: node.to_owned(), volume: wwn(1), request: 1 })
    }
    fn answered(self, node: &str, answer: Result<&str, &str>) -> Self {
        let answer = answer.map(PathBuf::from).map_err(str::to_owned);
        self.tell(FactKind::MountAnswered { node: node.to_owned(), volume: wwn(1), request: 1, answer })
    }
    fn broken_under(&self, rules: &Rules) -> Vec<Invariant> {
        check(&self.0, rules).into_iter().map(|violation| violation.invariant).collect()
    }
    fn broken(&self) -> Vec<Invariant> {
        self.broken_under(&Rules::default())
    }
}

#[test]
fn a_proper_takeover_breaks_nothing() {
    let story = Story::default()
        .asked("a")
        .record(1, Some("a"), Phase::Fencing, None)
        .exported("a", 1, 1)
        .device("a", 1)
        .on("a", NodeEvent::FilesystemMade { wwn: wwn(1), life: life("a", 1) })
        .wrote("a", 1, 1, true)
        .mounted("a", 2, &[])
        .record(1, Some("a"), Phase::Mounted, Some(1))
        .answered("a", Ok("/m"))
        .wrote("a", 2, 1, true)
        .acknowledged("a", record_id(0, 1))
        .record(2, Some("b"), Phase::Fencing, None)
        .unexported("a", 1, 1)
        .wrote("a", 2, 1, false)
        .exported("b", 1, 2)
        .device("b", 1)
        .mounted("b", 1, &[record_id(0, 1)]);
    assert_eq!(story.broken(), []);
}

#[test]
fn s1_two_hosts_at_once() {
    let story = Story::default().exported("a", 1, 1).exported("b", 1, 2);
    assert_eq!(story.broken(), [Invariant::S1OneHost]);
    let two_numbers_of_one_host = Story::default().exported("a", 1, 1).exported("a", 2, 2);
    assert_eq!(two_numbers_of_one_host.broken(), []);
}

#[test]
fn s1_two_exports_are_harmless_while_one_node_has_no_device_there() {
    let rules = Rules { exports: ExportRule::OneWriter, ..Rules::default() };
    let late = Story::default().exported("b", 1, 1).device("b", 1).mounted("b", 1, &[]).exported("a", 7, 2).mounted(
        "a",
        1,
        &[],
    );
    assert_eq!(late.broken_under(&rules), []);
    assert_eq!(late.device("a", 7).broken_under(&rules), [Invariant::S1OneHost]);
}

#[test]
fn s2_a_write_of_a_former_owner_is_accepted() {
    let story = Story::default().mounted("a", 1, &[]).mounted("b", 1, &[]).wrote("a", 1, 1, true);
    assert_eq!(story.broken(), [Invariant::S2S5NoGhostWrite]);
    let rejected = Story::default().mounted("a", 1, &[]).mounted("b", 1, &[]).wrote("a", 1, 1, false);
    assert_eq!(rejected.broken(), []);
}

#[test]
fn s5_a_write_of_the_nodes_own_former_life_is_accepted() {
    let story = Story::default().mounted("a", 1, &[]).mounted("b", 1, &[]).mounted("a", 2, &[]).wrote("a", 1, 1, true);
    assert_eq!(story.broken(), [Invariant::S2S5NoGhostWrite]);
}

#[test]
fn s3_acknowledged_data_is_missing() {
    let story = Story::default().mounted("a", 1, &[]).acknowledged("a", record_id(0, 1)).mounted("b", 1, &[]);
    assert_eq!(story.broken(), [Invariant::S3NothingAcknowledgedLost]);
}

#[test]
fn s4_the_log_is_another_one() {
    let story = Story::default().mounted("a", 1, &[record_id(0, 1), record_id(1, 1)]).mounted(
        "b",
        1,
        &[record_id(0, 1), record_id(1, 2)],
    );
    assert_eq!(story.broken(), [Invariant::S4OneChain]);
}

#[test]
fn s6_epochs_fall_or_have_two_owners() {
    let fell = Story::default().record(2, Some("a"), Phase::Mounted, None).record(1, Some("a"), Phase::Mounted, None);
    assert_eq!(fell.broken(), [Invariant::S6OneOwnerPerEpoch]);
    let two = Story::default().record(2, Some("a"), Phase::Mounted, None).record(2, Some("b"), Phase::Mounted, None);
    assert_eq!(two.broken(), [Invariant::S6OneOwnerPerEpoch]);
}

#[test]
fn s7_success_without_ownership_without_mount_or_without_a_path() {
    let no_owner = Story::default().asked("a").mounted("a", 1, &[]).answered("a", Ok("/m"));
    assert_eq!(no_owner.broken(), [Invariant::S7AnswersAreTrue]);
    let no_mount = Story::default().asked("a").record(1, Some("a"), Phase::Mounted, None).answered("a", Ok("/m"));
    assert_eq!(no_mount.broken(), [Invariant::S7AnswersAreTrue]);
    let empty = Story::default().asked("a").answered("a", Ok(""));
    assert_eq!(empty.broken(), [Invariant::S7AnswersAreTrue]);
    let refused = Story::default().asked("a").answered("a", Err("takeover in progress"));
    assert_eq!(refused.broken(), []);
}

#[test]
fn s8_a_second_filesystem() {
    let made = || {
        let event = NodeEvent::FilesystemMade { wwn: wwn(1), life: life("b", 1) };
        Story::default().mounted("a", 1, &[]).on("b", event)
    };
    assert_eq!(made().wrote("b", 1, 1, true).broken(), [Invariant::S8FormatOnce]);
    assert_eq!(made().wrote("b", 1, 1, false).broken(), []);
}

#[test]
fn s9_a_write_into_another_volume() {
    let story = Story::default().mounted("a", 1, &[]).wrote("a", 1, 2, true);
    assert_eq!(story.broken(), [Invariant::S9RightVolume]);
}

#[test]
fn s10_the_owners_export_is_removed_under_it() {
    let owned = || Story::default().exported("a", 1, 1).record(1, Some("a"), Phase::Mounted, Some(1));
    let story = owned().mounted("a", 1, &[]).unexported("a", 1, 1);
    assert_eq!(
        owned().unexported("a", 1, 1).broken(),
        [],
        "an owner that has put it away may not be able to tell the store"
    );
    assert_eq!(story.broken(), [Invariant::S10NoStaleFencer]);
    let by_hand = Rules { exports_removed_by_hand: true, ..Rules::default() };
    assert_eq!(story.broken_under(&by_hand), []);
    let releasing =
        Story::default().exported("a", 1, 1).record(1, Some("a"), Phase::Releasing, Some(1)).unexported("a", 1, 1);
    assert_eq!(releasing.broken(), []);
}

#[test]
fn s11_another_volume_is_touched() {
    let rules = Rules { bystanders: BTreeSet::from([wwn(1)]), ..Rules::default() };
    assert_eq!(Story::default().unexported("a", 1, 1).broken_under(&rules), [Invariant::S11NothingElseTouched]);
}

#[test]
fn s12_a_record_is_freed_under_a_live_mount() {
    let mounted = || Story::default().mounted("a", 1, &[]).record(1, Some("a"), Phase::Mounted, Some(1));
    assert_eq!(mounted().record(1, None, Phase::Free, None).broken(), [Invariant::S12FreedLast]);
    let down = mounted().on("a", NodeEvent::Unmounted { wwn: wwn(1), life: life("a", 1) });
    assert_eq!(down.record(1, None, Phase::Free, None).broken(), []);
    let dark = mounted().on("a", NodeEvent::PoweredOff);
    assert_eq!(dark.record(1, None, Phase::Free, None).broken(), []);
}

#[test]
fn c9_every_kind_of_leak_is_named() {
    assert_eq!(check_leaks(&Remains::default(), Duration::ZERO), []);
    let left = Leftovers { maps: vec![wwn(1)], ..Leftovers::default() };
    let remains = Remains {
        exports: vec!["v1 to a".to_owned()],
        nodes: vec![("a".to_owned(), left), ("b".to_owned(), Leftovers::default())],
        records: vec!["v1 is owned by a".to_owned()],
        takeovers: vec!["/takeovers/1/clock".to_owned()],
        journals: vec!["v1".to_owned()],
        volumes: vec!["volume dcv-1 of the array".to_owned()],
    };
    let found = check_leaks(&remains, Duration::ZERO);
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|violation| violation.invariant == Invariant::C9NoLeak));
}

#[test]
fn c10_a_secret_is_found_and_not_repeated() {
    let found = scan_for_secrets(&[("record", "a\nauth_password=hunter22"), ("log", "quiet")], &["hunter22", ""]);
    assert_eq!(found.len(), 1);
    assert!(found[0].explanation.contains("record, line 2") && !found[0].explanation.contains("hunter22"));
}

#[test]
fn a_violation_carries_the_facts_around_it() {
    let story = Story::default().exported("a", 1, 1).exported("b", 1, 2);
    let violation = &check(&story.0, &Rules::default())[0];
    assert_eq!(violation.around.len(), 2);
    assert!(violation.around[1].contains("exports v1 to b as LUN 1"), "{:?}", violation.around);
    assert!(violation.to_string().starts_with("S1 broken at 1.000 s: volume v1 is exported to a and b"));
}
