//! Free space: `showspace`.

use super::{Answer, Command, Invocation, cpgs::cpgs_wanted};
use crate::cli::table::{Column, Table, Total};

pub(super) const COMMANDS: &[Command] = &[Command::new(
    "showspace",
    "estimate the free space, of CPGs with -cpg",
    "-cpg=<CPG|pattern>[,...] -hist -p -devtype=FC|NL|SSD -t=r0|r1|r5|r6 -ssz=<size> -ha=port|cage|mag",
    "",
    show,
)];

/// Runs `showspace`.
fn show(invocation: &Invocation<'_>) -> Answer {
    invocation.no_operands()?;
    let Some(wish) = invocation.value("-cpg") else {
        let capacity = invocation.read(|array| array.capacity());
        let columns = vec![Column::right("-RawFree(MB)-"), Column::right("-UsableFree(MB)-")];
        let mut table = Table::new(columns).with_total(Total::None);
        // Usable space is what is left of raw space under RAID 6 in sets of 8.
        table.push(vec![capacity.free_mib.to_string(), (capacity.free_mib * 3 / 4).to_string()]);
        return invocation.print(&table, "no space listed");
    };
    let patterns: Vec<String> = wish.split(',').map(str::to_owned).collect();
    let mut columns = vec![Column::left("CPG")];
    columns.extend(["RawFree", "LDFree", "OPFree", "Base", "Snp", "Free", "Total"].map(Column::right));
    columns.extend(["Compact", "Dedup", "Compress", "DataReduce", "OverProv"].map(Column::right));
    let mut table = Table::new(columns)
        .with_groups(&[
            (1, ""),
            (7, "------------------(MB)------------------"),
            (5, "-------------Efficiency-------------"),
        ])
        .with_total(Total::Line);
    for row in cpgs_wanted(invocation, &patterns)? {
        let figure = |members: &[&str]| {
            members.iter().fold(&row, |value, member| &value[*member]).as_u64().unwrap_or_default().to_string()
        };
        let mut cells = vec![row["name"].as_str().unwrap_or_default().to_owned()];
        cells.extend([
            figure(&["rawFreeSpaceMiB"]),
            figure(&["freeSpaceMiB"]),
            "-".to_owned(),
            figure(&["UsrUsage", "usedMiB"]),
            figure(&["SDUsage", "usedMiB"]),
            figure(&["freeSpaceMiB"]),
            figure(&["totalSpaceMiB"]),
        ]);
        cells.extend(std::iter::repeat_n("-".to_owned(), 5));
        table.push(cells);
    }
    invocation.print(&table, "No CPGs listed")
}
