//! `removevv`: volumes and virtual copies.

use super::{
    Answer, Command, Invocation, Outcome,
    refusal::About,
    volume_show::{has_expired, volumes_wanted},
};
use crate::{array::VolumeRow, cli::pattern::is_pattern};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "removevv",
    "remove volumes and virtual copies",
    "-f -cascade -snaponly -expired -stale -nowait -pat -dr -p -cpg=<CPG>[,...] -removescsi3",
    "<VV_name>|<pattern>|set:<vvset>...",
    remove,
)];

/// Runs `removevv`. With `-cascade` the virtual copies of a volume go with it, with `-snaponly` only virtual copies go.
fn remove(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    if !invocation.has("-pat")
        && let Some(pattern) = invocation.operands().iter().find(|operand| operand.contains(['*', '?', '[']))
    {
        return Err(Outcome::refused(format!("Invalid vv name: {pattern} (patterns need -pat)")));
    }
    let named = volumes_wanted(invocation, invocation.operands())?;
    if named.is_empty() {
        let patterns = invocation.operands().iter().any(|operand| is_pattern(operand));
        return Err(Outcome::refused(if patterns { "no matching vv" } else { "no vv listed" }));
    }
    let going = in_order(invocation, named);
    if invocation.has("-dr") {
        return Ok(Outcome::Done(lines("Dry run: removevv", &going)));
    }
    if !invocation.has("-f") {
        let names: Vec<_> = going.iter().map(|row| row.name.as_str()).collect();
        return invocation.ask(format!("Are you sure you want to run removevv on vv {}?", names.join(" ")));
    }
    let mut text = String::new();
    for row in &going {
        text.push_str(&lines("Removing vv", std::slice::from_ref(row)));
        let removed = invocation.change(|array, now| array.remove_volume(now, row.name.as_str()));
        if let Err(error) = removed {
            if let Outcome::Refused(why) = About::volume(row.name.as_str()).refused(&error) {
                text.push_str(&why);
            }
            return Err(Outcome::Refused(text));
        }
    }
    Ok(Outcome::Done(text))
}

/// What is to go, copies before what they are copies of.
fn in_order(invocation: &Invocation<'_>, named: Vec<VolumeRow>) -> Vec<VolumeRow> {
    let all = invocation.read(|array| array.volume_rows());
    let mut going = named;
    if invocation.has("-cascade") {
        let mut at = 0;
        while at < going.len() {
            let children = all.iter().filter(|row| row.parent_id == Some(going[at].id));
            let new: Vec<_> = children.filter(|row| !going.iter().any(|known| known.id == row.id)).cloned().collect();
            going.extend(new);
            at += 1;
        }
    }
    going.retain(|row| {
        let is_copy = row.copy_type == 3;
        (is_copy || !invocation.has("-snaponly")) && (!invocation.has("-expired") || has_expired(row, invocation))
    });
    let depth = |row: &VolumeRow| {
        let mut depth = 0_usize;
        let mut parent = row.parent_id;
        while let Some(above) = parent.and_then(|id| all.iter().find(|other| other.id == id)) {
            depth += 1;
            parent = above.parent_id;
        }
        std::cmp::Reverse(depth)
    };
    going.sort_by_cached_key(depth);
    going
}

fn lines(what: &str, rows: &[VolumeRow]) -> String {
    rows.iter().map(|row| format!("{what} {}\n", row.name)).collect()
}
