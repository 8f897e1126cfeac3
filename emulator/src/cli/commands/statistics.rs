//! `statvv`, `statvlun`, `statport`, `statcpu`, `statpd`: one look each.
//!
//! The figures are those of the array's last sample, so current, average and greatest rate are the same; disks and processors of the
//! emulated array are idle.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Answer, Command, Invocation, Outcome, dash, system::clock};
use crate::{
    array::{Report, Timestamp, VlunFilter},
    cli::{
        pattern::wanted,
        table::{Column, Table, Total},
    },
};

const COMMON: &str =
    "-iter=<number> -d=<secs> -rw -ni -begin -idlep -nodes=<node>[,...] -slots=<slot>[,...] -ports=<port>[,...]";

pub(super) const COMMANDS: &[Command] = &[
    Command::new("statcpu", "show the load of the nodes' processors", "-iter=<number> -d=<secs> -t", "", processors),
    Command::new("statpd", "show the load of disks", COMMON, "", disks),
    Command::new(
        "statport",
        "show the load of ports",
        "-iter=<number> -d=<secs> -rw -ni -begin -idlep -both -ctl -data -disk -host -iscsi -rcfc -rcip -nodes=<node>[,...] -slots=<slot>[,...] -ports=<port>[,...]",
        "",
        ports,
    ),
    Command::new(
        "statvlun",
        "show the load of VLUNs",
        "-iter=<number> -d=<secs> -rw -ni -begin -idlep -lw -vvsum -hostsum -vvset -domainsum -host=<host>[,...] -v=<VV>[,...] -l=<LUN>[,...] -nodes=<node>[,...] -slots=<slot>[,...] -ports=<port>[,...]",
        "",
        vluns,
    ),
    Command::new(
        "statvv",
        "show the load of volumes",
        "-iter=<number> -d=<secs> -rw -ni -begin -domain=<domain>[,...]",
        "[<VV_name>|<pattern>]...",
        volumes,
    ),
];

/// Refuses more than one look.
fn one_look(invocation: &Invocation<'_>) -> Result<(), Outcome> {
    match invocation.number("-iter")? {
        None | Some(1) => Ok(()),
        Some(number) => {
            Err(Outcome::refused(format!("Invalid value for -iter: {number} (this array shows one iteration)")))
        }
    }
}

/// The time as such listings print it: `13:07:03 02/06/2014`.
fn time(invocation: &Invocation<'_>) -> String {
    let text = Timestamp(clock(invocation)).with_zone_name();
    let part = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    format!("{} {}/{}/{}", part(11, 19), part(5, 7), part(8, 10), part(0, 4))
}

/// Figures of one line: reads, writes, both.
#[derive(Debug, Clone, Copy, Default)]
struct Load {
    io: [f64; 3],
    kbytes: [f64; 3],
}

impl Load {
    /// The sum over the lines of a report that are wanted.
    fn of<'a>(lines: impl Iterator<Item = &'a Value>) -> Self {
        let mut load = Self::default();
        for line in lines {
            for (at, direction) in ["read", "write", "total"].into_iter().enumerate() {
                load.io[at] += line["IO"][direction].as_f64().unwrap_or_default();
                load.kbytes[at] += line["KBytes"][direction].as_f64().unwrap_or_default();
            }
        }
        load
    }

    /// The cells of a direction.
    fn cells(self, at: usize) -> Vec<String> {
        let (io, kbytes) = (self.io[at], self.kbytes[at]);
        let size = if io > 0.0 { kbytes / io } else { 0.0 };
        let rate = |number: f64| format!("{number:.0}");
        let figures = [rate(io), rate(kbytes)].map(|rate| vec![rate; 3]).concat();
        [figures, ["0.00", "0.00"].map(str::to_owned).to_vec(), vec![format!("{size:.1}"); 2], vec!["0".to_owned()]]
            .concat()
    }
}

/// The lines of the last sample.
fn sample(invocation: &Invocation<'_>, report: Report) -> Vec<Value> {
    invocation.read(|array| array.report_at_time(report))["members"].as_array().cloned().unwrap_or_default()
}

/// A listing of rates: `names` are the titles of the columns that say whose they are, `rows` their cells.
fn rates(invocation: &Invocation<'_>, names: &[&str], rows: Vec<(Vec<String>, Load)>) -> Answer {
    one_look(invocation)?;
    let mut columns: Vec<Column> = names.iter().map(|name| Column::right(name)).collect();
    columns.push(Column::right("r/w"));
    let groups =
        [(names.len() + 1, ""), (3, "I/O per second"), (3, "KBytes per sec"), (2, "Svt ms"), (2, "IOSz KB"), (1, "")];
    let titles = ["Cur", "Avg", "Max", "Cur", "Avg", "Max", "Cur", "Avg", "Cur", "Avg", "Qlen"];
    columns.extend(titles.map(Column::right));
    let mut table = Table::new(columns).with_groups(&groups).with_total(Total::Line);
    let directions: &[(usize, &str)] =
        if invocation.has("-rw") { &[(0, "r"), (1, "w"), (2, "t")] } else { &[(2, "t")] };
    for (row, load) in rows {
        for (at, direction) in directions {
            let mut cells = row.clone();
            cells.push((*direction).to_owned());
            cells.extend(load.cells(*at));
            table.push(cells);
        }
    }
    let mut text = format!("{}\n", time(invocation));
    text.push_str(&table.render(invocation.options.style(invocation.style)));
    Ok(Outcome::Done(text))
}

/// Runs `statvv`.
fn volumes(invocation: &Invocation<'_>) -> Answer {
    let rows = super::volume_show::volumes_wanted(invocation, invocation.operands())?;
    let lines = sample(invocation, Report::Vlun);
    let load = |name: &str| Load::of(lines.iter().filter(|line| line["volumeName"] == name));
    rates(
        invocation,
        &["VVname"],
        rows.iter().map(|row| (vec![row.name.to_string()], load(row.name.as_str()))).collect(),
    )
}

/// Runs `statvlun`: active VLUNs.
fn vluns(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let active = VlunFilter { active: Some(true), ..VlunFilter::default() };
    let rows = invocation.read(|array| array.vlun_rows(&active));
    let lines = sample(invocation, Report::Vlun);
    // The array counts by volume, LUN and host; the first path of a host shows what went over all.
    let mut seen = BTreeSet::new();
    let cells = rows.iter().filter_map(|row| {
        let (host, port) = (dash(row.hostname.as_deref().unwrap_or_default()), row.port_pos?);
        let shown = wanted(invocation.value("-v"), row.volume_name.as_str())
            && wanted(invocation.value("-host"), &host)
            && wanted(invocation.value("-l"), &row.lun.to_string())
            && wanted(invocation.value("-nodes"), &port.node.to_string())
            && wanted(invocation.value("-slots"), &port.slot.to_string())
            && wanted(invocation.value("-ports"), &port.card_port.to_string());
        let is_first = seen.insert((row.volume_name.to_string(), row.lun.to_string(), host.clone()));
        let load = Load::of(lines.iter().filter(|line| {
            is_first
                && line["volumeName"] == row.volume_name.as_str()
                && line["lun"].as_u64() == row.lun.to_string().parse().ok()
                && line["hostname"].as_str().is_none_or(|name| name == host)
        }));
        shown.then(|| (vec![row.lun.to_string(), row.volume_name.to_string(), host, port.to_string()], load))
    });
    rates(invocation, &["Lun", "VVname", "Host", "Port"], cells.collect())
}

/// Runs `statport`.
fn ports(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let rows = invocation.read(|array| array.port_rows());
    let cells = rows.iter().filter(|row| {
        wanted(invocation.value("-nodes"), &row.port_pos.node.to_string())
            && wanted(invocation.value("-slots"), &row.port_pos.slot.to_string())
            && wanted(invocation.value("-ports"), &row.port_pos.card_port.to_string())
            && !(invocation.has("-iscsi") && row.iscsi_port_info.is_none())
    });
    let lines = sample(invocation, Report::Port);
    let cells = cells.map(|row| {
        let pos = row.port_pos;
        let is_it = |line: &&Value| {
            [("node", pos.node), ("slot", pos.slot), ("cardPort", pos.card_port)]
                .iter()
                .all(|(member, number)| line[*member].as_u64() == Some(u64::from(*number)))
        };
        (vec![pos.to_string(), "Data".to_owned()], Load::of(lines.iter().filter(is_it)))
    });
    rates(invocation, &["Port", "D/C"], cells.collect())
}

/// Runs `statpd`.
fn disks(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    rates(invocation, &["ID"], (0..48_u32).map(|id| (vec![id.to_string()], Load::default())).collect())
}

/// Runs `statcpu` (layout observed).
fn processors(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    one_look(invocation)?;
    let titles = ["node,cpu", "user", "sys", "idle", "intr/s", "ctxt/s"];
    let mut table = Table::new(titles.map(Column::right).to_vec()).with_total(Total::None);
    for node in 0..2_u8 {
        if !invocation.has("-t") {
            for cpu in 0..8_u8 {
                table.push([&format!("{node},{cpu}"), "0", "0", "100"].map(str::to_owned).to_vec());
            }
        }
        table.push([&format!("{node},total"), "0", "0", "100", "0", "0"].map(str::to_owned).to_vec());
    }
    let mut text = format!("{}\n", time(invocation));
    text.push_str(&table.render(invocation.options.style(invocation.style)));
    Ok(Outcome::Done(text))
}
