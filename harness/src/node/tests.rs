//! The node against a small storage network made for these tests.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use hpe3par_docker_plugin::node::{AttachRequest, Content, Device, Filesystem, Node, NodeError, Use};
use hpe3par_docker_plugin::tasks::TokioTasks;
use tokio::time::{Instant, sleep};

use super::fabric::{BLOCK, BlockWrite, Nexus};
use super::*;

const SECOND: Duration = Duration::from_secs(1);
const BLOCKS: usize = 512;

/// Volumes, exports by initiator and LUN number, and a ledger of accepted writes.
#[derive(Default)]
struct Disks {
    media: BTreeMap<Wwn, Vec<u8>>,
    exports: BTreeMap<(String, Lun), Wwn>,
    sessions: BTreeMap<Nexus, String>,
    next: u64,
    accepted: Vec<(Wwn, BlockWrite)>,
    aborted: usize,
}

#[derive(Default)]
struct TestFabric(Mutex<Disks>);

impl TestFabric {
    fn disks(&self) -> std::sync::MutexGuard<'_, Disks> {
        self.0.lock().unwrap()
    }
    fn export(&self, node: &SimulatedNode, lun: u32, wwn: &Wwn) {
        let mut disks = self.disks();
        disks.media.entry(wwn.clone()).or_insert_with(|| vec![0; BLOCKS * BLOCK]);
        disks.exports.insert((node.identity().iqn.clone(), number(lun)), wwn.clone());
    }
    fn unexport(&self, node: &SimulatedNode, lun: u32) {
        self.disks().exports.remove(&(node.identity().iqn.clone(), number(lun)));
    }
    /// Nodes whose writes were accepted on the medium of `wwn`.
    fn writers(&self, wwn: &Wwn) -> BTreeSet<String> {
        self.disks().accepted.iter().filter(|(to, _)| to == wwn).map(|(_, write)| write.life.node.clone()).collect()
    }
}

impl Disks {
    fn reach(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        let initiator = self.sessions.get(&nexus).ok_or(FabricError::NexusLost)?;
        self.exports.get(&(initiator.clone(), lun)).cloned().ok_or(FabricError::NoLun)
    }
}

#[async_trait]
impl Fabric for TestFabric {
    async fn login(&self, initiator: &str, _: &TargetPort) -> Result<Nexus, FabricError> {
        let mut disks = self.disks();
        disks.next += 1;
        let nexus = Nexus(disks.next);
        disks.sessions.retain(|_, known| known != initiator);
        disks.sessions.insert(nexus, initiator.to_owned());
        Ok(nexus)
    }
    async fn logout(&self, nexus: Nexus) -> Result<(), FabricError> {
        self.disks().sessions.remove(&nexus);
        Ok(())
    }
    async fn report_luns(&self, nexus: Nexus) -> Result<Vec<Lun>, FabricError> {
        let disks = self.disks();
        let initiator = disks.sessions.get(&nexus).ok_or(FabricError::NexusLost)?;
        Ok(disks.exports.keys().filter(|(host, _)| host == initiator).map(|(_, lun)| *lun).collect())
    }
    async fn identity(&self, nexus: Nexus, lun: Lun) -> Result<Wwn, FabricError> {
        self.disks().reach(nexus, lun)
    }
    async fn capacity(&self, nexus: Nexus, lun: Lun) -> Result<u64, FabricError> {
        self.disks().reach(nexus, lun).map(|_| BLOCKS as u64)
    }
    async fn read(&self, nexus: Nexus, lun: Lun, block: u64, count: u64) -> Result<Vec<u8>, FabricError> {
        let disks = self.disks();
        let wwn = disks.reach(nexus, lun)?;
        let from = usize::try_from(block).unwrap() * BLOCK;
        Ok(disks.media[&wwn][from..from + usize::try_from(count).unwrap() * BLOCK].to_vec())
    }
    async fn write(&self, nexus: Nexus, lun: Lun, write: BlockWrite) -> Result<(), FabricError> {
        let mut disks = self.disks();
        let wwn = disks.reach(nexus, lun)?;
        let from = usize::try_from(write.block).unwrap() * BLOCK;
        disks.media.get_mut(&wwn).unwrap()[from..from + write.data.len()].copy_from_slice(&write.data);
        disks.accepted.push((wwn, write));
        Ok(())
    }
    async fn abort_tasks(&self, _: Nexus, _: Lun) -> Result<(), FabricError> {
        self.disks().aborted += 1;
        Ok(())
    }
}

/// Events of all nodes.
#[derive(Default)]
struct Seen(Mutex<Vec<(String, NodeEvent)>>);

impl NodeObserver for Seen {
    fn observe(&self, node: &str, event: NodeEvent) {
        self.0.lock().unwrap().push((node.to_owned(), event));
    }
}

struct Lab {
    fabric: Arc<TestFabric>,
    seen: Arc<Seen>,
}

impl Lab {
    fn new() -> Self {
        Self { fabric: Arc::default(), seen: Arc::default() }
    }
    fn node(&self, name: &str, options: NodeOptions) -> SimulatedNode {
        let world = NodeWorld {
            fabric: self.fabric.clone(),
            tasks: Arc::new(TokioTasks),
            observer: self.seen.clone(),
            epochs: Arc::new(NoEpochs),
        };
        SimulatedNode::new(MachineIdentity::named(name), options, world)
    }
    /// Chains found by mounts, newest last.
    fn chains(&self) -> Vec<(String, usize)> {
        let seen = self.seen.0.lock().unwrap();
        let chain = |(node, event): &(String, NodeEvent)| match event {
            NodeEvent::Mounted { chain, .. } => Some((node.clone(), chain.len())),
            _ => None,
        };
        seen.iter().filter_map(chain).collect()
    }
}

fn number(lun: u32) -> Lun {
    Lun::try_from(lun).unwrap()
}

fn volume(id: u32) -> Wwn {
    format!("60002ac0000000000000{id:04x}0000b69e").parse().unwrap()
}

fn request(wwn: &Wwn, lun: u32) -> AttachRequest {
    let position: PortPosition = "0:3:1".parse().unwrap();
    let port = TargetPort::Iscsi {
        position,
        portal: "127.0.0.1:3260".to_owned(),
        iqn: "iqn.2000-05.com.3pardata:1".to_owned(),
    };
    AttachRequest {
        wwn: wwn.clone(),
        lun: number(lun),
        ports: vec![port],
        chap: None,
        paths_wanted: 1,
        patience: 3 * SECOND,
    }
}

fn dir() -> PathBuf {
    PathBuf::from("/opt/hpe/data/v")
}

/// Attaches and mounts; makes a filesystem on a blank device.
async fn bring_up(node: &SimulatedNode, wwn: &Wwn, lun: u32) -> Device {
    let device = node.attach(&request(wwn, lun)).await.unwrap();
    if node.probe(&device).await.unwrap() == Content::Blank {
        node.make_filesystem(&device, Filesystem::Ext4).await.unwrap();
    }
    node.mount(&device, &dir()).await.unwrap();
    device
}

async fn take_down(node: &SimulatedNode, device: &Device) {
    node.unmount(&dir()).await.unwrap();
    assert_eq!(node.device_use(device).await, Ok(Use::Idle));
    node.flush_map(device).await.unwrap();
    node.delete_paths(&device.wwn).await.unwrap();
    assert!(node.leftovers().is_empty(), "{:?}", node.leftovers());
}

#[tokio::test(start_paused = true)]
async fn what_was_synced_is_read_by_the_next_node() {
    let lab = Lab::new();
    let (a, b, wwn) = (lab.node("a", NodeOptions::default()), lab.node("b", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    let device = bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "one").await.unwrap();
    a.append(container, "two").await.unwrap();
    assert_eq!(a.dirty_records(&dir()), 2);
    assert_eq!(a.fsync(container).await.unwrap().unwrap().number, 1);
    a.stop_container(container).await;
    take_down(&a, &device).await;
    lab.fabric.unexport(&a, 1);
    lab.fabric.export(&b, 1, &wwn);
    bring_up(&b, &wwn, 1).await;
    let texts: Vec<String> = b.read_log(&dir()).unwrap().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["one", "two"]);
}

#[tokio::test(start_paused = true)]
async fn the_flusher_writes_back_without_fsync() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "late").await.unwrap();
    sleep(6 * SECOND).await;
    assert_eq!(a.dirty_records(&dir()), 0);
}

/// The ghost write: A queues, B writes, A gets the volume back under another LUN number, and its old map comes alive.
#[tokio::test(start_paused = true)]
async fn a_stale_cache_overwrites_the_next_owner_when_the_lun_returns() {
    let lab = Lab::new();
    let (a, b, wwn) = (lab.node("a", NodeOptions::default()), lab.node("b", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    let on_a = a.run_container(&dir()).await.unwrap();
    a.append(on_a, "first").await.unwrap();
    a.fsync(on_a).await.unwrap();
    lab.fabric.unexport(&a, 1);
    a.append(on_a, "stale").await.unwrap();
    sleep(7 * SECOND).await;
    assert_eq!(a.dirty_records(&dir()), 1);
    assert!(a.inspect(&wwn).await.unwrap().paths_down);

    lab.fabric.export(&b, 1, &wwn);
    let device = bring_up(&b, &wwn, 1).await;
    let on_b = b.run_container(&dir()).await.unwrap();
    for text in ["second", "third"] {
        b.append(on_b, text).await.unwrap();
    }
    b.fsync(on_b).await.unwrap();
    b.stop_container(on_b).await;
    take_down(&b, &device).await;
    lab.fabric.unexport(&b, 1);

    lab.fabric.export(&a, 2, &wwn);
    a.attach(&request(&wwn, 2)).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(a.dirty_records(&dir()), 0);
    lab.fabric.unexport(&a, 2);
    lab.fabric.export(&b, 2, &wwn);
    bring_up(&b, &wwn, 2).await;
    let texts: Vec<String> = b.read_log(&dir()).unwrap().into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["first", "stale"]);
    assert_eq!(lab.chains(), [("a".to_owned(), 0), ("b".to_owned(), 1), ("b".to_owned(), 2)]);
}

/// The clean way out of being fenced, in the order the protocol wants it.
#[tokio::test(start_paused = true)]
async fn a_fenced_node_cleans_up_and_writes_nothing() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    let device = bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    lab.fabric.unexport(&a, 1);
    a.append(container, "lost").await.unwrap();
    sleep(7 * SECOND).await;
    let written = lab.fabric.disks().accepted.len();
    a.shutdown_filesystem(&dir()).await.unwrap();
    a.fail_queued_io(&device).await.unwrap();
    a.unmount_fenced(&dir()).await.unwrap();
    assert_eq!(a.device_use(&device).await, Ok(Use::Busy), "the container still holds it");
    assert!(matches!(a.flush_map(&device).await, Err(NodeError::Busy { .. })));
    a.stop_container(container).await;
    assert_eq!(a.device_use(&device).await, Ok(Use::Idle));
    a.flush_map(&device).await.unwrap();
    a.delete_paths(&wwn).await.unwrap();
    assert!(a.leftovers().is_empty() && lab.fabric.disks().aborted == 1);
    lab.fabric.export(&a, 1, &wwn);
    sleep(60 * SECOND).await;
    assert_eq!(lab.fabric.disks().accepted.len(), written);
}

#[tokio::test(start_paused = true)]
async fn unmount_hangs_without_a_path_until_queued_io_fails() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions { no_path_retry: None, ..NodeOptions::default() }), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    let device = bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "queued").await.unwrap();
    a.stop_container(container).await;
    a.cut_from_san(true);
    assert!(matches!(a.unmount(&dir()).await, Err(NodeError::TimedOut { .. })));
    let truth = a.inspect(&wwn).await.unwrap();
    assert!(truth.mounted_at.is_empty() && truth.device.is_some());
    assert_eq!(a.device_use(&device).await, Ok(Use::Busy));
    a.fail_queued_io(&device).await.unwrap();
    sleep(SECOND).await;
    assert_eq!(a.device_use(&device).await, Ok(Use::Idle));
}

#[tokio::test(start_paused = true)]
async fn a_stale_device_is_never_taken_for_another_volume() {
    let lab = Lab::new();
    let (a, one, other) = (lab.node("a", NodeOptions::default()), volume(1), volume(2));
    lab.fabric.export(&a, 1, &one);
    a.attach(&request(&one, 1)).await.unwrap();
    lab.fabric.export(&a, 1, &other);
    assert!(matches!(a.attach(&request(&other, 1)).await, Err(NodeError::WrongDevice { .. })));
    assert!(matches!(a.attach(&request(&one, 1)).await, Err(NodeError::WrongDevice { .. })));
    a.purge_stale_lun(number(1), &[]).await.unwrap();
    assert!(a.leftovers().is_empty(), "{:?}", a.leftovers());
    assert!(a.attach(&request(&other, 1)).await.is_ok());
}

/// A re-used LUN number: the old mount writes into whatever volume is there now.
#[tokio::test(start_paused = true)]
async fn a_reused_lun_number_sends_writes_into_another_volume() {
    let lab = Lab::new();
    let (a, one, other) = (lab.node("a", NodeOptions::default()), volume(1), volume(2));
    lab.fabric.export(&a, 1, &one);
    bring_up(&a, &one, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    lab.fabric.export(&a, 1, &other);
    a.append(container, "astray").await.unwrap();
    a.fsync(container).await.unwrap();
    let disks = lab.fabric.disks();
    let astray: Vec<_> = disks.accepted.iter().filter(|(to, write)| *to != write.meant_for).collect();
    assert_eq!(astray.len(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_write_on_the_wire_arrives_after_its_sender_died() {
    let lab = Lab::new();
    let slow = NodeOptions { wire_latency: SECOND..=SECOND, ..NodeOptions::default() };
    let (a, wwn) = (lab.node("a", slow), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    let before = lab.fabric.disks().accepted.len();
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "posthumous").await.unwrap();
    let (writer, sync) = (
        a.clone(),
        tokio::spawn({
            let a = a.clone();
            async move { a.fsync(container).await }
        }),
    );
    sleep(SECOND / 2).await;
    writer.power_off();
    assert!(sync.await.unwrap().is_err());
    assert_eq!(lab.fabric.disks().accepted.len(), before);
    sleep(2 * SECOND).await;
    assert_eq!(lab.fabric.disks().accepted.len(), before + 1);
    a.power_on();
    assert!(a.leftovers().is_empty());
    assert_eq!(a.boot().as_str(), "a-boot-2");
}

#[tokio::test(start_paused = true)]
async fn deleting_the_device_calls_its_writes_back() {
    let lab = Lab::new();
    let slow = NodeOptions { wire_latency: SECOND..=SECOND, ..NodeOptions::default() };
    let (a, wwn) = (lab.node("a", slow), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    let before = lab.fabric.disks().accepted.len();
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "called back").await.unwrap();
    let sync = tokio::spawn({
        let a = a.clone();
        async move { a.fsync(container).await }
    });
    sleep(SECOND / 2).await;
    a.delete_paths(&wwn).await.unwrap();
    sleep(5 * SECOND).await;
    assert_eq!(lab.fabric.disks().accepted.len(), before);
    sync.abort();
}

#[tokio::test(start_paused = true)]
async fn a_frozen_node_writes_back_when_it_goes_on() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "asleep").await.unwrap();
    a.freeze();
    sleep(600 * SECOND).await;
    assert_eq!(a.dirty_records(&dir()), 1);
    a.thaw();
    sleep(SECOND).await;
    assert_eq!(a.dirty_records(&dir()), 0);
    assert_eq!(lab.fabric.writers(&wwn), BTreeSet::from(["a".to_owned()]));
}

#[tokio::test(start_paused = true)]
async fn a_boot_scan_brings_devices_back_by_itself() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions { scan_at_boot: true, ..NodeOptions::default() }), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    bring_up(&a, &wwn, 1).await;
    a.reboot();
    assert!(a.leftovers().is_empty());
    sleep(SECOND).await;
    let truth = a.inspect(&wwn).await.unwrap();
    assert!(truth.device.is_some() && truth.mounted_at.is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_mount_beside_a_container_shows_the_same_stale_filesystem() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    let device = bring_up(&a, &wwn, 1).await;
    let container = a.run_container(&dir()).await.unwrap();
    a.append(container, "cached").await.unwrap();
    a.unmount(&dir()).await.unwrap();
    a.mount(&device, &dir()).await.unwrap();
    assert_eq!(a.read_log(&dir()).unwrap().len(), 1);
    assert_eq!(lab.chains().len(), 1, "nothing was read again");
    assert!(a.mount(&device, &dir()).await.is_err(), "already mounted is an error");
}

/// Hangs, fails and delays where it is told to.
struct At(&'static str, Moment, Injection);

impl StepHook for At {
    fn at(&self, step: &'static str, _: &str, moment: Moment) -> Injection {
        if (step, moment) == (self.0, self.1) { self.2.clone() } else { Injection::None }
    }
}

#[tokio::test(start_paused = true)]
async fn hooks_act_before_and_after_the_effect() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    a.set_hook(Arc::new(At("attach", Moment::Before, Injection::Fail("no".to_owned()))));
    assert!(a.attach(&request(&wwn, 1)).await.is_err());
    assert!(a.leftovers().is_empty());
    a.set_hook(Arc::new(At("attach", Moment::After, Injection::Fail("no".to_owned()))));
    assert!(a.attach(&request(&wwn, 1)).await.is_err());
    assert!(!a.leftovers().is_empty());
    a.set_hook(Arc::new(At("facts", Moment::Before, Injection::Delay(SECOND))));
    let begin = Instant::now();
    a.facts().await.unwrap();
    assert!(begin.elapsed() >= SECOND);
    a.set_hook(Arc::new(At("facts", Moment::Before, Injection::Hang)));
    assert!(tokio::time::timeout(100 * SECOND, a.facts()).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_missing_lun_and_a_cut_cable_end_an_attach_in_time() {
    let lab = Lab::new();
    let (a, wwn) = (lab.node("a", NodeOptions::default()), volume(1));
    assert!(matches!(a.attach(&request(&wwn, 1)).await, Err(NodeError::Failed { .. })));
    lab.fabric.export(&a, 1, &wwn);
    a.cut_from_san(true);
    assert!(a.attach(&request(&wwn, 1)).await.is_err());
    a.cut_from_san(false);
    assert!(a.attach(&request(&wwn, 1)).await.is_ok());
    assert!(
        a.mount(&Device { wwn: wwn.clone(), path: Path::new("/dev/dm-99").into(), by_id: PathBuf::new() }, &dir())
            .await
            .is_err()
    );
}

#[tokio::test(start_paused = true)]
async fn a_mount_that_is_under_way_holds_the_device() {
    let lab = Lab::new();
    let slow = NodeOptions { wire_latency: SECOND..=SECOND, ..NodeOptions::default() };
    let (a, wwn) = (lab.node("a", slow), volume(1));
    lab.fabric.export(&a, 1, &wwn);
    let device = a.attach(&request(&wwn, 1)).await.unwrap();
    a.make_filesystem(&device, Filesystem::Ext4).await.unwrap();
    let mount = tokio::spawn({
        let (a, device) = (a.clone(), device.clone());
        async move { a.mount(&device, &dir()).await }
    });
    sleep(SECOND).await;
    assert_eq!(a.device_use(&device).await, Ok(Use::Busy));
    assert!(matches!(a.flush_map(&device).await, Err(NodeError::Busy { .. })));
    mount.await.unwrap().unwrap();
}
