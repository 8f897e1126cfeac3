//! What requests on groups and targets say.

use serde::{Deserialize, Serialize};

/// Policies of a group on a target.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct RcopyPolicies {
    /// Start again by itself when the link is back.
    pub auto_recover: bool,
    /// Tell when a period was too short.
    pub over_period_alert: bool,
    /// Fail over by itself.
    pub auto_failover: bool,
    /// Show mirrors as the same volume (Peer Persistence).
    pub path_management: bool,
    /// The same over several targets.
    pub multi_target_peer_persistence: bool,
}

/// A target in the body of `POST` and `PUT` on groups.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateRcopyTarget {
    /// Name of the target (required).
    pub target_name: Option<String>,
    /// 1 synchronous, 3 periodic, 4 asynchronous (required with `POST`).
    pub mode: Option<i64>,
    /// CPG for volumes made there.
    #[serde(rename = "userCPG", alias = "remoteUserCPG")]
    pub user_cpg: Option<String>,
    /// CPG for snapshot space of volumes made there.
    #[serde(rename = "snapCPG", alias = "remoteSnapCPG")]
    pub snap_cpg: Option<String>,
    /// Time between two synchronisations, seconds.
    pub sync_period: Option<i64>,
    /// Synchronise only when told.
    pub rm_sync_period: Option<bool>,
    /// Time between two snapshots of mode asynchronous, seconds; kept without effect.
    pub snap_frequency: Option<i64>,
    /// No such snapshots.
    pub rm_snap_frequency: Option<bool>,
    /// Policies.
    pub policies: Option<RcopyPolicies>,
}

/// Body of `POST /remotecopygroups`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct CreateRcopyGroup {
    /// Name (required).
    pub name: Option<String>,
    /// Domain.
    pub domain: Option<String>,
    /// Where it goes to (required).
    pub targets: Option<Vec<CreateRcopyTarget>>,
    /// CPG for volumes made here.
    #[serde(rename = "localUserCPG")]
    pub local_user_cpg: Option<String>,
    /// CPG for snapshot space of volumes made here.
    #[serde(rename = "localSnapCPG")]
    pub local_snap_cpg: Option<String>,
}

/// Body of `PUT /remotecopygroups/<name>` without an action.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifyRcopyGroup {
    /// CPG for volumes made here.
    #[serde(rename = "localUserCPG")]
    pub local_user_cpg: Option<String>,
    /// CPG for snapshot space of volumes made here.
    #[serde(rename = "localSnapCPG")]
    pub local_snap_cpg: Option<String>,
    /// Remove both CPGs for user space.
    #[serde(rename = "unsetUserCPG")]
    pub unset_user_cpg: Option<bool>,
    /// Remove both CPGs for snapshot space.
    #[serde(rename = "unsetSnapCPG")]
    pub unset_snap_cpg: Option<bool>,
    /// What changes about targets.
    pub targets: Option<Vec<CreateRcopyTarget>>,
}

/// Body of `PUT /remotecopytargets/<name>`.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ModifyRcopyTarget {
    /// Whether changes of the configuration go over by themselves.
    pub mirror_config: Option<bool>,
}
