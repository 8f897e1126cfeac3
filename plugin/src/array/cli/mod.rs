//! The array's command line over SSH.
//!
//! The second way to see and to remove exports: what was removed here is read back over REST, and the other way round.

mod command;
mod connection;
mod exec;
mod host_key;
mod removevlun;
mod showvlun;
mod table;

#[cfg(test)]
mod tests;

use std::time::Duration;

use super::operation::Operation;
use super::settings::SshSettings;
use super::vlun_names::vlun_address;
use super::{ArrayError, Channel, Export, VlunRow};
use crate::volume::names::ArrayVolumeName;
use command::Command;
use exec::Shell;

/// Client of one array's command line.
#[derive(Debug)]
pub(super) struct Cli {
    shell: Shell,
}

impl Cli {
    /// Prepares the client; nothing is sent before the first call.
    pub(super) fn new(settings: SshSettings, deadline: Duration) -> Self {
        Self { shell: Shell::new(settings, deadline) }
    }

    /// The known hosts file names a key of this array. Reads a file.
    pub(super) fn has_known_host_key(&self) -> Result<bool, String> {
        self.shell.has_known_host_key()
    }

    /// All rows of a volume, templates and actives.
    pub(super) async fn exports_of(&self, volume: &ArrayVolumeName) -> Result<Vec<VlunRow>, ArrayError> {
        let operation = Operation::read(format!("VLUNs of volume {volume}")).over(Channel::Cli);
        let command = Command::showvlun(&operation, volume)?;
        let output = self.shell.run(&operation, &command).await?;
        showvlun::rows(&operation, &output, volume)
    }

    /// Removes one template and with it its active VLUNs.
    pub(super) async fn unexport(&self, export: &Export) -> Result<(), ArrayError> {
        let operation = Operation::change("removing", format!("VLUN {}", vlun_address(export))).over(Channel::Cli);
        let command = Command::removevlun(&operation, export)?;
        let output = self.shell.run(&operation, &command).await?;
        removevlun::judge(&operation, &output)
    }

    /// Closes the connection, waiting at most `patience`.
    pub(super) async fn close(&self, patience: Duration) {
        self.shell.close(patience).await;
    }
}
