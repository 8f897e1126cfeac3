//! Disks: `showpd`. The layout of its standard form is a capture; makes and serial numbers are made up.

use super::{Answer, Command, Invocation, Outcome};
use crate::cli::{
    pattern::{is_pattern, wanted_by},
    table::{Column, Table},
};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "showpd",
    "list disks",
    "-i -c -s -state -e -space -path -failed -degraded -p -devtype=FC|NL|SSD -svc",
    "[<disk>]...",
    show_disks,
)];

/// How many disks there are.
pub(super) const DISKS: u32 = 48;
/// Those from this number on are solid state disks.
const FIRST_SSD: u32 = 36;
/// Disks in a cage.
pub(super) const DISKS_PER_CAGE: u32 = 24;

/// A disk.
struct Disk {
    id: u32,
    is_ssd: bool,
    total_mib: u64,
    free_mib: u64,
}

impl Disk {
    fn position(&self) -> String {
        format!("{}:{}:0", self.id / DISKS_PER_CAGE, self.id % DISKS_PER_CAGE)
    }

    fn kind(&self) -> &'static str {
        if self.is_ssd { "SSD" } else { "FC" }
    }

    /// Rotational speed in thousands; the observed number for solid state disks is 100 or 150.
    fn rpm(&self) -> &'static str {
        if self.is_ssd { "150" } else { "10" }
    }

    fn wwn(&self) -> String {
        format!("5000C500{:08X}", 0x7A10_0000 + self.id)
    }
}

fn all(invocation: &Invocation<'_>) -> Vec<Disk> {
    let capacity = invocation.read(|array| array.capacity());
    let disk = |id: u32| Disk {
        id,
        is_ssd: id >= FIRST_SSD,
        total_mib: capacity.total_mib / u64::from(DISKS),
        free_mib: capacity.free_mib / u64::from(DISKS),
    };
    (0..DISKS).map(disk).collect()
}

/// Runs `showpd`.
fn show_disks(invocation: &Invocation<'_>) -> Answer {
    let mut disks = all(invocation);
    for operand in invocation.operands() {
        if !is_pattern(operand) && !disks.iter().any(|disk| disk.id.to_string() == *operand) {
            return Err(Outcome::refused(format!("Invalid PD id: {operand}")));
        }
    }
    disks.retain(|disk| {
        wanted_by(invocation.operands(), &disk.id.to_string())
            && invocation.value("-devtype").is_none_or(|kind| kind.eq_ignore_ascii_case(disk.kind()))
            && !invocation.has("-failed")
            && !invocation.has("-degraded")
    });
    let table = if invocation.has("-i") {
        disk_inventory(&disks)
    } else if invocation.has("-s") || invocation.has("-state") {
        let columns = vec![
            Column::right("Id"),
            Column::left("CagePos"),
            Column::left("Type"),
            Column::left("-State-"),
            Column::left("-Detailed_State-"),
        ];
        let mut table = Table::new(columns);
        for disk in &disks {
            let cells = [&disk.id.to_string(), &disk.position(), disk.kind(), "normal", "normal"];
            table.push(cells.map(str::to_owned).to_vec());
        }
        table
    } else {
        disk_sizes(&disks)
    };
    invocation.print(&table, "No PDs listed")
}

/// The standard form (observed).
fn disk_sizes(disks: &[Disk]) -> Table {
    let mut table = Table::new(vec![
        Column::right("Id"),
        Column::left("CagePos"),
        Column::left("Type"),
        Column::right("RPM"),
        Column::left("State"),
        Column::sum("Total"),
        Column::sum("Free"),
        Column::left("A"),
        Column::left("B"),
        Column::right("Capacity(GB)"),
    ])
    .with_groups(&[(5, ""), (2, "----Size(MB)-----"), (2, "----Ports----"), (1, "")]);
    for disk in disks {
        let mut row = vec![disk.id.to_string(), disk.position(), disk.kind().to_owned(), disk.rpm().to_owned()];
        row.push("normal".to_owned());
        row.extend([disk.total_mib.to_string(), disk.free_mib.to_string()]);
        row.extend(["1:0:1*", "0:0:1", "450"].map(str::to_owned));
        table.push(row);
    }
    table
}

fn disk_inventory(disks: &[Disk]) -> Table {
    let mut columns = vec![Column::right("Id"), Column::left("CagePos"), Column::left("State")];
    columns.extend(
        [
            "----Node_WWN----",
            "--MFR--",
            "-----Model------",
            "-Serial-",
            "-FW_Rev-",
            "Protocol",
            "MediaType",
            "AdmissionTime",
        ]
        .map(Column::left),
    );
    let mut table = Table::new(columns);
    for disk in disks {
        let serial = format!("S0{:06}", disk.id);
        let media = if disk.is_ssd { "SLC" } else { "Magnetic" };
        let cells = [
            &disk.id.to_string(),
            &disk.position(),
            "normal",
            &disk.wwn(),
            "SEAGATE",
            "SEGLE0450GBAS10K",
            &serial,
            "3P02",
            "SAS",
            media,
            "2026-01-01",
        ];
        table.push(cells.map(str::to_owned).to_vec());
    }
    table
}

/// The disks as `showinventory` lists them.
pub(super) fn inventory(invocation: &Invocation<'_>) -> Table {
    disk_inventory(&all(invocation))
}
