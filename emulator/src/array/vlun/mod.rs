//! VLUNs: exports of volumes to hosts and ports.
//!
//! A *template* is what an administrator makes; an *active* VLUN is what a logged-in path makes of a template. Active VLUNs are
//! never stored: they are derived from the templates and the sessions, so the two cannot disagree. Deleting a template takes its
//! active VLUNs with it.

mod active;
mod create;
#[cfg(test)]
mod properties;
mod remove;
mod set_export;
mod table;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

pub(crate) use self::remove::PendingRemoval;
pub use self::remove::{RemovalAnomaly, RemovedVlun};
pub(crate) use self::set_export::SetExports;
pub(crate) use self::table::VlunTable;
use super::error::ArrayError;
use super::identity::{Initiator, Lun, PortPos, VlunGeneration, Wwn};
use super::names::VolumeName;

/// Type of a VLUN; the numbers are those of the WSAPI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(into = "u8")]
pub enum VlunKind {
    /// Port presents (2): every initiator on a port.
    Port,
    /// Host sees (3): one host on every port.
    Host,
    /// Matched set (4): one host on one port.
    MatchedSet,
    /// Host set (5): every host of a set on every port.
    HostSet,
}

impl From<VlunKind> for u8 {
    fn from(kind: VlunKind) -> Self {
        match kind {
            VlunKind::Port => 2,
            VlunKind::Host => 3,
            VlunKind::MatchedSet => 4,
            VlunKind::HostSet => 5,
        }
    }
}

impl VlunKind {
    /// Word in the column `Type` of `showvlun`.
    #[must_use]
    pub const fn cli_word(self) -> &'static str {
        match self {
            Self::Port => "port",
            Self::Host => "host",
            Self::MatchedSet => "matched set",
            Self::HostSet => "host set",
        }
    }

    /// Rank where templates overlap: matched set above host sees above host set above port presents.
    const fn rank(self) -> u8 {
        match self {
            Self::Port => 0,
            Self::HostSet => 1,
            Self::Host => 2,
            Self::MatchedSet => 3,
        }
    }
}

/// Whom a template exports to; hosts and sets by number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum VlunTarget {
    /// Every initiator on the port.
    Port(PortPos),
    /// The host on every port.
    Host(u32),
    /// The host on the port.
    MatchedSet(u32, PortPos),
    /// Every host of the set on every port.
    HostSet(u32),
}

impl VlunTarget {
    pub(crate) const fn kind(self) -> VlunKind {
        match self {
            Self::Port(_) => VlunKind::Port,
            Self::Host(_) => VlunKind::Host,
            Self::MatchedSet(..) => VlunKind::MatchedSet,
            Self::HostSet(_) => VlunKind::HostSet,
        }
    }

    /// The port it is bound to.
    pub(crate) const fn port(self) -> Option<PortPos> {
        match self {
            Self::Port(port) | Self::MatchedSet(_, port) => Some(port),
            Self::Host(_) | Self::HostSet(_) => None,
        }
    }
}

/// A path: an initiator on a port.
pub(crate) type Path = (Initiator, PortPos);

/// Where a template is in its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TemplateLife {
    /// It stands.
    Standing,
    /// A faulty removal took the template but left these paths active.
    Leftover(BTreeSet<Path>),
}

/// A VLUN template.
#[derive(Debug, Clone)]
pub(crate) struct VlunTemplate {
    pub(crate) generation: VlunGeneration,
    pub(crate) volume: u32,
    pub(crate) lun: Lun,
    pub(crate) target: VlunTarget,
    pub(crate) life: TemplateLife,
}

impl VlunTemplate {
    /// Whether it is in force on a path.
    fn is_in_force(&self, initiator: &Initiator, port: PortPos) -> bool {
        match &self.life {
            TemplateLife::Standing => true,
            TemplateLife::Leftover(paths) => paths.contains(&(initiator.clone(), port)),
        }
    }
}

/// `portPos` of a request, before its parts are checked.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct PortPosInput {
    /// Node.
    pub node: Option<i64>,
    /// Slot.
    pub slot: Option<i64>,
    /// Port on the card.
    pub card_port: Option<i64>,
}

impl From<PortPos> for PortPosInput {
    fn from(pos: PortPos) -> Self {
        Self { node: Some(pos.node.into()), slot: Some(pos.slot.into()), card_port: Some(pos.card_port.into()) }
    }
}

impl PortPosInput {
    /// The position.
    ///
    /// # Errors
    /// 40 when a part is missing, 55 when one is out of bounds.
    pub fn read(self) -> Result<PortPos, ArrayError> {
        let (Some(node), Some(slot), Some(port)) = (self.node, self.slot, self.card_port) else {
            return Err(ArrayError::missing_required().with_ref("portPos"));
        };
        let small = |n: i64| u8::try_from(n).map_err(|_| ArrayError::bad_port_specification().with_ref("portPos"));
        PortPos::new(small(node)?, small(slot)?, small(port)?)
    }
}

/// Body of `POST /vluns`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateVlun {
    /// Volume to export (required).
    pub volume_name: Option<String>,
    /// LUN, or the lowest one to try with `autoLun` (required).
    pub lun: Option<i64>,
    /// Host, or `set:` and a host set.
    pub hostname: Option<String>,
    /// Port.
    pub port_pos: Option<PortPosInput>,
    /// Do not tell the hosts that their LUNs changed.
    pub no_vcn: Option<bool>,
    /// Stand above overlapping templates of lower rank.
    pub override_lower_priority: Option<bool>,
    /// Let the array choose the LUN.
    pub auto_lun: Option<bool>,
    /// Highest LUN to choose, 0 for no bound.
    pub max_auto_lun: Option<i64>,
}

impl CreateVlun {
    /// A host-sees export with this LUN.
    #[must_use]
    pub fn host_sees(volume: &str, lun: i64, host: &str) -> Self {
        Self {
            volume_name: Some(volume.to_owned()),
            lun: Some(lun),
            hostname: Some(host.to_owned()),
            ..Self::default()
        }
    }

    /// The same on one port only: a matched set.
    #[must_use]
    pub fn on_port(mut self, port: PortPos) -> Self {
        self.port_pos = Some(port.into());
        self
    }

    /// The same with a LUN chosen by the array, not below the one given.
    #[must_use]
    pub fn auto(mut self) -> Self {
        (self.auto_lun, self.max_auto_lun) = (Some(true), Some(0));
        self
    }
}

/// What names a template in a removal: exactly the parameters it was made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct VlunAddress {
    /// Volume.
    pub volume: String,
    /// LUN.
    pub lun: i64,
    /// Host, or `set:` and a host set; absent for port presents.
    pub host: Option<String>,
    /// Port; absent for host sees and host sets.
    pub port: Option<PortPos>,
}

impl VlunAddress {
    /// Address of a host-sees template.
    #[must_use]
    pub fn host_sees(volume: &str, lun: i64, host: &str) -> Self {
        Self { volume: volume.to_owned(), lun, host: Some(host.to_owned()), port: None }
    }
}

impl std::fmt::Display for VlunAddress {
    /// The tail of the resource: `volume,lun[,host][,n:s:p]` (1.2 guide p. 72).
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{},{}", self.volume, self.lun)?;
        match (&self.host, self.port) {
            (Some(host), Some(port)) => write!(f, ",{host},{port}"),
            (Some(host), None) => write!(f, ",{host}"),
            (None, Some(port)) => write!(f, ",,{port}"),
            (None, None) => Ok(()),
        }
    }
}

impl std::str::FromStr for VlunAddress {
    type Err = ArrayError;

    /// Reads the tail of a resource.
    ///
    /// # Errors
    /// 40 without LUN, 39 when the LUN is no number, 55 for a bad port, 12 for too many parts.
    fn from_str(text: &str) -> Result<Self, ArrayError> {
        let parts: Vec<&str> = text.split(',').collect();
        let (volume, lun, rest) = match parts[..] {
            [volume, lun, ref rest @ ..] if rest.len() <= 2 => (volume, lun, rest),
            [_] | [] => return Err(ArrayError::missing_required().with_ref("lun")),
            _ => return Err(ArrayError::invalid_input()),
        };
        let lun = lun.parse().map_err(|_| ArrayError::wrong_type().with_ref("lun"))?;
        let host = rest.first().filter(|h| !h.is_empty()).map(|h| (*h).to_owned());
        let port = rest.get(1).filter(|p| !p.is_empty()).map(|p| p.parse()).transpose()?;
        Ok(Self { volume: volume.to_owned(), lun, host, port })
    }
}

/// Which VLUNs to list; every condition given must hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct VlunFilter {
    /// Volume.
    pub volume: Option<String>,
    /// Host as the row prints it: a host, or `set:` and a host set for templates.
    pub host: Option<String>,
    /// LUN.
    pub lun: Option<Lun>,
    /// World wide name of the volume.
    pub volume_wwn: Option<String>,
    /// Initiator of an active row.
    pub remote_name: Option<String>,
    /// Only active rows, or only templates.
    pub active: Option<bool>,
}

impl VlunFilter {
    /// The VLUNs of one volume.
    #[must_use]
    pub fn volume(name: &str) -> Self {
        Self { volume: Some(name.to_owned()), ..Self::default() }
    }

    /// The VLUNs of one host.
    #[must_use]
    pub fn host(name: &str) -> Self {
        Self { host: Some(name.to_owned()), ..Self::default() }
    }
}

/// A row of `GET /vluns`: a template or an active VLUN.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct VlunRow {
    /// LUN.
    pub lun: Lun,
    /// Volume.
    pub volume_name: VolumeName,
    /// Host; `set:` and the host set in a template of one; absent for port presents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hostname: Option<String>,
    /// Initiator of an active VLUN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_name: Option<String>,
    /// Port of an active VLUN, of a matched set or of port presents.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_pos: Option<PortPos>,
    /// Type.
    #[serde(rename = "type")]
    pub kind: VlunKind,
    /// World wide name of the volume.
    #[serde(rename = "volumeWWN")]
    pub volume_wwn: Wwn,
    /// 1 unknown.
    pub multipathing: u8,
    /// 1 unknown.
    pub failed_path_pol: u8,
    /// Seconds.
    pub failed_path_interval: u32,
    /// Whether it is an active VLUN.
    pub active: bool,
    /// Number of the template; a real array does not show it.
    #[serde(skip)]
    pub generation: VlunGeneration,
}

impl VlunRow {
    /// The address that removes the template of this row. For active rows of a host-sees template that is the host; rows of a
    /// host set name the member host, so ask the template row instead.
    #[must_use]
    pub fn address(&self) -> VlunAddress {
        let bound = matches!(self.kind, VlunKind::MatchedSet | VlunKind::Port);
        VlunAddress {
            volume: self.volume_name.to_string(),
            lun: i64::from(self.lun.get()),
            host: self.hostname.clone().filter(|_| self.kind != VlunKind::Port),
            port: self.port_pos.filter(|_| bound),
        }
    }
}

/// A VLUN that was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CreatedVlun {
    /// Its address; the text of it is the tail of the `Location`.
    pub address: VlunAddress,
    /// LUN, given or chosen.
    pub lun: Lun,
    /// Type.
    pub kind: VlunKind,
    /// Number of the template.
    pub generation: VlunGeneration,
    /// Whether a path is logged in, so that active VLUNs exist. The command line warns when not.
    pub has_active_paths: bool,
}
