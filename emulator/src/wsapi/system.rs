//! The array itself: version, identity, capacity, settings of the REST service.

use axum::extract::State;
use serde_json::{Value, json};

use super::{
    Api,
    answer::{Answer, empty, object, row_as_json},
    body::Members,
    resources::Resources,
};
use crate::array::{ClassCapacity, DiskType};

const PARAMETERS: [&str; 12] = [
    "remoteSyslog",
    "remoteSyslogHost",
    "remoteSyslogSecurityHost",
    "portFailoverEnabled",
    "failoverMatchedSet",
    "disableDedup",
    "disableCompr",
    "overProvRatioLimit",
    "overProvRatioWarning",
    "allowR5OnNLDrives",
    "allowR5OnFCDrives",
    "complianceOfficerApproval",
];

pub(super) fn resources() -> Resources {
    Resources::new()
        .get("/system", system)
        .put("/system", modify)
        .get("/wsapiconfiguration", configuration)
        .get("/capacity", capacity)
}

/// Answers `GET /api`, which needs no session.
pub(super) async fn version(State(api): State<Api>) -> Answer {
    Ok(object(&row_as_json(&api.read(|array| array.api_version()))?))
}

async fn system(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.system_row())))
}

/// Sets parameters, or the flash cache policy of the whole system.
async fn modify(State(api): State<Api>, body: Members) -> Answer {
    let body = body.only(&["parameters", "flashCachePolicy"])?;
    let parameters = body.object("parameters")?.map(|parameters| parameters.only(&PARAMETERS)?.decode()).transpose()?;
    let policy = body.integer("flashCachePolicy")?;
    api.change(|array, now| array.modify_system(now, parameters.as_ref(), policy))?;
    Ok(empty())
}

/// Real arrays have one HTTP and one HTTPS port; this one has a single port, shown for both.
async fn configuration(State(api): State<Api>) -> Answer {
    Ok(object(&api.read(|array| array.wsapi_configuration_row(api.port, api.port))))
}

async fn capacity(State(api): State<Api>) -> Answer {
    let of = |disk| api.read(|array| array.class_capacity(disk));
    Ok(object(&json!({
        "allCapacity": capacity_row(api.read(|array| array.total_capacity())),
        "FCCapacity": capacity_row(of(DiskType::Fc)),
        "NLCapacity": capacity_row(of(DiskType::Nl)),
        "SSDCapacity": capacity_row(of(DiskType::Ssd)),
    })))
}

fn capacity_row(capacity: ClassCapacity) -> Value {
    let ClassCapacity { total_mib, user_mib, snapshot_mib, admin_mib } = capacity;
    let (allocated, free) = (capacity.allocated_mib(), capacity.free_mib());
    json!({
        "totalMiB": total_mib,
        "allocated": {
            "totalAllocatedMiB": allocated,
            "volumes": {
                "totalVolumesMiB": allocated, "nonCPGsMiB": 0, "nonCPGUserMiB": 0, "nonCPGSnapshotMiB": 0,
                "nonCPGAdminMiB": 0, "CPGsMiB": allocated, "CPGUserMiB": user_mib, "CPGUserUsedMiB": user_mib,
                "CPGUserUnusedMiB": 0, "CPGSnapshotMiB": snapshot_mib, "CPGSnapshotUsedMiB": snapshot_mib,
                "CPGSnapshotUnusedMiB": 0, "CPGAdminMiB": admin_mib, "CPGAdminUsedMiB": admin_mib,
                "CPGAdminUnusedMiB": 0, "unmappedMiB": 0,
            },
            "system": {"totalSystemMiB": 0, "internalMiB": 0, "spareMiB": 0, "spareUsedMiB": 0, "spareUnusedMiB": 0},
        },
        "freeMiB": free, "freeInitializedMiB": free, "freeUninitializedMiB": 0,
        "unavailableCapacityMiB": 0, "failedCapacityMiB": 0,
    })
}
