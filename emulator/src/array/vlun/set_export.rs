//! Exports of volume sets: one template for each member, with LUNs that count up from the one given, made and removed together.
//! Members that come or go later get or lose their template.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{CreateVlun, CreatedVlun, RemovalAnomaly, RemovedVlun, VlunAddress};
use crate::array::Array;
use crate::array::error::ArrayError;
use crate::array::identity::{PortPos, VlunGeneration};

/// What names the export of a set: the parameters it was made with.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    lun: i64,
    host: Option<String>,
    port: Option<PortPos>,
}

impl Key {
    fn of(address: &VlunAddress) -> Self {
        Self { lun: address.lun, host: address.host.clone().filter(|host| !host.is_empty()), port: address.port }
    }
}

/// Templates of an export by volume.
type Members = BTreeMap<u32, VlunGeneration>;

/// The exports of sets, by set.
#[derive(Debug, Clone, Default)]
pub(crate) struct SetExports(BTreeMap<u32, BTreeMap<Key, (CreateVlun, Members)>>);

impl SetExports {
    /// Whether a volume set is exported.
    pub(crate) fn names_set(&self, set: u32) -> bool {
        self.0.contains_key(&set)
    }
}

impl Array {
    /// Exports every member of the volume set `set`: all or none.
    ///
    /// # Errors
    /// 102 unknown set, 18 when it is exported so already; a provisional code (400) for an empty one; those of
    /// [`Array::create_vlun`] for each member.
    pub(super) fn export_set(
        &mut self,
        now: Duration,
        set: &str,
        body: &CreateVlun,
    ) -> Result<CreatedVlun, ArrayError> {
        let held = self.volume_sets.named(set).ok_or_else(ArrayError::non_existent_set)?;
        let (id, name, members) = (held.id, held.name.to_string(), held.members.clone());
        if members.is_empty() {
            return Err(ArrayError::empty_volume_set().with_ref("volumeName"));
        }
        let mut made: Vec<(u32, CreatedVlun)> = Vec::with_capacity(members.len());
        for (place, member) in members.iter().enumerate() {
            match self.export_member(now, *member, body, place) {
                Ok(one) => made.push((*member, one)),
                Err(refused) => {
                    let taken_back: Vec<VlunGeneration> = made.iter().map(|(_, one)| one.generation).collect();
                    self.drop_templates(taken_back);
                    return Err(refused);
                }
            }
        }
        let Some((_, first)) = made.first().cloned() else { return Err(ArrayError::internal()) };
        let address = VlunAddress { volume: format!("set:{name}"), ..first.address.clone() };
        let templates: Members = made.iter().map(|(member, one)| (*member, one.generation)).collect();
        let key = Key::of(&address);
        self.set_exports.0.entry(id).or_default().insert(key, (body.clone(), templates));
        Ok(CreatedVlun { address, ..first })
    }

    /// Exports one member; without an automatic LUN it gets the one given plus its place.
    fn export_member(
        &mut self,
        now: Duration,
        member: u32,
        body: &CreateVlun,
        place: usize,
    ) -> Result<CreatedVlun, ArrayError> {
        let volume_name = self.volume_by_id(member).map(|volume| volume.name.to_string());
        let place = i64::try_from(place).unwrap_or(i64::MAX);
        let lun = if body.auto_lun == Some(true) { body.lun } else { body.lun.map(|lun| lun.saturating_add(place)) };
        self.create_vlun(now, &CreateVlun { volume_name, lun, ..body.clone() })
    }

    /// Takes templates away; gives what became of the writes in flight on them.
    fn drop_templates(&mut self, templates: impl IntoIterator<Item = VlunGeneration>) -> Option<RemovedVlun> {
        let nothing = std::collections::BTreeSet::new();
        let mut sum: Option<RemovedVlun> = None;
        for generation in templates {
            let Some(one) = self.drop_vlun(generation, &nothing) else { continue };
            sum = Some(match sum {
                None => one,
                Some(sum) => RemovedVlun {
                    settled: sum.settled + one.settled,
                    aborted: sum.aborted + one.aborted,
                    lingering: sum.lingering + one.lingering,
                    ..sum
                },
            });
        }
        sum
    }

    /// Removes the export of a volume set.
    ///
    /// # Errors
    /// 102 unknown set, 19 when it is not exported so. Faults of removals do not apply to whole sets.
    pub(super) fn remove_set_export(
        &mut self,
        set: &str,
        address: &VlunAddress,
        _anomaly: RemovalAnomaly,
    ) -> Result<RemovedVlun, ArrayError> {
        let id = self.volume_sets.id_of(set).ok_or_else(ArrayError::non_existent_set)?;
        let exports = self.set_exports.0.get_mut(&id).ok_or_else(ArrayError::non_existent_vlun)?;
        let (_, templates) = exports.remove(&Key::of(address)).ok_or_else(ArrayError::non_existent_vlun)?;
        if exports.is_empty() {
            self.set_exports.0.remove(&id);
        }
        let nothing = RemovedVlun { generation: VlunGeneration(0), settled: 0, aborted: 0, lingering: 0 };
        Ok(self.drop_templates(templates.into_values()).unwrap_or(nothing))
    }

    /// Exports new members of a volume set as the set is exported.
    ///
    /// # Errors
    /// Those of [`Array::create_vlun`]; then nothing has changed.
    pub(crate) fn export_new_members(&mut self, set: u32, added: &[u32]) -> Result<(), ArrayError> {
        let Some(exports) = self.set_exports.0.get(&set).cloned() else { return Ok(()) };
        let (now, mut made) = (self.now, Vec::new());
        for (key, (body, members)) in &exports {
            for (more, member) in added.iter().enumerate() {
                match self.export_member(now, *member, body, members.len() + more) {
                    Ok(one) => made.push((key.clone(), *member, one.generation)),
                    Err(refused) => {
                        self.drop_templates(made.into_iter().map(|(_, _, generation)| generation));
                        return Err(refused);
                    }
                }
            }
        }
        for (key, member, generation) in made {
            let export = self.set_exports.0.get_mut(&set).and_then(|exports| exports.get_mut(&key));
            if let Some((_, members)) = export {
                members.insert(member, generation);
            }
        }
        Ok(())
    }

    /// Ends the exports of former members of a volume set that came from the set.
    pub(crate) fn unexport_members(&mut self, set: u32, taken: &[u32]) {
        let mut gone = Vec::new();
        for (_, members) in self.set_exports.0.get_mut(&set).into_iter().flat_map(|exports| exports.values_mut()) {
            gone.extend(taken.iter().filter_map(|member| members.remove(member)));
        }
        self.drop_templates(gone);
    }
}
