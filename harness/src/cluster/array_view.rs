//! What the array has, looked at and changed from inside: the administrator's view, without any plugin in between.

use std::collections::BTreeSet;

use anyhow::{Context as _, Result, anyhow};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{CreateHost, CreateSnapshot, CreateVlun, EventKind, VlunFilter, VlunRow};

/// A look into an array; clones look into the same one.
#[derive(Debug, Clone)]
pub struct ArrayView(Emulator);

/// An export as the array's log has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// Host.
    pub host: String,
    /// LUN number.
    pub lun: u32,
}

impl ArrayView {
    /// A look into this array.
    #[must_use]
    pub fn of(array: &Emulator) -> Self {
        Self(array.clone())
    }

    /// Hosts that have a template or an active VLUN of a volume. A volume that does not exist is exported to nobody.
    #[must_use]
    pub fn hosts_with(&self, volume: &str) -> BTreeSet<String> {
        self.rows(volume)
            .into_iter()
            .map(|row| row.hostname.unwrap_or_else(|| "everybody at a port".to_owned()))
            .collect()
    }

    /// All VLUN rows of a volume.
    #[must_use]
    pub fn rows(&self, volume: &str) -> Vec<VlunRow> {
        self.0.with(|array, _| array.vlun_rows(&VlunFilter::volume(volume)))
    }

    /// Names of all volumes.
    #[must_use]
    pub fn volumes(&self) -> Vec<String> {
        self.0.with(|array, _| array.volumes().map(|volume| volume.name.to_string()).collect())
    }

    /// The volume is there.
    #[must_use]
    pub fn has_volume(&self, volume: &str) -> bool {
        self.0.with(|array, _| array.volume(volume).is_ok())
    }

    /// The host is there.
    #[must_use]
    pub fn has_host(&self, host: &str) -> bool {
        self.0.with(|array, _| array.host(host).is_ok())
    }

    /// Every export of a volume that was ever made, in order.
    #[must_use]
    pub fn exports_ever(&self, volume: &str) -> Vec<Exported> {
        let of_volume = |kind: &EventKind| match kind {
            EventKind::VlunCreated(vlun) if vlun.volume.as_str() == volume => {
                Some(Exported { host: vlun.host.clone().unwrap_or_default(), lun: u32::from(vlun.lun.get()) })
            }
            _ => None,
        };
        self.0.with(|array, _| array.events().all().iter().filter_map(|event| of_volume(&event.kind)).collect())
    }

    /// How many commands came in over REST and the command line so far.
    #[must_use]
    pub fn commands(&self) -> usize {
        self.0.with(|array, _| {
            array.events().all().iter().filter(|event| matches!(event.kind, EventKind::Command { .. })).count()
        })
    }

    /// Removes every export of a volume, as an administrator does.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn remove_exports(&self, volume: &str) -> Result<()> {
        for row in self.rows(volume).into_iter().filter(|row| !row.active) {
            let address = row.address();
            self.0.with(|array, now| array.remove_vlun(now, &address)).map_err(|error| anyhow!("{error}"))?;
        }
        Ok(())
    }

    /// Removes the exports of a volume to one host.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn remove_exports_to(&self, volume: &str, host: &str) -> Result<()> {
        for row in self.rows(volume).into_iter().filter(|row| !row.active && row.hostname.as_deref() == Some(host)) {
            let address = row.address();
            self.0.with(|array, now| array.remove_vlun(now, &address)).map_err(|error| anyhow!("{error}"))?;
        }
        Ok(())
    }

    /// Makes a host if it is not known, with this initiator or one made of its name.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn know_host(&self, host: &str, iqn: Option<&str>) -> Result<()> {
        if self.has_host(host) {
            return Ok(());
        }
        let iqn = iqn.map_or_else(|| format!("iqn.2001-04.com.example:{host}"), str::to_owned);
        let made = self.0.with(|array, now| array.create_host(now, &CreateHost::iscsi(host, &[&iqn])));
        made.map(drop).map_err(|error| anyhow!("{error}"))
    }

    /// Adds an iSCSI initiator to a host.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn add_initiator(&self, host: &str, iqn: &str) -> Result<()> {
        self.change_initiators(host, iqn, 1)
    }

    /// Takes an iSCSI initiator out of a host.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn remove_initiator(&self, host: &str, iqn: &str) -> Result<()> {
        self.change_initiators(host, iqn, 2)
    }

    fn change_initiators(&self, host: &str, iqn: &str, operation: i64) -> Result<()> {
        use hpe3par_emulator::array::ModifyHost;
        let body = ModifyHost {
            path_operation: Some(operation),
            iscsi_names: Some(vec![iqn.to_owned()]),
            ..ModifyHost::default()
        };
        self.0.with(|array, now| array.modify_host(now, host, &body)).map(drop).map_err(|error| anyhow!("{error}"))
    }

    /// Exports a volume to a host with a number of its own, making the host if it is not known.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn export_to(&self, volume: &str, host: &str, iqn: Option<&str>) -> Result<()> {
        self.know_host(host, iqn)?;
        self.export(volume, host, 200)
    }

    /// Exports a volume to a host with this LUN number.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn export(&self, volume: &str, host: &str, lun: u32) -> Result<()> {
        let body = CreateVlun::host_sees(volume, i64::from(lun), host);
        self.0.with(|array, now| array.create_vlun(now, &body)).map(drop).map_err(|error| anyhow!("{error}"))
    }

    /// Lets a volume be exported to several hosts, as an administrator may have set it.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn allow_several_hosts(&self, volume: &str) -> Result<()> {
        use hpe3par_emulator::array::{ModifyVolume, PolicyChange};
        let policies = PolicyChange { one_host: Some(false), ..PolicyChange::default() };
        let body = ModifyVolume { policies: Some(policies), ..ModifyVolume::default() };
        self.0.with(|array, now| array.modify_volume(now, volume, &body)).map(drop).map_err(|error| anyhow!("{error}"))
    }

    /// Removes a volume with its exports, whoever uses it.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn remove_volume(&self, volume: &str) -> Result<()> {
        self.remove_exports(volume)?;
        self.0.with(|array, now| array.remove_volume(now, volume)).map_err(|error| anyhow!("{error}"))
    }

    /// Makes a read-write snapshot of a volume; gives its WWN.
    ///
    /// # Errors
    /// When the array refuses.
    pub fn snapshot(&self, volume: &str, name: &str) -> Result<String> {
        let body = CreateSnapshot { name: Some(name.to_owned()), ..CreateSnapshot::default() };
        self.0.with(|array, now| array.create_snapshot(now, volume, &body)).map_err(|error| anyhow!("{error}"))?;
        let wwn = self.0.with(|array, _| array.volume(name).map(|volume| volume.wwn.to_string()));
        wwn.map_err(|error| anyhow!("{error}")).context("reading the snapshot")
    }

    /// The array itself.
    #[must_use]
    pub fn emulator(&self) -> &Emulator {
        &self.0
    }
}
