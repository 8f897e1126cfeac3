//! Priority optimisation: QoS rules for volume sets and for everything else (1.3.1 guide pp. 141-145). Rules are kept and shown; I/O
//! is not slowed down by them.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Value, json};

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;

/// Largest goal or limit, I/Os or KiB per second.
const LIMIT_MAX: i64 = 2_147_483_647;
/// Largest latency goal, milliseconds.
const LATENCY_MAX_MS: i64 = 10_000;
/// Latency goal that `defaultLatency` stands for, milliseconds (captured).
const LATENCY_DEFAULT_MS: u32 = 5000;
/// Name of the rule for all I/O that has no rule of its own.
const ALL_OTHERS: &str = "all_others";

/// What a rule is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum QosTarget {
    /// The volumes of a set, by its number.
    VolumeSet(u32),
    /// Everything without a rule.
    AllOthers,
}

/// A goal and a limit; `None` for no bound.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct QosBounds {
    /// What is given at least while others go without.
    pub min_goal: Option<u32>,
    /// What is given at most.
    pub max_limit: Option<u32>,
}

/// A rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QosRule {
    /// Number.
    pub id: u32,
    /// What it is about.
    pub target: QosTarget,
    /// Whether it is in force.
    pub enabled: bool,
    /// 1 low, 2 normal, 3 high.
    pub priority: u8,
    /// I/Os per second.
    pub io: QosBounds,
    /// KiB per second.
    pub bandwidth: QosBounds,
    /// Latency to aim at, milliseconds.
    pub latency_goal_ms: Option<u32>,
}

/// Body of `POST /qos` and `PUT /qos/<target>`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct SetQosRule {
    /// Volume set (required with `POST`).
    pub name: Option<String>,
    /// 1 volume set, 2 system (required with `POST`).
    #[serde(rename = "type")]
    pub kind: Option<i64>,
    /// 1 low, 2 normal, 3 high.
    pub priority: Option<i64>,
    /// Bandwidth goal, KiB per second.
    #[serde(rename = "bwMinGoalKB")]
    pub bw_min_goal_kb: Option<i64>,
    /// Bandwidth limit, KiB per second.
    #[serde(rename = "bwMaxLimitKB")]
    pub bw_max_limit_kb: Option<i64>,
    /// I/O goal, per second.
    pub io_min_goal: Option<i64>,
    /// I/O limit, per second.
    pub io_max_limit: Option<i64>,
    /// Whether it is in force.
    pub enable: Option<bool>,
    /// 1 zero, 2 no bound, instead of a bandwidth goal.
    #[serde(rename = "bwMinGoalOP")]
    pub bw_min_goal_op: Option<i64>,
    /// The same instead of a bandwidth limit.
    #[serde(rename = "bwMaxLimitOP")]
    pub bw_max_limit_op: Option<i64>,
    /// The same instead of an I/O goal.
    #[serde(rename = "ioMinGoalOP")]
    pub io_min_goal_op: Option<i64>,
    /// The same instead of an I/O limit.
    #[serde(rename = "ioMaxLimitOP")]
    pub io_max_limit_op: Option<i64>,
    /// Latency to aim at, milliseconds.
    pub latency_goal: Option<i64>,
    /// Aim at the usual latency.
    pub default_latency: Option<bool>,
}

/// The rules.
#[derive(Debug, Clone, Default)]
pub(crate) struct QosRules {
    rules: BTreeMap<QosTarget, QosRule>,
    next: u32,
}

impl QosRules {
    /// Whether a rule is about this volume set.
    pub(crate) fn names_set(&self, set: u32) -> bool {
        self.rules.contains_key(&QosTarget::VolumeSet(set))
    }

    /// Whether a rule about this volume set is in force.
    pub(crate) fn is_enabled_for(&self, set: u32) -> bool {
        self.rules.get(&QosTarget::VolumeSet(set)).is_some_and(|rule| rule.enabled)
    }
}

/// One bound of a request: `None` when it is not given, `Some(None)` for no bound. The operation takes precedence.
fn read_bound(value: Option<i64>, operation: Option<i64>, member: &str) -> Result<Option<Option<u32>>, ArrayError> {
    match operation {
        Some(1) => return Ok(Some(Some(0))),
        Some(2) => return Ok(Some(None)),
        Some(_) => return Err(ArrayError::bad_enum_value().with_ref(format!("{member}OP"))),
        None => {}
    }
    match value {
        None => Ok(None),
        Some(n) if n < 0 => Err(ArrayError::below_range().with_ref(member)),
        Some(n) if n > LIMIT_MAX => Err(ArrayError::exceeds_range().with_ref(member)),
        Some(n) => Ok(Some(u32::try_from(n).ok())),
    }
}

impl QosBounds {
    /// The bounds after a request; goal and limit come in pairs.
    fn changed(
        self,
        (goal, goal_member): (Option<Option<u32>>, &str),
        (limit, limit_member): (Option<Option<u32>>, &str),
        above: fn() -> ArrayError,
    ) -> Result<Self, ArrayError> {
        let (min_goal, max_limit) = match (goal, limit) {
            (None, None) => return Ok(self),
            (Some(goal), Some(limit)) => (goal, limit),
            (None, Some(_)) => return Err(ArrayError::missing_required().with_ref(goal_member)),
            (Some(_), None) => return Err(ArrayError::missing_required().with_ref(limit_member)),
        };
        if max_limit.is_some_and(|limit| min_goal.is_some_and(|goal| goal > limit)) {
            return Err(above().with_ref(format!("{goal_member},{limit_member}")));
        }
        Ok(Self { min_goal, max_limit })
    }
}

impl QosRule {
    /// Takes over what a request says.
    fn change(&mut self, body: &SetQosRule) -> Result<(), ArrayError> {
        self.io = self.io.changed(
            (read_bound(body.io_min_goal, body.io_min_goal_op, "ioMinGoal")?, "ioMinGoal"),
            (read_bound(body.io_max_limit, body.io_max_limit_op, "ioMaxLimit")?, "ioMaxLimit"),
            ArrayError::io_goal_above_limit,
        )?;
        self.bandwidth = self.bandwidth.changed(
            (read_bound(body.bw_min_goal_kb, body.bw_min_goal_op, "bwMinGoalKB")?, "bwMinGoalKB"),
            (read_bound(body.bw_max_limit_kb, body.bw_max_limit_op, "bwMaxLimitKB")?, "bwMaxLimitKB"),
            ArrayError::bandwidth_goal_above_limit,
        )?;
        self.priority = match body.priority {
            None => self.priority,
            Some(1) => 1,
            Some(2) => 2,
            Some(3) => 3,
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("priority")),
        };
        match (body.latency_goal, body.default_latency) {
            (Some(_), Some(true)) => {
                return Err(ArrayError::parameter_conflict().with_ref("latencyGoal,defaultLatency"));
            }
            (None, Some(true)) => self.latency_goal_ms = Some(LATENCY_DEFAULT_MS),
            (Some(n), _) if n < 1 => return Err(ArrayError::below_range().with_ref("latencyGoal")),
            (Some(n), _) if n > LATENCY_MAX_MS => return Err(ArrayError::exceeds_range().with_ref("latencyGoal")),
            (Some(n), _) => self.latency_goal_ms = u32::try_from(n).ok(),
            (None, _) => {}
        }
        self.enabled = body.enable.unwrap_or(self.enabled);
        Ok(())
    }
}

impl Array {
    /// Makes a QoS rule; gives its target as the URI names it.
    ///
    /// # Errors
    /// 40 without name or type or with half of a pair, 46 bad numbers, 117 unknown volume set, 114 when there is a rule, 43 and 115 out
    /// of range, 44 contradicting members; provisional codes (400) for a goal above its limit.
    pub fn create_qos_rule(&mut self, now: Duration, body: &SetQosRule) -> Result<String, ArrayError> {
        self.advance(now);
        let name = body.name.as_deref().ok_or_else(|| ArrayError::missing_required().with_ref("name"))?;
        let target = match body.kind {
            Some(1) => self.volume_sets.id_of(name).map(QosTarget::VolumeSet),
            Some(2) => (name == ALL_OTHERS).then_some(QosTarget::AllOthers),
            Some(_) => return Err(ArrayError::bad_enum_value().with_ref("type")),
            None => return Err(ArrayError::missing_required().with_ref("type")),
        };
        let target = target.ok_or_else(|| ArrayError::invalid_qos_target().with_ref("name"))?;
        if self.qos.rules.contains_key(&target) {
            return Err(ArrayError::existent_qos_rule().with_ref("name"));
        }
        let mut rule = QosRule {
            id: self.qos.next,
            target,
            enabled: true,
            priority: 2,
            io: QosBounds::default(),
            bandwidth: QosBounds::default(),
            latency_goal_ms: None,
        };
        rule.change(body)?;
        self.qos.next += 1;
        self.qos.rules.insert(target, rule);
        let uri = self.qos_target_name(target);
        self.note(EventKind::QosRuleChanged { target: uri.clone() });
        Ok(uri)
    }

    /// Changes a QoS rule; `target` is `vvset:<set>` or `sys:all_others`.
    ///
    /// # Errors
    /// 100 when there is no such rule, 44 when the body names another target, and the codes of [`Array::create_qos_rule`].
    pub fn modify_qos_rule(&mut self, now: Duration, target: &str, body: &SetQosRule) -> Result<(), ArrayError> {
        self.advance(now);
        let mut rule = self.qos_rule(target)?.clone();
        if body.name.is_some() || body.kind.is_some() {
            return Err(ArrayError::invalid_input().with_ref("name"));
        }
        rule.change(body)?;
        self.qos.rules.insert(rule.target, rule);
        self.note(EventKind::QosRuleChanged { target: target.to_owned() });
        Ok(())
    }

    /// Deletes a QoS rule.
    ///
    /// # Errors
    /// 100 when there is no such rule.
    pub fn remove_qos_rule(&mut self, now: Duration, target: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let found = self.qos_rule(target)?.target;
        self.qos.rules.remove(&found);
        self.note(EventKind::QosRuleChanged { target: target.to_owned() });
        Ok(())
    }

    /// The rule about `vvset:<set>` or `sys:all_others`.
    ///
    /// # Errors
    /// 100 when there is none, 12 for another form of target.
    pub fn qos_rule(&self, target: &str) -> Result<&QosRule, ArrayError> {
        let found = match target.split_once(':') {
            Some(("vvset", set)) => self.volume_sets.id_of(set).map(QosTarget::VolumeSet),
            Some(("sys", ALL_OTHERS)) => Some(QosTarget::AllOthers),
            _ => return Err(ArrayError::invalid_input().with_ref("target")),
        };
        found.and_then(|target| self.qos.rules.get(&target)).ok_or_else(ArrayError::non_existent_qos_rule)
    }

    /// All rules as the WSAPI shows them.
    #[must_use]
    pub fn qos_rows(&self) -> Vec<Value> {
        self.qos.rules.values().map(|rule| self.qos_row_of(rule)).collect()
    }

    /// One rule as the WSAPI shows it.
    ///
    /// # Errors
    /// Those of [`Array::qos_rule`].
    pub fn qos_row(&self, target: &str) -> Result<Value, ArrayError> {
        self.qos_rule(target).map(|rule| self.qos_row_of(rule))
    }

    /// How URIs and the command line name a target.
    #[must_use]
    pub fn qos_target_name(&self, target: QosTarget) -> String {
        match target {
            QosTarget::VolumeSet(set) => {
                let name = self.volume_sets.get(set).map(|set| set.name.to_string());
                format!("vvset:{}", name.unwrap_or_default())
            }
            QosTarget::AllOthers => format!("sys:{ALL_OTHERS}"),
        }
    }

    fn qos_row_of(&self, rule: &QosRule) -> Value {
        let uri = self.qos_target_name(rule.target);
        let name = uri.split_once(':').map_or("", |(_, name)| name);
        let mut row = json!({
            "id": rule.id, "type": if matches!(rule.target, QosTarget::AllOthers) { 2 } else { 1 }, "name": name,
            "enabled": rule.enabled, "priority": rule.priority,
        });
        // A bound that is not there is not shown.
        for (member, bound) in [
            ("bwMinGoalKB", rule.bandwidth.min_goal),
            ("bwMaxLimitKB", rule.bandwidth.max_limit),
            ("ioMinGoal", rule.io.min_goal),
            ("ioMaxLimit", rule.io.max_limit),
            ("latencyGoal", rule.latency_goal_ms),
        ] {
            if let Some(bound) = bound {
                row[member] = json!(bound);
            }
        }
        if let Some(goal) = rule.latency_goal_ms {
            // The array's own spelling.
            row["latencyGoaluSecs"] = json!(u64::from(goal) * 1000);
        }
        row
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ArrayConfig, CreateSet, SetKind};

    const NOW: Duration = Duration::from_secs(60);

    fn array() -> Array {
        let mut array = Array::new(ArrayConfig::default());
        array.create_set(NOW, SetKind::Volume, &CreateSet::new("vs", &[])).unwrap();
        array
    }

    fn rule() -> SetQosRule {
        SetQosRule {
            name: Some("vs".into()),
            kind: Some(1),
            io_min_goal: Some(100),
            io_max_limit: Some(1000),
            ..SetQosRule::default()
        }
    }

    #[test]
    fn a_rule_from_birth_to_end() {
        let mut array = array();
        assert_eq!(array.create_qos_rule(NOW, &rule()).unwrap(), "vvset:vs");
        assert_eq!(array.create_qos_rule(NOW, &rule()).unwrap_err().code, 114);
        let row = array.qos_row("vvset:vs").unwrap();
        assert_eq!((&row["ioMinGoal"], &row["ioMaxLimit"], &row["priority"]), (&json!(100), &json!(1000), &json!(2)));
        assert!(array.set_row(SetKind::Volume, "vs").unwrap().qos_enabled.unwrap());
        let refused = array.remove_set(NOW, SetKind::Volume, "vs").unwrap_err();
        assert_eq!(refused, ArrayError::volume_set_is_qos_target());
        let off = SetQosRule { enable: Some(false), default_latency: Some(true), ..SetQosRule::default() };
        array.modify_qos_rule(NOW, "vvset:vs", &off).unwrap();
        let row = array.qos_row("vvset:vs").unwrap();
        assert_eq!(
            (&row["enabled"], &row["latencyGoal"], &row["ioMaxLimit"]),
            (&json!(false), &json!(5000), &json!(1000))
        );
        array.remove_qos_rule(NOW, "vvset:vs").unwrap();
        assert_eq!(array.remove_qos_rule(NOW, "vvset:vs").unwrap_err().code, 100);
        array.remove_set(NOW, SetKind::Volume, "vs").unwrap();
    }

    #[test]
    fn bounds_come_in_pairs_and_in_order() {
        let mut array = array();
        let mut refused = |body: SetQosRule| array.create_qos_rule(NOW, &body).unwrap_err();
        assert_eq!(refused(SetQosRule { name: Some("nix".into()), ..rule() }).code, 117);
        assert_eq!(refused(SetQosRule { kind: Some(3), ..rule() }).code, 46);
        assert_eq!(refused(SetQosRule { io_max_limit: None, ..rule() }).code, 40);
        assert_eq!(
            refused(SetQosRule { io_min_goal: Some(2000), ..rule() }).desc,
            ArrayError::io_goal_above_limit().desc
        );
        assert_eq!(refused(SetQosRule { io_min_goal: Some(-1), ..rule() }).code, 115);
        assert_eq!(refused(SetQosRule { io_max_limit: Some(1 << 40), ..rule() }).code, 43);
        let free = SetQosRule { io_min_goal_op: Some(1), io_max_limit_op: Some(2), ..rule() };
        array.create_qos_rule(NOW, &free).unwrap();
        let row = array.qos_row("vvset:vs").unwrap();
        assert_eq!((&row["ioMinGoal"], row.get("ioMaxLimit")), (&json!(0), None));
    }

    #[test]
    fn everything_else_can_have_a_rule() {
        let mut array = array();
        let others = SetQosRule { name: Some("all_others".into()), kind: Some(2), ..rule() };
        assert_eq!(array.create_qos_rule(NOW, &others).unwrap(), "sys:all_others");
        assert_eq!(array.qos_row("sys:all_others").unwrap()["type"], 2);
        assert_eq!(array.qos_rule("all_others").unwrap_err().code, 12);
    }
}
