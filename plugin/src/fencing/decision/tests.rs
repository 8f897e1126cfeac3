//! The mount cases, one by one, as facts and the step that must follow.

use super::*;
use crate::array::{Export, ExportTarget, Lun, Wwn};
use crate::node::Device;
use crate::volume::names::{VolumeId, VolumeName};
use crate::volume::record::{Attempt, Epoch, Ownership, Quarantine, Rest, Takeover};

const DIR: &str = "/opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac0000000000000000100012345";

fn lun(number: u32) -> Lun {
    Lun::try_from(number).unwrap()
}

fn wwn() -> Wwn {
    "60002ac0000000000000000100012345".parse().unwrap()
}

fn owner(node: &str) -> Owner {
    Owner::new(NodeId::new(node), BootId::new("boot1"), Some(format!("host-{node}").parse().unwrap()))
}

fn record(ownership: Ownership) -> VolumeRecord {
    let mut record = VolumeRecord::new(VolumeId(uuid::Uuid::from_u128(7)), VolumeName::of_existing("db").unwrap());
    record.epoch = Epoch(4);
    record.ownership = ownership;
    record
}

fn mounted_by(node: &str) -> VolumeRecord {
    record(Ownership::Owned { owner: owner(node), stage: Stage::Mounted(Some(Attempt { lun: lun(5) })) })
}

fn really_mounted() -> LocalTruth {
    let device = Device { wwn: wwn(), path: "/dev/dm-0".into(), by_id: "/dev/disk/by-id/x".into() };
    LocalTruth { device: Some(device), luns: [lun(5)].into(), mounted_at: vec![DIR.into()], ..LocalTruth::default() }
}

fn exported_to(hosts: &[&str]) -> ExportsSeen {
    let volume = crate::volume::names::ArrayVolumeName::for_volume(VolumeId(uuid::Uuid::from_u128(7)));
    let row = |host: &&str| {
        VlunRow::Template(Export { volume: volume.clone(), lun: lun(5), to: ExportTarget::Host(host.parse().unwrap()) })
    };
    ExportsSeen {
        my_host: "host-b".parse().unwrap(),
        rows: hosts.iter().map(row).collect(),
        node_hosts: ["a", "b", "c"].map(|n| (format!("host-{n}").parse().unwrap(), NodeId::new(n))).into(),
    }
}

/// Facts for a Mount on node b, with everything asked and answered unless a test takes it away.
struct Case {
    record: VolumeRecord,
    local: LocalTruth,
    exports: Option<ExportsSeen>,
    contest: Option<ContestSeen>,
    policy: Policy,
    delay: u64,
}

fn case(record: VolumeRecord) -> Case {
    let contest = ContestSeen { owner_alive: false, clock: DelayClock::Stale, recent_takeovers: 0 };
    Case {
        record,
        local: LocalTruth::default(),
        exports: Some(exported_to(&[])),
        contest: Some(contest),
        policy: Policy::default(),
        delay: 30,
    }
}

impl Case {
    fn step(&self) -> MountStep {
        next_mount_step(&MountFacts {
            me: &Me { node: NodeId::new("b"), boot: BootId::new("boot1") },
            record: &self.record,
            local: &self.local,
            mount_dir: Path::new(DIR),
            exports: self.exports.as_ref(),
            contest: self.contest.as_ref(),
            policy: &self.policy,
            delay: self.delay,
            defects: Defects::default(),
        })
    }

    fn ends(&self) -> Vec<String> {
        match self.step() {
            MountStep::Claim { ended, .. } => ended.iter().map(|e| e.node.to_string()).collect(),
            other => panic!("not a claim: {other:?}"),
        }
    }
}

#[test]
fn nobody_owns_and_nobody_is_exported_claims_without_delay() {
    let mut m3 = case(record(Ownership::Free));
    assert_eq!(m3.step(), MountStep::Claim { ended: vec![], after_clock: false });
    m3.exports = None;
    assert_eq!(m3.step(), MountStep::AskExports);
}

#[test]
fn owner_here_and_really_mounted_needs_no_array_call() {
    let mut m4 = case(mounted_by("b"));
    m4.local = really_mounted();
    (m4.exports, m4.contest) = (None, None);
    assert_eq!(m4.step(), MountStep::AddReference);
}

#[test]
fn owner_here_after_a_reboot_claims_anew_without_delay() {
    let mut m5 = case(mounted_by("b"));
    if let Ownership::Owned { owner, .. } = &mut m5.record.ownership {
        owner.boot = BootId::new("boot0");
    }
    m5.exports = Some(exported_to(&["host-b"]));
    assert_eq!(m5.step(), MountStep::Claim { ended: vec![], after_clock: false });
}

#[test]
fn owner_here_whose_mount_vanished_mounts_again_or_claims_anew() {
    let mut m6 = case(mounted_by("b"));
    m6.local = really_mounted();
    m6.local.mounted_at.clear();
    assert_eq!(m6.step(), MountStep::Remount);
    m6.local.luns = [lun(9)].into();
    assert_eq!(m6.step(), MountStep::CleanFenced, "a device through another LUN is of another life");
    m6.local = LocalTruth::default();
    assert_eq!(m6.step(), MountStep::Claim { ended: vec![], after_clock: false });
}

#[test]
fn a_dead_filesystem_or_a_mount_through_another_lun_is_no_mount() {
    let mut dead = case(mounted_by("b"));
    dead.local = really_mounted();
    dead.local.filesystem_dead = true;
    assert_eq!(dead.step(), MountStep::CleanFenced);
    dead.local.filesystem_dead = false;
    dead.local.luns = [lun(9)].into();
    assert_eq!(dead.step(), MountStep::CleanFenced);
}

#[test]
fn lost_paths_are_waited_for_while_the_export_is_there() {
    let mut blip = case(mounted_by("b"));
    blip.local = really_mounted();
    blip.local.paths_down = true;
    blip.exports = None;
    assert_eq!(blip.step(), MountStep::AskExports);
    blip.exports = Some(exported_to(&["host-b"]));
    assert_eq!(blip.step(), MountStep::AddReference, "the paths will come back; nothing is shut down");
    blip.exports = Some(exported_to(&[]));
    assert_eq!(blip.step(), MountStep::CleanFenced, "the export was taken away: nothing can be written any more");
}

#[test]
fn another_owner_is_told_waited_for_and_then_forced() {
    let mut m2 = case(mounted_by("a"));
    m2.exports = Some(exported_to(&["host-a"]));
    assert_eq!(m2.step(), MountStep::OpenTakeover);
    m2.record.takeover = Some(Takeover { by: NodeId::new("b"), of_epoch: Epoch(4), delay: 30, rest: Rest::default() });
    let clock = |clock| Some(ContestSeen { owner_alive: false, clock, recent_takeovers: 0 });
    m2.contest = clock(DelayClock::Running);
    assert_eq!(m2.step(), MountStep::Wait);
    m2.contest = clock(DelayClock::Expired);
    assert_eq!(m2.step(), MountStep::Claim { ended: vec![owner("a")], after_clock: true });
    // Nobody waited for it: the old timer permits nothing.
    m2.contest = clock(DelayClock::Stale);
    assert_eq!(m2.step(), MountStep::OpenTakeover);
    // A timer of another epoch permits nothing either.
    m2.contest = clock(DelayClock::Expired);
    m2.record.takeover = Some(Takeover { by: NodeId::new("c"), of_epoch: Epoch(3), delay: 30, rest: Rest::default() });
    assert_eq!(m2.step(), MountStep::OpenTakeover);
}

#[test]
fn delay_zero_forces_at_once() {
    let mut m22 = case(mounted_by("a"));
    m22.exports = Some(exported_to(&["host-a"]));
    m22.delay = 0;
    assert_eq!(m22.ends(), ["a"]);
}

#[test]
fn a_free_volume_that_is_exported_to_a_node_is_a_conflict_with_that_node() {
    let mut m7 = case(record(Ownership::Free));
    m7.exports = Some(exported_to(&["host-a"]));
    assert_eq!(m7.step(), MountStep::OpenTakeover);
    m7.delay = 0;
    assert_eq!(m7.ends(), ["a"]);
}

#[test]
fn an_owner_without_exports_is_fenced_already() {
    let m8 = case(mounted_by("a"));
    assert_eq!(m8.ends(), ["a"]);
    let mut attaching = case(record(Ownership::Owned { owner: owner("a"), stage: Stage::Fencing }));
    assert_eq!(attaching.ends(), ["a"], "a dead owner that never exported");
    attaching.contest = Some(ContestSeen { owner_alive: true, clock: DelayClock::Stale, recent_takeovers: 0 });
    assert_eq!(attaching.step(), MountStep::OpenTakeover, "a living owner in the middle of its mount gets its delay");
}

#[test]
fn strangers_are_refused_unless_the_configuration_says_otherwise() {
    let mut m9 = case(mounted_by("a"));
    m9.exports = Some(exported_to(&["host-a", "esx7"]));
    m9.delay = 0;
    assert!(
        matches!(m9.step(), MountStep::Refuse(Refusal::ExportedToStrangers { rows }) if rows == ["host esx7, LUN 5"])
    );
    m9.policy.fence_unknown_hosts = true;
    assert_eq!(m9.ends(), ["a"]);
}

#[test]
fn the_legal_owner_fences_whoever_is_exported_beside_it() {
    let mut m10 = case(mounted_by("b"));
    m10.exports = Some(exported_to(&["host-a"]));
    assert_eq!(m10.step(), MountStep::OpenTakeover, "a conflict like any other: with its delay");
    m10.delay = 0;
    assert_eq!(m10.ends(), ["a"]);
}

#[test]
fn policies_and_the_thrash_limiter_protect_a_living_owner_only() {
    let alive = |recent_takeovers| Some(ContestSeen { owner_alive: true, clock: DelayClock::Stale, recent_takeovers });
    let mut m14 = case(mounted_by("a"));
    m14.policy.conflict = ConflictPolicy::StealIfDead;
    m14.contest = alive(0);
    assert!(matches!(m14.step(), MountStep::Refuse(Refusal::OwnedElsewhere { alive: true, .. })));
    m14.policy.conflict = ConflictPolicy::Refuse;
    m14.contest = case(mounted_by("a")).contest;
    assert!(matches!(m14.step(), MountStep::Refuse(Refusal::OwnedElsewhere { alive: false, .. })));
    m14.policy.conflict = ConflictPolicy::Steal;
    m14.contest = alive(3);
    assert!(matches!(m14.step(), MountStep::Refuse(Refusal::Thrashing { .. })));
}

#[test]
fn a_node_that_lost_the_volume_cleans_before_anything_else() {
    for ownership in [Ownership::Free, mounted_by("a").ownership] {
        let mut m16 = case(record(ownership));
        let lost = Quarantine {
            epoch: Epoch(3),
            boot: BootId::new("boot1"),
            host: None,
            revoked: true,
            rest: Rest::default(),
        };
        m16.record.quarantine.insert(NodeId::new("b"), lost);
        m16.local = really_mounted();
        assert_eq!(m16.step(), MountStep::CleanFenced);
        m16.local.mounted_at.clear();
        assert_eq!(m16.step(), MountStep::TearDown);
    }
}

#[test]
fn a_mount_made_by_somebody_else_is_never_touched() {
    let mut foreign = case(record(Ownership::Free));
    foreign.local = really_mounted();
    foreign.local.mounted_at = vec!["/mnt/by-hand".into()];
    assert!(matches!(foreign.step(), MountStep::Refuse(Refusal::MountedByOthers { .. })));
}

#[test]
fn a_volume_of_the_earlier_plugin_is_adopted_where_it_is_mounted() {
    let mut m25 = case(mounted_by("b"));
    m25.record.ownership =
        Ownership::Owned { owner: Owner::new(NodeId::new("b"), BootId::unknown(), None), stage: Stage::Mounted(None) };
    m25.local = really_mounted();
    assert_eq!(m25.step(), MountStep::AddReference);
}

#[test]
fn an_owner_gives_a_node_it_knows_nothing_of_the_delay_before_it_fences_it() {
    let mut restored = case(record(Ownership::Owned { owner: owner("b"), stage: Stage::Fencing }));
    restored.exports = Some(exported_to(&["host-b"]));
    assert_eq!(restored.step(), MountStep::Claim { ended: vec![], after_clock: false });
    restored.exports = Some(exported_to(&["host-a"]));
    assert_eq!(restored.step(), MountStep::OpenTakeover);
    let epoch = restored.record.epoch;
    restored.record.takeover =
        Some(Takeover { by: NodeId::new("b"), of_epoch: epoch, delay: 30, rest: Rest::default() });
    restored.contest = Some(ContestSeen { owner_alive: true, clock: DelayClock::Running, recent_takeovers: 0 });
    assert_eq!(restored.step(), MountStep::Wait);
    restored.contest = Some(ContestSeen { owner_alive: true, clock: DelayClock::Expired, recent_takeovers: 0 });
    assert_eq!(restored.ends(), ["a"]);
    // Whoever is in quarantine already had its delay.
    let lost = Quarantine { epoch, boot: BootId::new("boot1"), host: None, revoked: false, rest: Rest::default() };
    restored.record.quarantine.insert(NodeId::new("a"), lost);
    assert_eq!(restored.step(), MountStep::Claim { ended: vec![], after_clock: false });
}

#[test]
fn an_unmount_the_earlier_plugin_did_not_finish_is_written_back() {
    let mut half_way = case(record(Ownership::Free));
    half_way.record.epoch = Epoch(0);
    half_way.record.rest.insert("legacy_path_info".to_owned(), serde_json::json!({}));
    half_way.local = really_mounted();
    assert_eq!(half_way.step(), MountStep::TearDown);
    let mut taken = case(mounted_by("a"));
    taken.record.epoch = Epoch(0);
    taken.record.rest = half_way.record.rest.clone();
    taken.local = really_mounted();
    assert_eq!(taken.step(), MountStep::CleanFenced, "the earlier plugin mounted it elsewhere without fencing");
    let lost =
        Quarantine { epoch: Epoch(0), boot: BootId::new("boot1"), host: None, revoked: true, rest: Rest::default() };
    half_way.record.quarantine.insert(NodeId::new("b"), lost);
    assert_eq!(half_way.step(), MountStep::CleanFenced);
}

#[test]
fn what_is_being_created_or_removed_is_not_mounted() {
    for lifecycle in [Lifecycle::Creating, Lifecycle::Removing] {
        let mut early = case(record(Ownership::Free));
        early.record.lifecycle = lifecycle;
        assert!(matches!(early.step(), MountStep::Refuse(_)));
    }
}
