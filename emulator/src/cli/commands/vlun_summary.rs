//! `showvlun -pathsum` and `-hostsum`: active VLUNs by path and by host.

use std::collections::BTreeMap;

use super::{Answer, Invocation, dash};
use crate::{
    array::VlunRow,
    cli::table::{Column, Table},
};

/// What one line of the summary counts.
#[derive(Default)]
struct Counted {
    /// Active VLUNs, one per path.
    paths: usize,
    /// Their types, in the order met.
    kinds: Vec<&'static str>,
}

/// Shows how many paths each exported volume has on each host; with `-hostsum` without regard to the LUN, with the size of the
/// volume in place of the paths.
pub(super) fn show(invocation: &Invocation<'_>, rows: &[VlunRow]) -> Answer {
    let by_host = invocation.has("-hostsum");
    let mut counted: BTreeMap<(String, String, Option<u16>), Counted> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.active) {
        let lun = (!by_host).then(|| row.lun.get());
        let host = dash(row.hostname.as_deref().unwrap_or_default());
        let entry = counted.entry((row.volume_name.to_string(), host, lun)).or_default();
        entry.paths += 1;
        if !entry.kinds.contains(&row.kind.cli_word()) {
            entry.kinds.push(row.kind.cli_word());
        }
    }
    let mut table = if by_host {
        Table::new(vec![
            Column::left("VVName"),
            Column::left("HostName"),
            Column::right("VSize_MB"),
            Column::right("Paths"),
        ])
    } else {
        let columns = ["VVName", "HostName"].map(Column::left);
        let mut all = vec![Column::right("Lun")];
        all.extend(columns);
        all.extend([Column::right("Paths"), Column::left("Type")]);
        Table::new(all)
    };
    for ((volume, host, lun), Counted { paths, kinds }) in counted {
        let paths = paths.to_string();
        table.push(match lun {
            Some(lun) => vec![lun.to_string(), volume, host, paths, kinds.join(",")],
            None => {
                let size = invocation.read(|array| array.volume(&volume).map(|v| v.size_mib).unwrap_or_default());
                vec![volume, host, size.to_string(), paths]
            }
        });
    }
    invocation.print(&table, "no vluns listed")
}
