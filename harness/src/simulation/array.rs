//! The array as a node's plugin reaches it: the emulator's state machine behind the simulated network.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use hpe3par_docker_plugin::array::{
    Array, ArrayError, Channel, CpgName, Export, ExportTarget, HostName, HostOnArray, Lun, NewVolume, PortPosition,
    TargetPort, VlunRow, VolumeOnArray,
};
use hpe3par_docker_plugin::node::Initiators;
use hpe3par_docker_plugin::volume::names::ArrayVolumeName;
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{
    ArrayError as Refusal, CreateHost, CreateVlun, CreateVolume, Host, Initiator, PolicyChange, PortPos,
    RemovalAnomaly, VlunAddress, VlunFilter, VlunKind, VlunRow as Row,
};

use tokio::time::timeout;

use super::calls::{Calls, Port};
use super::chronicle::Chronicle;
use super::coverage::Topic;
use super::network::{Lost, Network, NodeNumber, Service};
use super::swarm::Swarm;

/// Longest time of a call, as the production adapters have one.
pub const ARRAY_DEADLINE: Duration = Duration::from_secs(8);
/// Name under which records know the array.
pub const ARRAY_ID: &str = "1646750";
/// How many iSCSI ports of the array the configuration allows.
const PORTS: usize = 2;
/// Codes of the array for an object that is not there (WSAPI developer's guide, error codes).
const NOT_FOUND: [u32; 4] = [15, 17, 19, 23];
/// Code for a request that the user of the session may not make.
const PERMISSION_DENIED: u32 = 13;
/// Codes for an object that is in the way.
const EXISTS: [u32; 4] = [16, 18, 22, 73];

/// The array as one node sees it.
#[derive(Clone)]
pub struct SimulatedArray {
    node: NodeNumber,
    emulator: Emulator,
    network: Arc<Network>,
    chronicle: Arc<Chronicle>,
    /// Percentage of removals that do not do what they say.
    removal_anomalies: u64,
    /// Removals may leave an active VLUN without a template.
    partial_removals: bool,
    calls: Calls,
}

impl SimulatedArray {
    /// The array as `node` reaches it.
    #[must_use]
    pub fn new(
        node: NodeNumber,
        emulator: Emulator,
        network: Arc<Network>,
        chronicle: Arc<Chronicle>,
        swarm: &Swarm,
        calls: Calls,
    ) -> Self {
        let (removal_anomalies, partial_removals) = (swarm.removal_anomalies, swarm.partial_removals);
        Self { node, emulator, network, chronicle, removal_anomalies, partial_removals, calls }
    }

    /// One request over one channel.
    async fn call<T: Send + 'static>(
        &self,
        channel: Channel,
        asked: Asked,
        effect: impl FnOnce(&Emulator) -> Result<T, Refusal> + Send + 'static,
    ) -> Result<T, ArrayError> {
        let service = service_of(channel);
        let (emulator, chronicle, node) =
            (self.emulator.clone(), self.chronicle.clone(), self.network.name(self.node).to_owned());
        let asker = node.clone();
        let told = asked.clone();
        let trouble = self.calls.meet(self.node, Port::from(service), || asked.shape());
        let at_the_array = move || {
            let result = effect(&emulator);
            if !told.verb.starts_with(READ) {
                chronicle.note("array", || format!("does for {asker} over {service}: {told}: {}", outcome(&result)));
            }
            chronicle.hear_array();
            result
        };
        let session = timeout(ARRAY_DEADLINE, self.network.session(self.node, service)).await;
        let answer = match session.unwrap_or(Err(Lost::NotSent)) {
            Ok(_session) => self.network.call(self.node, service, ARRAY_DEADLINE, trouble, at_the_array).await,
            Err(lost) => Err(lost),
        };
        match answer {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(refusal)) => Err(refused(asked.to_string(), &refusal)),
            Err(lost) => {
                self.chronicle.count(Topic::Array, &format!("{service}: {}", lost.name()));
                self.chronicle.note(&node, || format!("{asked} over {service}: {}", lost.name()));
                Err(lost_request(asked.to_string(), lost))
            }
        }
    }
}

fn service_of(channel: Channel) -> Service {
    match channel {
        Channel::Wsapi => Service::Wsapi,
        Channel::Cli => Service::Cli,
    }
}

/// Verb of the requests that change nothing.
const READ: &str = "read";

/// What is asked of the array, for messages.
#[derive(Clone)]
struct Asked {
    verb: &'static str,
    object: String,
}

impl Asked {
    fn of(verb: &'static str, object: &(impl fmt::Display + ?Sized)) -> Self {
        Self { verb, object: object.to_string() }
    }

    /// What is asked, without the object's name.
    fn shape(&self) -> String {
        if self.verb == READ { self.to_string() } else { self.verb.to_owned() }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.verb, self.object)
    }
}

fn outcome<T>(result: &Result<T, Refusal>) -> String {
    result.as_ref().map_or_else(|refusal| refusal.desc.clone(), |_| "done".to_owned())
}

fn refused(operation: String, refusal: &Refusal) -> ArrayError {
    match refusal.code {
        code if NOT_FOUND.contains(&code) => ArrayError::NotFound { object: operation.clone(), operation },
        code if EXISTS.contains(&code) => ArrayError::Exists { operation, message: refusal.desc.clone() },
        code => ArrayError::Refused { operation, code, message: refusal.desc.clone() },
    }
}

fn lost_request(operation: String, lost: Lost) -> ArrayError {
    match lost {
        Lost::NotSent => ArrayError::Unreachable { operation, reason: "connection timed out".to_owned() },
        Lost::Refused => {
            ArrayError::Refused { operation, code: PERMISSION_DENIED, message: "permission denied".to_owned() }
        }
        Lost::Busy => ArrayError::Busy { operation, reason: "503".to_owned() },
        Lost::Unknown => ArrayError::Unknown { operation, reason: "no answer".to_owned() },
    }
}

fn absent_is_none<T>(result: Result<T, ArrayError>) -> Result<Option<T>, ArrayError> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.is_not_found() => Ok(None),
        Err(error) => Err(error),
    }
}

fn position(port: PortPos) -> PortPosition {
    PortPosition { node: port.node, slot: port.slot, card_port: port.card_port }
}

fn lun(number: hpe3par_emulator::array::Lun) -> Option<Lun> {
    Lun::try_from(u32::from(number.get())).ok()
}

fn host_on_array(host: &Host) -> Option<HostOnArray> {
    let mut iqns = host.initiators.iter().filter_map(|initiator| match initiator {
        Initiator::Iscsi(iqn) => Some(iqn.to_string()),
        Initiator::Fc(_) | Initiator::Nvme(_) => None,
    });
    let iqn = iqns.next();
    let name = host.name.as_str().parse().ok()?;
    Some(HostOnArray {
        name,
        domain: host.domain.as_ref().map(ToString::to_string),
        initiators: Initiators { iqn, wwpns: Vec::new() },
        further_iqns: iqns.collect(),
    })
}

/// A row as the port has it; rows that the port cannot express are left out, which the array of a simulation never has.
fn vlun_row(row: &Row, volume: &ArrayVolumeName) -> Option<VlunRow> {
    let (lun, port) = (lun(row.lun)?, row.port_pos.map(position));
    let host: Option<HostName> =
        row.hostname.as_deref().filter(|h| !h.starts_with("set:")).and_then(|h| h.parse().ok());
    if row.active {
        return Some(VlunRow::Active { lun, host: host?, port });
    }
    let to = match row.kind {
        VlunKind::Host => ExportTarget::Host(host?),
        VlunKind::MatchedSet => ExportTarget::MatchedSet(host?, port?),
        VlunKind::Port => ExportTarget::Port(port?),
        VlunKind::HostSet => ExportTarget::HostSet(row.hostname.as_deref()?.strip_prefix("set:")?.to_owned()),
    };
    Some(VlunRow::Template(Export { volume: volume.clone(), lun, to }))
}

fn address(export: &Export) -> VlunAddress {
    let (host, port) = match &export.to {
        ExportTarget::Host(host) => (Some(host.to_string()), None),
        ExportTarget::MatchedSet(host, port) => (Some(host.to_string()), Some(*port)),
        ExportTarget::Port(port) => (None, Some(*port)),
        ExportTarget::HostSet(set) => (Some(format!("set:{set}")), None),
    };
    let port = port.and_then(|p| PortPos::new(p.node, p.slot, p.card_port).ok());
    VlunAddress { volume: export.volume.to_string(), lun: i64::from(export.lun.number()), host, port }
}

impl SimulatedArray {
    fn draw_anomaly(&self, service: Service) -> RemovalAnomaly {
        let below = |bound| self.network.below(self.node, service, bound);
        if self.network.is_healed() || !self.network.percent(self.node, service, self.removal_anomalies) {
            return RemovalAnomaly::None;
        }
        let kinds = if self.partial_removals { 3 } else { 2 };
        let anomaly = match below(kinds) {
            0 => RemovalAnomaly::Slow(Duration::from_millis(200 + below(9_000))),
            1 => RemovalAnomaly::Lying,
            _ => RemovalAnomaly::Partial,
        };
        self.chronicle.note("array", || format!("will not remove as asked: {anomaly:?}"));
        let name = match anomaly {
            RemovalAnomaly::Slow(_) => "slow",
            RemovalAnomaly::Partial => "partial",
            _ => "lying",
        };
        self.chronicle.count(Topic::Removal, name);
        anomaly
    }
}

#[async_trait]
impl Array for SimulatedArray {
    fn id(&self) -> &str {
        ARRAY_ID
    }

    fn deadline(&self) -> Duration {
        ARRAY_DEADLINE
    }

    async fn volume(&self, name: &ArrayVolumeName) -> Result<Option<VolumeOnArray>, ArrayError> {
        let wanted = name.clone();
        let found = self.call(Channel::Wsapi, Asked::of("read volume", name), move |emulator| {
            emulator.with(|array, _| array.volume(wanted.as_str()).cloned())
        });
        let Some(volume) = absent_is_none(found.await)? else { return Ok(None) };
        let wwn = volume.wwn.as_str().parse().map_err(|_| ArrayError::Refused {
            operation: format!("read volume {name}"),
            code: 0,
            message: "its WWN cannot be read".to_owned(),
        })?;
        let comment = volume.comment.unwrap_or_default();
        Ok(Some(VolumeOnArray { name: name.clone(), wwn, size_mib: volume.size_mib, comment }))
    }

    async fn create_volume(&self, volume: &NewVolume) -> Result<(), ArrayError> {
        let body = CreateVolume {
            policies: volume.one_host.then(|| PolicyChange { one_host: Some(true), ..PolicyChange::default() }),
            ..CreateVolume::thin(
                volume.name.as_str(),
                volume.cpg.as_str(),
                i64::try_from(volume.size_mib).unwrap_or(i64::MAX),
            )
        };
        self.call(Channel::Wsapi, Asked::of("create volume", &volume.name), move |emulator| {
            emulator.with(|array, now| array.create_volume(now, &body)).map(|_| ())
        })
        .await
    }

    async fn remove_volume(&self, name: &ArrayVolumeName) -> Result<(), ArrayError> {
        let wanted = name.clone();
        self.call(Channel::Wsapi, Asked::of("remove volume", name), move |emulator| {
            emulator.with(|array, now| array.remove_volume(now, wanted.as_str()))
        })
        .await
    }

    async fn cpg_domain(&self, cpg: &CpgName) -> Result<Option<String>, ArrayError> {
        let wanted = cpg.clone();
        self.call(Channel::Wsapi, Asked::of("read CPG", cpg), move |emulator| {
            emulator.with(|array, _| array.cpg(wanted.as_str()).map(|cpg| cpg.domain.as_ref().map(ToString::to_string)))
        })
        .await
    }

    async fn cpgs(&self) -> Result<Vec<CpgName>, ArrayError> {
        self.call(Channel::Wsapi, Asked::of("read", "CPGs"), move |emulator| {
            let named = |row: &serde_json::Value| row["name"].as_str()?.parse().ok();
            Ok(emulator.with(|array, _| array.cpg_rows().iter().filter_map(named).collect()))
        })
        .await
    }

    async fn hosts_with(&self, initiators: &Initiators) -> Result<Vec<HostOnArray>, ArrayError> {
        let iqn = initiators.iqn.clone().unwrap_or_default();
        self.call(Channel::Wsapi, Asked::of("read hosts with", &iqn), move |emulator| {
            let initiator = Initiator::parse(&iqn)?;
            Ok(emulator.with(|array, _| array.host_of(&initiator).and_then(host_on_array)).into_iter().collect())
        })
        .await
    }

    async fn host(&self, name: &HostName) -> Result<Option<HostOnArray>, ArrayError> {
        let wanted = name.clone();
        let found = self.call(Channel::Wsapi, Asked::of("read host", name), move |emulator| {
            emulator.with(|array, _| array.host(wanted.as_str()).cloned())
        });
        Ok(absent_is_none(found.await)?.as_ref().and_then(host_on_array))
    }

    async fn create_host(&self, host: &HostOnArray) -> Result<(), ArrayError> {
        let iqns: Vec<&str> = host.initiators.iqn.iter().map(String::as_str).collect();
        let body = CreateHost::iscsi(host.name.as_str(), &iqns);
        self.call(Channel::Wsapi, Asked::of("create host", &host.name), move |emulator| {
            emulator.with(|array, now| array.create_host(now, &body)).map(|_| ())
        })
        .await
    }

    async fn add_initiators(&self, host: &HostName, _initiators: &Initiators) -> Result<(), ArrayError> {
        let message = "hosts of a simulation have their initiators from the start".to_owned();
        Err(ArrayError::Refused { operation: format!("add initiators to {host}"), code: 0, message })
    }

    async fn exports_of(&self, volume: &ArrayVolumeName, channel: Channel) -> Result<Vec<VlunRow>, ArrayError> {
        let wanted = volume.clone();
        self.call(channel, Asked::of("read exports of", volume), move |emulator| {
            let rows = emulator.with(|array, _| array.vlun_rows(&VlunFilter::volume(wanted.as_str())));
            Ok(rows.iter().filter_map(|row| vlun_row(row, &wanted)).collect())
        })
        .await
    }

    async fn luns_of(&self, host: &HostName) -> Result<Vec<Lun>, ArrayError> {
        let wanted = host.clone();
        self.call(Channel::Wsapi, Asked::of("read LUN numbers of", host), move |emulator| {
            let rows = emulator.with(|array, _| array.vlun_rows(&VlunFilter::host(wanted.as_str())));
            Ok(rows.iter().filter_map(|row| lun(row.lun)).collect())
        })
        .await
    }

    async fn export(&self, export: &Export) -> Result<(), ArrayError> {
        let address = address(export);
        let asked = Asked::of("export", &address);
        let body = CreateVlun::host_sees(&address.volume, address.lun, address.host.as_deref().unwrap_or_default());
        self.call(Channel::Wsapi, asked, move |emulator| {
            emulator.with(|array, now| array.create_vlun(now, &body)).map(|_| ())
        })
        .await
    }

    async fn unexport(&self, export: &Export, channel: Channel) -> Result<(), ArrayError> {
        let (address, anomaly) = (address(export), self.draw_anomaly(service_of(channel)));
        let asked = Asked::of("unexport", &address);
        self.call(channel, asked, move |emulator| {
            emulator.with(|array, now| array.remove_vlun_as(now, &address, anomaly)).map(|_| ())
        })
        .await
    }

    async fn target_ports(&self) -> Result<Vec<TargetPort>, ArrayError> {
        self.call(Channel::Wsapi, Asked::of("read", "ports"), |emulator| {
            let ports = emulator.with(|array, _| {
                let ports = array.ports().iter().filter_map(|port| {
                    let (iqn, portal) = port.iscsi()?;
                    Some(TargetPort::Iscsi {
                        position: position(port.pos),
                        portal: portal.to_string(),
                        iqn: iqn.to_owned(),
                    })
                });
                ports.take(PORTS).collect()
            });
            Ok(ports)
        })
        .await
    }
}
