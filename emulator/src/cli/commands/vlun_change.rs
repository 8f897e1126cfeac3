//! `createvlun` and `removevlun`.

use super::{Invocation, Outcome};
use crate::{
    array::{ArrayError, CreateVlun, Lun, PortPos, VlunAddress, VlunFilter},
    cli::options::{Known, Options},
    faults::glob_matches,
};

const CREATE: Known = Known { flags: &["-f", "-novcn", "-ovrd"], valued: &["-cnt"] };
const REMOVE: Known = Known { flags: &["-f", "-novcn", "-pat", "-dr", "-set"], valued: &[] };

/// Runs `createvlun`: silent when it worked and the host has active paths.
pub(super) fn create(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(CREATE)?;
    if options.value("-cnt").is_some_and(|count| count != "1") {
        return Err(Outcome::refused("Invalid option value: -cnt makes one VLUN here"));
    }
    let [volume, lun, destination @ ..] = options.operands.as_slice() else {
        return Err(Outcome::refused("Missing arguments: createvlun <VV_name> <LUN> <n:s:p>|<host>|set:<hostset>"));
    };
    let (port, host) = destination_of(destination)?;
    let wish = LunWish::read(lun)?;
    let request = CreateVlun {
        volume_name: Some(volume.clone()),
        lun: Some(wish.lowest),
        hostname: host.clone(),
        port_pos: port.map(Into::into),
        no_vcn: options.has("-novcn").then_some(true),
        override_lower_priority: options.has("-ovrd").then_some(true),
        auto_lun: wish.highest.map(|_| true),
        max_auto_lun: wish.highest,
    };
    let made = invocation.change(|array, now| array.create_vlun(now, &request));
    let made = made.map_err(|error| refusal(&error, volume, host.as_deref()))?;
    Ok(Outcome::Done(match host {
        Some(host) if !made.has_active_paths => format!(
            "Warning: Host {host} has no active paths.  Template may be created but no active VLUNs will be created.\n"
        ),
        _ => String::new(),
    }))
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
pub(super) fn remove(invocation: &Invocation<'_>) -> Result<Outcome, Outcome> {
    let options = invocation.options(REMOVE)?;
    let [volume, lun, destination @ ..] = options.operands.as_slice() else {
        return Err(Outcome::refused(
            "Missing arguments: removevlun <VV_name>|<pattern> <LUN>|<pattern> [<n:s:p>|<pattern>] [<host>|<pattern>|set:<hostset>]",
        ));
    };
    if options.has("-set") {
        // `-set` speaks of VVol storage containers, which this array has none of.
        return Err(Outcome::refused(format!("Invalid storage container: {volume}")));
    }
    let addresses = if options.has("-pat") {
        matching(invocation, volume, lun, destination)?
    } else {
        let (port, host) = destination_of(destination)?;
        let lun = LunWish::read(lun)?;
        if lun.highest.is_some() {
            return Err(Outcome::refused("Invalid LUN: a single LUN is required without -pat"));
        }
        let address = VlunAddress { volume: volume.clone(), lun: lun.lowest, host, port };
        let found = invocation.read(|array| array.find_vlun(&address));
        found.map_err(|error| refusal(&error, &address.volume, address.host.as_deref()))?;
        vec![address]
    };
    if options.has("-dr") {
        return Ok(Outcome::Done(lines("Dry run: removevlun", &addresses)));
    }
    if !options.has("-f") {
        return Ok(ask(invocation, &options));
    }
    remove_all(invocation, &addresses)
}

/// Removes one after the other; stops at the first refusal.
fn remove_all(invocation: &Invocation<'_>, addresses: &[VlunAddress]) -> Result<Outcome, Outcome> {
    let mut text = String::new();
    for address in addresses {
        text.push_str(&lines("Issuing removevlun", std::slice::from_ref(address)));
        if let Err(error) = invocation.change(|array, now| array.remove_vlun_as(now, address, invocation.anomaly)) {
            if let Outcome::Refused(refused) = refusal(&error, &address.volume, address.host.as_deref()) {
                text.push_str(&refused);
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
    let fits = |pattern: Option<&String>, text: Option<String>| match (pattern, text) {
        (Some(pattern), Some(text)) => glob_matches(pattern, &text),
        (None, None) => true,
        _ => false,
    };
    let templates = VlunFilter { active: Some(false), ..VlunFilter::default() };
    let rows = invocation.read(|array| array.vlun_rows(&templates));
    let addresses: Vec<_> = rows
        .iter()
        .map(|row| row.address())
        .filter(|address| {
            glob_matches(volume, &address.volume)
                && glob_matches(lun, &address.lun.to_string())
                && fits(port, address.port.map(|position| position.to_string()))
                && fits(host, address.host.clone())
        })
        .collect();
    if addresses.is_empty() { Err(Outcome::refused("no matching vluns")) } else { Ok(addresses) }
}

/// `0:2:1`, `*:2:*` and the like.
fn looks_like_port(pattern: &str) -> bool {
    let parts: Vec<_> = pattern.split(':').collect();
    parts.len() == 3 && parts.iter().all(|part| part.chars().all(|c| c.is_ascii_digit() || matches!(c, '*' | '?')))
}

fn ask(invocation: &Invocation<'_>, options: &Options) -> Outcome {
    let mut confirmed = invocation.words.to_vec();
    confirmed.insert(1, "-f".to_owned());
    let operands = options.operands.join(" ");
    Outcome::Ask { question: format!("Are you sure you want to run removevlun {operands}?"), confirmed }
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

/// The command line's words for a refusal of the array.
fn refusal(error: &ArrayError, volume: &str, host: Option<&str>) -> Outcome {
    let host = host.unwrap_or_default();
    let set = host.strip_prefix("set:").unwrap_or(host);
    Outcome::refused(match error.code {
        code if code == ArrayError::non_existent_volume().code => format!("Invalid vv name: {volume}"),
        code if code == ArrayError::non_existent_host().code => format!("host {host} does not exist"),
        code if code == ArrayError::non_existent_set().code => format!("host set {set} does not exist"),
        code if code == ArrayError::non_existent_vlun().code => "VLUN not found".to_owned(),
        code if code == ArrayError::existent_lun().code => "VLUN already exists or the LUN is in use".to_owned(),
        code if code == ArrayError::too_large().code => format!("LUN must be between 0 and {}", Lun::MAX),
        _ => return Outcome::refused_by(error),
    })
}
