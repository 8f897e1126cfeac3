//! Parameters of the system (`PUT /system`).

use std::time::Duration;

use serde::Deserialize;
use serde_json::Value;

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;

/// `parameters` in the body of `PUT /system`, and what is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SystemParameters {
    /// Send the log to another host.
    pub remote_syslog: Option<bool>,
    /// That host.
    pub remote_syslog_host: Option<String>,
    /// Host for the security log.
    pub remote_syslog_security_host: Option<String>,
    /// Let partner ports take over.
    pub port_failover_enabled: Option<bool>,
    /// Let matched sets take part in that.
    pub failover_matched_set: Option<bool>,
    /// No deduplication.
    pub disable_dedup: Option<bool>,
    /// No compression.
    pub disable_compr: Option<bool>,
    /// Most virtual size for what is there, percent; 0 for no bound.
    pub over_prov_ratio_limit: Option<i64>,
    /// The same, warning.
    pub over_prov_ratio_warning: Option<i64>,
    /// Allow RAID 5 on nearline disks.
    #[serde(rename = "allowR5OnNLDrives")]
    pub allow_r5_on_nl_drives: Option<bool>,
    /// Allow RAID 5 on fast class disks.
    #[serde(rename = "allowR5OnFCDrives")]
    pub allow_r5_on_fc_drives: Option<bool>,
    /// A compliance officer has to approve.
    pub compliance_officer_approval: Option<bool>,
}

impl SystemParameters {
    /// What is set, for `/system`.
    pub(crate) fn add_to(&self, row: &mut Value) {
        let mut set = |member: &str, value: Option<Value>| {
            if let Some(value) = value {
                row[member] = value;
            }
        };
        set("remoteSyslog", self.remote_syslog.map(Value::from));
        set("remoteSyslogHost", self.remote_syslog_host.clone().map(Value::from));
        set("remoteSyslogSecurityHost", self.remote_syslog_security_host.clone().map(Value::from));
        set("portFailoverEnabled", self.port_failover_enabled.map(Value::from));
        set("failoverMatchedSet", self.failover_matched_set.map(Value::from));
        set("disableDedup", self.disable_dedup.map(Value::from));
        set("disableCompr", self.disable_compr.map(Value::from));
        set("overProvRatioLimit", self.over_prov_ratio_limit.map(Value::from));
        set("overProvRatioWarning", self.over_prov_ratio_warning.map(Value::from));
        set("allowR5OnNLDrives", self.allow_r5_on_nl_drives.map(Value::from));
        set("allowR5OnFCDrives", self.allow_r5_on_fc_drives.map(Value::from));
        set("complianceOfficerApproval", self.compliance_officer_approval.map(Value::from));
    }

    /// Takes over what `other` has.
    fn merge(&mut self, other: &Self) {
        fn take<T: Clone>(mine: &mut Option<T>, theirs: &Option<T>) {
            if theirs.is_some() {
                mine.clone_from(theirs);
            }
        }
        take(&mut self.remote_syslog, &other.remote_syslog);
        take(&mut self.remote_syslog_host, &other.remote_syslog_host);
        take(&mut self.remote_syslog_security_host, &other.remote_syslog_security_host);
        take(&mut self.port_failover_enabled, &other.port_failover_enabled);
        take(&mut self.failover_matched_set, &other.failover_matched_set);
        take(&mut self.disable_dedup, &other.disable_dedup);
        take(&mut self.disable_compr, &other.disable_compr);
        take(&mut self.over_prov_ratio_limit, &other.over_prov_ratio_limit);
        take(&mut self.over_prov_ratio_warning, &other.over_prov_ratio_warning);
        take(&mut self.allow_r5_on_nl_drives, &other.allow_r5_on_nl_drives);
        take(&mut self.allow_r5_on_fc_drives, &other.allow_r5_on_fc_drives);
        take(&mut self.compliance_officer_approval, &other.compliance_officer_approval);
    }
}

impl Array {
    /// Sets parameters of the system, or the flash cache policy of all of it (1 on, 2 off).
    ///
    /// # Errors
    /// 78 nothing to do, 44 both at once, 46 bad policy, 115 a ratio below zero.
    pub fn modify_system(
        &mut self,
        now: Duration,
        parameters: Option<&SystemParameters>,
        flash_cache_policy: Option<i64>,
    ) -> Result<(), ArrayError> {
        self.advance(now);
        match (parameters, flash_cache_policy) {
            (Some(_), Some(_)) => return Err(ArrayError::parameter_conflict().with_ref("parameters,flashCachePolicy")),
            (None, None) => return Err(ArrayError::one_required().with_ref("parameters,flashCachePolicy")),
            (None, Some(policy)) => {
                self.flash_cache_policy = match policy {
                    1 => true,
                    2 => false,
                    _ => return Err(ArrayError::bad_enum_value().with_ref("flashCachePolicy")),
                };
            }
            (Some(parameters), None) => {
                let below = |ratio: Option<i64>| ratio.is_some_and(|ratio| ratio < 0);
                if below(parameters.over_prov_ratio_limit) || below(parameters.over_prov_ratio_warning) {
                    return Err(ArrayError::below_range().with_ref("overProvRatioLimit"));
                }
                self.parameters.merge(parameters);
            }
        }
        self.note(EventKind::SystemModified);
        Ok(())
    }
}
