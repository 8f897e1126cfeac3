//! The volumes of a world, as they are when a run begins.

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::store::memory::MemoryStore;
use hpe3par_docker_plugin::store::{Change, Transaction, keys};
use hpe3par_docker_plugin::volume::names::{ArrayVolumeName, VolumeId, VolumeName, array_host_name};
use hpe3par_docker_plugin::volume::record::{Format, VolumeRecord};
use hpe3par_emulator::Emulator;
use hpe3par_emulator::array::{CreateHost, CreateVlun, CreateVolume, Initiator, Lun, PolicyChange, PortPos};

use super::by_hand::{STRANGER, STRANGER_IQN};
use super::swarm::{NODES, Unexpected};
use super::worker::BACKEND;
use super::world::{WorldError, built};
use crate::node::{MachineIdentity, Random};

/// Size of a volume of the simulation in MiB; the log never grows that long.
const VOLUME_MIB: i64 = 1_024;
/// Name of a volume of somebody else.
pub const BYSTANDER: &str = "bystander";
/// Its LUN number.
const BYSTANDER_LUN: i64 = 900;
/// LUN number under which a volume gets its foreign data.
const FOREIGN_LUN: i64 = 902;

/// A volume in play.
#[derive(Debug, Clone)]
pub struct SimulatedVolume {
    /// Docker name.
    pub name: VolumeName,
    /// Id.
    pub id: VolumeId,
    /// Name on the array.
    pub array_name: ArrayVolumeName,
    /// WWN.
    pub wwn: Wwn,
    /// The record as it was first seen.
    pub first_record: Vec<u8>,
}

/// Makes the volumes of a world on its array and in its store.
pub(super) struct VolumeMaker<'w> {
    random: Random,
    emulator: &'w Emulator,
    store: &'w MemoryStore,
    one_host: bool,
}

impl<'w> VolumeMaker<'w> {
    pub(super) fn new(seed: u64, emulator: &'w Emulator, store: &'w MemoryStore, one_host: bool) -> Self {
        Self { random: Random::new(seed, "world"), emulator, store, one_host }
    }

    /// A volume that was just created.
    pub(super) fn make(&mut self, number: usize) -> Result<SimulatedVolume, WorldError> {
        self.make_named(format!("volume-{number}"), Format::Unformatted)
    }

    /// A volume whose content is not what its record says.
    pub(super) fn make_unexpected(&mut self, content: Unexpected) -> Result<SimulatedVolume, WorldError> {
        let name = "unexpected".to_owned();
        match content {
            Unexpected::NoFilesystem => self.make_named(name, Format::Formatted),
            Unexpected::ForeignData => {
                let volume = self.make_named(name, Format::Unformatted)?;
                self.write_foreign_data(&volume)?;
                Ok(volume)
            }
        }
    }

    fn make_named(&mut self, name: String, format: Format) -> Result<SimulatedVolume, WorldError> {
        let id = VolumeId(uuid::Uuid::from_u64_pair(self.random.draw(), self.random.draw()));
        let name = built(VolumeName::of_existing(name))?;
        let array_name = ArrayVolumeName::for_volume(id);
        let policies = self.one_host.then(|| PolicyChange { one_host: Some(true), ..PolicyChange::default() });
        let body = CreateVolume { policies, ..CreateVolume::thin(array_name.as_str(), "FC_r6", VOLUME_MIB) };
        built(self.emulator.with(|array, now| array.create_volume(now, &body)))?;
        let wwn = self.emulator.with(|array, _| array.volume(array_name.as_str()).map(|v| v.wwn.to_string()));
        let wwn: Wwn = built(built(wwn)?.parse())?;
        let mut record = VolumeRecord::new(id, name.clone());
        record.array_name = array_name.clone();
        record.backend = BACKEND.to_owned();
        record.size_gib = 1;
        record.cpg = "FC_r6".parse().ok();
        record.wwn = Some(wwn.clone());
        record.format = format;
        let first_record = record.to_json();
        let put = |key: String, value: Vec<u8>| Change::Put { key, value, lease: None };
        let changes = vec![
            put(keys::volume(id), first_record.clone()),
            put(keys::volume_name(name.as_str()), id.to_string().into_bytes()),
        ];
        built(self.store.transact(&Transaction { guards: Vec::new(), changes }))?;
        Ok(SimulatedVolume { name, id, array_name, wwn, first_record })
    }

    /// Somebody else used the volume before: there is data at its head.
    fn write_foreign_data(&self, volume: &SimulatedVolume) -> Result<(), WorldError> {
        let initiator = built(Initiator::parse(STRANGER_IQN))?;
        let (lun, port) = (built(Lun::new(FOREIGN_LUN))?, built(PortPos::new(0, 2, 1))?);
        let export = CreateVlun::host_sees(volume.array_name.as_str(), FOREIGN_LUN, STRANGER);
        let exported = built(self.emulator.with(|array, now| array.create_vlun(now, &export)))?;
        let session = built(self.emulator.with(|array, now| array.login(now, &initiator, port)))?;
        let data = *b"somebody else's data";
        built(self.emulator.with(|array, now| array.write(now, session, lun, 0, &data, None)))?;
        self.emulator.with(|array, now| array.logout(now, session));
        built(self.emulator.with(|array, now| array.remove_vlun(now, &exported.address)))?;
        Ok(())
    }

    /// A volume of somebody else, exported to the first node: nobody may touch it.
    pub(super) fn make_bystander(&self) -> Result<Wwn, WorldError> {
        let host = built(array_host_name(NODES[0]))?;
        let iqn = MachineIdentity::named(NODES[0]).iqn;
        let made = self.emulator.with(|array, now| {
            array.create_host(now, &CreateHost::iscsi(host.as_str(), &[iqn.as_str()]))?;
            array.create_volume(now, &CreateVolume::thin(BYSTANDER, "FC_r6", VOLUME_MIB))?;
            array.create_vlun(now, &CreateVlun::host_sees(BYSTANDER, BYSTANDER_LUN, host.as_str()))?;
            array.volume(BYSTANDER).map(|volume| volume.wwn.to_string())
        });
        built(built(made)?.parse())
    }

    /// A host that is no node of the cluster.
    pub(super) fn make_stranger(&self) -> Result<(), WorldError> {
        let body = CreateHost::iscsi(STRANGER, &[STRANGER_IQN]);
        built(self.emulator.with(|array, now| array.create_host(now, &body))).map(|_| ())
    }
}
