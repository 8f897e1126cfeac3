//! The array itself: version, identity, capacity, settings of the REST service.

use axum::{Router, extract::State, routing::get};
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, object, row_as_json},
};

pub(super) fn routes() -> Router<Api> {
    Router::new()
        .route("/api/v1/system", get(system))
        .route("/api/v1/wsapiconfiguration", get(configuration))
        .route("/api/v1/capacity", get(capacity))
}

/// Answers `GET /api`, which needs no session.
pub(super) async fn version(State(api): State<Api>) -> Answer {
    Ok(object(&row_as_json(&api.read(|array| array.api_version()))?))
}

async fn system(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.system_row())))
}

/// Real arrays have one HTTP and one HTTPS port; this one has a single port, shown for both.
async fn configuration(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.wsapi_configuration_row(api.port, api.port))))
}

async fn capacity(State(api): State<Api>) -> Answer {
    let capacity = api.read(|array| array.capacity());
    let all = capacity_row(capacity.total_mib, capacity.allocated_mib, capacity.free_mib);
    let none = capacity_row(0, 0, 0);
    // The emulated array does not tell its disk classes apart.
    Ok(object(&json!({"allCapacity": all, "FCCapacity": all, "NLCapacity": none, "SSDCapacity": none})))
}

fn capacity_row(total: u64, allocated: u64, free: u64) -> Value {
    json!({
        "totalMiB": total,
        "allocated": {
            "totalAllocatedMiB": allocated,
            "volumes": {
                "totalVolumesMiB": allocated, "nonCPGsMiB": 0, "nonCPGUserMiB": 0, "nonCPGSnapshotMiB": 0,
                "nonCPGAdminMiB": 0, "CPGsMiB": allocated, "CPGUserMiB": allocated, "CPGUserUsedMiB": allocated,
                "CPGUserUnusedMiB": 0, "CPGSnapshotMiB": 0, "CPGSnapshotUsedMiB": 0, "CPGSnapshotUnusedMiB": 0,
                "CPGAdminMiB": 0, "CPGAdminUsedMiB": 0, "CPGAdminUnusedMiB": 0, "unmappedMiB": 0,
            },
            "system": {"totalSystemMiB": 0, "internalMiB": 0, "spareMiB": 0, "spareUsedMiB": 0, "spareUnusedMiB": 0},
        },
        "freeMiB": free, "freeInitializedMiB": free, "freeUninitializedMiB": 0,
        "unavailableCapacityMiB": 0, "failedCapacityMiB": 0,
    })
}
