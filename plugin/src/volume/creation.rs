//! Creating a volume: the name and the record first, the volume on the array second, then the record again.
//!
//! Whoever is interrupted in between leaves a record in state `creating`, which any node's next Create finishes.

use serde_json::{Map, Value, json};
use tracing::info;

use crate::array::{Array, ArrayError, CpgName, NewVolume, Provisioning, VolumeOnArray};
use crate::fencing::{FenceError, Refusal};
use crate::store::{Change, Committed, Guard, Transaction, keys};
use crate::volume::help::BackendState;
use crate::volume::names::VolumeName;
use crate::volume::options::CreateOptions;
use crate::volume::record::{Format, Lifecycle, VolumeRecord};
use crate::volume::service::VolumeService;

/// How often a Create starts over when another node works on the same name.
const TRIES: usize = 8;

/// How many CPGs an error lists.
const CPGS_SHOWN: usize = 20;
const NO_CPG: &str = "no CPG: set hpe3par_cpg in hpe.conf or give -o cpg";

impl VolumeService {
    /// Makes a volume; an existing one of that name is success, whatever its options (as deployments rely on).
    pub(super) async fn create_volume(&self, name: &VolumeName, options: &CreateOptions) -> Result<(), FenceError> {
        for _ in 0..TRIES {
            if let Some(id) = self.lookup(name).await?
                && let Some(loaded) = self.parts.driver.load_record(id).await?
            {
                return match loaded.record.lifecycle {
                    Lifecycle::Available => Ok(()),
                    Lifecycle::Creating if loaded.record.size_gib != options.size.gib() => {
                        Err(Refusal::OtherSize { begun: loaded.record.size_gib, asked: options.size.gib() }.into())
                    }
                    Lifecycle::Creating => {
                        self.finish_creating(loaded.record, loaded.revision, options, Begun::Before).await
                    }
                    Lifecycle::Removing => Err(Refusal::BeingRemoved.into()),
                };
            }
            let record = self.new_record(name, options)?;
            let (volume, index) = (keys::volume(record.id), keys::volume_name(name.as_str()));
            let transaction = Transaction {
                guards: vec![Guard::Absent(volume.clone()), Guard::Absent(index.clone())],
                changes: vec![
                    Change::Put { key: volume, value: record.to_json(), lease: None },
                    Change::Put { key: index, value: record.id.to_string().into_bytes(), lease: None },
                ],
            };
            if let Committed::Yes(revision) = self.parts.store.commit(transaction).await? {
                return self.finish_creating(record, revision, options, Begun::Now).await;
            }
        }
        Err(FenceError::Deadline { doing: "waiting for another node that creates or removes a volume of this name" })
    }

    fn new_record(&self, name: &VolumeName, options: &CreateOptions) -> Result<VolumeRecord, FenceError> {
        let backend = options.backend.as_ref().map_or(self.parts.default_backend.as_str(), |b| b.as_str()).to_owned();
        let defaults = self.parts.defaults.get(&backend).ok_or_else(|| FenceError::NoBackend(backend.clone()))?;
        let mut record = VolumeRecord::new((self.parts.new_id)(), name.clone());
        record.backend = backend;
        record.size_gib = options.size.gib();
        record.provisioning = match options.provisioning {
            Provisioning::Thin => "thin",
            Provisioning::Full => "full",
            Provisioning::Dedup => "dedup",
        }
        .to_owned();
        record.cpg = options.cpg.clone().or_else(|| defaults.cpg.clone());
        record.snap_cpg = options.snap_cpg.clone().or_else(|| defaults.snap_cpg.clone()).or_else(|| record.cpg.clone());
        record.access = options.access;
        record.mount_conflict_delay = options.mount_conflict_delay.map(|delay| delay.as_secs());
        record.lifecycle = Lifecycle::Creating;
        record.format = Format::Unformatted;
        record.rest = fields_others_expect(options);
        Ok(record)
    }

    /// Makes the volume on the array, unless it is there already, and opens the record for use.
    async fn finish_creating(
        &self,
        mut record: VolumeRecord,
        mut revision: crate::store::Revision,
        options: &CreateOptions,
        begun: Begun,
    ) -> Result<(), FenceError> {
        let array = self.parts.driver.array_of(&record)?;
        let volume = match self.ensure_on_array(array.as_ref(), &record, options, begun).await {
            Ok(volume) => volume,
            Err(NotCreated::NothingMade(error)) => {
                self.forget_creation(&record, revision).await?;
                return Err(error.into());
            }
            Err(NotCreated::PerhapsMade(error)) => return Err(error.into()),
        };
        loop {
            record.wwn = Some(volume.wwn.clone());
            record.lifecycle = Lifecycle::Available;
            let key = keys::volume(record.id);
            let transaction = Transaction {
                guards: vec![Guard::Unchanged(key.clone(), revision)],
                changes: vec![Change::Put { key, value: record.to_json(), lease: None }],
            };
            if let Committed::Yes(_) = self.parts.store.commit(transaction).await? {
                info!(volume = %record.display_name, array_name = %record.array_name, wwn = %volume.wwn, "created");
                return Ok(());
            }
            let Some(fresh) = self.parts.driver.load_record(record.id).await? else {
                return Err(FenceError::NoSuchVolume);
            };
            if fresh.record.lifecycle != Lifecycle::Creating {
                return Ok(());
            }
            (record, revision) = (fresh.record, fresh.revision);
        }
    }

    async fn ensure_on_array(
        &self,
        array: &dyn Array,
        record: &VolumeRecord,
        options: &CreateOptions,
        begun: Begun,
    ) -> Result<VolumeOnArray, NotCreated> {
        let missing = || ArrayError::Unknown {
            operation: format!("creating volume {}", record.array_name),
            reason: "the array does not list it; repeat the request to find out".to_owned(),
        };
        match array.volume(&record.array_name).await {
            Ok(Some(volume)) => return Ok(volume),
            Ok(None) => {}
            // Whatever the reason: the volume's name is new with this request, and nothing was asked to be made.
            Err(error) if begun == Begun::Now => return Err(NotCreated::NothingMade(error)),
            Err(error) => return Err(NotCreated::PerhapsMade(error)),
        }
        let defaults = self.parts.defaults.get(&record.backend);
        let Some(cpg) = record.cpg.clone() else {
            let operation = format!("making volume {}", record.array_name);
            return Err(NotCreated::NothingMade(ArrayError::NotTried { operation, reason: NO_CPG.to_owned() }));
        };
        let new = NewVolume {
            name: record.array_name.clone(),
            size_mib: record.size_gib.saturating_mul(1024),
            cpg,
            snap_cpg: record.snap_cpg.clone(),
            provisioning: options.provisioning,
            compression: options.compression,
            comment: comment(record),
            one_host: defaults.is_some_and(|defaults| defaults.one_host),
        };
        match array.create_volume(&new).await {
            Ok(()) => {}
            // The name holds the id of this very volume: what exists under it is ours.
            Err(ArrayError::Exists { .. }) => {}
            Err(error) if error.is_unknown() => {}
            Err(error) => {
                let wanted: Vec<&CpgName> = [Some(&new.cpg), new.snap_cpg.as_ref()].into_iter().flatten().collect();
                let error = cpg_missing(array, &record.backend, &wanted, error).await;
                return Err(NotCreated::by_refusal(error, begun));
            }
        }
        // It may be there by now: whatever the array says to this, the record must not go.
        let found = array.volume(&record.array_name).await.map_err(NotCreated::PerhapsMade)?;
        found.ok_or_else(|| NotCreated::PerhapsMade(missing()))
    }

    /// The array refused: nothing was made, so record and name go again.
    async fn forget_creation(&self, record: &VolumeRecord, revision: crate::store::Revision) -> Result<(), FenceError> {
        let key = keys::volume(record.id);
        let transaction = Transaction {
            guards: vec![Guard::Unchanged(key.clone(), revision)],
            changes: vec![
                Change::Delete { key },
                Change::Delete { key: keys::volume_name(record.display_name.as_str()) },
            ],
        };
        self.parts.store.commit(transaction).await?;
        Ok(())
    }

    /// Every backend, and whether its array answers now and has the CPG of new volumes. All are asked at once.
    pub(super) async fn backend_states(&self) -> Vec<(String, BackendState)> {
        let asked = self.parts.defaults.iter().map(|(name, defaults)| async move {
            (name.clone(), self.backend_state(name, defaults.cpg.as_ref()).await)
        });
        futures::future::join_all(asked).await
    }

    async fn backend_state(&self, backend: &str, cpg: Option<&CpgName>) -> BackendState {
        let Some(array) = self.parts.driver.array_named(backend) else {
            return BackendState::Failed("it is not configured on this node".to_owned());
        };
        let Some(cpg) = cpg else { return BackendState::Failed(NO_CPG.to_owned()) };
        match array.cpg_domain(cpg).await {
            Ok(_) => BackendState::Ok,
            Err(error) if error.is_not_found() => {
                BackendState::Failed(cpg_missing(array.as_ref(), backend, &[cpg], error).await.to_string())
            }
            Err(error) => BackendState::Failed(error.to_string()),
        }
    }
}

/// When a creation was begun.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Begun {
    /// By this request: before it there was no record.
    Now,
    /// By an earlier request, which may have made the volume.
    Before,
}

/// Why there is no volume to open the record for.
#[derive(Debug, PartialEq, Eq)]
enum NotCreated {
    /// Nothing was made: record and name can go.
    NothingMade(ArrayError),
    /// The array may have the volume, now or later: the record stays, for the repeat or for Remove.
    PerhapsMade(ArrayError),
}

impl NotCreated {
    /// What an error of the request to make it means. Beside a request that was begun before, and may still be on its way, it
    /// proves nothing.
    fn by_refusal(error: ArrayError, begun: Begun) -> Self {
        match error {
            ArrayError::Refused { .. }
            | ArrayError::NotTried { .. }
            | ArrayError::NotFound { .. }
            | ArrayError::Unreachable { .. }
                if begun == Begun::Now =>
            {
                Self::NothingMade(error)
            }
            error => Self::PerhapsMade(error),
        }
    }
}

/// The array says "not found" of a CPG in the words of what was made in it: asks which CPGs there are.
async fn cpg_missing(array: &dyn Array, backend: &str, wanted: &[&CpgName], error: ArrayError) -> ArrayError {
    if !error.is_not_found() {
        return error;
    }
    match array.cpgs().await {
        Ok(known) => name_missing_cpg(backend, wanted, &known, error),
        Err(_) => error,
    }
}

/// Names the CPG that does not exist, and those that do.
fn name_missing_cpg(backend: &str, wanted: &[&CpgName], known: &[CpgName], error: ArrayError) -> ArrayError {
    let ArrayError::NotFound { operation, .. } = &error else { return error };
    let Some(missing) = wanted.iter().find(|cpg| !known.contains(cpg)) else { return error };
    let mut names: Vec<&str> = known.iter().take(CPGS_SHOWN).map(CpgName::as_str).collect();
    if known.len() > CPGS_SHOWN {
        names.push("…");
    }
    let existing = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    let object = format!("CPG {missing} on backend {backend}, it has: {existing}");
    ArrayError::NotFound { operation: operation.clone(), object }
}

/// The comment on the array's volume, as the earlier plugin writes it; cut if the name is very long (limit 511).
fn comment(record: &VolumeRecord) -> String {
    let quote = |text: &str| Value::from(text).to_string();
    let text = format!(
        r#"{{"volume_id": "{id}", "name": "{id}", "type": "Docker", "display_name": {name}}}"#,
        id = record.id,
        name = quote(record.display_name.as_str()),
    );
    text.chars().take(511).collect()
}

/// Fields of the record that other tools read and this plugin does not use.
fn fields_others_expect(options: &CreateOptions) -> Map<String, Value> {
    let fields = json!({
        "status": "", "volume_attachment": null, "availability_zone": "", "attach_status": "", "volume_type": null, "host": "",
        "provider_location": null, "volume_id": "", "flash_cache": null, "qos_name": null, "is_snap": false, "snapshots": [],
        "has_schedule": false, "rcg_info": null, "snap_metadata": null, "compression": options.compression,
    });
    match fields {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::names::{ArrayVolumeName, VolumeId};

    #[test]
    fn a_cpg_that_does_not_exist_is_named_with_those_that_do() {
        let cpg = |name: &str| name.parse::<CpgName>().unwrap();
        let said =
            || ArrayError::NotFound { operation: "making volume dcv-x".to_owned(), object: "volume dcv-x".to_owned() };
        let known = [cpg("FC_r6"), cpg("SSD_r6")];
        let error = name_missing_cpg("DEFAULT", &[&cpg("FC_r6"), &cpg("NOPE")], &known, said());
        assert_eq!(
            error.to_string(),
            "array has no CPG NOPE on backend DEFAULT, it has: FC_r6, SSD_r6 (making volume dcv-x)"
        );
        assert_eq!(name_missing_cpg("DEFAULT", &[&cpg("FC_r6")], &known, said()), said(), "something else is missing");
        let many: Vec<CpgName> = (0..100).map(|n| cpg(&format!("cpg{n}"))).collect();
        assert!(name_missing_cpg("DEFAULT", &[&cpg("NOPE")], &many, said()).to_string().len() < 300);
    }

    #[test]
    fn only_a_refusal_or_a_request_that_was_not_sent_proves_that_nothing_was_made() {
        let operation = || "making volume dcv-x".to_owned();
        let reason = || "no answer".to_owned();
        for nothing in [
            ArrayError::Refused { operation: operation(), code: 13, message: "permission denied".to_owned() },
            ArrayError::Unreachable { operation: operation(), reason: reason() },
        ] {
            assert_eq!(NotCreated::by_refusal(nothing.clone(), Begun::Now), NotCreated::NothingMade(nothing.clone()));
            assert_eq!(NotCreated::by_refusal(nothing.clone(), Begun::Before), NotCreated::PerhapsMade(nothing));
        }
        for unclear in [
            ArrayError::Unknown { operation: operation(), reason: reason() },
            ArrayError::Busy { operation: operation(), reason: reason() },
        ] {
            assert_eq!(NotCreated::by_refusal(unclear.clone(), Begun::Now), NotCreated::PerhapsMade(unclear));
        }
    }

    #[test]
    fn the_comment_is_the_one_existing_tools_read() {
        let id: VolumeId = "d03338a9-9115-48a3-8dfc-35cdfcdc15a7".parse().unwrap();
        let record = VolumeRecord::new(id, VolumeName::of_existing("db").unwrap());
        assert_eq!(
            comment(&record),
            r#"{"volume_id": "d03338a9-9115-48a3-8dfc-35cdfcdc15a7", "name": "d03338a9-9115-48a3-8dfc-35cdfcdc15a7", "type": "Docker", "display_name": "db"}"#
        );
        assert_eq!(ArrayVolumeName::for_volume(id).as_str(), "dcv-0DM4qZEVSKON-DXN-NwVpw");
    }
}
