use proptest::prelude::*;

use super::*;
use crate::{
    array::{ArrayConfig, CreateHost, CreateVlun, CreateVolume},
    faults::FaultRule,
};

/// An array with the volume `v1` exported to the host `h1` as LUN 7.
fn array() -> Emulator {
    let emulator = Emulator::new(ArrayConfig::default());
    emulator.with(|array, now| {
        array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024)).unwrap();
        array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
        array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "h1")).unwrap();
    });
    emulator
}

fn session(emulator: &Emulator) -> CliSession {
    CliSession::new(emulator.clone(), Who { user: "3paradm".to_owned(), ..Who::default() })
}

fn exports(emulator: &Emulator) -> usize {
    emulator.with(|array, _| array.vlun_template_count())
}

fn add_fault(emulator: &Emulator, operation: &str, when: Moment, fault: FaultKind) {
    let mut rule = FaultRule::new(Some(Channel::Cli), operation, fault);
    rule.when = when;
    emulator.with_faults(|plan| plan.add(rule));
}

#[tokio::test]
async fn a_question_is_asked_and_its_answer_heeded() {
    let emulator = array();
    let mut session = session(&emulator);
    for (answer, left) in [("n", 1), ("q", 1), ("", 1), ("y", 0)] {
        let asked = session.take_line("removevlun v1 7 h1").await;
        assert!(asked.text.contains("Are you sure") && session.is_asking());
        assert_eq!(session.prompt(), "select q=quit y=yes n=no: ");
        session.take_line(answer).await;
        assert!(!session.is_asking());
        assert_eq!(exports(&emulator), left, "{answer}");
    }
    assert_eq!(session.prompt(), "emulated3par cli% ");
}

#[tokio::test]
async fn an_answer_that_is_none_is_asked_for_again() {
    let emulator = array();
    let mut session = session(&emulator);
    session.take_line("removevlun v1 7 h1").await;
    assert_eq!(session.take_line("perhaps").await.text, "Unrecognized input \"perhaps\"\n");
    assert!(session.is_asking());
    session.take_line("yes").await;
    assert_eq!(exports(&emulator), 0);
}

#[tokio::test]
async fn secrets_stay_out_of_log_and_history() {
    let emulator = array();
    let mut session = session(&emulator);
    for line in [
        "sethost initchap s3cr3tS3cr3t h1",
        "sethost initchap -s3cr3tS3cr3t h1",
        "sethost initchap h1 s3cr3tS3cr3t",
        "sethots initchap s3cr3tS3cr3t h1",
        "setsshkey s3cr3tS3cr3t",
    ] {
        session.take_line(line).await;
    }
    assert!(emulator.with(|array, _| array.host_row("h1").unwrap().initiator_chap_enabled));
    add_fault(&emulator, "sethost", Moment::Before, FaultKind::Hang);
    session.take_line("sethost targetchap s3cr3tS3cr3t h1").await;
    let log = emulator.with(|array, _| serde_json::to_string(array.events().all()).unwrap());
    let history = session.take_line("history").await.text;
    assert!(!log.contains("s3cr3t") && log.contains("sethost initchap ********"), "{log}");
    assert!(!history.contains("s3cr3t") && history.contains("sethost initchap ********"), "{history}");
}

#[tokio::test]
async fn a_key_is_collected_up_to_an_empty_line() {
    let emulator = array();
    let mut session = session(&emulator);
    assert!(session.take_line("setsshkey").await.text.contains("press enter twice"));
    assert_eq!(session.prompt(), "");
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me";
    session.take_line(key).await;
    assert_eq!(session.take_line("").await, Reply::new("SSH public key successfully set!\n", 0));
    assert_eq!(session.take_line("showsshkey").await.text, format!("1 {key}\n"));
}

#[tokio::test]
async fn settings_last_for_the_session() {
    let emulator = array();
    let mut session = session(&emulator);
    assert_eq!(session.take_line("setclienv csvtable 1").await, Reply::new("", 0));
    assert!(session.take_line("showvlun -t").await.text.starts_with("Lun,VVName,"));
    session.take_line("setclienv nohdtot 1").await;
    let text = session.take_line("showvlun -t").await.text;
    assert_eq!(text, "7,v1,h1,----------------,---,host\n");
    assert_eq!(session.take_line("setclienv csvtable maybe").await.status, 1);
    assert!(super::tests::session(&emulator).take_line("showvlun -t").await.text.starts_with("Lun VVName"));
}

#[tokio::test]
async fn unknown_commands_and_open_quotes_fail_in_the_words_of_tcl() {
    let mut session = session(&array());
    assert_eq!(session.take_line("xyz 1").await, Reply::new("invalid command name \"xyz\"\n", 1));
    assert_eq!(session.take_line("showvv \"a").await, Reply::new("missing \"\n", 1));
    assert_eq!(session.take_line("  ").await, Reply::new("", 0));
    assert!(session.take_line("exit").await.ends_session);
}

#[tokio::test]
async fn a_fault_strikes_before_or_after_the_effect() {
    for (when, left) in [(Moment::Before, 1), (Moment::After, 0)] {
        for (fault, delivery, status) in [
            (FaultKind::Hang, Delivery::Never, 1),
            (FaultKind::Reset, Delivery::Dropped, 1),
            (FaultKind::Error { code: 1, status: 500, desc: "busy".to_owned() }, Delivery::Whole, 1),
            (FaultKind::HttpStatus { status: 503 }, Delivery::Whole, 1),
        ] {
            let emulator = array();
            add_fault(&emulator, "removevlun", when, fault.clone());
            let reply = session(&emulator).take_line("removevlun -f v1 7 h1").await;
            assert_eq!((reply.delivery, reply.status), (delivery, status), "{fault:?} {when:?}");
            assert_eq!(exports(&emulator), left, "{fault:?} {when:?}");
        }
    }
}

#[tokio::test]
async fn truncation_keeps_the_output_for_the_terminal_to_cut() {
    let emulator = array();
    add_fault(&emulator, "showvlun", Moment::Before, FaultKind::Truncate { bytes: 10 });
    let reply = session(&emulator).take_line("showvlun -t").await;
    assert_eq!(reply.delivery, Delivery::Truncated(10));
    add_fault(&emulator, "removevlun", Moment::Before, FaultKind::Truncate { bytes: 10 });
    let reply = session(&emulator).take_line("removevlun -f v1 7 h1").await;
    assert_eq!((reply.delivery, exports(&emulator)), (Delivery::Dropped, 1));
}

#[tokio::test]
async fn a_lying_removal_says_that_it_worked() {
    let emulator = array();
    add_fault(&emulator, "removevlun", Moment::Before, FaultKind::LyingRemoval);
    let reply = session(&emulator).take_line("removevlun -f v1 7 h1").await;
    assert_eq!(reply, Reply::new("Issuing removevlun v1 7 h1\n", 0));
    assert_eq!(exports(&emulator), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_effect_comes_after_the_caller_has_gone() {
    let emulator = array();
    add_fault(&emulator, "removevlun", Moment::Before, FaultKind::ApplyLater { delay_ms: 5_000 });
    let mut session = session(&emulator);
    assert_eq!(session.take_line("removevlun -f v1 7 h1").await.delivery, Delivery::Never);
    drop(session);
    assert_eq!(exports(&emulator), 1);
    tokio::time::sleep(Duration::from_millis(5_001)).await;
    assert_eq!(exports(&emulator), 0);
}

#[tokio::test]
async fn a_wrong_prompt_is_handed_to_the_terminal() {
    let emulator = array();
    add_fault(&emulator, "showvlun", Moment::Before, FaultKind::WrongPrompt { prompt: "$ ".to_owned() });
    let reply = session(&emulator).take_line("showvlun").await;
    assert_eq!(reply.next_prompt.as_deref(), Some("$ "));
}

#[tokio::test]
async fn the_log_names_the_commands() {
    let emulator = array();
    session(&emulator).take_line("removevlun -f v1 8 h1").await;
    let log = emulator.with(|array, _| serde_json::to_string(array.events().all()).unwrap());
    assert!(log.contains("removevlun -f v1 8 h1") && log.contains("VLUN not found"), "{log}");
}

/// Lines that look like commands, and lines that look like nothing.
fn line() -> impl Strategy<Value = String> {
    let names: Vec<&'static str> = commands::names().collect();
    let word = prop_oneof![
        prop::sample::select(vec![
            "v1",
            "h1",
            "set:x",
            "7",
            "*",
            "-f",
            "-pat",
            "-d",
            "-dr",
            "-csvtable",
            "-showcols",
            "FC_r6",
            "1g",
            "0:2:1"
        ])
        .prop_map(str::to_owned),
        "(-[a-z_]{1,8}|[*?\\[\\]:,+v0-9-]{0,6}|[\"'{}\\\\]{0,3}|\\PC{0,8})",
    ];
    let command = (prop::sample::select(names), prop::collection::vec(word, 0..6));
    prop_oneof![
        4 => command.prop_map(|(name, words)| format!("{name} {}", words.join(" "))),
        1 => any::<String>(),
        1 => prop::sample::select(vec!["y", "n", "q", "", "setclienv csvtable 1", "history"]).prop_map(str::to_owned),
    ]
}

proptest! {
    #[test]
    fn no_line_breaks_a_session(lines in prop::collection::vec(line(), 1..12)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let emulator = array();
            let mut session = session(&emulator);
            for line in &lines {
                let reply = session.take_line(line).await;
                prop_assert!(reply.text.is_empty() || reply.text.ends_with('\n'), "{line:?} prints {:?}", reply.text);
            }
            Ok(())
        })?;
    }
}
