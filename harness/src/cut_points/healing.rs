//! After the fault: what everybody may expect without a person, and by when.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use hpe3par_docker_plugin::store::keys;
use tokio::time::{Instant, sleep, sleep_until};

use super::cell::Wait;
use super::cutter::Cutter;
use super::operation::Operation;
use super::site::{OTHER, OWNER, SUBJECT, Site};
use crate::checks::{Invariant, Remains, check_leaks};
use crate::simulation::{BYSTANDER, NodeNumber, remains_of};

/// Within this time after the last fault everything is as if nothing had been, in virtual time.
pub const HEALED_WITHIN: Duration = Duration::from_secs(60);
/// Pause before somebody who heard an error asks again.
const ASK_AGAIN: Duration = Duration::from_secs(1);
/// After this time without an answer nobody waits for it any more.
const NO_ANSWER: Duration = Duration::from_secs(240);

/// How long things took after the faults were over.
#[derive(Default)]
pub(super) struct Waits(BTreeMap<Wait, Duration>);

impl Waits {
    pub(super) fn add(&mut self, wait: Wait, time: Duration) {
        let longest = self.0.entry(wait).or_default();
        *longest = time.max(*longest);
    }
}

impl From<Waits> for BTreeMap<Wait, Duration> {
    fn from(waits: Waits) -> Self {
        waits.0
    }
}

/// Waits until the last fault is over.
pub(super) async fn until_over(cutter: &Cutter) {
    while let Some(over) = cutter.over().filter(|over| *over > Instant::now()) {
        sleep_until(over).await;
    }
}

/// Ends when the faults have been over for so long that no answer will come.
pub(super) async fn too_late(cutter: &Cutter) {
    loop {
        sleep(ASK_AGAIN).await;
        if cutter.over().is_some_and(|over| over.elapsed() > NO_ANSWER) {
            return;
        }
    }
}

/// Demands that everything heals, and says what does not.
pub(super) async fn demand(operation: Operation, site: &Site, waits: &mut Waits) {
    let healed = Healing { operation, site, waits }.heal().await;
    if let Err(words) = healed {
        site.accuse(Invariant::L1Liveness, words);
    }
}

struct Healing<'s> {
    operation: Operation,
    site: &'s Site,
    waits: &'s mut Waits,
}

impl Healing<'_> {
    async fn heal(mut self) -> Result<(), String> {
        let answered = self.waits.0.get(&Wait::Answer).copied().unwrap_or_default();
        if answered > HEALED_WITHIN {
            return Err(format!("the answer came {:.0} s after the fault was over", answered.as_secs_f64()));
        }
        if self.operation == Operation::TakeoverFromDead {
            self.site.world.workers[OWNER].power_on();
        }
        if self.operation.makes_or_removes() {
            self.repeat().await?;
        }
        self.mounts(OTHER, 6, Wait::OtherNode).await?;
        self.stops(OTHER).await?;
        // They lost the volume to the other node, and their engines tidy up.
        self.stops(OWNER).await?;
        self.stops(SUBJECT).await?;
        self.mounts(SUBJECT, 7, Wait::SameNode).await?;
        self.stops(SUBJECT).await?;
        if self.operation.makes_or_removes() {
            self.removes(Wait::Clean).await?;
        }
        self.clean().await
    }

    /// The engine asks once more for what it may not have got, on another node.
    async fn repeat(&mut self) -> Result<(), String> {
        if self.operation == Operation::Remove {
            self.removes(Wait::Repeat).await?;
        }
        let site = self.site;
        let create = || site.world.workers[OTHER].create(site.name(), site.patience());
        self.until_ok(Wait::Repeat, "the volume could be created", create).await
    }

    async fn removes(&mut self, wait: Wait) -> Result<(), String> {
        let site = self.site;
        // Remembers what it was, for the look at what is left.
        let _ = site.volume();
        let remove = || async {
            match site.world.workers[OTHER].remove(site.name(), site.patience()).await {
                Err(reason) if reason.contains("not found") => Ok(()),
                answer => answer,
            }
        };
        self.until_ok(wait, "the volume could be removed", remove).await
    }

    async fn mounts(&mut self, node: NodeNumber, container: u64, wait: Wait) -> Result<(), String> {
        let site = self.site;
        let run = || async {
            // An engine ends a container whose application has died.
            for (node, mount_id) in site.clients.containers(true) {
                site.clients.end_container(&site.world, node, &mount_id).await;
                let Some(volume) = site.volume() else { continue };
                let _ = site.clients.unmount_once(&site.world, node, &volume, &mount_id).await;
            }
            site.run(node, container).await
        };
        let what = format!("the volume could be mounted on {}", site.world.workers[node].name);
        self.until_ok(wait, &what, run).await?;
        // Long enough for records that the next node has to find.
        sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    /// Ends all containers of a node; each Unmount has to succeed at once.
    async fn stops(&self, node: NodeNumber) -> Result<(), String> {
        let site = self.site;
        for (_, mount_id) in site.clients.containers(false).into_iter().filter(|(on, _)| *on == node) {
            site.clients.end_container(&site.world, node, &mount_id).await;
            let Some(volume) = site.volume() else { continue };
            let name = &site.world.workers[node].name;
            let unmounted = site.clients.unmount_once(&site.world, node, &volume, &mount_id).await;
            unmounted.map_err(|reason| format!("after the fault an Unmount on {name} failed: {reason}"))?;
        }
        Ok(())
    }

    /// Asks until the answer is success; an error if that takes too long.
    async fn until_ok<F>(&mut self, wait: Wait, what: &str, ask: impl Fn() -> F) -> Result<(), String>
    where
        F: Future<Output = Result<(), String>>,
    {
        let begin = Instant::now();
        loop {
            let Err(reason) = ask().await else { break };
            if begin.elapsed() > HEALED_WITHIN {
                let within = HEALED_WITHIN.as_secs();
                return Err(format!(
                    "it was more than {within} s after the fault before {what}; the last answer was: {reason}"
                ));
            }
            sleep(ASK_AGAIN).await;
        }
        self.waits.add(wait, begin.elapsed());
        if begin.elapsed() > HEALED_WITHIN {
            return Err(format!("it was {:.0} s after the fault before {what}", begin.elapsed().as_secs_f64()));
        }
        Ok(())
    }

    /// Waits until nothing is left of the volume anywhere.
    async fn clean(&mut self) -> Result<(), String> {
        let begin = Instant::now();
        let remains = loop {
            let remains = remains_at(self.site).await;
            if remains == Remains::default() || begin.elapsed() > HEALED_WITHIN {
                break remains;
            }
            sleep(ASK_AGAIN).await;
        };
        self.waits.add(Wait::Clean, begin.elapsed());
        for violation in check_leaks(&remains, self.site.world.start.elapsed()) {
            self.site.world.chronicle.accuse(violation);
        }
        Ok(())
    }
}

/// What is left at a site, also of volumes that were made and removed.
async fn remains_at(site: &Site) -> Remains {
    let world = &site.world;
    let mut remains = remains_of(world).await;
    remains.nodes.clear();
    for worker in &world.workers {
        let left = worker.node.leftovers();
        if !left.is_empty() {
            remains.nodes.push((worker.name.clone(), left));
        }
    }
    let known: BTreeSet<String> = world.all_volumes().iter().map(|volume| volume.array_name.to_string()).collect();
    let on_array: BTreeSet<String> =
        world.emulator.with(|array, _| array.volumes().map(|volume| volume.name.to_string()).collect());
    let forgotten = on_array.iter().filter(|name| *name != BYSTANDER && !known.contains(*name));
    remains.volumes.extend(forgotten.map(|name| format!("volume {name} of the array")));
    let (records, _) = world.store.read_all(keys::VOLUMES);
    let (names, _) = world.store.read_all(keys::VOLUME_NAMES);
    let ids: BTreeSet<&str> = records.iter().filter_map(|entry| entry.key.strip_prefix(keys::VOLUMES)).collect();
    let named: BTreeSet<&str> = names.iter().filter_map(|entry| std::str::from_utf8(&entry.value).ok()).collect();
    remains.records.extend(ids.symmetric_difference(&named).map(|id| format!("{id} has a record or a name, not both")));
    remains
}
