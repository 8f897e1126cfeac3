//! Quality of service: `createqos`, `setqos`, `removeqos`, `showqos`.

use serde_json::Value;

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{ArrayError, SetQosRule},
    cli::{
        pattern::wanted_by,
        table::{Column, Table},
    },
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("createqos", "make QoS rules", RULE, "vvset:<set>|sys:all_others...", |one| change(one, Mode::Create)),
    Command::new("removeqos", "remove QoS rules", "-f", "vvset:<set>|sys:all_others...", |one| {
        change(one, Mode::Remove)
    }),
    Command::new("setqos", "make or change QoS rules", RULE, "vvset:<set>|sys:all_others...", |one| {
        change(one, Mode::Set)
    }),
    Command::new("showqos", "list QoS rules", "-d -domain=<domain>", "[vvset:<set>|<pattern>]...", show),
];

/// Options of a rule.
const RULE: &str = "-io=[<goal>-]<limit> -bw=[<goal>-]<limit>[k|m|g] -pri=low|normal|high -lt=<msecs>|default -on -off -clear -vv_only";

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Create,
    Set,
    Remove,
}

/// A goal and a limit: `500`, `100-500`; the factor is that of the letter, KiB for a bandwidth.
fn bounds(option: &str, text: &str, bandwidth: bool) -> Result<(Option<i64>, Option<i64>), Outcome> {
    let invalid = || Outcome::refused(format!("Invalid value for {option}: {text}"));
    let read = |part: &str| {
        let (digits, factor) = match part.char_indices().last() {
            Some((at, letter)) if bandwidth && letter.is_ascii_alphabetic() => {
                let factor = match letter.to_ascii_lowercase() {
                    'k' => 1,
                    'm' => 1024,
                    'g' => 1024 * 1024,
                    _ => return Err(invalid()),
                };
                (&part[..at], factor)
            }
            _ => (part, 1),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid());
        }
        digits.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(invalid)
    };
    match text.split_once('-') {
        Some((goal, limit)) => Ok((Some(read(goal)?), Some(read(limit)?))),
        None => Ok((None, Some(read(text)?))),
    }
}

/// The rule that options describe.
fn rule(invocation: &Invocation<'_>) -> Result<SetQosRule, Outcome> {
    let mut rule = SetQosRule::default();
    if let Some(text) = invocation.value("-io") {
        let (goal, limit) = bounds("-io", text, false)?;
        (rule.io_min_goal, rule.io_max_limit) = (goal.or(limit), limit);
    }
    if let Some(text) = invocation.value("-bw") {
        let (goal, limit) = bounds("-bw", text, true)?;
        (rule.bw_min_goal_kb, rule.bw_max_limit_kb) = (goal.or(limit), limit);
    }
    rule.priority = match invocation.value("-pri") {
        None => None,
        Some("low") => Some(1),
        Some("normal") => Some(2),
        Some("high") => Some(3),
        Some(word) => return Err(Outcome::refused(format!("Invalid value for -pri: {word}"))),
    };
    match invocation.value("-lt") {
        None => {}
        Some("default") => rule.default_latency = Some(true),
        Some(_) => rule.latency_goal = invocation.number("-lt")?,
    }
    rule.enable = match (invocation.has("-on"), invocation.has("-off")) {
        (true, true) => return Err(invocation.misused("-on and -off exclude each other")),
        (true, false) => Some(true),
        (false, true) => Some(false),
        (false, false) => None,
    };
    Ok(rule)
}

/// Makes, changes or removes the rules of the targets; silent when it worked. `setqos` makes a rule that is not there, as the
/// clients that know no other command expect.
fn change(invocation: &Invocation<'_>, mode: Mode) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let rule = rule(invocation)?;
    for target in invocation.operands() {
        let (kind, name) = match target.split_once(':') {
            Some(("vvset", set)) => (1, set),
            Some(("sys", "all_others")) => (2, "all_others"),
            _ => return Err(Outcome::refused("no matching QoS target found")),
        };
        let known = invocation.read(|array| array.qos_rule(target).is_ok());
        let removing = mode == Mode::Remove || invocation.has("-clear");
        let done = invocation.change(|array, now| match (removing, known && mode != Mode::Create) {
            (true, _) => array.remove_qos_rule(now, target),
            (false, true) => array.modify_qos_rule(now, target, &rule),
            (false, false) => {
                let new = SetQosRule { name: Some(name.to_owned()), kind: Some(kind), ..rule.clone() };
                array.create_qos_rule(now, &new).map(drop)
            }
        });
        done.map_err(|error| refused(&error))?;
    }
    Ok(Outcome::Done(String::new()))
}

fn refused(error: &ArrayError) -> Outcome {
    let absent = [ArrayError::non_existent_qos_rule().code, ArrayError::invalid_qos_target().code];
    if absent.contains(&error.code) {
        return Outcome::refused("no matching QoS target found");
    }
    Outcome::refused(format!("Error: {}", error.desc))
}

/// Runs `showqos`.
fn show(invocation: &Invocation<'_>) -> Answer {
    let mut columns = vec![Column::right("Id"), Column::left("Type"), Column::left("Name"), Column::left("QoS")];
    columns.push(Column::left("Priority"));
    columns.extend(["Min", "Max", "Min", "Max", "Goal"].map(Column::right));
    let mut table = Table::new(columns).with_groups(&[
        (5, ""),
        (2, "-I/O_per_second-"),
        (2, "-KBytes_per_sec-"),
        (1, "Latency(ms)"),
    ]);
    for row in invocation.read(|array| array.qos_rows()) {
        let name = row["name"].as_str().unwrap_or_default();
        let (kind, target) = match row["type"].as_u64() {
            Some(2) => ("sys", format!("sys:{name}")),
            _ => ("vvset", format!("vvset:{name}")),
        };
        if !wanted_by(invocation.operands(), &target) && !wanted_by(invocation.operands(), name) {
            continue;
        }
        let figure = |member: &str| match &row[member] {
            Value::Null => "--".to_owned(),
            other => other.to_string(),
        };
        let priority = match row["priority"].as_u64() {
            Some(1) => "low",
            Some(3) => "high",
            _ => "normal",
        };
        table.push(vec![
            figure("id"),
            kind.to_owned(),
            name.to_owned(),
            if row["enabled"] == true { "on" } else { "off" }.to_owned(),
            priority.to_owned(),
            figure("ioMinGoal"),
            figure("ioMaxLimit"),
            figure("bwMinGoalKB"),
            figure("bwMaxLimitKB"),
            figure("latencyGoal"),
        ]);
    }
    invocation.print(&table, "no matching QoS target found")
}
