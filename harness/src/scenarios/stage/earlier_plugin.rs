//! What the earlier plugin left behind: records in its own form.

use anyhow::{Context as _, Result, ensure};
use hpe3par_docker_plugin::store::keys;
use hpe3par_docker_plugin::volume::names::{ArrayVolumeName, VolumeId};
use serde_json::{Value, json};

use super::Stage;

/// A field the earlier plugin wrote and this one knows nothing of.
const FOREIGN_FIELD: (&str, &str) = ("qos_name", "gold");

impl Stage {
    /// Makes a snapshot on the array and its record in the form of the earlier plugin: flat, without owner or epoch.
    ///
    /// # Errors
    /// When array or store refuse.
    pub async fn leave_snapshot(&mut self, snapshot: &str, volume: &str) -> Result<()> {
        let id = VolumeId::random();
        let name = ArrayVolumeName::for_volume(id).to_string();
        self.lab()?.on_array().snapshot(&self.array_name(volume).await?, &name)?;
        let mut record = flat_record(id, snapshot, &name);
        record["is_snap"] = json!(true);
        record["snap_metadata"] = json!({"name": snapshot});
        self.lab()?.put(keys::volume(id), record.to_string().into_bytes()).await
    }

    /// Rewrites the record of a mounted volume as the earlier plugin would have written it: `node_mount_info` names the
    /// owner, `path_info` is JSON in a string, there is no epoch.
    ///
    /// # Errors
    /// When the volume is mounted nowhere or the store refuses.
    pub async fn write_record_of_earlier_plugin(&mut self, volume: &str) -> Result<()> {
        let record = self.lab()?.record(volume).await?;
        let (node, info) = record.path_info.iter().next().context("the volume is mounted nowhere")?;
        let path_info = json!({
            "name": volume,
            "path": info.path,
            "device_info": info.device_info,
            "connection_info": {"driver_volume_type": "iscsi", "data": {"target_discovered": true}},
            "mount_dir": info.mount_dir,
        });
        let mut old = flat_record(record.id, volume, record.array_name.as_str());
        old["path_info"] = json!(path_info.to_string());
        old["node_mount_info"] = json!({node.as_str(): info.mount_ids});
        old[FOREIGN_FIELD.0] = json!(FOREIGN_FIELD.1);
        // Epochs begin anew with the old form, so older records say nothing about newer ones.
        let now = self.lab()?.array().handle().now();
        self.notes.insert("records count from".to_owned(), now.as_nanos().to_string());
        self.lab()?.put(keys::volume(record.id), old.to_string().into_bytes()).await
    }

    /// What the earlier plugin wrote about a volume and this one knows nothing of is still in the record.
    ///
    /// # Errors
    /// When it is gone.
    pub async fn foreign_fields_kept(&self, volume: &str) -> Result<()> {
        let record = self.lab()?.record(volume).await?;
        let kept = record.rest.get(FOREIGN_FIELD.0).and_then(Value::as_str);
        ensure!(kept == Some(FOREIGN_FIELD.1), "the record's other fields are {:?}", record.rest);
        Ok(())
    }
}

fn flat_record(id: VolumeId, name: &str, on_array: &str) -> Value {
    json!({
        "id": id.to_string(), "volume_id": "", "name": id.to_string(), "display_name": name, "size": 1,
        "host": "", "status": "", "attach_status": "", "availability_zone": "", "volume_type": null,
        "volume_attachment": null, "provider_location": null, "provisioning": "thin", "flash_cache": null,
        "path_info": null, "3par_vol_name": on_array, "mount_conflict_delay": 1,
    })
}
