//! The adapter for a real array: everything over REST, except that exports are also seen and removed over SSH.

use std::net::SocketAddr;
use std::time::Duration;

use async_trait::async_trait;

use super::cli::Cli;
use super::settings::{ArraySettings, Protocol, SettingsError};
use super::wsapi::Wsapi;
use super::{
    Array, ArrayError, Channel, CpgName, Export, HostName, HostOnArray, Lun, NewVolume, TargetPort, VlunRow,
    VolumeOnArray,
};
use crate::node::Initiators;
use crate::volume::names::ArrayVolumeName;

/// An HPE 3PAR, Primera or Alletra 9000.
#[derive(Debug)]
pub struct Hpe3par {
    array_id: String,
    protocol: Protocol,
    iscsi_ips: Vec<SocketAddr>,
    wsapi: Wsapi,
    cli: Cli,
}

impl Hpe3par {
    /// Takes note of where the array is. Nothing is sent: the first call connects, so that the plugin starts with the array away.
    ///
    /// # Errors
    /// [`SettingsError`] for settings that can never work: a URL that is none, trusted certificates that cannot be read.
    pub fn connect(settings: ArraySettings) -> Result<Self, SettingsError> {
        Ok(Self {
            wsapi: Wsapi::new(&settings.wsapi, settings.timeout)?,
            cli: Cli::new(settings.ssh, settings.timeout),
            array_id: settings.array_id,
            protocol: settings.protocol,
            iscsi_ips: settings.iscsi_ips,
        })
    }

    /// Whether `known_hosts` names a host key of the array's command line.
    ///
    /// # Errors
    /// Why the file cannot be read.
    pub fn has_known_host_key(&self) -> Result<bool, String> {
        self.cli.has_known_host_key()
    }

    /// Ends sessions on the array, waiting at most `patience` for each channel. An array that is away ends them by itself.
    pub async fn shut_down(&self, patience: Duration) {
        tokio::join!(self.wsapi.log_out(patience), self.cli.close(patience));
    }
}

#[async_trait]
impl Array for Hpe3par {
    fn id(&self) -> &str {
        &self.array_id
    }

    fn deadline(&self) -> Duration {
        self.wsapi.deadline()
    }

    async fn volume(&self, name: &ArrayVolumeName) -> Result<Option<VolumeOnArray>, ArrayError> {
        self.wsapi.volume(name).await
    }

    async fn create_volume(&self, volume: &NewVolume) -> Result<(), ArrayError> {
        self.wsapi.create_volume(volume).await
    }

    async fn remove_volume(&self, name: &ArrayVolumeName) -> Result<(), ArrayError> {
        self.wsapi.remove_volume(name).await
    }

    async fn cpg_domain(&self, cpg: &CpgName) -> Result<Option<String>, ArrayError> {
        self.wsapi.cpg_domain(cpg).await
    }

    async fn cpgs(&self) -> Result<Vec<CpgName>, ArrayError> {
        self.wsapi.cpgs().await
    }

    async fn hosts_with(&self, initiators: &Initiators) -> Result<Vec<HostOnArray>, ArrayError> {
        self.wsapi.hosts_with(initiators, self.protocol).await
    }

    async fn host(&self, name: &HostName) -> Result<Option<HostOnArray>, ArrayError> {
        self.wsapi.host(name).await
    }

    async fn create_host(&self, host: &HostOnArray) -> Result<(), ArrayError> {
        self.wsapi.create_host(host, self.protocol).await
    }

    async fn add_initiators(&self, host: &HostName, initiators: &Initiators) -> Result<(), ArrayError> {
        self.wsapi.add_initiators(host, initiators, self.protocol).await
    }

    async fn exports_of(&self, volume: &ArrayVolumeName, channel: Channel) -> Result<Vec<VlunRow>, ArrayError> {
        match channel {
            Channel::Wsapi => self.wsapi.exports_of(volume).await,
            Channel::Cli => self.cli.exports_of(volume).await,
        }
    }

    async fn luns_of(&self, host: &HostName) -> Result<Vec<Lun>, ArrayError> {
        self.wsapi.luns_of(host).await
    }

    async fn export(&self, export: &Export) -> Result<(), ArrayError> {
        self.wsapi.export(export).await
    }

    async fn unexport(&self, export: &Export, channel: Channel) -> Result<(), ArrayError> {
        match channel {
            Channel::Wsapi => self.wsapi.unexport(export).await,
            Channel::Cli => self.cli.unexport(export).await,
        }
    }

    async fn target_ports(&self) -> Result<Vec<TargetPort>, ArrayError> {
        self.wsapi.target_ports(self.protocol, &self.iscsi_ips).await
    }
}

#[cfg(test)]
mod tests;
