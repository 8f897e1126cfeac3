//! The refusals of the array: one type with the code, the HTTP status, the text and the member it speaks of.
//!
//! Codes and texts follow the WSAPI 1.2 and 1.3.1 developer's guides (tables of error codes) and captures of real arrays.
//! Where the guides name a symbol and its HTTP status but no number, the number here is *provisional*: it is above
//! [`PROVISIONAL`] so that nobody can take it for a documented one.

use serde::{Deserialize, Serialize};

/// First of the provisional code numbers: symbols that the guides print without a number.
pub const PROVISIONAL: u32 = 90_000;

/// A refusal as the array words it.
///
/// `status` is the HTTP status that the WSAPI answers with; the command line prints `desc` alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{desc} (code {code}{})", reference.as_ref().map(|r| format!(", {r}")).unwrap_or_default())]
pub struct ArrayError {
    /// The WSAPI error code.
    pub code: u32,
    /// The HTTP status of the WSAPI answer. Not part of the JSON body.
    #[serde(skip)]
    pub status: u16,
    /// The text of the refusal.
    pub desc: String,
    /// The member (or list of members) of the request that is at fault.
    #[serde(rename = "ref", skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
}

impl ArrayError {
    /// A refusal with any code, for codes that have no constructor here (injected faults for instance).
    #[must_use]
    pub fn new(code: u32, status: u16, desc: impl Into<String>) -> Self {
        Self { code, status, desc: desc.into(), reference: None }
    }

    /// The same refusal, naming the member at fault.
    #[must_use]
    pub fn with_ref(mut self, member: impl Into<String>) -> Self {
        self.reference = Some(member.into());
        self
    }

    /// Whether the code number is provisional, that is, not shown by any guide.
    #[must_use]
    pub fn is_provisional(&self) -> bool {
        self.code >= PROVISIONAL
    }
}

/// Writes one constructor per documented refusal.
macro_rules! refusals {
    ($($(#[$doc:meta])* $name:ident = $code:expr, $status:expr, $desc:expr;)*) => {
        impl ArrayError {
            $($(#[$doc])* #[must_use] pub fn $name() -> Self { Self::new($code, $status, $desc) })*
        }
    };
}

refusals! {
    /// INT_SERV_ERR.
    internal = 1, 500, "internal server error";
    /// INV_USER_PASS (1.3.1 guide p. 38).
    invalid_user_password = 5, 403, "invalid user or password";
    /// INV_SESS_KEY: missing, unknown or expired. Clients search the text for `invalid session key`.
    invalid_session_key = 6, 403, "invalid session key";
    /// UNSUP_OP.
    unsupported_operation = 9, 501, "unsupported operation";
    /// URI_RES_NOT_FOUND.
    uri_not_found = 11, 404, "URI resource not found";
    /// INV_INPUT.
    invalid_input = 12, 400, "invalid input";
    /// PERM_DENIED.
    permission_denied = 13, 403, "permission denied";
    /// EXISTENT_CPG.
    existent_cpg = 14, 409, "CPG exists";
    /// NON_EXISTENT_CPG.
    non_existent_cpg = 15, 404, "CPG does not exist";
    /// EXISTENT_HOST.
    existent_host = 16, 409, "host exists";
    /// NON_EXISTENT_HOST. Clients search the text for `host does not exist`.
    non_existent_host = 17, 404, "host does not exist";
    /// EXISTENT_LUN: the VLUN exists or the LUN is taken.
    existent_lun = 18, 409, "VLUN exists";
    /// NON_EXISTENT_VLUN.
    non_existent_vlun = 19, 404, "VLUN does not exist";
    /// NON_EXISTENT_PORT.
    non_existent_port = 20, 404, "port does not exist";
    /// BAD_PORT_TYPE.
    bad_port_type = 21, 400, "invalid port type";
    /// EXISTENT_VOL.
    existent_volume = 22, 409, "volume exists";
    /// NON_EXISTENT_VOL.
    non_existent_volume = 23, 404, "volume does not exist";
    /// NO_SPACE.
    no_space = 24, 400, "insufficient space for requested operation";
    /// HAS_RO_CHILD.
    has_read_only_child = 25, 409, "volume has read-only child";
    /// EXPORTED_VLUN.
    exported_vlun = 26, 409, "has exported VLUN";
    /// TOO_LARGE.
    too_large = 28, 400, "client request contains values that are too large";
    /// OTHER.
    other = 29, 400, "operation not allowed";
    /// The session limit is reached; code and text observed on a real array.
    too_many_sessions = 31, 503, "maximum number of server connections has been reached";
    /// HAS_CHILD.
    has_child = 32, 409, "volume has a child";
    /// IN_USE. Clients search the text for `resource in use`.
    in_use = 34, 409, "resource in use";
    /// NON_EXISTENT_DOMAIN.
    non_existent_domain = 38, 404, "domain does not exist";
    /// INV_INPUT_WRONG_TYPE.
    wrong_type = 39, 400, "invalid input: wrong type for value";
    /// INV_INPUT_MISSING_REQUIRED.
    missing_required = 40, 400, "invalid input: missing required";
    /// INV_INPUT_EXCEEDS_RANGE.
    exceeds_range = 43, 400, "invalid input: exceeds range";
    /// INV_INPUT_PARAM_CONFLICT.
    parameter_conflict = 44, 400, "invalid input: parameters cannot be present at the same time";
    /// INV_INPUT_EMPTY_STR.
    empty_string = 45, 400, "invalid input: string is empty";
    /// INV_INPUT_BAD_ENUM_VALUE.
    bad_enum_value = 46, 400, "invalid input: bad enum value";
    /// INV_INPUT_PORT_SPECIFICATION.
    bad_port_specification = 55, 400, "invalid input: port specification";
    /// INV_INPUT_EXCEEDS_LENGTH.
    exceeds_length = 57, 400, "invalid input: string length exceeds limit";
    /// EXISTENT_ID.
    existent_id = 59, 409, "volume ID exists";
    /// JSON syntax error (1.3.1 guide p. 37).
    json_syntax = 60, 400, "JSON syntax error";
    /// INV_INPUT_ILLEGAL_CHAR.
    illegal_character = 69, 400, "illegal character in input";
    /// EXISTENT_PATH.
    existent_path = 73, 409, "host WWN/iSCSI name already used by another host";
    /// HOST_IN_SET.
    host_in_set = 77, 409, "host is a member of a set";
    /// INV_INPUT_ONE_REQUIRED.
    one_required = 78, 400, "invalid input: one of the parameters is required";
    /// NON_EXISTENT_PATH.
    non_existent_path = 80, 404, "host WWN/iSCSI name does not exist";
    /// INV_OPERATION_VV_ZERO_DETECT_TPVV.
    zero_detect_needs_tpvv = 91, 403, "invalid operation: zero detection is only supported on a thin volume";
    /// INV_INPUT_DUP_PATH.
    duplicate_path = 98, 400, "invalid input: duplicate path";
    /// LUN_HOSTPERSONA_CONFLICT, with the two blanks of the real text (observed).
    lun_persona_conflict = 99, 409, "invalid operation:  LUN number and persona capability conflict";
    /// EXISTENT_SET (1.3.1 guide p. 86: 400).
    existent_set = 101, 400, "Set exists";
    /// NON_EXISTENT_SET.
    non_existent_set = 102, 404, "Set does not exist";
    /// INV_INPUT_BELOW_RANGE.
    below_range = 115, 400, "invalid input: below range";
    /// NON_EXISTENT_TASK.
    non_existent_task = 145, 404, "task does not exist";
    /// INV_OPERATION_UNSUPPORTED_VV_TYPE.
    unsupported_volume_type = 150, 403, "invalid operation: unsupported volume type";
    /// INV_INPUT_VV_GROW_SIZE.
    invalid_grow_size = 152, 400, "invalid input: volume grow size";
    /// VV_NEW_SIZE_EXCEED_CPG_LIMIT.
    new_size_exceeds_cpg_limit = 153, 403, "new volume size exceeds CPG limit";
    /// INV_OPERATION_VV_TUNE_IN_PROGRESS.
    tune_in_progress = 151, 409, "invalid operation: volume tune is in progress";
    /// INV_OPERATION_GROW_SIZE_TOO_SMALL.
    growth_increment_too_small = 94, 400, "invalid operation: CPG grow size is too small";
    /// INV_OPERATION_CPG_RAID0_DISABLED.
    raid0_disabled = 92, 403, "invalid operation: RAID 0 is disabled";
    /// INV_OPERATION_CPG_RAID5_NL_DISABLED.
    raid5_nl_disabled = 93, 403, "invalid operation: RAID 5 on nearline disks is disabled";
    /// INV_OPERATION_VLUN_PCOPY_TARGET_VV.
    vlun_of_copy_target = 97, 409, "invalid operation: volume is a physical copy target";
    /// NON_EXISTENT_QOS_RULE.
    non_existent_qos_rule = 100, 404, "non-existent QoS rule";
    /// EXISTENT_QOS_RULE (1.3.1 guide p. 142).
    existent_qos_rule = 114, 400, "QoS rule exists";
    /// INV_INPUT_QOS_TARGET_OBJECT.
    invalid_qos_target = 117, 404, "Invalid QOS target object";
    /// INV_OPERATION_VV_IN_REMOTE_COPY.
    volume_in_remote_copy = 120, 403, "invalid operation: volume is involved in remote copy";
    /// INV_OPERATION_VV_PROMOTE_IS_NOT_IN_PROGRESS.
    promote_not_in_progress = 185, 409, "invalid operation: volume promotion is not in progress";
    /// NON_EXISTENT_RCOPY_GROUP.
    non_existent_rcopy_group = 187, 404, "remote copy group does not exist";
    /// RCOPY_GROUP_STARTED.
    rcopy_group_started = 215, 403, "remote copy group has already been started";
    /// EXISTENT_RCOPY_GROUP.
    existent_rcopy_group = 237, 409, "remote copy group exists";
    /// NON_EXISTENT_FLASH_CACHE.
    non_existent_flash_cache = 285, 404, "Flash cache does not exist";
    /// INV_INPUT_MISSING_REQUIRED for a conversion of a volume that has virtual copies. Clients search the text for `keepVV`.
    missing_keep_vv = 40, 400, "invalid input: missing required - keepVV";
    /// NON_EXISTENT_OBJECT_KEY.
    non_existent_object_key = 180, 404, "object key does not exist";
    /// EXISTENT_OBJECT_KEY.
    existent_object_key = 181, 409, "object key exists";

    // Provisional numbers from here on: symbol and status are documented, the number is not.
    /// MISSING_VLUN_EXPORT_INFO (number provisional).
    missing_export_info = PROVISIONAL + 1, 400, "missing VLUN export information: host or port is required";
    /// INV_INPUT_MATCHED_HOSTSET (number provisional).
    matched_host_set = PROVISIONAL + 2, 400, "invalid input: a host set cannot be matched with a port";
    /// AUTO_LUN_ID_UNAVAILABLE (number provisional).
    auto_lun_unavailable = PROVISIONAL + 3, 409, "no LUN is available in the requested range";
    /// VV_NOT_IN_SAME_DOMAIN (number provisional). Clients search the text for `must be in the same domain`.
    not_in_same_domain = PROVISIONAL + 4, 400, "volume and host must be in the same domain";
    /// A volume with the policy `oneHost` is exported to another host already (number and text provisional).
    one_host_policy = PROVISIONAL + 5, 403, "invalid operation: volume policy one_host does not allow export to more than one host";
    /// MEMBER_IN_SET (number provisional).
    member_in_set = PROVISIONAL + 6, 409, "member is already in the set";
    /// MEMBER_NOT_IN_SET (number provisional).
    member_not_in_set = PROVISIONAL + 7, 404, "member is not in the set";
    /// MEMBER_NOT_IN_SAME_DOMAIN (number provisional).
    member_not_in_same_domain = PROVISIONAL + 8, 409, "members must be in the same domain";
    /// INV_INPUT_TOO_MANY_WWN_OR_iSCSI (number provisional).
    too_many_paths = PROVISIONAL + 9, 400, "invalid input: too many WWN or iSCSI names";
    /// NO_INITIATOR_CHAP (number provisional).
    no_initiator_chap = PROVISIONAL + 10, 404, "initiator CHAP must be set before target CHAP";
    /// NON_EXISTENT_CHAP (number provisional).
    non_existent_chap = PROVISIONAL + 11, 404, "CHAP does not exist";
    /// INV_INPUT_BAD_LENGTH (number provisional).
    bad_length = PROVISIONAL + 12, 400, "invalid input: bad length";
    /// NON_UNIQUE_CHAP_SECRET (number provisional).
    non_unique_chap_secret = PROVISIONAL + 13, 409, "CHAP secret is not unique";
    /// INV_INPUT_VV_POLICY (number provisional).
    invalid_volume_policy = PROVISIONAL + 14, 400, "invalid input: volume policy";
    /// INV_INPUT_WARN_GT_LIMIT (number provisional).
    warning_above_limit = PROVISIONAL + 15, 400, "invalid input: allocation warning is greater than allocation limit";
    /// INV_INPUT_RETAIN_GT_EXPIRE (number provisional).
    retention_above_expiration = PROVISIONAL + 16, 400, "invalid input: retention time is greater than expiration time";
    /// INV_QUERY_STRING (number provisional).
    invalid_query = PROVISIONAL + 17, 400, "invalid query string";
    /// CPG_NOT_IN_SAME_DOMAIN (number provisional).
    cpg_not_in_same_domain = PROVISIONAL + 18, 403, "CPGs must be in the same domain";
    /// RETAINED (number provisional).
    retained = PROVISIONAL + 19, 403, "volume is retained";
    /// INV_OPERATION_VV_READONLY_SNAPSHOT or _NON_BASE_VOLUME (number provisional).
    non_base_volume = PROVISIONAL + 20, 403, "invalid operation: not a base volume";
    /// INV_OPERATION_VV_EXPORTED (number provisional).
    volume_exported = PROVISIONAL + 21, 403, "invalid operation: volume is exported";
    /// NO_SNAP_CPG (number provisional).
    no_snap_cpg = PROVISIONAL + 22, 409, "volume has no snapshot CPG";
    /// INV_OPERATION_VV_READONLY_TO_READONLY_SNAP (number provisional).
    read_only_of_read_only = PROVISIONAL + 23, 403, "invalid operation: a read-only volume cannot have a read-only snapshot";
    /// INV_OPERATION_VV_PCOPY_IN_PROGRESS (number provisional).
    physical_copy_in_progress = PROVISIONAL + 24, 409, "invalid operation: physical copy is in progress";
    /// INV_OPERATION_VV_ONLINE_COPY_IN_PROGRESS (number provisional).
    online_copy_in_progress = PROVISIONAL + 25, 409, "invalid operation: online copy is in progress";
    /// INV_OPERATION_VV_PROMOTE_IN_PROGRESS (number provisional).
    promote_in_progress = PROVISIONAL + 26, 409, "invalid operation: volume promotion is in progress";
    /// INV_OPERATION_VV_VOLUME_CONV_IN_PROGRESS (number provisional).
    conversion_in_progress = PROVISIONAL + 27, 409, "invalid operation: volume conversion is in progress";
    /// NON_EXISTENT_VVCOPY (number provisional).
    non_existent_copy = PROVISIONAL + 28, 404, "physical copy does not exist";
    /// NON_EXISTENT_SNAPSHOT (number provisional).
    non_existent_snapshot = PROVISIONAL + 29, 404, "snapshot does not exist";
    /// INV_OPERATION_VV_COPY_TO_SELF (number provisional).
    copy_to_self = PROVISIONAL + 30, 403, "invalid operation: a volume cannot be copied to itself";
    /// INV_OPERATION_VV_COPY_PARENT_TOO_BIG (number provisional).
    copy_parent_too_big = PROVISIONAL + 31, 409, "invalid operation: parent volume is larger than the copy";
    /// INV_OPERATION_VV_NO_PARENT (number provisional).
    no_parent = PROVISIONAL + 32, 403, "invalid operation: volume has no parent";
    /// INV_OPERATION_PARENT_SIZE_HAS_INCREASED (number provisional).
    parent_size_has_increased = PROVISIONAL + 33, 409, "invalid operation: the size of the parent has increased";
    /// INV_OPERATION_VV_MODIFY_USR_CPG_TPVV (number provisional).
    modify_user_cpg_of_thin = PROVISIONAL + 34, 403, "invalid operation: the user CPG of a thin volume cannot be modified";
    /// A task that has ended cannot be cancelled (number and text provisional).
    task_not_active = PROVISIONAL + 35, 400, "invalid operation: task is not active";
    /// SNAPSHOT_LIMIT_REACHED (number provisional).
    snapshot_limit_reached = PROVISIONAL + 36, 503, "the limit of snapshots has been reached";
    /// VV_LIMIT_REACHED (number provisional).
    volume_limit_reached = PROVISIONAL + 37, 503, "the limit of volumes has been reached";
    /// BAD_CPG_PATTERN (number provisional).
    bad_cpg_pattern = PROVISIONAL + 38, 400, "invalid CPG disk pattern";
    /// VVSET_QOS_TARGET (number provisional).
    volume_set_is_qos_target = PROVISIONAL + 39, 409, "volume set is the target of a QoS rule";
    /// INV_INPUT_IO_MIN_GOAL_GRT_MAX_LIMIT (number provisional).
    io_goal_above_limit = PROVISIONAL + 40, 400, "invalid input: I/O minimum goal is greater than maximum limit";
    /// INV_INPUT_BW_MIN_GOAL_GRT_MAX_LIMIT (number provisional).
    bandwidth_goal_above_limit = PROVISIONAL + 41, 400, "invalid input: bandwidth minimum goal is greater than maximum limit";
    /// EXISTENT_FLASH_CACHE (number provisional).
    existent_flash_cache = PROVISIONAL + 42, 409, "Flash cache exists";
    /// INV_FLASH_CACHE_SIZE (number provisional).
    invalid_flash_cache_size = PROVISIONAL + 43, 400, "invalid flash cache size";
    /// INV_INPUT_EMPTY_VVSET (number provisional).
    empty_volume_set = PROVISIONAL + 44, 400, "invalid input: volume set is empty";
    /// EMPTY_SET (number provisional).
    empty_set = PROVISIONAL + 45, 404, "set is empty";
    /// INV_INPUT_VV_PATTERN (number provisional).
    bad_volume_pattern = PROVISIONAL + 46, 400, "invalid input: volume name pattern";
    /// INV_INPUT_DUP_NAME (number provisional).
    duplicate_name = PROVISIONAL + 47, 400, "invalid input: duplicate name";
    /// FLASH_CACHE_NOT_SUPPORTED (number provisional).
    flash_cache_not_supported = PROVISIONAL + 48, 403, "flash cache is not supported";
    /// INV_OPERATION_VV_BASE_VOLUME (number provisional).
    base_volume = PROVISIONAL + 49, 409, "invalid operation: volume is a base volume";
    /// INV_INPUT_VV_IS_FPVV (number provisional).
    already_full = PROVISIONAL + 67, 403, "invalid input: volume is fully provisioned already";
    /// INV_INPUT_VV_IS_TPVV (number provisional).
    already_thin = PROVISIONAL + 68, 403, "invalid input: volume is thinly provisioned already";
    /// INV_INPUT_VV_IS_TDVV (number provisional).
    already_deduplicated = PROVISIONAL + 69, 403, "invalid input: volume is deduplicated already";
    /// RCOPY_TARGET_NOT_SPECIFIED (number provisional).
    rcopy_target_not_specified = PROVISIONAL + 50, 400, "remote copy target is not specified";
    /// RCOPY_GROUP_TARGET_NOT_UNIQUE (number provisional).
    rcopy_target_not_unique = PROVISIONAL + 51, 400, "remote copy group target is not unique";
    /// RCOPY_TARGET_IS_NOT_READY (number provisional).
    rcopy_target_not_ready = PROVISIONAL + 52, 403, "remote copy target is not ready";
    /// RCOPY_GROUP_INV_TARGET (number provisional).
    rcopy_invalid_target = PROVISIONAL + 53, 403, "remote copy target does not exist in the group";
    /// RCOPY_GROUP_EMPTY (number provisional).
    rcopy_group_empty = PROVISIONAL + 54, 400, "remote copy group has no volumes";
    /// RCOPY_GROUP_NOT_STARTED (number provisional).
    rcopy_group_not_started = PROVISIONAL + 55, 403, "remote copy group is not started";
    /// RCOPY_GROUP_NOT_STOPPED (number provisional).
    rcopy_group_not_stopped = PROVISIONAL + 56, 403, "remote copy group is not stopped";
    /// RCOPY_GROUP_OPERATION_ONLY_ON_PRIMARY_SIDE (number provisional).
    rcopy_only_on_primary = PROVISIONAL + 57, 403, "operation is only allowed on the primary side of the remote copy group";
    /// RCOPY_GROUP_IN_FAILOVER_STATE (number provisional).
    rcopy_in_failover = PROVISIONAL + 58, 403, "remote copy group is in failover state";
    /// RCOPY_GROUP_IS_BUSY (number provisional).
    rcopy_group_busy = PROVISIONAL + 59, 403, "remote copy group is busy";
    /// RCOPY_GROUP_EXISTENT_VOL (number provisional).
    rcopy_existent_volume = PROVISIONAL + 60, 409, "volume is already in a remote copy group";
    /// RCOPY_GROUP_VOL_NOT_IN_GROUP (number provisional).
    rcopy_volume_not_in_group = PROVISIONAL + 61, 404, "volume is not in the remote copy group";
    /// NON_EXISTENT_RCOPY_TARGET (number provisional).
    non_existent_rcopy_target = PROVISIONAL + 62, 404, "remote copy target does not exist";
    /// EXISTENT_RCOPY_TARGET (number provisional).
    existent_rcopy_target = PROVISIONAL + 63, 409, "remote copy target exists";
    /// NON_EXISTENT_RCOPY_LINK (number provisional).
    non_existent_rcopy_link = PROVISIONAL + 64, 404, "remote copy link does not exist";
    /// RCOPY_GROUP_NOT_IN_FAILOVER_STATE (number provisional).
    rcopy_not_in_failover = PROVISIONAL + 65, 403, "remote copy group is not in failover state";
    /// A recovery operation asked of the side that is primary by nature (number provisional).
    rcopy_only_on_secondary = PROVISIONAL + 66, 403, "operation is only allowed on the secondary side of the remote copy group";
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_body_has_code_desc_and_ref_but_no_status() {
        let body = serde_json::to_value(ArrayError::missing_required().with_ref("keepVV")).unwrap();
        assert_eq!(body, serde_json::json!({"code": 40, "desc": "invalid input: missing required", "ref": "keepVV"}));
    }

    #[test]
    fn undocumented_numbers_are_marked() {
        assert!(ArrayError::one_host_policy().is_provisional());
        assert!(!ArrayError::existent_lun().is_provisional());
    }

    #[test]
    fn one_line_for_people() {
        let text = ArrayError::exceeds_length().with_ref("name").to_string();
        assert_eq!(text, "invalid input: string length exceeds limit (code 57, name)");
    }
}
