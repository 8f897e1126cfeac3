//! Host sets and volume sets: `showhostset`, `createvvset` and their kin.

use super::{Answer, Command, Invocation, Outcome, refusal::About};
use crate::{
    array::{CreateSet, ModifySet, SetKind, SetRow},
    cli::{
        pattern::{is_pattern, wanted, wanted_by},
        table::{Column, Table},
    },
};

/// The six commands of the two kinds.
macro_rules! commands_of {
    ($([$kind:expr, $word:literal, $option:literal, $members:literal]),*) => {
        pub(super) const COMMANDS: &[Command] = &[$(
            Command::new(
                concat!("create", $word),
                concat!("make a ", $members, " set, or add members to one"),
                "-add -comment=<comment> -domain=<domain> -cnt=<number>",
                concat!("<setname> [<", $members, ">|<pattern>|set:<setname>]..."),
                |invocation| create(invocation, $kind),
            ),
            Command::new(
                concat!("remove", $word),
                concat!("remove a ", $members, " set, or members of one"),
                "-f -pat",
                concat!("<setname>|<pattern> [<", $members, ">|<pattern>]..."),
                |invocation| remove(invocation, $kind),
            ),
            Command::new(
                concat!("set", $word),
                concat!("change a ", $members, " set"),
                "-name=<new_name> -comment=<comment>",
                "<setname>",
                |invocation| set(invocation, $kind),
            ),
            Command::new(
                concat!("show", $word),
                concat!("list ", $members, " sets"),
                concat!("-d -summary -uuid -allkeys ", $option, " -domain=<domain|pattern>[,...]"),
                concat!("[<setname>|<pattern>|<", $members, ">]..."),
                |invocation| show(invocation, $kind),
            ),
        )*];
    };
}

commands_of!([SetKind::Host, "hostset", "-host", "host"], [SetKind::Volume, "vvset", "-vv", "vv"]);

/// The option that makes operands of the listing names of members.
const fn member_option(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Host => "-host",
        SetKind::Volume => "-vv",
    }
}

/// The members of a set.
///
/// # Errors
/// A refusal when there is no such set.
pub(super) fn members(invocation: &Invocation<'_>, kind: SetKind, set: &str) -> Result<Vec<String>, Outcome> {
    let row = invocation.read(|array| array.set_row(kind, set));
    row.map(|row| row.setmembers).map_err(|error| {
        let set = format!("set:{set}");
        match kind {
            SetKind::Host => About::host(&set).refused(&error),
            SetKind::Volume => About::volume(&set).refused(&error),
        }
    })
}

/// Adds members to a set, which is made when it is not there.
///
/// # Errors
/// The refusals of the array.
pub(super) fn add(invocation: &Invocation<'_>, kind: SetKind, set: &str, names: &[String]) -> Result<(), Outcome> {
    let known = invocation.read(|array| array.set_row(kind, set).is_ok());
    let done = invocation.change(|array, now| {
        if known {
            let change = ModifySet { action: Some(1), setmembers: Some(names.to_vec()), ..ModifySet::default() };
            array.modify_set(now, kind, set, &change)
        } else {
            let request =
                CreateSet { name: Some(set.to_owned()), setmembers: Some(names.to_vec()), ..CreateSet::default() };
            array.create_set(now, kind, &request)
        }
    });
    done.map(drop).map_err(|error| refused(&error, set, names))
}

fn refused(error: &crate::array::ArrayError, set: &str, names: &[String]) -> Outcome {
    let member = names.first().map(String::as_str).unwrap_or_default();
    About { set, volume: member, host: member, ..About::default() }.refused(error)
}

/// The names that operands stand for: themselves, what a pattern fits, the members of `set:` and a set; each once.
fn named(invocation: &Invocation<'_>, kind: SetKind, operands: &[String]) -> Result<Vec<String>, Outcome> {
    let mut names: Vec<String> = Vec::new();
    for operand in operands {
        let new: Vec<String> = if let Some(set) = operand.strip_prefix("set:") {
            members(invocation, kind, set)?
        } else if is_pattern(operand) {
            let all = invocation.read(|array| match kind {
                SetKind::Host => array.host_rows().iter().map(|row| row.name.to_string()).collect::<Vec<_>>(),
                SetKind::Volume => array.volumes().map(|volume| volume.name.to_string()).collect(),
            });
            all.into_iter().filter(|name| wanted(Some(operand), name)).collect()
        } else {
            known_member(invocation, kind, operand)?;
            vec![operand.clone()]
        };
        names.extend(new);
    }
    let mut seen = std::collections::BTreeSet::new();
    names.retain(|name| seen.insert(name.clone()));
    Ok(names)
}

fn known_member(invocation: &Invocation<'_>, kind: SetKind, name: &str) -> Result<(), Outcome> {
    let known = invocation.read(|array| match kind {
        SetKind::Host => array.host(name).map(drop),
        SetKind::Volume => array.volume(name).map(drop),
    });
    known.map_err(|error| About { volume: name, host: name, ..About::default() }.refused(&error))
}

/// Creates a set, or adds to it with `-add`: silent when it worked.
fn create(invocation: &Invocation<'_>, kind: SetKind) -> Answer {
    let [set, operands @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    let names = named(invocation, kind, operands)?;
    if invocation.has("-add") {
        members(invocation, kind, set)?;
        if names.is_empty() {
            return Err(invocation.misused("no members to add"));
        }
        add(invocation, kind, set, &names)?;
        return Ok(Outcome::Done(String::new()));
    }
    let request = CreateSet {
        name: Some(set.clone()),
        domain: invocation.options.owned("-domain"),
        comment: invocation.options.owned("-comment"),
        setmembers: Some(names.clone()),
    };
    let made = invocation.change(|array, now| array.create_set(now, kind, &request));
    made.map_err(|error| refused(&error, set, &names))?;
    Ok(Outcome::Done(String::new()))
}

/// Changes the name or the comment of a set.
fn set(invocation: &Invocation<'_>, kind: SetKind) -> Answer {
    let set = invocation.only_operand()?;
    let change = ModifySet {
        new_name: invocation.options.owned("-name"),
        comment: invocation.options.owned("-comment"),
        ..ModifySet::default()
    };
    if change == ModifySet::default() {
        return Err(invocation.misused("nothing to change"));
    }
    members(invocation, kind, set)?;
    let named = change.new_name.as_deref().unwrap_or(set);
    let done = invocation.change(|array, now| array.modify_set(now, kind, set, &change));
    done.map_err(|error| refused(&error, named, &[]))?;
    Ok(Outcome::Done(String::new()))
}

/// Removes sets, or with members only those.
fn remove(invocation: &Invocation<'_>, kind: SetKind) -> Answer {
    let [set, operands @ ..] = invocation.operands() else { return Err(invocation.misused("missing arguments")) };
    let sets: Vec<SetRow> = if invocation.has("-pat") {
        let all = invocation.read(|array| array.set_rows(kind));
        all.into_iter().filter(|row| wanted(Some(set), row.name.as_str())).collect()
    } else {
        members(invocation, kind, set)?;
        invocation.read(|array| array.set_row(kind, set)).into_iter().collect()
    };
    if sets.is_empty() {
        return Err(Outcome::refused(empty_listing(kind)));
    }
    let names: Vec<String> = sets.iter().map(|row| row.name.to_string()).collect();
    if !invocation.has("-f") {
        let what = [names.as_slice(), operands].concat().join(" ");
        return invocation.ask(format!("Are you sure you want to run {} {what}?", invocation.command.name));
    }
    for row in &sets {
        let taken: Vec<String> = row.setmembers.iter().filter(|member| wanted_by(operands, member)).cloned().collect();
        let done = if operands.is_empty() {
            invocation.change(|array, now| array.remove_set(now, kind, row.name.as_str()))
        } else {
            let absent = operands.iter().find(|name| !is_pattern(name) && !row.setmembers.contains(name));
            if let Some(absent) = absent {
                return Err(Outcome::refused(format!("Error: {absent} is not a member of set {}", row.name)));
            }
            let change = ModifySet { action: Some(2), setmembers: Some(taken.clone()), ..ModifySet::default() };
            invocation.change(|array, now| array.modify_set(now, kind, row.name.as_str(), &change)).map(drop)
        };
        done.map_err(|error| refused(&error, row.name.as_str(), &taken))?;
    }
    Ok(Outcome::Done(String::new()))
}

/// What an empty listing says (capitals observed).
const fn empty_listing(kind: SetKind) -> &'static str {
    match kind {
        SetKind::Host => "No host set listed",
        SetKind::Volume => "No vv set listed",
    }
}

/// Lists sets. With `-host` or `-vv` operands are names of members.
fn show(invocation: &Invocation<'_>, kind: SetKind) -> Answer {
    let by_member = invocation.has(member_option(kind));
    let mut sets = invocation.read(|array| array.set_rows(kind));
    sets.retain(|set| {
        let operands = invocation.operands();
        let named = if by_member {
            operands.is_empty() || set.setmembers.iter().any(|member| wanted_by(operands, member))
        } else {
            wanted_by(operands, set.name.as_str())
        };
        let domain = set.domain.as_ref().map(ToString::to_string).unwrap_or_default();
        named && wanted(invocation.value("-domain"), &domain)
    });
    let table = if invocation.has("-summary") { summary(&sets, kind) } else { listing(&sets, invocation) };
    invocation.print(&table, empty_listing(kind))
}

/// One row per member; only the first names the set. `-d` adds the comment (observed), `-uuid` the UUID.
fn listing(sets: &[SetRow], invocation: &Invocation<'_>) -> Table {
    let (detailed, uuid) = (invocation.has("-d"), invocation.has("-uuid"));
    let mut columns = vec![Column::right("Id"), Column::left("Name")];
    columns.extend(uuid.then(|| Column::left("-----------------UUID-----------------")));
    columns.push(Column::left("Members"));
    columns.extend(detailed.then(|| Column::left("Comment")));
    let mut table = Table::new(columns);
    for set in sets {
        let mut members = set.setmembers.iter();
        let mut row = vec![set.id.to_string(), set.name.to_string()];
        row.extend(uuid.then(|| set.uuid.clone()));
        row.push(members.next().cloned().unwrap_or_else(|| "--".to_owned()));
        row.extend(detailed.then(|| set.comment.clone().unwrap_or_else(|| "--".to_owned())));
        table.push(row);
        for member in members {
            let mut row = vec![String::new(); 2 + usize::from(uuid)];
            row.push(member.clone());
            table.push_continuation(row);
        }
    }
    table
}

fn summary(sets: &[SetRow], kind: SetKind) -> Table {
    let count = match kind {
        SetKind::Host => "HOST_Cnt",
        SetKind::Volume => "VV_Cnt",
    };
    let mut columns = vec![Column::right("Id"), Column::left("Name"), Column::sum(count)];
    columns.extend((kind == SetKind::Volume).then(|| Column::left("QoS")));
    let mut table = Table::new(columns);
    for set in sets {
        let mut row = vec![set.id.to_string(), set.name.to_string(), set.setmembers.len().to_string()];
        row.extend(set.qos_enabled.map(|enabled| if enabled { "on" } else { "off" }.to_owned()));
        table.push(row);
    }
    table
}
