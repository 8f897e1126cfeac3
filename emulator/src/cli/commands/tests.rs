use proptest::prelude::*;

use super::*;
use crate::{
    array::{ArrayConfig, CreateHost, CreateSet, CreateVolume, Initiator, PortPos, SetKind},
    cli::words::split,
};

/// The volumes `v1` and `v2`, the hosts `h1` and `h2`, the host set `hs` of both. `h1` is logged in on 0:2:1.
fn array() -> Emulator {
    let emulator = Emulator::new(ArrayConfig::default());
    emulator.with(|array, now| {
        for volume in ["v1", "v2"] {
            array.create_volume(now, &CreateVolume::thin(volume, "FC_r6", 1024)).unwrap();
        }
        for host in ["h1", "h2"] {
            array.create_host(now, &CreateHost::iscsi(host, &[&format!("iqn.1994-05.com.example:{host}")])).unwrap();
        }
        array.create_set(now, SetKind::Host, &CreateSet::new("hs", &["h1", "h2"])).unwrap();
        let initiator = Initiator::parse("iqn.1994-05.com.example:h1").unwrap();
        array.login(now, &initiator, port("0:2:1")).unwrap();
    });
    emulator
}

fn port(text: &str) -> PortPos {
    text.parse().unwrap()
}

/// `array` with one VLUN of every type of `v1`.
fn exported() -> Emulator {
    let emulator = array();
    for command in [
        "createvlun -f v1 1 h1",
        "createvlun -f v1 2 0:2:2 h1",
        "createvlun -f v1 3 1:2:1",
        "createvlun -f v1 4 set:hs",
    ] {
        let Outcome::Done(_) = run_line(&emulator, command) else { panic!("{command}") };
    }
    emulator
}

fn run_line(emulator: &Emulator, line: &str) -> Outcome {
    run(emulator, Style::default(), &split(line).unwrap(), RemovalAnomaly::None)
}

fn done(emulator: &Emulator, line: &str) -> String {
    match run_line(emulator, line) {
        Outcome::Done(text) => text,
        other => panic!("{line}: {other:?}"),
    }
}

fn refused(emulator: &Emulator, line: &str) -> String {
    match run_line(emulator, line) {
        Outcome::Refused(text) => text,
        other => panic!("{line}: {other:?}"),
    }
}

/// The LUNs that are exported.
fn luns(emulator: &Emulator) -> Vec<u16> {
    use crate::array::VlunFilter;
    let templates = VlunFilter { active: Some(false), ..VlunFilter::default() };
    emulator.with(|array, _| array.vlun_rows(&templates).iter().map(|row| row.lun.get()).collect())
}

#[test]
fn showvlun_prints_templates_and_active_vluns_of_every_type() {
    assert_eq!(
        done(&exported(), "showvlun"),
        "\
Active VLUNs
Lun VVName HostName ---Host_WWN/iSCSI_Name----  Port     Type
  1 v1     h1       iqn.1994-05.com.example:h1 0:2:1     host
  4 v1     h1       iqn.1994-05.com.example:h1 0:2:1 host set
-------------------------------------------------------------
  2 total

VLUN Templates
Lun VVName HostName -Host_WWN/iSCSI_Name-  Port        Type
  1 v1     h1       ----------------        ---        host
  2 v1     h1       ----------------      0:2:2 matched set
  3 v1     ---      ----------------      1:2:1        port
  4 v1     set:hs   ----------------        ---    host set
-----------------------------------------------------------
  4 total
"
    );
}

#[test]
fn showvlun_selects_rows_and_columns() {
    let emulator = exported();
    assert_eq!(done(&emulator, "showvlun -t -host h1 -nohdtot -showcols Lun,HostName"), "  1 h1\n  2 h1\n");
    assert_eq!(done(&emulator, "showvlun -t -host set:hs -nohdtot -showcols Lun"), "  4\n");
    assert_eq!(done(&emulator, "showvlun -a -l 4 -nohdtot -showcols Lun,Port,Type"), "  4 0:2:1 host set\n");
    assert_eq!(done(&emulator, "showvlun -t -nodes 1 -nohdtot -showcols Lun"), "  3\n");
    assert!(done(&emulator, "showvlun -t -lvw -v v1").contains(" 60002AC"));
    assert_eq!(done(&emulator, "showvlun -t -v v2"), "no vluns listed\n");
    assert_eq!(done(&emulator, "showvlun -t -v x*"), "no vluns listed\n");
    assert_eq!(refused(&emulator, "showvlun -v x"), "Invalid vv name: x\n");
    assert_eq!(refused(&emulator, "showvlun -host x"), "host x does not exist\n");
    assert_eq!(refused(&emulator, "showvlun -host set:x"), "host set x does not exist\n");
    assert_eq!(refused(&emulator, "showvlun -showcols Lun,Nope"), "Invalid column name: Nope\n");
}

#[test]
fn csv_columns_have_their_full_names() {
    let text = done(&exported(), "showvlun -t -csvtable -l 1 -showcols VVName,Lun,HostName,VV_WWN");
    assert!(text.starts_with("VVName,Lun,HostName,VV_WWN\nv1,1,h1,60002AC"), "{text}");
}

#[test]
fn removal_takes_exactly_the_template_that_is_named() {
    let emulator = exported();
    assert_eq!(refused(&emulator, "removevlun -f v1 2 h1"), "VLUN not found\n");
    assert_eq!(done(&emulator, "removevlun -f v1 2 0:2:2 h1"), "Issuing removevlun v1 2 0:2:2 h1\n");
    assert_eq!(luns(&emulator), [1, 3, 4]);
    assert_eq!(done(&emulator, "removevlun -f -novcn v1 1 h1"), "Issuing removevlun v1 1 h1\n");
    assert_eq!(done(&emulator, "removevlun -f v1 3 1:2:1"), "Issuing removevlun v1 3 1:2:1\n");
    assert_eq!(done(&emulator, "removevlun -f v1 4 set:hs"), "Issuing removevlun v1 4 set:hs\n");
    assert_eq!(luns(&emulator), [0_u16; 0]);
}

#[test]
fn removal_by_pattern_stays_within_the_type_that_is_named() {
    for (line, left) in [
        ("removevlun -f -pat * * h1", vec![2, 3, 4]),
        ("removevlun -f -pat v? * *:*:* h*", vec![1, 3, 4]),
        ("removevlun -f -pat * * 1:*:*", vec![1, 2, 4]),
        ("removevlun -f -pat * * set:*", vec![1, 2, 3]),
        ("removevlun -f -pat * * *", vec![2, 3]),
        ("removevlun -f -pat -dr * * *", vec![1, 2, 3, 4]),
    ] {
        let emulator = exported();
        done(&emulator, line);
        assert_eq!(luns(&emulator), left, "{line}");
    }
    assert_eq!(refused(&exported(), "removevlun -f -pat x* * *"), "no matching vluns\n");
}

#[test]
fn a_dry_run_changes_nothing_and_overrides_force() {
    let emulator = exported();
    assert_eq!(done(&emulator, "removevlun -f -dr v1 1 h1"), "Dry run: removevlun v1 1 h1\n");
    assert_eq!(luns(&emulator), [1, 2, 3, 4]);
}

#[test]
fn removal_without_force_asks_first() {
    let emulator = exported();
    let Outcome::Ask { confirmed, .. } = run_line(&emulator, "removevlun v1 1 h1") else { panic!("must ask") };
    assert_eq!(confirmed, ["removevlun", "-f", "v1", "1", "h1"]);
    assert_eq!(luns(&emulator), [1, 2, 3, 4]);
}

#[test]
fn refusals_of_removal_name_what_is_missing() {
    let emulator = exported();
    assert_eq!(refused(&emulator, "removevlun -f x 1 h1"), "Invalid vv name: x\n");
    assert_eq!(refused(&emulator, "removevlun -f v1 1 x"), "host x does not exist\n");
    assert_eq!(refused(&emulator, "removevlun -f v1 1 set:x"), "host set x does not exist\n");
    assert_eq!(refused(&emulator, "removevlun -f v1 99999 h1"), "LUN must be between 0 and 16383\n");
    assert_eq!(refused(&emulator, "removevlun -f v1 x h1"), "Invalid LUN: x\n");
    assert_eq!(refused(&emulator, "removevlun -f -set v1 1 h1"), "Invalid storage container: v1\n");
    for incomplete in ["removevlun", "removevlun -f v1", "removevlun -f v1 1", "removevlun -f v1 1 a b c"] {
        refused(&emulator, incomplete);
    }
    assert_eq!(luns(&emulator), [1, 2, 3, 4]);
}

#[test]
fn createvlun_chooses_luns_and_warns_of_hosts_without_paths() {
    let emulator = array();
    assert_eq!(done(&emulator, "createvlun -f v1 auto h1"), "");
    assert_eq!(done(&emulator, "createvlun -f v2 10+ h1"), "");
    let warning =
        "Warning: Host h2 has no active paths.  Template may be created but no active VLUNs will be created.\n";
    assert_eq!(done(&emulator, "createvlun -novcn -f v1 20-30 h2"), warning);
    assert_eq!(luns(&emulator), [0, 10, 20]);
    assert_eq!(refused(&emulator, "createvlun -f v1 30-20 h1"), "Invalid LUN: 30-20\n");
    assert_eq!(refused(&emulator, "createvlun -f v1 0 h1"), "VLUN already exists or the LUN is in use\n");
    assert_eq!(refused(&emulator, "createvlun -f x 0 h1"), "Invalid vv name: x\n");
}

#[test]
fn other_listings_have_their_layouts() {
    let emulator = array();
    let volumes = done(&emulator, "showvv");
    assert!(volumes.lines().next().unwrap().ends_with("--Rsvd(MB)--- -(MB)-"), "{volumes}");
    assert!(volumes.contains(" v1   tpvv base ---"), "{volumes}");
    assert_eq!(done(&emulator, "showvv -nohdtot -showcols Name,VSize_MB v2"), "v2       1024\n");
    assert_eq!(refused(&emulator, "showvv x"), "Invalid vv name: x\n");
    let hosts = done(&emulator, "showhost -csvtable");
    assert!(hosts.contains("\n1,h1,Generic-ALUA,iqn.1994-05.com.example:h1,0:2:1\n"), "{hosts}");
    assert_eq!(done(&emulator, "showhostset -host h2 -csvtable").lines().nth(1), Some("1,hs,h1"));
    assert_eq!(done(&emulator, "showport -csvtable").lines().last(), Some("8,,,,,,,,,"));
    assert_eq!(done(&emulator, "showport -iscsi -nohdtot").lines().count(), 4);
    assert_eq!(done(&emulator, "showport -iscsivlans"), "no ports listed\n");
    assert_eq!(done(&emulator, "showversion -s"), "3.3.1.460\n");
    assert!(done(&emulator, "showsys").contains("\n0xB69E "));
    assert!(done(&emulator, "showsys -space").contains("Total Capacity                 : "));
    assert!(done(&emulator, "help").contains("removevlun"));
    let empty = Emulator::new(ArrayConfig::default());
    assert_eq!(done(&empty, "showvv"), "no vv listed\n");
    assert_eq!(done(&empty, "showhost"), "no hosts listed\n");
    assert_eq!(done(&empty, "showhostset"), "No host set listed\n");
}

proptest! {
    #[test]
    fn no_words_break_a_command(
        command in prop::sample::select(COMMANDS.map(|command| command.name).to_vec()),
        words in prop::collection::vec("(-[a-z]{1,8}|[*?:,+v0-9-]{0,6}|set:[a-z]*|\\PC{0,8})", 0..6),
    ) {
        let words: Vec<String> = std::iter::once(command.to_owned()).chain(words).collect();
        let _ = run(&exported(), Style { csv: true, no_header_and_total: false }, &words, RemovalAnomaly::None);
    }
}
