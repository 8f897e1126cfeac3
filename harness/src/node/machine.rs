//! The machine: identity, power, freezing, cables, and what a boot finds.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::future::BoxFuture;
use hpe3par_docker_plugin::array::{Lun, PortPosition, TargetPort, Wwn};
use hpe3par_docker_plugin::node::{BootId, MachineId};
use hpe3par_docker_plugin::tasks::Tasks;
use tokio::sync::Notify;

use super::events::{NodeEvent, NodeObserver};
use super::fabric::Fabric;
use super::gate::Gate;
use super::hook::{NoHook, StepHook};
use super::kernel::{Kernel, ScsiAddress};
use super::options::NodeOptions;
use super::random::Random;

/// Who a machine is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MachineIdentity {
    /// Host name.
    pub hostname: String,
    /// Machine id.
    pub machine: MachineId,
    /// iSCSI initiator name.
    pub iqn: String,
    /// Boot ids are this text and a number that counts up.
    pub boot_prefix: String,
    /// Number of the boot the machine begins with; a worker that is started again must not repeat one.
    pub first_boot: u64,
}

impl MachineIdentity {
    /// A machine whose ids follow from its name.
    #[must_use]
    pub fn named(hostname: &str) -> Self {
        Self {
            hostname: hostname.to_owned(),
            machine: MachineId::new(&format!("machine-of-{hostname}")),
            iqn: format!("iqn.1993-08.org.debian:01:{hostname}"),
            boot_prefix: format!("{hostname}-boot"),
            first_boot: 1,
        }
    }
}

/// Tells the epoch in which this node's plugin acts on a volume: the observer's label of writes, never used by the node itself.
pub trait Epochs: Send + Sync {
    /// The epoch; 0 when unknown.
    fn epoch_of(&self, node: &str, wwn: &Wwn) -> u64;
}

/// Nobody knows epochs.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoEpochs;

impl Epochs for NoEpochs {
    fn epoch_of(&self, _: &str, _: &Wwn) -> u64 {
        0
    }
}

/// What a node needs of the world around it.
#[derive(Clone)]
pub struct NodeWorld {
    /// The storage network.
    pub fabric: Arc<dyn Fabric>,
    /// Runs the kernel's work and what is on the wire; it outlives plugin and boot.
    pub tasks: Arc<dyn Tasks>,
    /// Who watches.
    pub observer: Arc<dyn NodeObserver>,
    /// Who knows epochs.
    pub epochs: Arc<dyn Epochs>,
}

/// A simulated worker node. Clones are the same machine.
#[derive(Clone)]
pub struct SimulatedNode {
    pub(super) machine: Arc<Machine>,
}

/// The machine behind a [`SimulatedNode`].
pub(super) struct Machine {
    pub(super) identity: MachineIdentity,
    pub(super) options: NodeOptions,
    pub(super) world: NodeWorld,
    /// Signalled when paths, maps or cables changed.
    pub(super) changed: Notify,
    state: Mutex<State>,
    random: Mutex<Random>,
    hook: Mutex<Arc<dyn StepHook>>,
}

/// What changes about a machine.
pub(super) struct State {
    pub(super) powered: bool,
    pub(super) cables_cut: bool,
    pub(super) frozen: bool,
    slow_writes_percent: u64,
    pub(super) boots: u64,
    /// Everything of this boot runs behind it.
    pub(super) gate: Gate,
    pub(super) kernel: Kernel,
    /// The node database of iscsid: survives boots.
    pub(super) known_ports: BTreeMap<PortPosition, TargetPort>,
}

/// What a node still has; empty when it is clean.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Leftovers {
    /// SCSI devices with the identity they were scanned with.
    pub devices: Vec<(ScsiAddress, Wwn)>,
    /// WWNs of multipath maps.
    pub maps: Vec<Wwn>,
    /// Mount table of the host.
    pub mounts: Vec<(Wwn, PathBuf)>,
    /// WWNs of filesystems in the kernel.
    pub filesystems: Vec<Wwn>,
}

impl Leftovers {
    /// Nothing is left.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// What is left of these volumes only.
    #[must_use]
    pub fn of(mut self, wwns: &BTreeSet<Wwn>) -> Self {
        self.devices.retain(|(_, wwn)| wwns.contains(wwn));
        self.maps.retain(|wwn| wwns.contains(wwn));
        self.mounts.retain(|(wwn, _)| wwns.contains(wwn));
        self.filesystems.retain(|wwn| wwns.contains(wwn));
        self
    }
}

impl SimulatedNode {
    /// A machine that is switched on, with an empty kernel.
    #[must_use]
    pub fn new(identity: MachineIdentity, options: NodeOptions, world: NodeWorld) -> Self {
        let random = Mutex::new(Random::new(options.seed, "node"));
        let state = State {
            powered: true,
            cables_cut: false,
            frozen: false,
            slow_writes_percent: options.slow_writes_percent,
            boots: identity.first_boot,
            gate: Gate::open(),
            kernel: Kernel::new(boot_id(&identity, identity.first_boot)),
            known_ports: BTreeMap::new(),
        };
        let (changed, hook) = (Notify::new(), Mutex::new(Arc::new(NoHook) as Arc<dyn StepHook>));
        let machine = Arc::new(Machine { identity, options, world, changed, state: Mutex::new(state), random, hook });
        let node = Self { machine };
        node.scan_if_it_does();
        node
    }

    /// Host name.
    #[must_use]
    pub fn hostname(&self) -> &str {
        &self.machine.identity.hostname
    }

    /// Identity of the machine.
    #[must_use]
    pub fn identity(&self) -> &MachineIdentity {
        &self.machine.identity
    }

    /// Boot id of the running or last boot.
    #[must_use]
    pub fn boot(&self) -> BootId {
        self.machine.state().kernel.boot.clone()
    }

    /// Puts a hook before and after every step.
    pub fn set_hook(&self, hook: Arc<dyn StepHook>) {
        *self.machine.hook.lock().unwrap_or_else(PoisonError::into_inner) = hook;
    }

    /// The machine has power.
    #[must_use]
    pub fn is_powered(&self) -> bool {
        self.machine.state().powered
    }

    /// The machine stands still.
    #[must_use]
    pub fn is_frozen(&self) -> bool {
        self.machine.state().frozen
    }

    /// Cuts the power. Page cache, devices and mounts are gone; what is on the wire still arrives.
    pub fn power_off(&self) {
        {
            let mut state = self.machine.state();
            if !state.powered {
                return;
            }
            state.powered = false;
            state.frozen = false;
            state.gate.end();
            let boot = state.kernel.boot.clone();
            state.kernel = Kernel::new(boot);
        }
        self.machine.changed.notify_waiters();
        self.machine.observe(NodeEvent::PoweredOff);
    }

    /// Switches the machine on: a new boot. With `scan_at_boot`, what is exported to it appears by itself.
    pub fn power_on(&self) {
        let boot = {
            let mut state = self.machine.state();
            if state.powered {
                return;
            }
            state.boots += 1;
            let boot = boot_id(&self.machine.identity, state.boots);
            (state.powered, state.gate, state.kernel) = (true, Gate::open(), Kernel::new(boot.clone()));
            boot
        };
        self.machine.observe(NodeEvent::Booted { boot: boot.to_string() });
        if self.machine.options.scan_at_boot {
            let machine = self.machine.clone();
            self.machine.run(Box::pin(async move { machine.scan_everything().await }));
        }
        self.scan_if_it_does();
    }

    /// A kernel that finds LUNs by itself does so from the start of its boot to the end.
    fn scan_if_it_does(&self) {
        if self.machine.options.finds_luns_by_itself {
            let machine = self.machine.clone();
            self.machine.run(Box::pin(async move { machine.keep_scanning().await }));
        }
    }

    /// Power off and on again.
    pub fn reboot(&self) {
        self.power_off();
        self.power_on();
    }

    /// Stops the kernel where it stands, as a paused virtual machine does.
    pub fn freeze(&self) {
        let mut state = self.machine.state();
        if state.powered && !state.frozen {
            state.frozen = true;
            state.gate.freeze();
            drop(state);
            self.machine.observe(NodeEvent::Frozen);
        }
    }

    /// Lets the kernel go on.
    pub fn thaw(&self) {
        let mut state = self.machine.state();
        if state.frozen {
            state.frozen = false;
            state.gate.thaw();
            drop(state);
            self.machine.observe(NodeEvent::Thawed);
        }
    }

    /// Cuts the cables to the array, or plugs them in again.
    pub fn cut_from_san(&self, cut: bool) {
        let before = std::mem::replace(&mut self.machine.state().cables_cut, cut);
        if before != cut {
            self.machine.changed.notify_waiters();
            self.machine.observe(NodeEvent::SanCut { cut });
        }
    }

    /// Chooses how many of the writes sent from now on are slow on their way.
    pub fn set_slow_writes(&self, percent: u64) {
        self.machine.state().slow_writes_percent = percent;
    }

    /// What is left of any volume on this node.
    #[must_use]
    pub fn leftovers(&self) -> Leftovers {
        let state = self.machine.state();
        let kernel = &state.kernel;
        let wwn_of = |filesystem| kernel.filesystems.get(&filesystem).map(|fs| fs.wwn.clone());
        Leftovers {
            devices: kernel.devices.iter().map(|(address, device)| (*address, device.wwn.clone())).collect(),
            maps: kernel.maps.keys().cloned().collect(),
            mounts: kernel.mounts.iter().filter_map(|m| Some((wwn_of(m.filesystem)?, m.dir.clone()))).collect(),
            filesystems: kernel.filesystems.values().map(|fs| fs.wwn.clone()).collect(),
        }
    }

    /// WWNs of volumes whose writes could leave this node: a filesystem that is alive, in any namespace.
    #[must_use]
    pub fn volumes_alive(&self) -> BTreeSet<Wwn> {
        use super::kernel::FilesystemState::Alive;
        let state = self.machine.state();
        state.kernel.filesystems.values().filter(|fs| fs.state == Alive).map(|fs| fs.wwn.clone()).collect()
    }

    /// LUN numbers of all devices, by volume as scanned.
    #[must_use]
    pub fn luns_of(&self, wwn: &Wwn) -> BTreeSet<Lun> {
        self.machine.state().kernel.paths_of(wwn).into_iter().map(|address| address.lun).collect()
    }
}

fn boot_id(identity: &MachineIdentity, number: u64) -> BootId {
    BootId::new(&format!("{}-{number}", identity.boot_prefix))
}

impl Machine {
    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn hook(&self) -> Arc<dyn StepHook> {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn observe(&self, event: NodeEvent) {
        self.world.observer.observe(&self.identity.hostname, event);
    }

    pub(super) fn step_latency(&self) -> Duration {
        self.draw(|random, options| random.duration(&options.step_latency))
    }

    pub(super) fn wire_latency(&self) -> Duration {
        self.draw(|random, options| random.duration(&options.wire_latency))
    }

    /// Way of a write to the array: sometimes slow.
    pub(super) fn write_latency(&self) -> Duration {
        let percent = self.state().slow_writes_percent;
        self.draw(|random, options| {
            let slow = random.percent(percent);
            random.duration(if slow { &options.slow_wire_latency } else { &options.wire_latency })
        })
    }

    fn draw<T>(&self, draw: impl FnOnce(&mut Random, &NodeOptions) -> T) -> T {
        draw(&mut self.random.lock().unwrap_or_else(PoisonError::into_inner), &self.options)
    }

    /// Runs work of the kernel: it stops with the machine and ends with the boot, not with whoever asked for it.
    pub(super) fn run(&self, work: BoxFuture<'static, ()>) {
        let gate = self.state().gate.clone();
        let gated = gate.through(work);
        self.world.tasks.spawn(Box::pin(async move {
            gated.await;
        }));
    }
}
