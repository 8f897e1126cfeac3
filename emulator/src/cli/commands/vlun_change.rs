//! `createvlun` and `removevlun`.

use super::{Answer, Command, Invocation, Outcome, refusal::About};
use crate::{
    array::{ArrayError, CreateVlun, PortPos, VlunAddress, VlunFilter},
    cli::pattern::fits,
};

pub(super) const COMMANDS: &[Command] = &[
    Command::new(
        "createvlun",
        "export a volume: make a VLUN template",
        "-f -novcn -ovrd -cnt=<number>",
        "<VV_name>|set:<vvset> <LUN>|<LUN>+|<LUN>-<LUN>|auto <n:s:p>|<host>|set:<hostset>|<n:s:p> <host>",
        create,
    ),
    Command::new(
        "removevlun",
        "remove VLUN templates and their active VLUNs",
        "-f -novcn -pat -dr -set",
        "<VV_name>|<pattern>|set:<vvset> <LUN>|<pattern> [<n:s:p>|<pattern>] [<host>|<pattern>|set:<hostset>]",
        remove,
    ),
];

/// Most VLUNs of one `createvlun -cnt`.
const MOST_AT_ONCE: i64 = 999;

/// Runs `createvlun`: silent when it worked and the host has active paths.
fn create(invocation: &Invocation<'_>) -> Answer {
    let count = invocation.number("-cnt")?.unwrap_or(1);
    if !(1..=MOST_AT_ONCE).contains(&count) {
        return Err(Outcome::refused(format!("Invalid value for -cnt: {count}")));
    }
    let [volume, lun, destination @ ..] = invocation.operands() else {
        return Err(invocation.misused("missing arguments"));
    };
    let (port, host) = destination_of(destination)?;
    let wish = LunWish::read(lun)?;
    let mut text = String::new();
    for index in 0..count {
        let volume = nth_name(volume, index, count)?;
        let lowest = if wish.highest.is_some() { wish.lowest } else { wish.lowest.saturating_add(index) };
        let request = CreateVlun {
            volume_name: Some(volume.clone()),
            lun: Some(lowest),
            hostname: host.clone(),
            port_pos: port.map(Into::into),
            no_vcn: invocation.has("-novcn").then_some(true),
            override_lower_priority: invocation.has("-ovrd").then_some(true),
            auto_lun: wish.highest.map(|_| true),
            max_auto_lun: wish.highest,
        };
        let made = invocation.change(|array, now| array.create_vlun(now, &request));
        let made = made.map_err(|error| refused(&error, &volume, host.as_deref()))?;
        if let Some(host) = host.as_ref().filter(|_| !made.has_active_paths && text.is_empty()) {
            text = format!(
                "Warning: Host {host} has no active paths.  Template may be created but no active VLUNs will be created.\n"
            );
        }
    }
    Ok(Outcome::Done(text))
}

/// The name of the volume number `index` of `-cnt`: the number after the last dot of the name counts up.
fn nth_name(name: &str, index: i64, count: i64) -> Result<String, Outcome> {
    if count == 1 {
        return Ok(name.to_owned());
    }
    let numbered = name.rsplit_once('.').and_then(|(stem, number)| Some((stem, number.parse::<u32>().ok()?)));
    let (stem, first) = numbered.ok_or_else(|| {
        Outcome::refused(format!("Invalid vv name: {name} (with -cnt it ends in a dot and a number)"))
    })?;
    Ok(format!("{stem}.{}", i64::from(first) + index))
}

/// A LUN as an operand: `7`, `10+`, `10-20` or `auto`.
struct LunWish {
    lowest: i64,
    /// The array chooses, up to this LUN; 0 for no bound.
    highest: Option<i64>,
}

impl LunWish {
    fn read(text: &str) -> Result<Self, Outcome> {
        let invalid = || Outcome::refused(format!("Invalid LUN: {text}"));
        let number = |digits: &str| match digits.parse::<u32>() {
            Ok(number) if !digits.starts_with('+') => Ok(i64::from(number)),
            _ => Err(invalid()),
        };
        if text == "auto" {
            return Ok(Self { lowest: 0, highest: Some(0) });
        }
        if let Some(lowest) = text.strip_suffix('+') {
            return Ok(Self { lowest: number(lowest)?, highest: Some(0) });
        }
        let Some((lowest, highest)) = text.split_once('-') else {
            return Ok(Self { lowest: number(text)?, highest: None });
        };
        match (number(lowest)?, number(highest)?) {
            (lowest, highest) if lowest > highest => Err(invalid()),
            // An upper bound of 0 would mean "no bound" to the array.
            (0, 0) => Ok(Self { lowest: 0, highest: None }),
            (lowest, highest) => Ok(Self { lowest, highest: Some(highest) }),
        }
    }
}

/// Port and host among the operands after the LUN. The help lists the port first; either order is taken.
fn destination_of(operands: &[String]) -> Result<(Option<PortPos>, Option<String>), Outcome> {
    let port = |text: &str| text.parse::<PortPos>().ok();
    match operands {
        [only] => Ok(match port(only) {
            Some(position) => (Some(position), None),
            None => (None, Some(only.clone())),
        }),
        [first, second] => match (port(first), port(second)) {
            (Some(position), None) => Ok((Some(position), Some(second.clone()))),
            (None, Some(position)) => Ok((Some(position), Some(first.clone()))),
            _ => Err(Outcome::refused(format!("Invalid port: {first}"))),
        },
        [] => Err(Outcome::refused("Missing arguments: a host, a host set or a port is required")),
        [_, _, surplus, ..] => Err(Outcome::refused(format!("Too many arguments: {surplus}"))),
    }
}

/// Runs `removevlun`.
fn remove(invocation: &Invocation<'_>) -> Answer {
    let [volume, lun, destination @ ..] = invocation.operands() else {
        return Err(invocation.misused("missing arguments"));
    };
    if invocation.has("-set") {
        // `-set` speaks of VVol storage containers, which this array has none of.
        return Err(Outcome::refused(format!("Invalid storage container: {volume}")));
    }
    let addresses = if invocation.has("-pat") {
        matching(invocation, volume, lun, destination)?
    } else {
        let (port, host) = destination_of(destination)?;
        let lun = LunWish::read(lun)?;
        if lun.highest.is_some() {
            return Err(Outcome::refused("Invalid LUN: a single LUN is required without -pat"));
        }
        let address = VlunAddress { volume: volume.clone(), lun: lun.lowest, host, port };
        let found = invocation.read(|array| array.find_vlun(&address));
        found.map_err(|error| refused(&error, &address.volume, address.host.as_deref()))?;
        vec![address]
    };
    if invocation.has("-dr") {
        return Ok(Outcome::Done(lines("Dry run: removevlun", &addresses)));
    }
    if !invocation.has("-f") {
        let operands = invocation.operands().join(" ");
        return invocation.ask(format!("Are you sure you want to run removevlun {operands}?"));
    }
    remove_all(invocation, &addresses)
}

/// Removes one after the other; stops at the first refusal.
fn remove_all(invocation: &Invocation<'_>, addresses: &[VlunAddress]) -> Answer {
    let mut text = String::new();
    for address in addresses {
        text.push_str(&lines("Issuing removevlun", std::slice::from_ref(address)));
        if let Err(error) = invocation.change(|array, now| array.remove_vlun_as(now, address, invocation.anomaly)) {
            if let Outcome::Refused(why) = refused(&error, &address.volume, address.host.as_deref()) {
                text.push_str(&why);
            }
            return Err(Outcome::Refused(text));
        }
    }
    Ok(Outcome::Done(text))
}

/// The templates that fit the patterns. As without `-pat`, a template is named by what it was made with: a host
/// pattern alone fits host-sees and host-set templates, a port pattern alone port-presents, both together matched
/// sets.
fn matching(
    invocation: &Invocation<'_>,
    volume: &str,
    lun: &str,
    destination: &[String],
) -> Result<Vec<VlunAddress>, Outcome> {
    let (port, host) = match destination {
        [only] if looks_like_port(only) => (Some(only), None),
        [only] => (None, Some(only)),
        [port, host] if looks_like_port(port) => (Some(port), Some(host)),
        [host, port] => (Some(port), Some(host)),
        [] => return Err(Outcome::refused("Missing arguments: a host, a host set or a port is required")),
        [_, _, surplus, ..] => return Err(Outcome::refused(format!("Too many arguments: {surplus}"))),
    };
    let fits_part = |pattern: Option<&String>, text: Option<String>| match (pattern, text) {
        (Some(pattern), Some(text)) => fits(pattern, &text),
        (None, None) => true,
        _ => false,
    };
    let templates = VlunFilter { active: Some(false), ..VlunFilter::default() };
    let rows = invocation.read(|array| array.vlun_rows(&templates));
    let addresses: Vec<_> = rows
        .iter()
        .map(|row| row.address())
        .filter(|address| {
            fits(volume, &address.volume)
                && fits(lun, &address.lun.to_string())
                && fits_part(port, address.port.map(|position| position.to_string()))
                && fits_part(host, address.host.clone())
        })
        .collect();
    if addresses.is_empty() { Err(Outcome::refused("no matching vluns")) } else { Ok(addresses) }
}

/// `0:2:1`, `*:2:*` and the like.
fn looks_like_port(pattern: &str) -> bool {
    let parts: Vec<_> = pattern.split(':').collect();
    parts.len() == 3
        && parts.iter().all(|part| part.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '?' | '[' | ']' | '-')))
}

fn lines(what: &str, addresses: &[VlunAddress]) -> String {
    let mut text = String::new();
    for address in addresses {
        text.push_str(&format!("{what} {} {}", address.volume, address.lun));
        if let Some(port) = address.port {
            text.push_str(&format!(" {port}"));
        }
        if let Some(host) = &address.host {
            text.push_str(&format!(" {host}"));
        }
        text.push('\n');
    }
    text
}

fn refused(error: &ArrayError, volume: &str, host: Option<&str>) -> Outcome {
    About { volume, host: host.unwrap_or_default(), ..About::default() }.refused(error)
}
