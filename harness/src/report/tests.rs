//! Tests of the time line, of its page and of its files.

use std::collections::BTreeMap;
use std::time::Duration;

use hpe3par_docker_plugin::array::Wwn;

use super::*;
use crate::checks::{Fact, FactKind, Invariant, LifeKey, Phase, RecordFact, Violation, WriteFact};
use crate::node::{Life, NodeEvent};

const EVIL: &str = "<script>alert('owned')</script>";

fn wwn() -> Wwn {
    "60002AC000000000000000010000B69E".parse().unwrap()
}

fn life(node: &str, mount: u64) -> Life {
    Life { node: node.to_owned(), boot: 1, mount, epoch: mount }
}

fn record(epoch: u64, owner: Option<&str>, phase: Phase) -> FactKind {
    let owner = owner.map(|node| (node.to_owned(), "boot".to_owned()));
    FactKind::Record(RecordFact { volume: wwn(), epoch, owner, phase, lun: None })
}

fn on_node(node: &str, event: NodeEvent) -> FactKind {
    FactKind::Node { node: node.to_owned(), event }
}

fn write(node: &str, mount: u64, accepted: bool) -> FactKind {
    let life = Some(LifeKey { node: node.to_owned(), boot: 1, mount });
    let volume = accepted.then(wwn);
    FactKind::Write(WriteFact { volume, host: Some(node.to_owned()), lun: 1, offset: 512, accepted, life })
}

/// A recording of one fact per second, beginning at one second.
fn recording(kinds: Vec<FactKind>) -> Recording {
    let facts = (1..).zip(kinds).map(|(second, kind)| Fact { at: Duration::from_secs(second), kind }).collect();
    Recording {
        nodes: vec!["a".to_owned(), "b".to_owned()],
        names: BTreeMap::from([(wwn(), "db".to_owned())]),
        facts,
        ..Recording::default()
    }
}

fn story(title: &str) -> Story {
    Story { title: title.to_owned(), outcome: Outcome::Passed, about: Vec::new(), findings: Vec::new() }
}

fn items(kinds: Vec<FactKind>) -> Vec<Item> {
    recording(kinds).timeline(story("test")).items
}

fn second(number: u64) -> Moment {
    Moment(number * 1_000_000)
}

#[test]
fn an_epoch_is_one_item_with_its_phases_until_the_next_owner() {
    let items = items(vec![
        record(1, Some("a"), Phase::Fencing),
        record(1, Some("a"), Phase::Mounted),
        record(1, Some("a"), Phase::Mounted),
        record(2, Some("b"), Phase::Fencing),
        record(2, None, Phase::Free),
    ]);
    assert_eq!(items.len(), 2);
    assert_eq!((items[0].node.as_deref(), items[0].at, items[0].end), (Some("a"), second(1), Some(second(4))));
    assert_eq!((items[1].node.as_deref(), items[1].at, items[1].end), (Some("b"), second(4), Some(second(5))));
    let What::Epoch { phases, .. } = &items[0].what else { panic!("{:?}", items[0]) };
    let begins: Vec<_> = phases.iter().map(|phase| (phase.at, phase.phase)).collect();
    assert_eq!(begins, [(second(1), Ownership::Fencing), (second(2), Ownership::Mounted)]);
}

#[test]
fn an_export_lasts_until_its_own_removal() {
    let export = |generation| FactKind::Exported { volume: wwn(), host: "a".to_owned(), lun: 7, generation };
    let removal = FactKind::Unexported { volume: wwn(), host: "a".to_owned(), lun: 7, generation: 1 };
    let items = items(vec![export(1), export(2), removal]);
    assert_eq!(items.iter().map(|item| item.end).collect::<Vec<_>>(), [Some(second(3)), None]);
}

#[test]
fn a_refused_write_is_shown_at_the_volume_its_filesystem_was_on() {
    let mounted = NodeEvent::Mounted { wwn: wwn(), life: life("a", 3), dir: "/mnt".into(), chain: Vec::new() };
    let items = items(vec![on_node("a", mounted), write("a", 3, false), write("b", 9, false)]);
    assert_eq!(items[1].volume.as_deref(), Some(wwn().to_string().as_str()));
    assert_eq!(items[2].volume, None);
}

#[test]
fn power_takes_the_mounts_with_it_and_is_a_fault_until_the_boot() {
    let mounted = NodeEvent::Mounted { wwn: wwn(), life: life("a", 1), dir: "/mnt".into(), chain: Vec::new() };
    let boot = NodeEvent::Booted { boot: "2".to_owned() };
    let items = items(vec![on_node("a", mounted), on_node("a", NodeEvent::PoweredOff), on_node("a", boot)]);
    let What::Mount { ending, .. } = &items[0].what else { panic!("{:?}", items[0]) };
    assert_eq!((items[0].end, ending.as_deref()), (Some(second(2)), Some("lost with the power")));
    assert_eq!((items[1].at, items[1].end), (second(2), Some(second(3))));
    assert_eq!(items[1].what, What::Fault { what: "no power".to_owned(), open: false });
}

#[test]
fn faults_have_a_length_told_beforehand_or_by_their_end() {
    let began = |what: &str, lasts| FactKind::FaultBegan { who: "a".to_owned(), what: what.to_owned(), lasts };
    let ended = |what: &str| FactKind::FaultEnded { who: "a".to_owned(), what: what.to_owned() };
    let items = items(vec![
        began("short", Some(Duration::from_secs(2))),
        began("cut", None),
        began("cut", None),
        ended("cut"),
        ended("never begun"),
        began("open", None),
    ]);
    let ends: Vec<_> = items.iter().map(|item| item.end).collect();
    assert_eq!(ends, [Some(second(3)), Some(second(4)), None]);
    assert_eq!(items[2].what, What::Fault { what: "open".to_owned(), open: true });
}

#[test]
fn calls_take_the_place_of_asked_and_answered_facts() {
    let mut recording = recording(vec![FactKind::MountAsked { node: "a".to_owned(), volume: wwn(), request: 1 }]);
    assert_eq!(recording.timeline(story("facts")).items.len(), 1);
    recording.calls.push(Call {
        at: Duration::from_secs(1),
        node: "a".to_owned(),
        caller: "dockerd".to_owned(),
        endpoint: "VolumeDriver.Mount".to_owned(),
        body: r#"{"Name":"db","ID":"1"}"#.to_owned(),
        answer: Some(CallAnswer { at: Duration::from_secs(2), kind: AnswerKind::Refused, text: "no".to_owned() }),
    });
    let items = recording.timeline(story("calls")).items;
    let What::Request { method, answer, .. } = &items[0].what else { panic!("{:?}", items[0]) };
    assert_eq!((items.len(), method.as_str(), items[0].end), (1, "Mount", Some(second(2))));
    assert_eq!(answer.as_ref().map(|answer| answer.outcome), Some(AnswerKind::Refused));
    assert_eq!(items[0].volume.as_deref(), Some(wwn().to_string().as_str()));
}

#[test]
fn a_request_to_the_array_belongs_to_the_volume_it_names_as_a_whole_word() {
    let mut recording = recording(Vec::new());
    recording.array_names.insert("dcv-1".to_owned(), wwn());
    let command = |text: &str| Command {
        at: Duration::ZERO,
        channel: "cli".to_owned(),
        command: text.to_owned(),
        outcome: "done".to_owned(),
        reads: false,
    };
    recording.commands = vec![command("removevlun -f dcv-1 4 worker1"), command("removevlun -f dcv-12 4 worker1")];
    let items = recording.timeline(story("commands")).items;
    assert!(items[0].volume.is_some() && items[1].volume.is_none());
}

#[test]
fn a_time_line_survives_its_json() {
    let mut recording = recording(vec![record(1, Some("a"), Phase::Mounted), write("a", 1, true)]);
    recording.scenes.push(Scene { at: Duration::from_secs(1), text: "Given".to_owned(), failed: true });
    let timeline = recording.timeline(story("round trip"));
    let json = serde_json::to_string(&timeline).unwrap();
    assert_eq!(serde_json::from_str::<Timeline>(&json).unwrap(), timeline);
}

/// The page with every text that a run may have brought in being markup.
fn hostile_page() -> (Timeline, String) {
    let mut recording = recording(vec![
        record(1, Some(EVIL), Phase::Mounted),
        FactKind::Note { who: EVIL.to_owned(), what: format!("]]>--></script>{EVIL}\u{2028}{{{{TIMELINE}}}}") },
    ]);
    recording.names.insert(wwn(), EVIL.to_owned());
    recording.scenes.push(Scene { at: Duration::ZERO, text: EVIL.to_owned(), failed: false });
    let mut violation = Violation::new(Invariant::S1OneHost, Duration::from_secs(1), EVIL);
    violation.around.push(EVIL.to_owned());
    let findings = vec![Finding::from(&violation)];
    let about = vec![(EVIL.to_owned(), EVIL.to_owned())];
    let timeline = recording.timeline(Story { title: EVIL.to_owned(), outcome: Outcome::Failed, about, findings });
    let page = page(&timeline).unwrap();
    (timeline, page)
}

#[test]
fn markup_in_names_and_texts_stays_text() {
    let (timeline, page) = hostile_page();
    assert!(!page.contains("<script>alert") && !page.contains('\u{2028}'));
    assert_eq!(page.matches("</script>").count(), 2, "the data's and the page's own");
    assert!(page.contains("<title>&lt;script&gt;alert(&#39;owned&#39;)&lt;/script&gt;</title>"));
    let (_, data) = page.split_once(r#"<script type="application/json" id="timeline">"#).unwrap();
    let (data, _) = data.split_once("</script>").unwrap();
    assert_eq!(serde_json::from_str::<Timeline>(data).unwrap(), timeline, "and nothing is lost");
}

#[test]
fn the_page_needs_nothing_from_outside_and_runs_only_its_own_script() {
    let (_, page) = hostile_page();
    assert!(!page.contains("{{SCRIPT") && !page.contains("{{STYLE"));
    assert!(!page.contains("http://") && !page.contains("https://") && !page.contains(" src="));
    assert!(!page.contains("innerHTML") && !page.contains("insertAdjacentHTML") && !page.contains("eval("));
    let (_, script) = page.rsplit_once("<script>").unwrap();
    let (script, _) = script.split_once("</script>").unwrap();
    let allowed = format!("default-src 'none'; style-src '{}'; script-src '{}'", style_hash(&page), html::hash(script));
    assert!(page.contains(&allowed));
}

fn style_hash(page: &str) -> String {
    let (_, style) = page.split_once("<style>").unwrap();
    html::hash(style.split_once("</style>").unwrap().0)
}

#[test]
fn a_page_and_its_json_are_saved_without_secrets_and_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let recording = recording(vec![FactKind::Note { who: "a".to_owned(), what: "login with pass\"word".to_owned() }]);
    let file = folder.path().join("deep/run.html");
    let saved = save(&recording.timeline(story("secret")), &file, &["pass\"word"]).unwrap();
    for file in [&saved.page, &saved.json] {
        let text = std::fs::read_to_string(file).unwrap();
        assert!(text.contains("login with") && !text.contains("pass\\\"word"), "{}", file.display());
    }
    assert_eq!(read(&saved.json).unwrap().title, "secret");
}

#[test]
fn what_is_no_time_line_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("x.json");
    assert!(matches!(read(&file), Err(ReadError::Unreadable { .. })));
    std::fs::write(&file, "[]").unwrap();
    let told = read(&file).unwrap_err().to_string();
    assert!(told.contains("x.json") && told.contains("no time line"), "{told}");
    let mut other = recording(Vec::new()).timeline(story("other"));
    other.format = 99;
    std::fs::write(&file, serde_json::to_string(&other).unwrap()).unwrap();
    assert!(matches!(read(&file), Err(ReadError::OtherFormat { found: 99, .. })));
}

#[test]
fn names_of_files_are_readable_and_harmless() {
    assert_eq!(file_name("Takeover: the owner's node (dead)"), "takeover-the-owner-s-node-dead.html");
    assert_eq!(file_name("../../etc/passwd"), "etc-passwd.html");
    assert_eq!(file_name("…"), "run.html");
    assert!(file_name(&"x".repeat(1000)).len() < 120);
}

#[test]
fn the_list_of_pages_names_failures_first_and_escapes_titles() {
    let entry = |title: &str, passed| IndexEntry { title: title.to_owned(), passed, file: file_name(title) };
    let list = index("All", &[entry("good", true), entry(EVIL, false)]);
    assert!(list.contains("1 passed, 1 failed") && !list.contains("<script"));
    assert!(list.find("&lt;script").unwrap() < list.find("good.html").unwrap());
}

#[test]
fn violations_call_volumes_by_their_names() {
    let violation = Violation::new(Invariant::S1OneHost, Duration::ZERO, "volume v1 can be written by a and b");
    let findings = vec![Finding::from(&violation)];
    let timeline = recording(Vec::new()).timeline(Story { findings, ..story("names") });
    assert_eq!(timeline.findings[0].explanation, "volume db can be written by a and b");
}
