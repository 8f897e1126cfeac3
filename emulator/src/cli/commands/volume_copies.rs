//! Virtual copies: `createsv`, `creategroupsv`, `updatevv`.

use super::{Answer, Command, Invocation, Outcome, quantities::hours, refusal::About};
use crate::array::{CreateSnapshot, SetKind, Timestamp};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "creategroupsv",
        "make virtual copies of several volumes at one moment",
        "-f -ro -exp=<time>d|D|h|H -retain=<time>d|D|h|H -comment=<comment> -match -nest -skipblock -addtoset=<vvset>",
        "<VV_name>[:<copy>[:<id>]]...",
        create_group,
    ),
    Command::new(
        "createsv",
        "make a virtual copy",
        "-f -ro -rcp -i=<id> -exp=<time>d|D|h|H -retain=<time>d|D|h|H -comment=<comment> -addtoset=<vvset> -start=<number>",
        "<copy>|<pattern> <VV_name>|set:<vvset>",
        create,
    ),
    Command::new(
        "updatevv",
        "make virtual copies anew",
        "-f -ro -removeandrecreate -anyname",
        "<copy>|<pattern>|set:<vvset>...",
        update,
    ),
];

/// The parts of a copy that options give.
fn template(invocation: &Invocation<'_>) -> Result<CreateSnapshot, Outcome> {
    let time = |option: &str| invocation.value(option).map(hours).transpose().map_err(Outcome::refused);
    Ok(CreateSnapshot {
        id: invocation.number("-i")?,
        comment: invocation.options.owned("-comment"),
        read_only: invocation.has("-ro").then_some(true),
        expiration_hours: time("-exp")?,
        retention_hours: time("-retain")?,
        ..CreateSnapshot::default()
    })
}

/// Runs `createsv`: silent when it worked. The name may hold `@vvname@`, `@count@` and parts of the time of day.
fn create(invocation: &Invocation<'_>) -> Answer {
    let [name, of] = invocation.operands() else {
        return Err(invocation.misused("the name of the copy and a volume are required"));
    };
    let parents = match of.strip_prefix("set:") {
        Some(set) => super::sets::members(invocation, SetKind::Volume, set)?,
        None => vec![of.clone()],
    };
    if parents.len() > 1 && !name.contains('@') {
        return Err(Outcome::refused("Error: the copies of a set need a name with @vvname@ or @count@"));
    }
    let template = template(invocation)?;
    if template.retention_hours.is_some() && !invocation.has("-f") {
        return invocation.ask(format!("Copy {name} cannot be removed during its retention time. Create it?"));
    }
    let first = invocation.number("-start")?.unwrap_or(0);
    let copies: Vec<_> =
        (first..).zip(&parents).map(|(count, of)| (of.clone(), named(invocation, name, of, count), None)).collect();
    make(invocation, &template, &copies)
}

/// Runs `creategroupsv`. A copy without name gets one that is free.
fn create_group(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let template = template(invocation)?;
    if template.retention_hours.is_some() && !invocation.has("-f") {
        return invocation.ask("The copies cannot be removed during their retention time. Create them?");
    }
    let mut copies = Vec::new();
    for operand in invocation.operands() {
        let mut parts = operand.split(':');
        let of = parts.next().unwrap_or_default().to_owned();
        let name = match parts.next() {
            Some(name) if !name.is_empty() => name.to_owned(),
            _ => free_name(invocation, &of),
        };
        let id = parts.next().map(|id| id.parse().map_err(|_| Outcome::refused(format!("Invalid id: {id}"))));
        copies.push((of, name, id.transpose()?));
    }
    make(invocation, &template, &copies)
}

/// Makes all copies, or none when one is refused.
fn make(invocation: &Invocation<'_>, template: &CreateSnapshot, copies: &[(String, String, Option<i64>)]) -> Answer {
    let refused = invocation.change(|array, now| {
        let mut made = Vec::new();
        for (of, name, id) in copies {
            let request = CreateSnapshot { name: Some(name.clone()), id: id.or(template.id), ..template.clone() };
            match array.create_snapshot(now, of, &request) {
                Ok(copy) => made.push(copy),
                Err(error) => {
                    made.iter().for_each(|copy| drop(array.remove_volume(now, copy.as_str())));
                    return Some((of, name, error));
                }
            }
        }
        None
    });
    let Some((of, name, error)) = refused else { return add_to_set(invocation, copies) };
    let about = if invocation.read(|array| array.volume(of).is_ok()) { name } else { of };
    Err(About::volume(about).refused(&error))
}

/// Puts the copies into the set of `-addtoset`, which is made when it is not there.
fn add_to_set(invocation: &Invocation<'_>, copies: &[(String, String, Option<i64>)]) -> Answer {
    if let Some(set) = invocation.value("-addtoset") {
        let names: Vec<String> = copies.iter().map(|(_, name, _)| name.clone()).collect();
        super::sets::add(invocation, SetKind::Volume, set, &names)?;
    }
    Ok(Outcome::Done(String::new()))
}

/// A name for a copy of `of` that no volume has.
fn free_name(invocation: &Invocation<'_>, of: &str) -> String {
    let taken = |name: &str| invocation.read(|array| array.volume(name).is_ok());
    let name = |number: u32| format!("{of}.sv{number}");
    (0..).map(name).find(|name| !taken(name)).unwrap_or_default()
}

/// The name of a copy: `@vvname@`, `@count@`, and `@y@ @m@ @d@ @H@ @M@ @S@` of the array's clock stand for what they say.
fn named(invocation: &Invocation<'_>, pattern: &str, of: &str, count: i64) -> String {
    let seconds = invocation.read(|array| array.started_at().0 + array.now().as_secs());
    let time = Timestamp(seconds).with_zone_name();
    let part = |from: usize, to: usize| time.get(from..to).unwrap_or_default().to_owned();
    let tokens = [
        ("@vvname@", of.to_owned()),
        ("@count@", count.to_string()),
        ("@y@", part(2, 4)),
        ("@Y@", part(0, 4)),
        ("@m@", part(5, 7)),
        ("@d@", part(8, 10)),
        ("@H@", part(11, 13)),
        ("@M@", part(14, 16)),
        ("@S@", part(17, 19)),
        ("@s@", seconds.to_string()),
    ];
    tokens.iter().fold(pattern.to_owned(), |name, (token, value)| name.replace(token, value))
}

/// Runs `updatevv`: the copies get the data that their parents have now.
fn update(invocation: &Invocation<'_>) -> Answer {
    if invocation.operands().is_empty() {
        return Err(invocation.misused("missing arguments"));
    }
    let copies = super::volume_show::volumes_wanted(invocation, invocation.operands())?;
    for row in &copies {
        if row.copy_type != 3 {
            return Err(Outcome::refused(format!("Error: vv {} is not a virtual copy", row.name)));
        }
    }
    if !invocation.has("-f") {
        let names: Vec<_> = copies.iter().map(|row| row.name.as_str()).collect();
        return invocation.ask(format!("Are you sure you want to run updatevv on vv {}?", names.join(" ")));
    }
    let names: Vec<String> = copies.iter().map(|row| row.name.to_string()).collect();
    let done = invocation.change(|array, now| array.update_snapshots(now, &names, invocation.has("-ro")));
    done.map_err(|error| About::volume(names.first().map(String::as_str).unwrap_or_default()).refused(&error))?;
    Ok(Outcome::Done(copies.iter().map(|row| format!("Updating VV {}\n", row.name)).collect()))
}
