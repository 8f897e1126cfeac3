//! Refusals of the array in the words of the command line.
//!
//! `Invalid vv name: <name>` and the name after `already used by host` are texts that clients look for. The other words are
//! derived: the references at hand do not show them.

use super::Outcome;
use crate::array::{ArrayError, Lun};

/// What a refused command was about.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct About<'a> {
    /// The volume, or `set:` and a volume set.
    pub(super) volume: &'a str,
    /// The host, or `set:` and a host set.
    pub(super) host: &'a str,
    /// The set a command on sets is about.
    pub(super) set: &'a str,
    /// The CPG.
    pub(super) cpg: &'a str,
}

impl<'a> About<'a> {
    /// About a volume.
    pub(super) fn volume(volume: &'a str) -> Self {
        Self { volume, ..Self::default() }
    }

    /// About a host.
    pub(super) fn host(host: &'a str) -> Self {
        Self { host, ..Self::default() }
    }

    /// The refusal as the command line words it.
    pub(super) fn refused(self, error: &ArrayError) -> Outcome {
        Outcome::refused(self.words(error))
    }

    fn words(self, error: &ArrayError) -> String {
        let is = |other: ArrayError| error.code == other.code;
        let Self { volume, host, set, cpg } = self;
        if is(ArrayError::non_existent_volume()) {
            return format!("Invalid vv name: {volume}");
        }
        if is(ArrayError::non_existent_host()) {
            return format!("host {host} does not exist");
        }
        if is(ArrayError::non_existent_set()) {
            return match (host.strip_prefix("set:"), volume.strip_prefix("set:")) {
                _ if !set.is_empty() => format!("set {set} does not exist"),
                (Some(name), _) => format!("host set {name} does not exist"),
                (None, Some(name)) => format!("vv set {name} does not exist"),
                (None, None) => "set does not exist".to_owned(),
            };
        }
        if is(ArrayError::non_existent_cpg()) {
            return format!("Invalid CPG name: {cpg}");
        }
        if is(ArrayError::non_existent_vlun()) {
            return "VLUN not found".to_owned();
        }
        if is(ArrayError::existent_lun()) {
            return "VLUN already exists or the LUN is in use".to_owned();
        }
        if is(ArrayError::existent_volume()) {
            return format!("Error: vv name {volume} is already in use");
        }
        if is(ArrayError::existent_host()) {
            return format!("Error: host {host} already exists");
        }
        if is(ArrayError::existent_set()) {
            return format!("Error: set {set} already exists");
        }
        if is(ArrayError::existent_cpg()) {
            return format!("Error: CPG {cpg} already exists");
        }
        let about_lun = error.reference.as_deref() == Some("lun");
        if about_lun && (is(ArrayError::too_large()) || is(ArrayError::below_range())) {
            return format!("LUN must be between 0 and {}", Lun::MAX);
        }
        match &error.reference {
            Some(member) => format!("Error: {} ({member})", error.desc),
            None => format!("Error: {}", error.desc),
        }
    }
}
