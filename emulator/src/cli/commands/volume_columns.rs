//! The columns of `showvv` and the layouts of its forms.
//!
//! Names of the columns and which form shows which are those of the vendor's PowerShell toolkit, which drives this command; the
//! standard header is a capture. Headers of the other forms are derived from the names.

use super::or_dashes;
use crate::{
    array::{SpaceRow, Timestamp, VolumeRow},
    cli::columns::{Field, Layout, left, right, sum},
};

/// A volume as `showvv` prints it.
pub(super) struct Shown {
    /// The row of the array.
    pub(super) row: VolumeRow,
    /// How deep in the tree of copies it stands; 0 with `-notree`.
    pub(super) depth: usize,
}

impl Shown {
    fn is_snapshot(&self) -> bool {
        self.row.copy_type == 3
    }

    /// A space figure; two dashes for a virtual copy, which has none of its own.
    fn mib(&self, figure: u64) -> String {
        if self.is_snapshot() { "--".to_owned() } else { figure.to_string() }
    }

    fn percent(&self, space: &SpaceRow) -> String {
        if self.is_snapshot() {
            return "--".to_owned();
        }
        let percent = space.used_mib.saturating_mul(1000) / self.row.size_mib.max(1);
        format!("{}.{}", percent / 10, percent % 10)
    }

    fn total(&self, part: fn(&SpaceRow) -> u64) -> String {
        let VolumeRow { admin_space, snapshot_space, user_space, .. } = &self.row;
        self.mib(part(admin_space) + part(snapshot_space) + part(user_space))
    }

    fn time(seconds: Option<u64>) -> String {
        or_dashes(seconds.map(|seconds| Timestamp(seconds).with_zone_name()))
    }
}

/// How full provisioning shows: `cpvv` when there is snapshot space (observed).
pub(super) fn provisioning(row: &VolumeRow) -> String {
    let word = row.provisioning_type.cli_word();
    if word == "full" && row.snap_cpg.is_some() { "cpvv".to_owned() } else { word.to_owned() }
}

fn copy_type(row: &VolumeRow) -> String {
    match row.copy_type {
        1 => "base",
        2 => "pcopy",
        _ => "vcopy",
    }
    .to_owned()
}

/// The word for a state of `deduplicationState` or `compressionState`.
fn yes_no(state: u8) -> String {
    match state {
        1 => "Yes",
        2 => "No",
        3 => "Off",
        _ => "NA",
    }
    .to_owned()
}

fn mark(percent: u32) -> String {
    if percent == 0 { "-".to_owned() } else { percent.to_string() }
}

fn policies(row: &VolumeRow) -> String {
    let policies = row.policies;
    let mut words = vec![if policies.stale_ss { "stale_ss" } else { "no_stale_ss" }];
    words.push(if policies.one_host { "one_host" } else { "no_one_host" });
    words.push(if policies.zero_detect { "zero_detect" } else { "no_zero_detect" });
    words.extend(policies.system.then_some("system"));
    words.push(if policies.caching { "cache" } else { "no_cache" });
    words.extend(policies.fsvc.then_some("fsvc"));
    words.push(match policies.host_dif {
        1 => "3par_host_dif",
        2 => "std_host_dif",
        _ => "no_host_dif",
    });
    words.join(",")
}

/// Columns for `-showcols`.
pub(super) const FIELDS: [Field<Shown>; 66] = [
    right("Id", |v| v.row.id.to_string()),
    left("Name", |v| "  ".repeat(v.depth) + v.row.name.as_str()),
    left("Prov", |v| provisioning(&v.row)),
    left("Compr", |v| yes_no(v.row.compression_state)),
    left("Dedup", |v| if v.row.deduplication_state == 3 { "NA".to_owned() } else { yes_no(v.row.deduplication_state) }),
    left("Type", |v| copy_type(&v.row)),
    left("CopyOf", |v| v.row.copy_of.as_ref().map_or_else(|| "---".to_owned(), ToString::to_string)),
    right("BsId", |v| v.row.base_id.to_string()),
    left("Rd", |v| if v.row.read_only { "RO" } else { "RW" }.to_owned()),
    left("State", |v| state(&v.row)),
    left("Detailed_State", |v| detailed_state(&v.row)),
    left("SedState", |_| "NA".to_owned()),
    sum("Adm_Rsvd_MB", |v| v.mib(v.row.admin_space.reserved_mib)),
    sum("Adm_Used_MB", |v| v.mib(v.row.admin_space.used_mib)),
    sum("Adm_RawRsvd_MB", |v| v.mib(v.row.admin_space.raw_reserved_mib)),
    sum("Snp_Rsvd_MB", |v| v.mib(v.row.snapshot_space.reserved_mib)),
    sum("Snp_Used_MB", |v| v.mib(v.row.snapshot_space.used_mib)),
    sum("Snp_RawRsvd_MB", |v| v.mib(v.row.snapshot_space.raw_reserved_mib)),
    right("Snp_Used_Perc", |v| v.percent(&v.row.snapshot_space)),
    right("Warn_Snp_Perc", |v| mark(v.row.ss_spc_alloc_warning_pct)),
    right("Limit_Snp_Perc", |v| mark(v.row.ss_spc_alloc_limit_pct)),
    sum("Usr_Rsvd_MB", |v| v.mib(v.row.user_space.reserved_mib)),
    sum("Usr_Used_MB", |v| v.mib(v.row.user_space.used_mib)),
    sum("Usr_RawRsvd_MB", |v| v.mib(v.row.user_space.raw_reserved_mib)),
    right("Usr_Used_Perc", |v| v.percent(&v.row.user_space)),
    right("Warn_Usr_Perc", |v| mark(v.row.usr_spc_alloc_warning_pct)),
    right("Limit_Usr_Perc", |v| mark(v.row.usr_spc_alloc_limit_pct)),
    sum("Tot_Rsvd_MB", |v| v.total(|space| space.reserved_mib)),
    sum("Tot_Used_MB", |v| v.total(|space| space.used_mib)),
    sum("Tot_RawRsvd_MB", |v| v.total(|space| space.raw_reserved_mib)),
    sum("VSize_MB", |v| v.row.size_mib.to_string()),
    sum("Host_Wrt_MB", |v| v.mib(v.row.user_space.used_mib)),
    right("Compaction", |v| compaction(&v.row)),
    right("Compression", |v| if v.row.compression_state == 1 { "1.0" } else { "--" }.to_owned()),
    left("VV_WWN", |v| v.row.wwn.to_string()),
    left("UUID", |v| v.row.uuid.clone()),
    right("Udid", |v| v.row.id.to_string()),
    left("UsrCPG", |v| or_dashes(v.row.user_cpg.as_ref())),
    left("SnpCPG", |v| or_dashes(v.row.snap_cpg.as_ref())),
    left("Domain", |v| v.row.domain.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string)),
    left("Policies", |v| policies(&v.row)),
    left("CreationTime", |v| Timestamp(v.row.creation_time_sec).with_zone_name()),
    left("RetentionEndTime", |v| Shown::time(v.row.retention_time_sec)),
    left("ExpirationTime", |v| Shown::time(v.row.expiration_time_sec)),
    left("SpaceCalcTime", |_| "--".to_owned()),
    left("Comment", |v| v.row.comment.clone().unwrap_or_else(|| "-".to_owned())),
    left("Mstr", |_| "0/1/-/-".to_owned()),
    left("Prnt", |v| v.row.parent_id.map_or_else(|| "---".to_owned(), |id| id.to_string())),
    left("Roch", |_| "-1".to_owned()),
    left("Rwch", |_| "-1".to_owned()),
    left("PPrnt", |_| "---".to_owned()),
    left("SPrnt", |_| "---".to_owned()),
    left("PBlkRemain", |_| "--".to_owned()),
    right("SPT", |_| "304".to_owned()),
    right("HPC", |_| "8".to_owned()),
    right("SctSz", |_| "512".to_owned()),
    right("Alert_Adm_Fail_Y", |_| "-".to_owned()),
    right("Alert_Snp_Fail_Y", |_| "-".to_owned()),
    right("Alert_Snp_Wrn_Y", |_| "-".to_owned()),
    right("Alert_Snp_Lim_Y", |_| "-".to_owned()),
    right("Alert_Usr_Fail_Y", |_| "-".to_owned()),
    right("Alert_Usr_Wrn_Y", |_| "-".to_owned()),
    right("Alert_Usr_Lim_Y", |_| "-".to_owned()),
    right("Copied_MB", |_| "--".to_owned()),
    right("Copied_Perc", |_| "--".to_owned()),
    left("RcopyStatus", |_| "none".to_owned()),
];

fn state(row: &VolumeRow) -> String {
    match row.state {
        1 => "normal",
        2 => "degraded",
        3 => "failed",
        _ => "unknown",
    }
    .to_owned()
}

/// What the array does with the volume, else its state.
fn detailed_state(row: &VolumeRow) -> String {
    match row.additional_states.first() {
        Some(12) => "promoting",
        Some(13) => "copy_target",
        Some(14) => "resync_target",
        Some(15) => "tuning",
        Some(17 | 18) => "removing",
        Some(19) => "creating",
        Some(20) => "copy_source",
        Some(21) => "importing",
        Some(22) => "converting",
        _ => return state(row),
    }
    .to_owned()
}

/// How many times larger than its space the volume looks to its hosts.
fn compaction(row: &VolumeRow) -> String {
    match row.size_mib.saturating_mul(10).checked_div(row.user_space.used_mib) {
        Some(tenths) => format!("{}.{}", tenths / 10, tenths % 10),
        None => "--".to_owned(),
    }
}

/// The standard form (observed).
pub(super) const STANDARD: Layout = Layout {
    groups: &[&[
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (1, ""),
        (3, "--Rsvd(MB)---"),
        (1, "-(MB)-"),
    ]],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Prov", "Prov"),
        ("Type", "Type"),
        ("CopyOf", "CopyOf"),
        ("BsId", "BsId"),
        ("Rd", "Rd"),
        ("Detailed_State", "-Detailed_State-"),
        ("Adm_Rsvd_MB", "Adm"),
        ("Snp_Rsvd_MB", "Snp"),
        ("Usr_Rsvd_MB", "Usr"),
        ("VSize_MB", "VSize"),
    ],
};

/// `-d`.
pub(super) const DETAILS: Layout = Layout {
    groups: &[],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Rd", "Rd"),
        ("Mstr", "Mstr"),
        ("Prnt", "Prnt"),
        ("Roch", "Roch"),
        ("Rwch", "Rwch"),
        ("PPrnt", "PPrnt"),
        ("SPrnt", "SPrnt"),
        ("PBlkRemain", "PBlkRemain"),
        ("VV_WWN", "-------------VV_WWN-------------"),
        ("CreationTime", "------CreationTime------"),
        ("Udid", "Udid"),
    ],
};

/// `-s`: space used and reserved.
pub(super) const SPACE: Layout = Layout {
    groups: &[
        &[(4, ""), (2, "---Adm---"), (5, "---------Snp----------"), (5, "----------Usr-----------")],
        &[
            (4, ""),
            (2, "---(MB)--"),
            (2, "---(MB)--"),
            (3, "-(% VSize)-"),
            (2, "---(MB)---"),
            (3, "-(% VSize)-"),
            (4, "--------------(MB)--------------"),
            (2, "-Capacity Efficiency-"),
        ],
    ],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Prov", "Prov"),
        ("Type", "Type"),
        ("Adm_Rsvd_MB", "Rsvd"),
        ("Adm_Used_MB", "Used"),
        ("Snp_Rsvd_MB", "Rsvd"),
        ("Snp_Used_MB", "Used"),
        ("Snp_Used_Perc", "Used"),
        ("Warn_Snp_Perc", "Wrn"),
        ("Limit_Snp_Perc", "Lim"),
        ("Usr_Rsvd_MB", "Rsvd"),
        ("Usr_Used_MB", "Used"),
        ("Usr_Used_Perc", "Used"),
        ("Warn_Usr_Perc", "Wrn"),
        ("Limit_Usr_Perc", "Lim"),
        ("Tot_Rsvd_MB", "Tot_Rsvd"),
        ("Tot_Used_MB", "Tot_Used"),
        ("VSize_MB", "VSize"),
        ("Host_Wrt_MB", "HostWr"),
        ("Compaction", "Compaction"),
        ("Compression", "Compress"),
    ],
};

/// A form whose header has the names of the columns alone.
macro_rules! plain {
    ($($name:literal),*) => { Layout { groups: &[], columns: &[$(($name, $name)),*] } };
}

/// `-r`: space taken from the disks.
pub(super) const RAW_SPACE: Layout = plain![
    "Id",
    "Name",
    "Prov",
    "Type",
    "Adm_RawRsvd_MB",
    "Adm_Rsvd_MB",
    "Snp_RawRsvd_MB",
    "Snp_Rsvd_MB",
    "Usr_RawRsvd_MB",
    "Usr_Rsvd_MB",
    "Tot_RawRsvd_MB",
    "Tot_Rsvd_MB",
    "VSize_MB"
];

/// `-pol`.
pub(super) const POLICIES: Layout =
    Layout { groups: &[], columns: &[("Id", "Id"), ("Name", "Name"), ("Policies", "-Policies-")] };

/// `-cpgalloc`.
pub(super) const CPGS: Layout = plain!["Id", "Name", "Prov", "Type", "UsrCPG", "SnpCPG"];

/// `-state`.
pub(super) const STATE: Layout = Layout {
    groups: &[],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Prov", "Prov"),
        ("Type", "Type"),
        ("State", "-State-"),
        ("Detailed_State", "-Detailed_State-"),
        ("SedState", "SedState"),
    ],
};

/// `-hist`.
pub(super) const HISTORY: Layout = Layout {
    groups: &[],
    columns: &[
        ("Id", "Id"),
        ("Name", "Name"),
        ("Prov", "Prov"),
        ("Type", "Type"),
        ("CreationTime", "------CreationTime-----"),
        ("RetentionEndTime", "----RetentionEndTime---"),
        ("ExpirationTime", "-----ExpirationTime----"),
        ("SpaceCalcTime", "SpaceCalcTime"),
        ("Comment", "-Comment-"),
    ],
};

/// `-g`.
pub(super) const GEOMETRY: Layout = plain!["Id", "Name", "SPT", "HPC", "SctSz"];

/// `-alert`.
pub(super) const ALERTS: Layout = plain![
    "Id",
    "Name",
    "Prov",
    "Type",
    "VSize_MB",
    "Snp_Used_Perc",
    "Warn_Snp_Perc",
    "Limit_Snp_Perc",
    "Usr_Used_Perc",
    "Warn_Usr_Perc",
    "Limit_Usr_Perc",
    "Alert_Adm_Fail_Y",
    "Alert_Snp_Fail_Y",
    "Alert_Snp_Wrn_Y",
    "Alert_Snp_Lim_Y",
    "Alert_Usr_Fail_Y",
    "Alert_Usr_Wrn_Y",
    "Alert_Usr_Lim_Y"
];

/// `-cpprog`.
pub(super) const COPY_PROGRESS: Layout =
    plain!["Id", "Name", "Prov", "Type", "CopyOf", "VSize_MB", "Copied_MB", "Copied_Perc"];

/// `-rcopy`.
pub(super) const REMOTE_COPY: Layout = plain!["Id", "Name", "Prov", "Type", "CopyOf", "BsId", "Rd", "RcopyStatus"];
