//! Calls of the plugins' sockets, and requests to the array, as items.

use std::collections::BTreeMap;

use serde_json::Value;

use super::recording::{Call, Command, Recording};
use super::timeline::{Answer, AnswerKind, Item, Lane, What};
use super::words::mentions;

/// Bodies and answers are shown up to this many characters.
const LONGEST: usize = 2_000;
/// What a volume without a WWN is known by.
const BY_NAME: &str = "name:";

/// All calls, and all requests to the array.
pub(super) fn items(recording: &Recording) -> Vec<Item> {
    let wwns: BTreeMap<&str, String> =
        recording.names.iter().map(|(wwn, name)| (name.as_str(), wwn.to_string())).collect();
    let calls = recording.calls.iter().filter(|call| is_worth_showing(call)).map(|call| of_call(call, &wwns));
    calls.chain(recording.commands.iter().map(|command| of_command(command, recording))).collect()
}

/// A starting plugin is asked again and again until it answers.
fn is_worth_showing(call: &Call) -> bool {
    let answered = call.answer.as_ref().is_some_and(|answer| answer.kind == AnswerKind::Done);
    answered || !call.endpoint.ends_with(".Capabilities")
}

fn of_call(call: &Call, wwns: &BTreeMap<&str, String>) -> Item {
    let sent: Option<Value> = serde_json::from_str(&call.body).ok();
    let name = sent.as_ref().and_then(|sent| sent.get("Name")).and_then(Value::as_str);
    let volume = name.map(|name| wwns.get(name).cloned().unwrap_or_else(|| format!("{BY_NAME}{name}")));
    let method = call.endpoint.rsplit('.').next().unwrap_or(&call.endpoint);
    Item {
        at: call.at.into(),
        end: call.answer.as_ref().map(|answer| answer.at.into()),
        lane: Lane::Node(call.node.clone()),
        node: Some(call.node.clone()),
        volume,
        what: What::Request {
            method: method.to_owned(),
            caller: Some(call.caller.clone()),
            asked: Some(cut(call.body.trim_end())),
            answer: call.answer.as_ref().map(|answer| Answer { outcome: answer.kind, text: cut(&answer.text) }),
        },
    }
}

fn of_command(command: &Command, recording: &Recording) -> Item {
    let on_volume = |(name, _): &(&String, _)| mentions(&command.command, name);
    let volume = recording.array_names.iter().find(on_volume).map(|(_, wwn)| wwn.to_string());
    Item {
        at: command.at.into(),
        end: None,
        lane: Lane::Array,
        node: None,
        volume,
        what: What::Command {
            channel: command.channel.clone(),
            command: cut(&command.command),
            outcome: cut(&command.outcome),
            reads: command.reads,
        },
    }
}

/// The name of a volume that is known by its name only.
pub(super) fn name_of_nameless(id: &str) -> &str {
    id.strip_prefix(BY_NAME).unwrap_or(id)
}

fn cut(text: &str) -> String {
    let mut cut: String = text.chars().take(LONGEST).collect();
    if cut.len() < text.len() {
        cut.push('…');
    }
    cut
}
