//! Hosts: who may log in under which name, with which paths. Changes of a host are in `host_modify`.

use std::collections::BTreeSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Array;
use super::chap::ChapAccounts;
use super::error::ArrayError;
use super::event::EventKind;
use super::identity::{FcWwn, Initiator, Iqn, Nqn, PortPos};
use super::names::{DomainName, HostName, check_comment};
use super::persona::Persona;

/// Most paths of one host (1.2 guide p. 57).
pub const PATHS_MAX: usize = 1024;

/// Free texts about a host.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct HostDescriptors {
    /// Where it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub location: Option<String>,
    /// Its address.
    #[serde(rename = "IPAddr", skip_serializing_if = "Option::is_none")]
    pub ip_addr: Option<String>,
    /// Its operating system.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub os: Option<String>,
    /// Its model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Who looks after it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contact: Option<String>,
    /// Anything else.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub comment: Option<String>,
}

/// A host.
#[derive(Debug, Clone)]
pub struct Host {
    /// Number; stays through a rename.
    pub id: u32,
    /// Name.
    pub name: HostName,
    /// Domain, if it is in one.
    pub domain: Option<DomainName>,
    /// Persona.
    pub persona: Persona,
    /// Texts.
    pub descriptors: HostDescriptors,
    /// Initiators that belong to it, in the order they were added.
    pub initiators: Vec<Initiator>,
    /// CHAP accounts.
    pub chap: ChapAccounts,
    /// Numbers of the host sets it is in.
    pub(crate) sets: BTreeSet<u32>,
}

/// Body of `POST /hosts`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateHost {
    /// Name (required).
    pub name: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// Number of the persona; 2 when absent.
    pub persona: Option<i64>,
    /// Fibre Channel initiators.
    #[serde(rename = "FCWWNs")]
    pub fc_wwns: Option<Vec<String>>,
    /// iSCSI initiators.
    #[serde(rename = "iSCSINames")]
    pub iscsi_names: Option<Vec<String>>,
    /// Name of an NVMe host.
    #[serde(rename = "NQN")]
    pub nqn: Option<String>,
    /// Whether exports of the initiators to no host are torn down; accepted without effect.
    pub force_tear_down: Option<bool>,
    /// Texts.
    pub descriptors: Option<HostDescriptors>,
}

impl CreateHost {
    /// A host with iSCSI initiators and the default persona.
    #[must_use]
    pub fn iscsi(name: &str, iqns: &[&str]) -> Self {
        let names = iqns.iter().map(|s| (*s).to_owned()).collect();
        Self { name: Some(name.to_owned()), iscsi_names: Some(names), ..Self::default() }
    }

    /// A host with Fibre Channel initiators and the default persona.
    #[must_use]
    pub fn fc(name: &str, wwns: &[&str]) -> Self {
        let names = wwns.iter().map(|s| (*s).to_owned()).collect();
        Self { name: Some(name.to_owned()), fc_wwns: Some(names), ..Self::default() }
    }
}

/// A Fibre Channel path of a host row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FcPathRow {
    /// Initiator.
    pub wwn: FcWwn,
    /// Port it is logged in on; absent when it is logged in nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_pos: Option<PortPos>,
    /// Speed, 0 when unknown.
    pub host_speed: u32,
}

/// An iSCSI path of a host row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct IscsiPathRow {
    /// Initiator.
    pub name: Iqn,
    /// Port it is logged in on; absent when it is logged in nowhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port_pos: Option<PortPos>,
    /// Address it came from; `0.0.0.0` when it is logged in nowhere.
    #[serde(rename = "IPAddr")]
    pub ip_addr: String,
    /// Speed, 0 when unknown.
    pub host_speed: u32,
}

/// An NVMe path of a host row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NvmePathRow {
    /// Name of the host.
    #[serde(rename = "NQN")]
    pub nqn: Nqn,
}

/// A row of `GET /hosts`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HostRow {
    /// Number.
    pub id: u32,
    /// Name.
    pub name: HostName,
    /// Domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<DomainName>,
    /// Texts, when there are any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub descriptors: Option<HostDescriptors>,
    /// Fibre Channel paths.
    #[serde(rename = "FCPaths")]
    pub fc_paths: Vec<FcPathRow>,
    /// iSCSI paths.
    #[serde(rename = "iSCSIPaths")]
    pub iscsi_paths: Vec<IscsiPathRow>,
    /// NVMe paths, when there are any.
    #[serde(rename = "NVMETCPPaths", skip_serializing_if = "Vec::is_empty")]
    pub nvme_paths: Vec<NvmePathRow>,
    /// Persona.
    pub persona: Persona,
    /// Whether the initiator authenticates itself.
    pub initiator_chap_enabled: bool,
    /// Whether the target authenticates itself.
    pub target_chap_enabled: bool,
    /// CHAP name of the initiator.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub initiator_chap_name: Option<String>,
    /// CHAP name of the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub target_chap_name: Option<String>,
}

/// Reads the paths of a request.
///
/// # Errors
/// 44 when more than one kind is given, 39/45/57/69 for a bad name, 98 for a name given twice, a provisional code above 1024 names.
pub(crate) fn read_paths(
    fc: Option<&[String]>,
    iscsi: Option<&[String]>,
    nqn: Option<&str>,
) -> Result<Vec<Initiator>, ArrayError> {
    if [fc.is_some(), iscsi.is_some(), nqn.is_some()].into_iter().filter(|given| *given).count() > 1 {
        return Err(ArrayError::parameter_conflict().with_ref("FCWWNs,iSCSINames,NQN"));
    }
    let mut paths = Vec::new();
    if let Some(nqn) = nqn {
        paths.push(Initiator::Nvme(Nqn::new(nqn)?));
    }
    for wwn in fc.unwrap_or_default() {
        paths.push(Initiator::Fc(FcWwn::new(wwn)?));
    }
    for iqn in iscsi.unwrap_or_default() {
        paths.push(Initiator::Iscsi(Iqn::new(iqn)?));
    }
    if paths.len() > PATHS_MAX {
        return Err(ArrayError::too_many_paths());
    }
    if paths.iter().collect::<BTreeSet<_>>().len() != paths.len() {
        return Err(ArrayError::duplicate_path());
    }
    Ok(paths)
}

impl Array {
    /// Makes a host; gives its name.
    ///
    /// # Errors
    /// 40 without a name, 45/57/69 for a bad one, 16 when it exists, 73 when a path belongs to another host, 46 for an unknown
    /// persona, 38 for an unknown domain, and the codes of bad paths.
    pub fn create_host(&mut self, now: Duration, body: &CreateHost) -> Result<HostName, ArrayError> {
        self.advance(now);
        let text = body.name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        let name = HostName::new(text).map_err(|e| e.refusal("name"))?;
        let domain = body.domain.as_deref().map(|d| self.known_domain(d)).transpose()?;
        let persona = body.persona.map_or(Ok(Persona::default()), Persona::from_wsapi)?;
        let descriptors = body.descriptors.clone().unwrap_or_default();
        check_comment(descriptors.comment.as_deref().unwrap_or_default())?;
        let initiators = read_paths(body.fc_wwns.as_deref(), body.iscsi_names.as_deref(), body.nqn.as_deref())?;
        if self.hosts.named(&name).is_some() {
            return Err(ArrayError::existent_host().with_ref("name"));
        }
        if initiators.iter().any(|i| self.host_of_initiator.contains_key(i)) {
            return Err(ArrayError::existent_path());
        }
        let id = self.hosts.next_id();
        for initiator in &initiators {
            self.host_of_initiator.insert(initiator.clone(), id);
        }
        let (chap, sets) = (ChapAccounts::default(), BTreeSet::new());
        let host = Host { id, name: name.clone(), domain, persona, descriptors, initiators, chap, sets };
        self.hosts.insert(id, name.clone(), host);
        self.note(EventKind::HostCreated { host: name.clone() });
        Ok(name)
    }

    /// Deletes a host.
    ///
    /// # Errors
    /// 17 when it does not exist, 26 when a volume is exported to it, 77 when it is in a host set.
    pub fn remove_host(&mut self, now: Duration, name: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let host = self.hosts.named(name).ok_or_else(ArrayError::non_existent_host)?;
        if self.vluns.names_host(host.id) {
            return Err(ArrayError::exported_vlun());
        }
        if !host.sets.is_empty() {
            return Err(ArrayError::host_in_set());
        }
        if let Some(host) = self.hosts.remove(name) {
            for initiator in &host.initiators {
                self.host_of_initiator.remove(initiator);
            }
            self.note(EventKind::HostRemoved { host: host.name });
        }
        Ok(())
    }

    /// The host `name`.
    ///
    /// # Errors
    /// 17 when it does not exist.
    pub fn host(&self, name: &str) -> Result<&Host, ArrayError> {
        self.hosts.named(name).ok_or_else(ArrayError::non_existent_host)
    }

    /// The host that an initiator belongs to.
    #[must_use]
    pub fn host_of(&self, initiator: &Initiator) -> Option<&Host> {
        self.host_of_initiator.get(initiator).and_then(|id| self.hosts.get(*id))
    }

    /// All hosts as the WSAPI shows them.
    #[must_use]
    pub fn host_rows(&self) -> Vec<HostRow> {
        self.hosts.iter().map(|h| self.host_row_of(h)).collect()
    }

    /// One host as the WSAPI shows it.
    ///
    /// # Errors
    /// 17 when it does not exist.
    pub fn host_row(&self, name: &str) -> Result<HostRow, ArrayError> {
        self.host(name).map(|h| self.host_row_of(h))
    }

    /// The hosts that own one of these initiators, in the order of their numbers.
    #[must_use]
    pub fn hosts_with_paths(&self, initiators: &[Initiator]) -> Vec<HostRow> {
        let ids: BTreeSet<u32> = initiators.iter().filter_map(|i| self.host_of_initiator.get(i)).copied().collect();
        ids.iter().filter_map(|id| self.hosts.get(*id)).map(|h| self.host_row_of(h)).collect()
    }

    /// The row: one path per logged-in port, or one without a port when the initiator is logged in nowhere.
    fn host_row_of(&self, host: &Host) -> HostRow {
        let (mut fc_paths, mut iscsi_paths, mut nvme_paths) = (Vec::new(), Vec::new(), Vec::new());
        for initiator in &host.initiators {
            let logged_in = self.nexuses.ports_of(initiator);
            let ports: Vec<Option<PortPos>> =
                if logged_in.is_empty() { vec![None] } else { logged_in.into_iter().map(Some).collect() };
            for port_pos in ports {
                match initiator {
                    Initiator::Fc(wwn) => fc_paths.push(FcPathRow { wwn: wwn.clone(), port_pos, host_speed: 0 }),
                    Initiator::Nvme(nqn) => nvme_paths.push(NvmePathRow { nqn: nqn.clone() }),
                    Initiator::Iscsi(name) => {
                        let ip_addr = if port_pos.is_some() { "127.0.0.1" } else { "0.0.0.0" }.to_owned();
                        iscsi_paths.push(IscsiPathRow { name: name.clone(), port_pos, ip_addr, host_speed: 0 });
                    }
                }
            }
        }
        HostRow {
            id: host.id,
            name: host.name.clone(),
            domain: host.domain.clone(),
            descriptors: (host.descriptors != HostDescriptors::default()).then(|| host.descriptors.clone()),
            fc_paths,
            iscsi_paths,
            nvme_paths,
            persona: host.persona,
            initiator_chap_enabled: host.chap.initiator.is_some(),
            target_chap_enabled: host.chap.target.is_some(),
            initiator_chap_name: host.chap.initiator.as_ref().map(|a| a.name.clone()),
            target_chap_name: host.chap.target.as_ref().map(|a| a.name.clone()),
        }
    }
}
