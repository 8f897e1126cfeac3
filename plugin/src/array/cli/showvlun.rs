//! What `showvlun` says about one volume: active VLUNs and templates.
//!
//! "No VLUN" is believed only where the array says so in words, or counts to the end. Everything else is an unknown answer.

use super::exec::Output;
use super::table::{Row, Table, TableError, line_error};
use crate::array::operation::Operation;
use crate::array::vlun_names::unnamed_host;
use crate::array::{ArrayError, Export, ExportTarget, HostName, PortPosition, VlunRow};
use crate::volume::names::ArrayVolumeName;

/// Heading of the first block.
const ACTIVE: &str = "Active VLUNs";
/// Heading of the second block.
const TEMPLATES: &str = "VLUN Templates";
/// Said instead of an empty table.
const NONE: &str = "no vluns listed";
/// Said of a volume that does not exist.
const NO_VOLUME: &str = "Invalid vv name:";

/// The rows of `volume`.
///
/// # Errors
/// Refused where the array says so, unknown where the output is not whole or fits nothing.
pub(super) fn rows(
    operation: &Operation,
    output: &Output,
    volume: &ArrayVolumeName,
) -> Result<Vec<VlunRow>, ArrayError> {
    let lines: Vec<&str> = lines(&output.text).collect();
    if output.exit.is_none() {
        return Err(operation.unknown("the command ended without an exit status"));
    }
    if let [line] = lines[..]
        && line.strip_prefix(NO_VOLUME).is_some_and(|name| name.trim() == volume.as_str())
    {
        return Ok(Vec::new());
    }
    if let Some(line) = lines.iter().find(|line| is_complaint(line)) {
        return Err(operation.refused(0, line));
    }
    let blocks = blocks(&lines).map_err(|error| operation.unknown(error.to_string()))?;
    if let Some(status) = output.exit.filter(|status| *status != 0 && !blocks.is_empty()) {
        return Err(operation.unknown(format!("the command ended with exit status {status} after a listing")));
    }
    let mut rows = Vec::new();
    for (kind, table) in &blocks {
        for row in table.rows() {
            rows.push(vlun(operation, *kind, row, volume)?);
        }
    }
    Ok(rows)
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    // In the form with commas, headings may be padded with them.
    text.lines().map(|line| line.trim()).filter(|line| !line.trim_matches(',').is_empty())
}

fn is_complaint(line: &str) -> bool {
    let lower = line.to_ascii_lowercase();
    ["error", "invalid", "usage:", "permission denied"].iter().any(|word| lower.starts_with(word))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Active,
    Template,
}

/// The tables of the output: both kinds, or none at all in so many words.
fn blocks(lines: &[&str]) -> Result<Vec<(Kind, Table)>, TableError> {
    let is = |line: &str, words: &str| line.trim_matches([',', ' ']) == words;
    if !lines.is_empty() && lines.len() <= 2 && lines.iter().all(|line| is(line, NONE)) {
        return Ok(Vec::new());
    }
    let mut lines = lines.iter().copied().peekable();
    let mut tables = Vec::new();
    for (kind, heading) in [(Kind::Active, ACTIVE), (Kind::Template, TEMPLATES)] {
        let line = lines.next().ok_or(TableError::CutOff("a block is missing"))?;
        if !is(line, heading) {
            return Err(line_error(line));
        }
        if lines.next_if(|line| is(line, NONE)).is_none() {
            tables.push((kind, Table::read(&mut lines, "Type")?));
        }
    }
    match lines.next() {
        Some(line) => Err(line_error(line)),
        None => Ok(tables),
    }
}

fn vlun(operation: &Operation, kind: Kind, row: Row<'_>, volume: &ArrayVolumeName) -> Result<VlunRow, ArrayError> {
    let unreadable = |error: TableError| operation.unknown(error.to_string());
    let name = row.needed("VVName").map_err(unreadable)?;
    if name.starts_with("set:") {
        return Err(operation.refused(
            0,
            format!("volume {volume} is exported as part of volume set {name}, which this plugin does not touch; remove that export first"),
        ));
    }
    if name != volume.as_str() {
        return Err(operation.unknown(format!("the array lists volume {name} when asked for {volume}")));
    }
    match kind {
        Kind::Active => active(operation, row),
        Kind::Template => template(row, volume).map(VlunRow::Template).map_err(unreadable),
    }
}

fn active(operation: &Operation, row: Row<'_>) -> Result<VlunRow, ArrayError> {
    let unreadable = |error: TableError| operation.unknown(error.to_string());
    let lun = parsed(row, row.needed("Lun").map_err(unreadable)?).map_err(unreadable)?;
    let host = match row.cell("HostName").map_err(unreadable)? {
        Some(host) => parsed(row, host).map_err(unreadable)?,
        None => unnamed_host(operation)?,
    };
    let port = port(row).map_err(unreadable)?;
    Ok(VlunRow::Active { lun, host, port })
}

fn template(row: Row<'_>, volume: &ArrayVolumeName) -> Result<Export, TableError> {
    let unfit = || line_error(&row.text());
    let host_name = row.cell("HostName")?;
    let host = || -> Result<HostName, TableError> { parsed(row, host_name.ok_or_else(unfit)?) };
    let to = match (row.needed("Type")?, host_name.and_then(|name| name.strip_prefix("set:")), port(row)?) {
        ("host" | "host set", Some(set), None) => ExportTarget::HostSet(set.to_owned()),
        ("host set", None, None) => ExportTarget::HostSet(host_name.ok_or_else(unfit)?.to_owned()),
        ("host", None, None) => ExportTarget::Host(host()?),
        ("matched set", None, Some(port)) => ExportTarget::MatchedSet(host()?, port),
        ("port", None, Some(port)) => ExportTarget::Port(port),
        _ => return Err(unfit()),
    };
    Ok(Export { volume: volume.clone(), lun: parsed(row, row.needed("Lun")?)?, to })
}

fn port(row: Row<'_>) -> Result<Option<PortPosition>, TableError> {
    row.cell("Port")?.map(|text| parsed(row, text)).transpose()
}

fn parsed<T: std::str::FromStr>(row: Row<'_>, text: &str) -> Result<T, TableError> {
    text.parse().map_err(|_| line_error(&row.text()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LISTING: &str = "Active VLUNs\n\
        Lun VVName HostName -Host_WWN/iSCSI_Name- Port Type\n\
        \x20 0 testvv host1    10000090FA13C172      2:1:1 host\n\
        ---------------------------------------------------\n\
        \x20 1 total\n\
        \n\
        VLUN Templates\n\
        Lun VVName HostName -Host_WWN/iSCSI_Name-  Port        Type\n\
        \x20 0 testvv host1    ----------------        ---        host\n\
        \x20 7 testvv cld6b5   ----------------      0:0:2 matched set\n\
        \x20 8 testvv ---      ----------------      0:0:1        port\n\
        \x20 9 testvv set:lab  ----------------        ---    host set\n\
        -------------------------------------------------------------------------------\n\
        \x20 4 total\n";

    const COMMAS: &str = "Active VLUNs\r\n\
        Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type,Status,ID\r\n\
        0,testvv,host1,10000090FA13C172,2:1:1,host,active,1\r\n\
        ---------------------------------------------------\r\n\
        1,total,,,,,,\r\n\
        \r\n\
        VLUN Templates\r\n\
        Lun,VVName,HostName,-Host_WWN/iSCSI_Name-,Port,Type\r\n\
        0,testvv,host1,----------------,---,host\r\n\
        7,testvv,cld6b5,----------------,0:0:2,matched set\r\n\
        8,testvv,,,0:0:1,port\r\n\
        9,testvv,set:lab,----------------,---,host set\r\n\
        -------------------------------------------------------------------------------\r\n\
        4,,,,,\r\n";

    fn read(text: &str) -> Result<Vec<VlunRow>, ArrayError> {
        read_exit(text, Some(0))
    }

    fn read_exit(text: &str, exit: Option<u32>) -> Result<Vec<VlunRow>, ArrayError> {
        rows(&Operation::read("VLUNs"), &Output { text: text.into(), exit }, &"testvv".parse().unwrap())
    }

    #[test]
    fn every_kind_of_row_in_both_forms() {
        let blanks = read(LISTING).unwrap();
        assert_eq!(blanks.len(), 5);
        assert_eq!(Ok(&blanks), read(COMMAS).as_ref());
        let targets: Vec<&ExportTarget> = blanks
            .iter()
            .filter_map(|row| match row {
                VlunRow::Template(export) => Some(&export.to),
                VlunRow::Active { .. } => None,
            })
            .collect();
        let port = |text: &str| text.parse::<PortPosition>().unwrap();
        assert_eq!(
            targets,
            [
                &ExportTarget::Host("host1".parse().unwrap()),
                &ExportTarget::MatchedSet("cld6b5".parse().unwrap(), port("0:0:2")),
                &ExportTarget::Port(port("0:0:1")),
                &ExportTarget::HostSet("lab".into()),
            ]
        );
    }

    #[test]
    fn no_vlun_in_so_many_words() {
        assert_eq!(read("no vluns listed\n"), Ok(vec![]));
        assert_eq!(read("Active VLUNs\nno vluns listed\n\nVLUN Templates\nno vluns listed\n"), Ok(vec![]));
        assert_eq!(read_exit("Invalid vv name: testvv\n", Some(1)), Ok(vec![]));
    }

    #[test]
    fn silence_is_not_no_vlun() {
        for text in [
            "",
            "\n",
            ",,,\n",
            "Active VLUNs\nno vluns listed\n",
            "Active VLUNs\n",
            "VLUN Templates\nno vluns listed\n",
        ] {
            assert!(read(text).is_err_and(|e| e.is_unknown()), "{text:?}");
        }
        assert!(read_exit("no vluns listed\n", None).is_err_and(|e| e.is_unknown()));
    }

    #[test]
    fn no_part_of_a_listing_passes_for_the_whole() {
        for whole in [LISTING, COMMAS] {
            for end in 0..whole.trim_end().len() - 1 {
                // Commas behind the last total may be missing; nothing else may.
                let part = &whole[..end];
                let read_part = read(part);
                assert!(read_part == read(whole) || read_part.is_err_and(|e| e.is_unknown()), "{part:?}");
            }
        }
    }

    #[test]
    fn complaints_are_refusals_and_other_volumes_are_not_ours() {
        assert!(matches!(read("Error: not now\n"), Err(ArrayError::Refused { .. })));
        assert!(matches!(read("Invalid vv name: other\n"), Err(ArrayError::Refused { .. })));
        assert!(read(&LISTING.replace("testvv", "othervv")).is_err_and(|e| e.is_unknown()));
        assert!(matches!(read(&LISTING.replace("testvv", "set:vvs")), Err(ArrayError::Refused { .. })));
        assert!(read_exit(LISTING, Some(1)).is_err_and(|e| e.is_unknown()));
    }

    proptest! {
        #[test]
        fn any_text_is_read_without_panic(text in ".{0,400}") {
            let _ = read(&text);
        }

        #[test]
        fn any_arrangement_of_real_lines_is_read_without_panic(
            picks in prop::collection::vec((any::<prop::sample::Index>(), 0usize..90), 0..20),
            commas in any::<bool>(),
        ) {
            let source: Vec<&str> = if commas { COMMAS } else { LISTING }.lines().collect();
            let text: Vec<&str> = picks
                .iter()
                .map(|(index, cut)| { let line = source[index.index(source.len())]; &line[..(*cut).min(line.len())] })
                .collect();
            let _ = read(&text.join("\n"));
        }

        #[test]
        fn a_changed_total_is_never_accepted(total in 0usize..100) {
            prop_assume!(total != 4);
            let text = LISTING.replace("  4 total", &format!("  {total} total"));
            prop_assert!(read(&text).is_err());
        }
    }
}
