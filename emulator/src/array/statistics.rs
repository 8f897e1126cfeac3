//! System reporter: what volumes and ports did, counted with every command and sampled every five minutes of the array's time.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::{Value, json};

use super::Array;
use super::identity::PortPos;

/// Time between two samples of the finest kind.
const SAMPLE_EVERY: Duration = Duration::from_secs(300);
/// Samples kept: a day.
const SAMPLES_MAX: usize = 288;

/// What was read and written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct IoCounters {
    /// Reads.
    pub reads: u64,
    /// Writes.
    pub writes: u64,
    /// Bytes read.
    pub read_bytes: u64,
    /// Bytes written.
    pub written_bytes: u64,
}

impl IoCounters {
    fn add(&mut self, other: Self) {
        self.reads += other.reads;
        self.writes += other.writes;
        self.read_bytes += other.read_bytes;
        self.written_bytes += other.written_bytes;
    }

    /// One read or write.
    pub(crate) const fn of(write: bool, bytes: u64) -> Self {
        if write {
            Self { reads: 0, writes: 1, read_bytes: 0, written_bytes: bytes }
        } else {
            Self { reads: 1, writes: 0, read_bytes: bytes, written_bytes: 0 }
        }
    }
}

/// What happened between two samples; only what did anything is in it.
#[derive(Debug, Clone, Default)]
struct Sample {
    /// End of the time, since the start of the array.
    at: Duration,
    volumes: BTreeMap<u32, IoCounters>,
    ports: BTreeMap<PortPos, IoCounters>,
    /// Volume, LUN and host.
    vluns: BTreeMap<(u32, u16, Option<u32>), IoCounters>,
}

/// The counters.
#[derive(Debug, Clone, Default)]
pub(crate) struct Statistics {
    current: Sample,
    past: VecDeque<Sample>,
    next: Duration,
}

impl Statistics {
    /// Counts one command.
    pub(crate) fn count(&mut self, volume: u32, port: PortPos, lun: u16, host: Option<u32>, io: IoCounters) {
        self.current.volumes.entry(volume).or_default().add(io);
        self.current.ports.entry(port).or_default().add(io);
        self.current.vluns.entry((volume, lun, host)).or_default().add(io);
    }

    /// Closes the sample when its time is over.
    fn sample(&mut self, now: Duration) {
        if now < self.next {
            return;
        }
        let at = Duration::from_secs(now.as_secs() / SAMPLE_EVERY.as_secs() * SAMPLE_EVERY.as_secs());
        self.next = at + SAMPLE_EVERY;
        let mut closed = std::mem::take(&mut self.current);
        closed.at = at;
        self.past.push_back(closed);
        if self.past.len() > SAMPLES_MAX {
            self.past.pop_front();
        }
    }
}

/// What a report is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Report {
    /// `vlunstatistics`.
    Vlun,
    /// `portstatistics`.
    Port,
    /// `cpgstatistics`.
    Cpg,
    /// `cpustatistics`.
    Cpu,
    /// `cachememorystatistics`.
    CacheMemory,
    /// `qosstatistics`.
    Qos,
    /// `physicaldiskstatistics`.
    PhysicalDisk,
    /// `physicaldiskcapacity`.
    PhysicalDiskCapacity,
    /// `physicaldiskspacedata`.
    PhysicalDiskSpace,
    /// `cpgspacedata`.
    CpgSpace,
    /// `volumespacedata`.
    VolumeSpace,
    /// `remotecopystatistics`.
    RemoteCopy,
    /// `remotecopyvolumestatistics`.
    RemoteCopyVolume,
}

/// Reports with their names in URIs.
const REPORTS: [(Report, &str); 13] = [
    (Report::Vlun, "vlunstatistics"),
    (Report::Port, "portstatistics"),
    (Report::Cpg, "cpgstatistics"),
    (Report::Cpu, "cpustatistics"),
    (Report::CacheMemory, "cachememorystatistics"),
    (Report::Qos, "qosstatistics"),
    (Report::PhysicalDisk, "physicaldiskstatistics"),
    (Report::PhysicalDiskCapacity, "physicaldiskcapacity"),
    (Report::PhysicalDiskSpace, "physicaldiskspacedata"),
    (Report::CpgSpace, "cpgspacedata"),
    (Report::VolumeSpace, "volumespacedata"),
    (Report::RemoteCopy, "remotecopystatistics"),
    (Report::RemoteCopyVolume, "remotecopyvolumestatistics"),
];

impl Report {
    /// The report with this name in a URI.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        REPORTS.iter().find(|row| row.1 == name).map(|row| row.0)
    }
}

/// The figures of one line, over `seconds`.
fn figures(io: IoCounters, seconds: u64) -> Value {
    #[expect(clippy::cast_precision_loss, reason = "rates, shown with two digits")]
    let rate = |n: u64| (n as f64 / seconds.max(1) as f64 * 100.0).round() / 100.0;
    let size = |bytes: u64, count: u64| bytes.checked_div(count).unwrap_or(0) / 1024;
    let (all, bytes) = (io.reads + io.writes, io.read_bytes + io.written_bytes);
    json!({
        "IO": {"read": rate(io.reads), "write": rate(io.writes), "total": rate(all)},
        "KBytes": {"read": rate(io.read_bytes / 1024), "write": rate(io.written_bytes / 1024), "total": rate(bytes / 1024)},
        "IOSizeKB": {
            "read": size(io.read_bytes, io.reads), "write": size(io.written_bytes, io.writes), "total": size(bytes, all),
        },
        // Commands take no time of the array's clock.
        "serviceTimeMS": {"read": 0, "write": 0, "total": 0}, "queueLength": 0, "busyPct": 0,
    })
}

/// A line of figures with what it is about.
fn line(about: Value, io: IoCounters, seconds: u64) -> Value {
    let (mut line, mut held) = (about, figures(io, seconds));
    if let (Some(line), Some(held)) = (line.as_object_mut(), held.as_object_mut()) {
        line.append(held);
    }
    line
}

impl Array {
    /// Closes the sample of the statistics when its time is over.
    pub(crate) fn sample_statistics(&mut self) {
        self.statistics.sample(self.now);
    }

    /// The lines of a report for the last sample.
    fn report_lines(&self, report: Report, sample: &Sample) -> Vec<Value> {
        let seconds = SAMPLE_EVERY.as_secs();
        match report {
            Report::Vlun => sample.vluns.iter().filter_map(|(key, io)| Some(line(self.vlun_line(*key)?, *io, seconds))).collect(),
            Report::Port => {
                let of = |pos: PortPos| sample.ports.get(&pos).copied().unwrap_or_default();
                let about = |pos: PortPos| json!({"node": pos.node, "slot": pos.slot, "cardPort": pos.card_port});
                self.ports.iter().map(|port| line(about(port.pos), of(port.pos), seconds)).collect()
            }
            Report::Cpg => {
                let mut sums: BTreeMap<&str, IoCounters> =
                    self.cpgs.iter().map(|cpg| (cpg.name.as_str(), IoCounters::default())).collect();
                for (volume, io) in &sample.volumes {
                    if let Some(sum) = self.volume_by_id(*volume).and_then(|v| sums.get_mut(v.cpg.as_str())) {
                        sum.add(*io);
                    }
                }
                sums.into_iter().map(|(name, io)| line(json!({"name": name}), io, seconds)).collect()
            }
            Report::Cpu => (0..2).map(|node| json!({"node": node, "cpu": 0, "userPct": 0, "systemPct": 0, "idlePct": 100})).collect(),
            Report::CacheMemory => (0..2)
                .map(|node| json!({"node": node, "hitIO": {"read": 0, "write": 0}, "missIO": {"read": 0, "write": 0}, "freePages": {"free": 0, "clean": 0}}))
                .collect(),
            Report::Qos => self
                .qos_rows()
                .into_iter()
                .map(|rule| line(json!({"name": rule["name"], "type": rule["type"]}), IoCounters::default(), seconds))
                .collect(),
            Report::CpgSpace => self
                .cpg_rows()
                .into_iter()
                .map(|cpg| json!({"name": cpg["name"], "privateSpaceMiB": cpg["privateSpaceMiB"], "freeSpaceMiB": cpg["freeSpaceMiB"], "totalSpaceMiB": cpg["totalSpaceMiB"]}))
                .collect(),
            Report::VolumeSpace => self
                .volume_rows()
                .into_iter()
                .map(|v| json!({"name": v.name, "userSpaceUsedMiB": v.user_space.used_mib, "snapshotSpaceUsedMiB": v.snapshot_space.used_mib, "virtualSizeMiB": v.size_mib}))
                .collect(),
            // There are no disks behind the array, and remote copy moves its data in no time.
            Report::PhysicalDisk
            | Report::PhysicalDiskCapacity
            | Report::PhysicalDiskSpace
            | Report::RemoteCopy
            | Report::RemoteCopyVolume => Vec::new(),
        }
    }

    fn vlun_line(&self, (volume, lun, host): (u32, u16, Option<u32>)) -> Option<Value> {
        let volume = self.volume_by_id(volume)?;
        let host = host.and_then(|id| self.hosts.get(id)).map(|h| h.name.to_string());
        Some(json!({"volumeName": volume.name, "lun": lun, "hostname": host, "volumeWWN": volume.wwn}))
    }

    /// A report about the last sample (`attime`).
    #[must_use]
    pub fn report_at_time(&self, report: Report) -> Value {
        let empty = Sample { at: self.now, ..Sample::default() };
        let sample = self.statistics.past.back().unwrap_or(&empty);
        let members = self.report_lines(report, sample);
        let at = self.timestamp(sample.at);
        json!({"sampleTime": at.to_string(), "sampleTimeSec": at.0, "total": members.len(), "members": members})
    }

    /// A report over time (`vstime`): one line for each sample of the kind asked for, `step` apart, the oldest first.
    #[must_use]
    pub fn report_over_time(&self, report: Report, step: Duration) -> Value {
        let mut members: Vec<Value> = Vec::new();
        for sample in self.statistics.past.iter().filter(|s| s.at.as_secs().is_multiple_of(step.as_secs().max(1))) {
            let at = self.timestamp(sample.at);
            let mut sum = IoCounters::default();
            let parts: Box<dyn Iterator<Item = &IoCounters>> = match report {
                Report::Port => Box::new(sample.ports.values()),
                Report::Vlun => Box::new(sample.vluns.values()),
                _ => Box::new(sample.volumes.values()),
            };
            parts.for_each(|io| sum.add(*io));
            members.push(line(
                json!({"sampleTime": at.to_string(), "sampleTimeSec": at.0}),
                sum,
                SAMPLE_EVERY.as_secs(),
            ));
        }
        json!({"total": members.len(), "members": members})
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ArrayConfig, CreateHost, CreateVlun, CreateVolume, Initiator, Lun};

    #[test]
    fn what_was_written_shows_in_the_next_sample() {
        let (mut array, now) = (Array::new(ArrayConfig::default()), Duration::from_secs(10));
        array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024)).unwrap();
        array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.example:h1"])).unwrap();
        array.create_vlun(now, &CreateVlun::host_sees("v1", 1, "h1")).unwrap();
        let (initiator, port) =
            (Initiator::parse("iqn.1994-05.com.example:h1").unwrap(), PortPos::new(0, 2, 1).unwrap());
        let session = array.login(now, &initiator, port).unwrap();
        for _ in 0..600 {
            array.write(now, session, Lun::new(1).unwrap(), 0, &[1; 4096], None).unwrap();
        }
        array.advance(Duration::from_secs(301));
        let vlun = array.report_at_time(Report::Vlun)["members"][0].clone();
        assert_eq!((&vlun["volumeName"], &vlun["hostname"], &vlun["lun"]), (&json!("v1"), &json!("h1"), &json!(1)));
        assert_eq!(
            (&vlun["IO"]["write"], &vlun["IOSizeKB"]["write"], &vlun["IO"]["read"]),
            (&json!(2.0), &json!(4), &json!(0.0))
        );
        let over_time = array.report_over_time(Report::Cpg, SAMPLE_EVERY);
        assert_eq!(over_time["members"].as_array().unwrap().last().unwrap()["IO"]["write"], 2.0);
        let ports = array.report_at_time(Report::Port)["members"].as_array().unwrap().len();
        assert_eq!(ports, array.ports().len());
        assert_eq!(Report::named("cpgstatistics"), Some(Report::Cpg));
    }
}
