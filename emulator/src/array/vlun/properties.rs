//! Random sequences of commands against the rules that must hold after every one of them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::array::{
    Array, ArrayConfig, CreateHost, CreateSet, CreateVolume, EventKind, HostName, ModifyHost, ModifySet, ModifyVolume,
    SetKind, VlunGeneration,
};
use crate::datapath::SessionId;

const VOLUMES: [&str; 3] = ["v0", "v1", "v2"];
const HOSTS: [&str; 3] = ["h0", "h1", "h2"];
const PORTS: [&str; 2] = ["0:2:1", "1:2:1"];

/// A command with small numbers in the place of names.
#[derive(Debug, Clone)]
enum Step {
    Create { volume: usize, lun: i64, to: To, auto: bool },
    Remove { volume: usize, lun: i64, to: To, anomaly: RemovalAnomaly },
    LogIn { host: usize, port: usize },
    LogOut { nth: usize },
    Join { host: usize },
    Leave { host: usize },
    TakePath { host: usize },
    GivePath { host: usize },
    RenameVolume { volume: usize },
    RemoveVolume { volume: usize },
    RemoveHost { host: usize },
    Write { nth: usize, lun: i64, on_the_wire: bool },
    Wait { seconds: u64 },
}

/// The target of an export.
#[derive(Debug, Clone, Copy)]
enum To {
    Host(usize),
    Matched(usize, usize),
    Port(usize),
    Set,
}

impl To {
    fn host(self) -> Option<String> {
        match self {
            Self::Host(h) | Self::Matched(h, _) => Some(HOSTS[h].to_owned()),
            Self::Port(_) => None,
            Self::Set => Some("set:cluster".to_owned()),
        }
    }

    fn port(self) -> Option<PortPos> {
        match self {
            Self::Matched(_, p) | Self::Port(p) => Some(PORTS[p].parse().unwrap()),
            Self::Host(_) | Self::Set => None,
        }
    }
}

fn to() -> impl Strategy<Value = To> {
    prop_oneof![
        4 => (0..3usize).prop_map(To::Host),
        3 => (0..3usize, 0..2usize).prop_map(|(h, p)| To::Matched(h, p)),
        1 => (0..2usize).prop_map(To::Port),
        2 => Just(To::Set),
    ]
}

fn anomaly() -> impl Strategy<Value = RemovalAnomaly> {
    prop_oneof![
        5 => Just(RemovalAnomaly::None),
        1 => (0..5u64).prop_map(|s| RemovalAnomaly::Slow(Duration::from_secs(s))),
        1 => Just(RemovalAnomaly::Partial),
        1 => Just(RemovalAnomaly::Lying),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    let (volume, host) = (0..3usize, 0..3usize);
    prop_oneof![
        8 => (volume.clone(), 0..4i64, to(), prop::bool::weighted(0.2))
            .prop_map(|(volume, lun, to, auto)| Step::Create { volume, lun, to, auto }),
        6 => (volume.clone(), 0..4i64, to(), anomaly())
            .prop_map(|(volume, lun, to, anomaly)| Step::Remove { volume, lun, to, anomaly }),
        3 => (host.clone(), 0..2usize).prop_map(|(host, port)| Step::LogIn { host, port }),
        1 => (0..4usize).prop_map(|nth| Step::LogOut { nth }),
        2 => host.clone().prop_map(|host| Step::Join { host }),
        1 => host.clone().prop_map(|host| Step::Leave { host }),
        1 => host.clone().prop_map(|host| Step::TakePath { host }),
        1 => host.clone().prop_map(|host| Step::GivePath { host }),
        1 => volume.clone().prop_map(|volume| Step::RenameVolume { volume }),
        1 => volume.prop_map(|volume| Step::RemoveVolume { volume }),
        1 => host.prop_map(|host| Step::RemoveHost { host }),
        3 => (0..4usize, 0..4i64, any::<bool>()).prop_map(|(nth, lun, on_the_wire)| Step::Write { nth, lun, on_the_wire }),
        1 => (0..3u64).prop_map(|seconds| Step::Wait { seconds }),
    ]
}

fn iqn(host: usize) -> String {
    format!("iqn.1994-05.com.redhat:{}", HOSTS[host])
}

/// The array under test with the little that the test remembers.
struct Trial {
    array: Array,
    now: Duration,
}

impl Trial {
    fn new() -> Self {
        let (mut array, now) = (Array::new(ArrayConfig::default()), Duration::ZERO);
        for volume in VOLUMES {
            array.create_volume(now, &CreateVolume::thin(volume, "FC_r6", 256)).unwrap();
        }
        for (n, host) in HOSTS.iter().enumerate() {
            array.create_host(now, &CreateHost::iscsi(host, &[&iqn(n)])).unwrap();
        }
        array.create_set(now, SetKind::Host, &CreateSet::new("cluster", &[])).unwrap();
        Self { array, now }
    }

    fn session(&self, nth: usize) -> Option<SessionId> {
        self.array.nexuses().nth(nth).map(|n| n.id)
    }

    /// Does a step; a refusal is as good as a success, only the state afterwards counts.
    fn take(&mut self, step: &Step) {
        let (now, array) = (self.now, &mut self.array);
        match step {
            Step::Create { volume, lun, to, auto } => {
                let body = CreateVlun {
                    volume_name: Some(VOLUMES[*volume].into()),
                    lun: Some(*lun),
                    hostname: to.host(),
                    port_pos: to.port().map(Into::into),
                    auto_lun: Some(*auto),
                    ..CreateVlun::default()
                };
                let _ = array.create_vlun(now, &body);
            }
            Step::Remove { volume, lun, to, anomaly } => {
                let address =
                    VlunAddress { volume: VOLUMES[*volume].into(), lun: *lun, host: to.host(), port: to.port() };
                let _ = array.remove_vlun_as(now, &address, *anomaly);
            }
            Step::LogIn { host, port } => {
                array.login(now, &Initiator::parse(&iqn(*host)).unwrap(), PORTS[*port].parse().unwrap()).unwrap();
            }
            Step::LogOut { nth } => {
                let session = self.session(*nth);
                session.map(|s| self.array.logout(now, s));
            }
            Step::Join { host } | Step::Leave { host } => {
                let action = Some(if matches!(step, Step::Join { .. }) { 1 } else { 2 });
                let setmembers = Some(vec![HOSTS[*host].to_owned()]);
                let body = ModifySet { action, setmembers, ..ModifySet::default() };
                let _ = array.modify_set(now, SetKind::Host, "cluster", &body);
            }
            Step::TakePath { host } | Step::GivePath { host } => {
                let path_operation = Some(if matches!(step, Step::GivePath { .. }) { 1 } else { 2 });
                let iscsi_names = Some(vec![iqn(*host)]);
                let body = ModifyHost { path_operation, iscsi_names, ..ModifyHost::default() };
                let _ = array.modify_host(now, HOSTS[*host], &body);
            }
            Step::RenameVolume { volume } => {
                let (from, to) = (VOLUMES[*volume], VOLUMES[(*volume + 1) % 3]);
                let body = ModifyVolume { new_name: Some(to.into()), ..ModifyVolume::default() };
                let _ = array.modify_volume(now, from, &body);
            }
            Step::RemoveVolume { volume } => {
                let exported = !array.vlun_rows(&VlunFilter::volume(VOLUMES[*volume])).is_empty();
                let removed = array.remove_volume(now, VOLUMES[*volume]).is_ok();
                assert!(!(exported && removed), "an exported volume was deleted");
            }
            Step::RemoveHost { host } => {
                let exported = !array.vlun_rows(&VlunFilter::host(HOSTS[*host])).is_empty();
                let removed = array.remove_host(now, HOSTS[*host]).is_ok();
                let by_port = array.vlun_rows(&VlunFilter::default()).iter().any(|r| r.kind == VlunKind::Port);
                assert!(!(exported && removed) || by_port, "a host with exports was deleted");
            }
            Step::Write { nth, lun, on_the_wire } => {
                if let Some(session) = self.session(*nth) {
                    let lun = Lun::new(*lun).unwrap();
                    let _ = if *on_the_wire {
                        self.array.send_write(now, session, lun, 0, vec![1], None)
                    } else {
                        self.array.begin_write(now, session, lun, 0, vec![1], None)
                    };
                }
            }
            Step::Wait { seconds } => {
                self.now += Duration::from_secs(*seconds);
                self.array.advance(self.now);
            }
        }
    }

    /// Every rule that must hold at rest.
    fn check(&mut self) {
        let rows = self.array.vlun_rows(&VlunFilter::default());
        self.check_templates(&rows);
        self.check_active(&rows);
        self.check_sessions(&rows);
        self.check_filters(&rows);
        self.check_events();
    }

    /// On one host, named by itself or by its set, a LUN is one volume.
    fn check_templates(&self, rows: &[VlunRow]) {
        let mut seen: BTreeMap<(String, Lun), String> = BTreeMap::new();
        let members = self.array.set_row(SetKind::Host, "cluster").unwrap().setmembers;
        for row in rows.iter().filter(|r| !r.active) {
            let hosts = match row.hostname.as_deref() {
                None => vec![],
                Some("set:cluster") => members.clone(),
                Some(host) => vec![host.to_owned()],
            };
            for host in hosts {
                let before = seen.insert((host.clone(), row.lun), row.volume_name.to_string());
                let same = before.is_none_or(|b| row.volume_name == b.as_str());
                assert!(same, "LUN {} of {host} is two volumes: {rows:?}", row.lun);
            }
        }
    }

    /// Active rows have a path that is logged in and come from a template; every uncontested template is active on its paths.
    fn check_active(&self, rows: &[VlunRow]) {
        let paths: BTreeSet<(String, PortPos)> =
            self.array.nexuses().map(|n| (n.initiator.to_string(), n.port)).collect();
        let active: Vec<_> = rows.iter().filter(|r| r.active).collect();
        for row in &active {
            assert!(paths.contains(&(row.remote_name.clone().unwrap(), row.port_pos.unwrap())));
            assert!(self.array.vluns.get(row.generation).is_some(), "an active row without its template");
        }
        for template in rows.iter().filter(|r| !r.active && r.kind == VlunKind::Host) {
            let of_host = |(initiator, port): &&(String, PortPos)| {
                let host = self.array.host_of(&Initiator::parse(initiator).unwrap());
                host.map(|h| h.name.to_string()) == template.hostname
                    && !rows
                        .iter()
                        .any(|r| r.kind == VlunKind::MatchedSet && r.lun == template.lun && r.port_pos == Some(*port))
            };
            for (initiator, port) in paths.iter().filter(of_host) {
                let found = active.iter().any(|r| {
                    r.generation == template.generation
                        && r.remote_name.as_ref() == Some(initiator)
                        && r.port_pos == Some(*port)
                });
                assert!(found, "template {template:?} is not active on {initiator} at {port}: {rows:?}");
            }
        }
    }

    /// What a session is told is what the rows say.
    fn check_sessions(&mut self, rows: &[VlunRow]) {
        let sessions: Vec<_> = self.array.nexuses().map(|n| (n.id, n.initiator.to_string(), n.port)).collect();
        for (session, initiator, port) in sessions {
            let mine = |r: &&VlunRow| {
                r.active && r.remote_name.as_deref() == Some(initiator.as_str()) && r.port_pos == Some(port)
            };
            let by_rows: Vec<_> = rows.iter().filter(mine).map(|r| r.lun).collect();
            let told: BTreeSet<Lun> =
                self.array.report_luns(self.now, session).unwrap().into_iter().filter(|l| *l != Lun::SES).collect();
            assert_eq!(by_rows.len(), told.len(), "one active row per path and LUN: {rows:?}");
            assert_eq!(by_rows.into_iter().collect::<BTreeSet<_>>(), told);
            for row in rows.iter().filter(mine) {
                assert_eq!(self.array.vpd83(session, row.lun).unwrap(), row.volume_wwn);
            }
        }
    }

    /// Looking up through an index gives what looking at everything gives.
    fn check_filters(&self, rows: &[VlunRow]) {
        let by_volume = VOLUMES.map(|v| self.array.vlun_rows(&VlunFilter::volume(v)).len()).iter().sum::<usize>();
        assert_eq!(by_volume, rows.len());
        for host in HOSTS.iter().map(|h| (*h).to_owned()).chain(["set:cluster".to_owned()]) {
            let by_host = self.array.vlun_rows(&VlunFilter::host(&host)).len();
            assert_eq!(by_host, rows.iter().filter(|r| r.hostname.as_deref() == Some(host.as_str())).count(), "{host}");
        }
    }

    /// The log tells the same story as the state.
    fn check_events(&self) {
        let mut alive = BTreeSet::new();
        let mut last = VlunGeneration(0);
        for event in self.array.events().all() {
            match &event.kind {
                EventKind::VlunCreated(note) => {
                    assert!(note.generation > last, "a number was used twice");
                    last = note.generation;
                    alive.insert(note.generation);
                }
                EventKind::VlunRemoved { vlun, .. } => drop(alive.remove(&vlun.generation)),
                _ => {}
            }
        }
        // A partial removal is in the log although something of the template is left.
        let standing: BTreeSet<_> =
            self.array.vluns.iter().filter(|t| t.life == TemplateLife::Standing).map(|t| t.generation).collect();
        assert_eq!(alive, standing);
    }
}

proptest! {
    #[test]
    fn the_rules_hold_after_every_command(steps in prop::collection::vec(step(), 1..60)) {
        let mut trial = Trial::new();
        for step in &steps {
            trial.take(step);
            trial.check();
        }
    }

    #[test]
    fn the_same_commands_give_the_same_array(steps in prop::collection::vec(step(), 1..40)) {
        let run = || {
            let mut trial = Trial::new();
            steps.iter().for_each(|s| trial.take(s));
            (trial.array.events().all().to_vec(), trial.array.ledger().all(), trial.array.vlun_rows(&VlunFilter::default()))
        };
        prop_assert_eq!(run(), run());
    }
}

/// Thousands of objects: making and removing an export must not look at all of them.
#[test]
fn ten_thousand_volumes_and_a_thousand_hosts() {
    let (mut array, now) = (Array::new(ArrayConfig::default()), Duration::ZERO);
    for n in 0..1000 {
        array
            .create_host(now, &CreateHost::iscsi(&format!("host{n}"), &[&format!("iqn.2000-01.org.example:{n}")]))
            .unwrap();
    }
    for n in 0..10_000 {
        array.create_volume(now, &CreateVolume::thin(&format!("vol{n}"), "FC_r6", 256)).unwrap();
        let body = CreateVlun::host_sees(&format!("vol{n}"), 0, &format!("host{}", n % 1000)).auto();
        let made = array.create_vlun(now, &body).unwrap();
        assert_eq!(i64::from(made.lun.get()), n / 1000);
    }
    assert_eq!(array.vlun_template_count(), 10_000);
    assert_eq!(array.vlun_rows(&VlunFilter::host("host7")).len(), 10);
    for n in 0..10_000 {
        array
            .remove_vlun(now, &VlunAddress::host_sees(&format!("vol{n}"), n / 1000, &format!("host{}", n % 1000)))
            .unwrap();
    }
    assert_eq!(array.vlun_template_count(), 0);
    assert!(array.host(HostName::new("host999").unwrap().as_str()).is_ok());
}
