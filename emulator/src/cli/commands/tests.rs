use proptest::prelude::*;

use super::*;
use crate::{
    array::{Account, ArrayConfig, CreateHost, CreateSet, CreateVolume, Initiator, PortPos, Role, SetKind},
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
    run_words(emulator, Style::default(), &split(line).unwrap())
}

fn run_words(emulator: &Emulator, style: Style, words: &[String]) -> Outcome {
    let who = Who { user: "3paradm".to_owned(), ..Who::default() };
    run(emulator, words, &Circumstances { style, anomaly: RemovalAnomaly::None, who: &who })
}

#[test]
fn an_account_that_only_reads_changes_nothing() {
    let accounts =
        vec![Account { name: "reader".to_owned(), password: "secret".to_owned().into(), role: Role::Browse }];
    let emulator = Emulator::new(ArrayConfig { accounts, ..ArrayConfig::default() });
    let who = Who { user: "reader".to_owned(), ..Who::default() };
    let circumstances = Circumstances { style: Style::default(), anomaly: RemovalAnomaly::None, who: &who };
    let run_as = |line: &str| run(&emulator, &split(line).unwrap(), &circumstances);
    for line in ["createvv -tpvv FC_r6 v1 1g", "removehost -f h1", "setqos -off vvset:s"] {
        assert_eq!(run_as(line), Outcome::refused("Error: permission denied"), "{line}");
    }
    for line in ["showvv", "createvv -h", "checkvv -y nothere"] {
        assert_ne!(run_as(line), Outcome::refused("Error: permission denied"), "{line}");
    }
    assert_eq!(done(&emulator, "showvv"), "no vv listed\n");
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
    assert_eq!(refused(&emulator, "showvlun -v set:x"), "vv set x does not exist\n");
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
    assert!(volumes.contains(" v1    tpvv base ---"), "{volumes}");
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

#[test]
fn every_layout_names_columns_that_exist() {
    let emulator = exported();
    for form in ["-d", "-s", "-r", "-pol", "-cpgalloc", "-state", "-hist", "-g", "-alert", "-cpprog", "-rcopy"] {
        done(&emulator, &format!("showvv {form}"));
    }
    for form in ["-d", "-r", "-alert", "-sag", "-sdg"] {
        done(&emulator, &format!("showcpg {form}"));
    }
    for form in ["-lvw", "-pathsum", "-hostsum"] {
        done(&emulator, &format!("showvlun {form}"));
    }
}

#[test]
fn every_command_explains_itself() {
    let emulator = array();
    for command in catalogue::all() {
        let text = done(&emulator, &format!("clihelp {}", command.name));
        assert!(
            text.starts_with(&format!("{} - {}\n\nUsage: {}", command.name, command.summary, command.name)),
            "{text}"
        );
    }
    assert!(done(&emulator, "help").contains("removevlun"));
    assert_eq!(done(&emulator, "showvv -h"), done(&emulator, "clihelp showvv"));
    assert!(done(&emulator, "clihelp -col showvv").starts_with("Id\nName\n"));
    assert_eq!(refused(&emulator, "clihelp -col createvv"), "No column help for createvv\n");
    assert!(refused(&emulator, "help nonsense").starts_with("No help for nonsense"));
}

#[test]
fn volumes_are_made_changed_copied_and_removed() {
    let emulator = array();
    assert_eq!(done(&emulator, "createvv -tpvv -snp_cpg FC_r6 -comment {a b} FC_r6 n1 2g"), "");
    assert_eq!(done(&emulator, "createvv -tpvv -cnt 2 -snp_cpg FC_r6 FC_r6 m 256"), "");
    assert_eq!(
        done(&emulator, "showvv -nohdtot -showcols Name,VSize_MB n1 m.*"),
        "n1       2048\nm.0       256\nm.1       256\n"
    );
    assert_eq!(refused(&emulator, "createvv -tpvv FC_r6 n1 1g"), "Error: vv name n1 is already in use\n");
    assert_eq!(refused(&emulator, "createvv -tpvv nowhere n2 1g"), "Invalid CPG name: nowhere\n");
    assert_eq!(refused(&emulator, "createvv -tpvv FC_r6 n2 1x"), "The suffix, x, for size is invalid.\n");
    assert_eq!(done(&emulator, "growvv -f n1 1g"), "");
    assert_eq!(done(&emulator, "setvv -name n2 -comment c -pol one_host n1"), "");
    assert_eq!(done(&emulator, "showvv -nohdtot -showcols Name,VSize_MB,Comment n2"), "n2       3072 c\n");
    assert_eq!(done(&emulator, "createsv -ro n2.s n2"), "");
    assert_eq!(done(&emulator, "createsv n2.t n2.s"), "");
    assert_eq!(done(&emulator, "creategroupsv m.0:m.0.s m.1"), "");
    let tree = done(&emulator, "showvv -nohdtot -showcols Name,Type,CopyOf,Rd n2*");
    assert_eq!(tree, "n2       base  ---    RW\n  n2.s   vcopy n2     RO\n    n2.t vcopy n2.s   RW\n");
    assert!(refused(&emulator, "removevv -f n2").starts_with("Removing vv n2\nError: "));
    assert_eq!(
        done(&emulator, "removevv -f -dr -cascade n2"),
        "Dry run: removevv n2.t\nDry run: removevv n2.s\nDry run: removevv n2\n"
    );
    done(&emulator, "removevv -f -cascade n2");
    done(&emulator, "removevv -f -snaponly -pat m*");
    assert_eq!(done(&emulator, "showvv -nohdtot -showcols Name"), "v1\nv2\nm.0\nm.1\n");
    assert!(refused(&emulator, "removevv -f m*").contains("patterns need -pat"));
    done(&emulator, "removevv -f -pat m*");
    assert_eq!(refused(&emulator, "removevv -f -pat m*"), "no matching vv\n");
}

#[test]
fn hosts_are_made_found_by_their_paths_changed_and_removed() {
    let emulator = array();
    let made = done(&emulator, "createhost n1 10:00:00:90:FA:13:C1:72");
    assert_eq!(made, "Setting default host persona 2 (Generic-ALUA)\n");
    assert_eq!(
        refused(&emulator, "createhost probe 10000090FA13C172"),
        "WWN 10000090FA13C172 already used by host n1 (3)\n"
    );
    assert_eq!(
        refused(&emulator, "createhost -iscsi probe iqn.1994-05.com.example:h2"),
        "iSCSI name iqn.1994-05.com.example:h2 already used by host h2 (2)\n"
    );
    assert_eq!(refused(&emulator, "createhost n2 iqn.x"), "Invalid WWN: iqn.x\n");
    assert_eq!(done(&emulator, "createhost -add n1 10000090FA13C173"), "");
    assert_eq!(done(&emulator, "sethost -persona 11 -name n2 -os Linux n1"), "");
    assert_eq!(
        done(&emulator, "showhost -d -nohdtot n2"),
        " 3 n2   VMware  10000090FA13C172 ---  n/a\n 3 n2   VMware  10000090FA13C173 ---  n/a\n"
    );
    assert_eq!(done(&emulator, "removehost -f n2 10000090FA13C172"), "");
    assert_eq!(done(&emulator, "sethost initchap -chapname user s3cr3tS3cr3t n2"), "");
    assert_eq!(done(&emulator, "showhost -chap -nohdtot n2"), " 3 n2   user                  --\n");
    assert_eq!(done(&emulator, "sethost removechap -f n2"), "");
    done(&emulator, "createvlun -f v1 9 n2");
    assert!(refused(&emulator, "removehost -f n2").starts_with("Error: "));
    assert_eq!(done(&emulator, "removehost -f -rvl n2"), "");
    assert_eq!(refused(&emulator, "showhost n2"), "host n2 does not exist\n");
    assert!(done(&emulator, "showhost -desc h1").contains("Name       : h1\n"));
    assert!(done(&emulator, "showhost -listpersona").contains("11 VMware"));
}

#[test]
fn sets_are_made_changed_and_removed() {
    let emulator = array();
    assert_eq!(done(&emulator, "createvvset -comment c vs v*"), "");
    assert_eq!(done(&emulator, "showvvset -d -nohdtot"), " 1 vs   v1      c\n        v2\n");
    assert_eq!(done(&emulator, "showvv -nohdtot -showcols Name set:vs"), "v1\nv2\n");
    assert_eq!(refused(&emulator, "createvvset vs v1"), "Error: set vs already exists\n");
    assert_eq!(done(&emulator, "removevvset -f vs v1"), "");
    assert_eq!(done(&emulator, "showvvset -vv v1"), "No vv set listed\n");
    assert_eq!(done(&emulator, "createvvset -add vs v1"), "");
    assert_eq!(done(&emulator, "setvvset -name ws vs"), "");
    assert_eq!(done(&emulator, "showvvset -summary -nohdtot"), " 1 ws         2 off\n");
    assert!(refused(&emulator, "removevv -f v1").contains("resource in use"));
    assert_eq!(done(&emulator, "removevvset -f -pat w*"), "");
    assert_eq!(done(&emulator, "showvvset"), "No vv set listed\n");
    assert_eq!(refused(&emulator, "removehostset -f none"), "host set none does not exist\n");
}

#[test]
fn cpgs_are_made_and_removed() {
    let emulator = array();
    assert_eq!(done(&emulator, "createcpg -t r5 -ssz 4 -sdgl 10g -p -devtype SSD c1"), "");
    assert_eq!(
        done(&emulator, "showcpg -csvtable -nohdtot -showcols Name,TPVVs,DataLimit c1 FC_r6"),
        "FC_r6,2,-\nc1,0,10240\n"
    );
    assert_eq!(refused(&emulator, "createcpg c1"), "Error: CPG c1 already exists\n");
    assert_eq!(refused(&emulator, "createcpg -t r9 c2"), "Invalid value for -t: r9\n");
    assert!(refused(&emulator, "removecpg -f FC_r6").contains("resource in use"));
    assert_eq!(done(&emulator, "removecpg -f -pat c*"), "Removing CPG c1\n");
    assert!(done(&emulator, "showspace -cpg FC_r6").contains("\nFC_r6 "));
}

#[test]
fn what_needs_force_asks() {
    let emulator = array();
    for line in
        ["removevv v2", "removehost h2", "removehostset hs", "removecpg SSD_r6", "growvv v1 1g", "setwsapi -timeout 30"]
    {
        let Outcome::Ask { confirmed, .. } = run_line(&emulator, line) else { panic!("{line} must ask") };
        assert_eq!(confirmed[1], "-f");
        assert_eq!(confirmed.len(), split(line).unwrap().len() + 1);
    }
}

proptest! {
    #[test]
    fn no_words_break_a_command(
        command in prop::sample::select(catalogue::all().map(|command| command.name).collect::<Vec<_>>()),
        words in prop::collection::vec("(-[a-z]{1,8}|[*?:,+v0-9-]{0,6}|set:[a-z]*|\\PC{0,8})", 0..6),
    ) {
        let words: Vec<String> = std::iter::once(command.to_owned()).chain(words).collect();
        let _ = run_words(&exported(), Style { csv: true, no_header_and_total: false }, &words);
        let _ = without_secrets(&words);
    }
}
