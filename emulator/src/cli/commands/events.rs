//! The event log and alerts: `showeventlog`, `showalert`.

use serde_json::Value;

use super::{Answer, Command, Invocation, Outcome};
use crate::{
    array::{Event, Timestamp},
    cli::pattern::fits,
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new("removealert", "remove alerts", "-f -a", "[<alert>]...", |_| {
        Err(Outcome::refused("Alerts of this array end when what they speak of ends"))
    }),
    Command::new("showalert", "list alerts", "-n -a -f -all -d -oneline -svc -wide", "", show_alerts),
    Command::new(
        "showeventlog",
        "list events",
        "-min=<minutes> -more -oneline -d -debug -startt=<time> -endt=<time> -sev=<severity> -nsev=<severity> -type=<pattern> -ntype=<pattern> \
         -msg=<pattern> -nmsg=<pattern> -comp=<pattern> -class=<pattern> -node=<node>",
        "",
        show,
    ),
];

/// An event as the log prints it.
struct Line {
    time: String,
    severity: &'static str,
    kind: String,
    message: String,
}

/// The words of an event: its kind, and its members as `name value`.
fn line(event: &Event, started: u64) -> Line {
    let value = serde_json::to_value(&event.kind).unwrap_or(Value::Null);
    let kind = value["event"].as_str().unwrap_or("event").to_owned();
    let failed = matches!(value["outcome"].as_str(), Some("refused" | "faulted"));
    let mut parts = Vec::new();
    for (member, value) in value.as_object().into_iter().flatten().filter(|(member, _)| *member != "event") {
        match value {
            Value::Null => {}
            Value::String(text) => parts.push(format!("{member} {{{text}}}")),
            other => parts.push(format!("{member} {other}")),
        }
    }
    Line {
        time: Timestamp(started.saturating_add(event.at.as_secs())).with_zone_name(),
        severity: if failed { "Minor" } else { "Informational" },
        kind: in_words(&kind),
        message: parts.join(" "),
    }
}

/// `vlunCreated` as `Vlun created`.
fn in_words(name: &str) -> String {
    let mut words = String::new();
    for (index, character) in name.chars().enumerate() {
        if index == 0 {
            words.extend(character.to_uppercase());
        } else if character.is_uppercase() {
            words.push(' ');
            words.extend(character.to_lowercase());
        } else {
            words.push(character);
        }
    }
    words
}

/// Runs `showeventlog`.
fn show(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let minutes = invocation.number("-min")?;
    if minutes.is_some_and(|minutes| minutes < 0) {
        return Err(Outcome::refused("Invalid value for -min: must not be negative"));
    }
    let lines: Vec<Line> = invocation.read(|array| {
        let window = minutes.map(|minutes| std::time::Duration::from_secs(minutes.unsigned_abs().saturating_mul(60)));
        let from = window.map(|window| array.now().saturating_sub(window)).unwrap_or_default();
        let started = array.started_at().0;
        array.events().all().iter().filter(|event| event.at >= from).map(|event| line(event, started)).collect()
    });
    let matches = |option: &str, text: &str| {
        invocation.value(option).is_none_or(|pattern| {
            let (pattern, text) = (pattern.to_ascii_lowercase(), text.to_ascii_lowercase());
            text.contains(&pattern) || fits(&pattern, &text)
        })
    };
    let excludes = |option: &str, text: &str| invocation.value(option).is_some() && matches(option, text);
    let mut text = String::new();
    for line in lines.iter().filter(|line| {
        matches("-sev", line.severity)
            && !excludes("-nsev", line.severity)
            && matches("-type", &line.kind)
            && !excludes("-ntype", &line.kind)
            && matches("-msg", &line.message)
            && !excludes("-nmsg", &line.message)
    }) {
        if invocation.has("-oneline") {
            text.push_str(&format!("{} {:<13} {:<24} {}\n", line.time, line.severity, line.kind, line.message));
        } else {
            text.push_str(&format!(
                "Time     : {}\nSeverity : {}\nType     : {}\nMessage  : {}\n\n",
                line.time, line.severity, line.kind, line.message
            ));
        }
    }
    if text.is_empty() {
        text.push_str("No event matching your criteria was found!\n");
    }
    Ok(Outcome::Done(text))
}

/// Runs `showalert`: what is wrong with the array now, which is ports whose link is not ready.
fn show_alerts(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let (ports, time) = invocation.read(|array| {
        let down: Vec<_> = array.port_rows().into_iter().filter(|port| u8::from(port.link_state) != 4).collect();
        (down, Timestamp(array.started_at().0 + array.now().as_secs()).with_zone_name())
    });
    let mut text = String::new();
    for (id, port) in (1_u32..).zip(&ports) {
        let message = format!("Port {} Degraded (Link down)", port.port_pos);
        if invocation.has("-oneline") {
            text.push_str(&format!("{id:>2} New {time} Degraded Port state {message}\n"));
        } else {
            text.push_str(&format!(
                "Id          : {id}\nState       : New\nMessage Code: 0x0030007\nTime        : {time}\nSeverity    : Degraded\nType        : Component state change\nMessage     : {message}\n\n"
            ));
        }
    }
    let total = ports.len();
    Ok(Outcome::Done(if total == 0 { "No alerts found\n".to_owned() } else { format!("{text}{total} alerts\n") }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_become_words() {
        assert_eq!(in_words("vlunRemovalFaked"), "Vlun removal faked");
        assert_eq!(in_words("command"), "Command");
        assert_eq!(in_words(""), "");
    }
}
