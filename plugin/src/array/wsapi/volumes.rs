//! Volumes and CPGs over REST.

use serde_json::{Value, json};

use super::transport::Request;
use super::{Wsapi, query, wire};
use crate::array::operation::Operation;
use crate::array::{ArrayError, CpgName, NewVolume, Provisioning, VolumeOnArray};
use crate::volume::names::ArrayVolumeName;

/// First build with deduplication.
const BUILD_WITH_DEDUP: u64 = 30_201_120;
/// First build with compression: 3.3.1.
const BUILD_WITH_COMPRESSION: u64 = 30_301_215;
/// First build of Primera: thin or reduced volumes only.
const BUILD_OF_PRIMERA: u64 = 40_000_128;
/// First build of the generation that has no snapshot CPG any more.
const BUILD_WITHOUT_SNAP_CPG: u64 = 100_000_000;

impl Wsapi {
    /// Reads a volume.
    pub(in crate::array) async fn volume(&self, name: &ArrayVolumeName) -> Result<Option<VolumeOnArray>, ArrayError> {
        let operation = Operation::read(format!("volume {name}"));
        let answer = match self.transport.call(&operation, &Request::get(query::named("volumes", name.as_str()))).await
        {
            Ok(answer) => answer,
            Err(ArrayError::NotFound { .. }) => return Ok(None),
            Err(error) => return Err(error),
        };
        let volume: wire::Volume = wire::object(&operation, &answer)?;
        if volume.name != name.as_str() {
            return Err(operation.unknown(format!("the answer is about volume {}", volume.name)));
        }
        let wwn =
            volume.wwn.parse().map_err(|error| operation.unknown(format!("the answer is not readable: {error}")))?;
        Ok(Some(VolumeOnArray { name: name.clone(), wwn, size_mib: volume.size_mib, comment: volume.comment }))
    }

    /// Makes a volume.
    pub(in crate::array) async fn create_volume(&self, volume: &NewVolume) -> Result<(), ArrayError> {
        let operation = Operation::change("making", format!("volume {}", volume.name));
        let body = body(&operation, volume, self.build().await?)?;
        self.transport.call(&operation, &Request::post("/volumes", body)).await.map(|_| ())
    }

    /// Removes a volume.
    pub(in crate::array) async fn remove_volume(&self, name: &ArrayVolumeName) -> Result<(), ArrayError> {
        let operation = Operation::change("removing", format!("volume {name}"));
        self.transport.call(&operation, &Request::delete(query::named("volumes", name.as_str()))).await.map(|_| ())
    }

    /// Names of all CPGs.
    pub(in crate::array) async fn cpgs(&self) -> Result<Vec<CpgName>, ArrayError> {
        let operation = Operation::read("CPGs");
        let answer = self.transport.call(&operation, &Request::get("/cpgs")).await?;
        let cpgs: Vec<wire::Cpg> = wire::list(&operation, &answer)?;
        Ok(cpgs.into_iter().filter_map(|cpg| cpg.name?.parse().ok()).collect())
    }

    /// Domain of a CPG.
    pub(in crate::array) async fn cpg_domain(&self, cpg: &CpgName) -> Result<Option<String>, ArrayError> {
        let operation = Operation::read(format!("CPG {cpg}"));
        let answer = self.transport.call(&operation, &Request::get(query::named("cpgs", cpg.as_str()))).await?;
        wire::object::<wire::Cpg>(&operation, &answer).map(|cpg| cpg.domain.filter(|domain| !domain.is_empty()))
    }
}

/// Body of the create. What an array of this build cannot do is refused here, in words that name the option.
fn body(operation: &Operation, volume: &NewVolume, build: u64) -> Result<Value, ArrayError> {
    let mut body = json!({
        "name": volume.name.as_str(),
        "cpg": volume.cpg.as_str(),
        "sizeMiB": volume.size_mib,
        "comment": volume.comment,
    });
    if let Some(cpg) = volume.snap_cpg.as_ref().filter(|_| build < BUILD_WITHOUT_SNAP_CPG) {
        body["snapCPG"] = json!(cpg.as_str());
    }
    if volume.one_host {
        body["policies"] = json!({ "oneHost": true });
    }
    if build >= BUILD_OF_PRIMERA {
        provisioning_of_primera(operation, volume, &mut body)?;
    } else {
        provisioning_of_3par(operation, volume, build, &mut body)?;
    }
    Ok(body)
}

fn provisioning_of_3par(
    operation: &Operation,
    volume: &NewVolume,
    build: u64,
    body: &mut Value,
) -> Result<(), ArrayError> {
    body["tpvv"] = json!(volume.provisioning == Provisioning::Thin);
    if volume.provisioning == Provisioning::Dedup {
        if build < BUILD_WITH_DEDUP {
            return Err(operation
                .not_tried(format!("provisioning dedup needs WSAPI build {BUILD_WITH_DEDUP}, the array has {build}")));
        }
        body["tdvv"] = json!(true);
    }
    if let Some(compression) = volume.compression {
        if build < BUILD_WITH_COMPRESSION {
            return Err(operation
                .not_tried(format!("compression needs WSAPI build {BUILD_WITH_COMPRESSION}, the array has {build}")));
        }
        body["compression"] = json!(compression);
    }
    Ok(())
}

/// Deduplication and compression are one property there, `reduce`; there is no full provisioning (observed).
fn provisioning_of_primera(operation: &Operation, volume: &NewVolume, body: &mut Value) -> Result<(), ArrayError> {
    match (volume.provisioning, volume.compression) {
        (Provisioning::Thin, None | Some(false)) => body["tpvv"] = json!(true),
        (Provisioning::Dedup, None | Some(true)) => body["reduce"] = json!(true),
        (Provisioning::Full, _) => {
            return Err(
                operation.not_tried("this array has no fully provisioned volumes: use provisioning thin or dedup")
            );
        }
        (Provisioning::Thin, Some(true)) | (Provisioning::Dedup, Some(false)) => {
            return Err(operation.not_tried("this array deduplicates and compresses together: use provisioning dedup with compression true, or thin without",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn volume(provisioning: Provisioning, compression: Option<bool>) -> NewVolume {
        NewVolume {
            name: "dcv-x".parse().unwrap(),
            size_mib: 1024,
            cpg: "FC_r6".parse().unwrap(),
            snap_cpg: Some("SSD_r6".parse().unwrap()),
            provisioning,
            compression,
            comment: "{}".into(),
            one_host: true,
        }
    }

    fn created(volume: &NewVolume, build: u64) -> Result<Value, ArrayError> {
        body(&Operation::change("making", "volume"), volume, build)
    }

    #[test]
    fn a_thin_volume_of_a_3par() {
        assert_eq!(
            created(&volume(Provisioning::Thin, Some(false)), 30_301_460),
            Ok(json!({"name": "dcv-x", "cpg": "FC_r6", "sizeMiB": 1024, "comment": "{}", "snapCPG": "SSD_r6",
                      "policies": {"oneHost": true}, "tpvv": true, "compression": false}))
        );
    }

    #[test]
    fn provisioning_follows_the_generation() {
        let dedup = created(&volume(Provisioning::Dedup, None), 30_301_460).unwrap();
        assert_eq!((&dedup["tpvv"], &dedup["tdvv"]), (&json!(false), &json!(true)));
        let full = created(&volume(Provisioning::Full, None), 30_301_460).unwrap();
        assert_eq!((&full["tpvv"], full.get("tdvv")), (&json!(false), None));
        let reduced = created(&volume(Provisioning::Dedup, Some(true)), 40_200_000).unwrap();
        assert_eq!((reduced.get("tpvv"), reduced.get("tdvv"), &reduced["reduce"]), (None, None, &json!(true)));
        let new = created(&volume(Provisioning::Thin, None), 100_000_000).unwrap();
        assert_eq!((new.get("snapCPG"), &new["tpvv"]), (None, &json!(true)));
    }

    #[test]
    fn what_the_array_cannot_do_is_said_before_asking() {
        for (wanted, build) in [
            (volume(Provisioning::Full, None), 40_200_000),
            (volume(Provisioning::Thin, Some(true)), 40_200_000),
            (volume(Provisioning::Dedup, Some(false)), 40_200_000),
            (volume(Provisioning::Thin, Some(true)), 30_201_292),
            (volume(Provisioning::Dedup, None), 30_103_230),
        ] {
            assert!(matches!(created(&wanted, build), Err(ArrayError::NotTried { .. })));
        }
    }
}
