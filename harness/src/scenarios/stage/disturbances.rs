//! What goes wrong: links, the array's faults, administrators, steps on a node that hang or take long.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hpe3par_emulator::array::Channel;
use hpe3par_emulator::faults::{FaultKind, FaultRule, RuleId, Trigger};

use super::Stage;
use super::observed_state::SOON;
use crate::cluster::link::Condition;
use crate::cluster::wait::wait_for_condition;
use crate::cluster::worker::Network;
use crate::node::{Injection, Moment, StepHook};

/// What the time line calls a paused etcd.
pub(super) const ETCD_PAUSED: &str = "etcd paused";

/// What a worker can be cut off from, in the words of the scenarios.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Where {
    /// The metadata store.
    Etcd,
    /// REST interface and command line of the array.
    Management,
    /// The command line of the array.
    CommandLine,
    /// The REST interface of the array.
    Rest,
    /// The storage network.
    Storage,
    /// All of them.
    Everything,
}

impl FromStr for Where {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "etcd" => Self::Etcd,
            "the array's management" => Self::Management,
            "the array's command line" => Self::CommandLine,
            "the array's REST interface" => Self::Rest,
            "the storage network" => Self::Storage,
            "everything" => Self::Everything,
            other => return Err(format!("nothing is known as '{other}' to be cut off from")),
        })
    }
}

impl Where {
    fn links(self) -> &'static [Network] {
        match self {
            Self::Etcd => &[Network::Etcd],
            Self::Management => &[Network::Wsapi, Network::Ssh],
            Self::CommandLine => &[Network::Ssh],
            Self::Rest => &[Network::Wsapi],
            Self::Storage => &[],
            Self::Everything => &[Network::Etcd, Network::Wsapi, Network::Ssh],
        }
    }
}

/// Steps of one node that are delayed, fail or hang.
#[derive(Debug, Default)]
struct Troubles(Mutex<BTreeMap<&'static str, Injection>>);

impl StepHook for Troubles {
    fn at(&self, step: &'static str, _: &str, moment: Moment) -> Injection {
        if moment == Moment::After {
            return Injection::None;
        }
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(step).cloned().unwrap_or_default()
    }
}

impl Stage {
    /// Cuts a worker off, or connects it again.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn cut(&self, worker: &str, from: Where, cut: bool) -> Result<()> {
        let condition = if cut { Condition::Cut } else { Condition::Up };
        let worker = self.lab()?.worker(worker)?;
        from.links().iter().for_each(|network| worker.set_link(*network, condition));
        if matches!(from, Where::Storage | Where::Everything) {
            worker.node().cut_from_san(cut);
        }
        Ok(())
    }

    /// Holds back everything a worker sends to the array's management, or lets it pass.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn hold_back(&self, worker: &str, hold: bool) -> Result<()> {
        let condition = if hold { Condition::BlackHole } else { Condition::Up };
        let worker = self.lab()?.worker(worker)?;
        [Network::Wsapi, Network::Ssh].into_iter().for_each(|network| worker.set_link(network, condition));
        Ok(())
    }

    /// etcd stands still, or goes on.
    ///
    /// # Errors
    /// When there is no lab, or its etcd does not run.
    pub fn pause_etcd(&self, pause: bool) -> Result<()> {
        let lab = self.lab()?;
        if pause {
            lab.witness().fault_began("store", ETCD_PAUSED);
            lab.etcd().pause()
        } else {
            lab.witness().fault_ended("store", ETCD_PAUSED);
            lab.etcd().resume()
        }
    }

    /// Puts a fault on the array.
    ///
    /// # Errors
    /// When there is no lab.
    pub fn fault(&self, rule: FaultRule) -> Result<RuleId> {
        let lab = self.lab()?;
        let on = if rule.operation.is_empty() { "any request" } else { rule.operation.as_str() };
        lab.witness().fault("array", &format!("armed for {on} {}: {:?}", rule.object, rule.fault), Duration::ZERO);
        Ok(lab.array().handle().with_faults(|plan| plan.add(rule)))
    }

    /// The next export is taken and neither answered nor carried out, until it is told to take effect.
    ///
    /// # Errors
    /// When there is no lab.
    pub fn hold_next_export(&mut self) -> Result<()> {
        let rule = FaultRule::new(Some(Channel::Wsapi), "POST /vluns", FaultKind::Hang).on(Trigger::first(1));
        let id = self.fault(rule)?;
        self.notes.insert("held export".to_owned(), id.0.to_string());
        Ok(())
    }

    /// The next export is carried out, and answered, this much later.
    ///
    /// # Errors
    /// When there is no lab.
    pub fn delay_next_export(&mut self, time: Duration) -> Result<()> {
        let fault = FaultKind::Delay { delay_ms: u64::try_from(time.as_millis())? };
        let id = self.fault(FaultRule::new(Some(Channel::Wsapi), "POST /vluns", fault).on(Trigger::first(1)))?;
        self.notes.insert("held export".to_owned(), id.0.to_string());
        Ok(())
    }

    /// Waits until the export that is to be held back or delayed has come.
    ///
    /// # Errors
    /// When it does not come.
    pub async fn export_has_come(&self) -> Result<()> {
        let rule = RuleId(self.notes.get("held export").context("no export is to be held")?.parse()?);
        let array = self.lab()?.array().handle();
        let struck = || async {
            let counters = array.with_faults(|plan| plan.counters(rule)).unwrap_or_default();
            if counters.struck > 0 { Ok(()) } else { Err("no export has come") }
        };
        Ok(wait_for_condition("an export to come", SOON * 2, struck).await?)
    }

    /// The array holds an export of a volume back; its host and LUN number are noted.
    ///
    /// # Errors
    /// When no export came.
    pub async fn export_is_held(&mut self, volume: &str) -> Result<()> {
        self.export_has_come().await?;
        let lab = self.lab()?;
        let record = lab.record(volume).await?;
        let owner = record.ownership.owner().context("nobody owns the volume that is being exported")?;
        let attempt = record.ownership.stage().and_then(|stage| stage.attempt()).context("no export is under way")?;
        let host = owner.host.as_ref().context("the record does not name the owner's host")?;
        let held = format!("{} {} {host}", record.array_name, attempt.lun);
        self.notes.insert("held request".to_owned(), held);
        Ok(())
    }

    /// The array carries the held export out now. It may refuse it, as it would any late request.
    ///
    /// # Errors
    /// When none is held.
    pub fn held_export_takes_effect(&mut self) -> Result<()> {
        let held = self.notes.remove("held request").context("no export is held back")?;
        let [volume, lun, host] = held.split(' ').collect::<Vec<_>>()[..] else {
            anyhow::bail!("'{held}' is no export")
        };
        let done = self.lab()?.on_array().export(volume, host, lun.parse()?);
        tracing::info!(?done, held, "the late export");
        Ok(())
    }

    /// The next removal of an export is taken and neither answered nor carried out, until it is told to take effect.
    ///
    /// # Errors
    /// When there is no lab.
    pub fn hold_next_removal(&mut self) -> Result<()> {
        let rule = FaultRule::new(Some(Channel::Cli), "removevlun", FaultKind::Hang).on(Trigger::first(1));
        let id = self.fault(rule)?;
        self.notes.insert("held removal".to_owned(), id.0.to_string());
        Ok(())
    }

    /// The array holds a removal of a volume's export back; the host and number it names are noted.
    ///
    /// # Errors
    /// When no removal came.
    pub async fn removal_is_held(&mut self, volume: &str) -> Result<()> {
        let rule = RuleId(self.notes.get("held removal").context("no removal is to be held")?.parse()?);
        let array = self.lab()?.array().handle();
        let struck = || async {
            let counters = array.with_faults(|plan| plan.counters(rule)).unwrap_or_default();
            if counters.struck > 0 { Ok(()) } else { Err("no removal has come") }
        };
        wait_for_condition("a removal to be held back", SOON * 2, struck).await?;
        let rows = self.lab()?.on_array().rows(&self.array_name(volume).await?);
        let row = rows.iter().find(|row| !row.active).context("nothing is exported that could be removed")?;
        self.notes.insert("held request".to_owned(), row.address().to_string());
        Ok(())
    }

    /// The array carries the held removal out now. It may refuse it, as it would any late request.
    ///
    /// # Errors
    /// When none is held.
    pub fn held_removal_takes_effect(&mut self) -> Result<()> {
        let held = self.notes.remove("held request").context("no removal is held back")?;
        let address = held.parse().map_err(|error| anyhow::anyhow!("{error}"))?;
        let done = self.lab()?.array().handle().with(|array, now| array.remove_vlun(now, &address));
        tracing::info!(?done, held, "the late removal");
        Ok(())
    }

    /// A step on a node takes this long from now on, or hangs.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn trouble(&mut self, worker: &str, step: &'static str, injection: Injection) -> Result<()> {
        self.lab()?.witness().fault(worker, &format!("from now on {step}: {injection:?}"), Duration::ZERO);
        let troubles = Troubles::default();
        troubles.0.lock().unwrap_or_else(PoisonError::into_inner).insert(step, injection);
        self.lab()?.worker(worker)?.node().set_hook(Arc::new(troubles));
        Ok(())
    }

    /// Steps on a node are as usual again.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn no_trouble(&mut self, worker: &str) -> Result<()> {
        self.lab()?.worker(worker)?.node().set_hook(Arc::new(Troubles::default()));
        Ok(())
    }

    /// The record of a volume loses owner and mounts, as if somebody had edited it.
    ///
    /// # Errors
    /// When it cannot be read or written.
    pub async fn empty_record(&mut self, volume: &str) -> Result<()> {
        use hpe3par_docker_plugin::store::keys;
        use hpe3par_docker_plugin::volume::record::Ownership;
        let mut record = self.lab()?.record(volume).await?;
        record.ownership = Ownership::Free;
        record.path_info.clear();
        record.takeover = None;
        let key = keys::volume(record.id);
        self.lab()?.put(key, record.to_json()).await
    }

    /// Counts the array's requests from now on.
    ///
    /// # Errors
    /// When there is no lab.
    pub fn count_requests(&mut self) -> Result<()> {
        let commands = self.lab()?.on_array().commands();
        self.notes.insert("commands".to_owned(), commands.to_string());
        Ok(())
    }

    /// No request came since they are counted.
    ///
    /// # Errors
    /// Says how many came.
    pub fn asked_nothing(&self) -> Result<()> {
        let before: usize = self.notes.get("commands").context("requests were not counted")?.parse()?;
        let now = self.lab()?.on_array().commands();
        ensure!(now == before, "the array got {} requests", now - before);
        Ok(())
    }

    /// A delay as an injection.
    #[must_use]
    pub fn takes(seconds: u64) -> Injection {
        Injection::Delay(Duration::from_secs(seconds))
    }
}
