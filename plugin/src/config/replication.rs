//! `replication_device`: the target array of remote copies, as a dictionary in one value.
//!
//! Replication itself belongs to a later release. The key is read and checked already, so that files of existing deployments
//! load and mistakes in them are found.

use std::net::SocketAddr;
use std::time::Duration;

use secrecy::SecretString;

use super::access::{ApiUrl, host};
use super::backend::{ISCSI_PORT, cpg, portal};
use super::reader::{Refusal, SectionReader, list, shown};
use super::spelling::nearest;
use crate::array::CpgName;

/// Keys of the dictionary.
pub(super) const KEYS: [&str; 13] = [
    "backend_id",
    "replication_mode",
    "quorum_witness_ip",
    "cpg_map",
    "snap_cpg_map",
    "sync_period",
    "hpe3par_api_url",
    "hpe3par_username",
    "hpe3par_password",
    "san_ip",
    "san_login",
    "san_password",
    "hpe3par_iscsi_ips",
];

/// The key of the section.
const KEY: &str = "replication_device";

/// Target of remote copies. What is `None` is as in the backend's own section.
#[derive(Clone, Debug)]
pub struct ReplicationDevice {
    /// Name of the target array as the source array knows it (`backend_id`).
    pub backend_id: String,
    /// When a write is acknowledged (`replication_mode`).
    pub mode: ReplicationMode,
    /// Address of the quorum witness; its presence switches Peer Persistence on (`quorum_witness_ip`).
    pub quorum_witness: Option<String>,
    /// CPG on the source and CPG on the target, at least one pair (`cpg_map`).
    pub cpg_map: Vec<(CpgName, CpgName)>,
    /// The same for snapshot space; empty: as `cpg_map` (`snap_cpg_map`).
    pub snap_cpg_map: Vec<(CpgName, CpgName)>,
    /// Target's REST interface (`hpe3par_api_url`).
    pub api_url: Option<ApiUrl>,
    /// Account for it (`hpe3par_username`).
    pub username: Option<String>,
    /// Its password, encrypted or plain (`hpe3par_password`).
    pub password: Option<SecretString>,
    /// Target's command line (`san_ip`).
    pub san_ip: Option<String>,
    /// Account for it (`san_login`).
    pub san_login: Option<String>,
    /// Its password, encrypted or plain (`san_password`).
    pub san_password: Option<SecretString>,
    /// iSCSI targets of the target array; empty: none given (`hpe3par_iscsi_ips`, separated by `;`).
    pub iscsi_portals: Vec<SocketAddr>,
}

/// When a replicated write is acknowledged, and how often the target is brought up to date.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReplicationMode {
    /// Once both arrays have it.
    Synchronous,
    /// At once; the target follows each period, 300 to 31 622 400 s.
    Asynchronous(Duration),
    /// At once; the target follows as fast as it can, with a snapshot each period, 300 to 31 622 400 s.
    Streaming(Duration),
}

impl ReplicationDevice {
    /// Reads the key of a section; `None` if it is not set or has errors, which are recorded.
    pub(super) fn read(reader: &mut SectionReader<'_>) -> Option<Self> {
        let text = reader.text(KEY)?;
        let mut dictionary = Dictionary { pairs: Vec::new(), refusals: Vec::new() };
        dictionary.split(&text, reader);
        let device = Self::from_dictionary(&mut dictionary);
        for refusal in &dictionary.refusals {
            reader.error(KEY, refusal.as_str());
        }
        device.filter(|_| dictionary.refusals.is_empty())
    }

    fn from_dictionary(given: &mut Dictionary) -> Option<Self> {
        let backend_id = given.required("backend_id", |text| Ok(text.to_owned()));
        let mode = given.required("replication_mode", |text| Ok(text.to_owned()));
        let period = given.optional("sync_period", sync_period);
        let quorum_witness = given.optional("quorum_witness_ip", |text| Ok(text.to_owned()));
        let cpg_map = given.required("cpg_map", cpg_pairs);
        let snap_cpg_map = given.optional("snap_cpg_map", cpg_pairs).unwrap_or_default();
        let api_url = given.optional("hpe3par_api_url", str::parse);
        let username = given.optional("hpe3par_username", |text| Ok(text.to_owned()));
        let password = given.optional("hpe3par_password", |text| Ok(SecretString::from(text)));
        let san_ip = given.optional("san_ip", host);
        let san_login = given.optional("san_login", |text| Ok(text.to_owned()));
        let san_password = given.optional("san_password", |text| Ok(SecretString::from(text)));
        let iscsi_portals = given.optional("hpe3par_iscsi_ips", portals).unwrap_or_default();
        let mode = given.accept("replication_mode", mode_of(&mode?, period));
        if quorum_witness.is_some() && !matches!(mode, None | Some(ReplicationMode::Synchronous)) {
            given.refuse("quorum_witness_ip", "For Peer Persistence, replication mode must be synchronous.");
        }
        Some(Self {
            backend_id: backend_id?,
            mode: mode?,
            quorum_witness,
            cpg_map: cpg_map?,
            snap_cpg_map,
            api_url,
            username,
            password,
            san_ip,
            san_login,
            san_password,
            iscsi_portals,
        })
    }
}

/// `key:value` pairs, and what is wrong with them.
struct Dictionary {
    pairs: Vec<(&'static str, String)>,
    refusals: Vec<String>,
}

impl Dictionary {
    /// Pieces are never shown: a password with a comma in it is cut in two.
    fn split(&mut self, text: &str, reader: &mut SectionReader<'_>) {
        for pair in list(text) {
            let Some((key, value)) = pair.split_once(':') else {
                self.refusals.push(
                    "must be key:value pairs separated by commas; one piece has no ':'. A value cannot hold a comma."
                        .to_owned(),
                );
                continue;
            };
            let key = key.trim();
            match KEYS.into_iter().find(|known| *known == key) {
                Some(known) if self.pairs.iter().any(|(other, _)| *other == known) => {
                    self.refuse(known, "is given twice.");
                }
                Some(known) => self.pairs.push((known, value.trim().to_owned())),
                None => {
                    let hint = nearest(key, KEYS).map_or_else(String::new, |meant| format!(" Did you mean {meant}?"));
                    reader.warning(KEY, format!("one of its keys is unknown and has no effect.{hint}"));
                }
            }
        }
    }

    fn optional<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        let (_, value) = self.pairs.iter().find(|(other, value)| *other == key && !value.is_empty())?;
        let parsed = parse(value);
        self.accept(key, parsed)
    }

    fn required<T>(&mut self, key: &'static str, parse: impl FnOnce(&str) -> Result<T, Refusal>) -> Option<T> {
        if !self.pairs.iter().any(|(other, value)| *other == key && !value.is_empty()) {
            self.refuse(key, "is not set; a replication target needs it.");
        }
        self.optional(key, parse)
    }

    fn accept<T>(&mut self, key: &str, value: Result<T, Refusal>) -> Option<T> {
        value.map_err(|refusal| self.refuse(key, &refusal)).ok()
    }

    fn refuse(&mut self, key: &str, text: &str) {
        self.refusals.push(format!("{key}: {text}"));
    }
}

/// The period in seconds, in the bounds of the array.
fn sync_period(text: &str) -> Result<u32, Refusal> {
    let seconds = text.parse().ok().filter(|seconds| (300..=31_622_400).contains(seconds));
    seconds
        .ok_or_else(|| format!("{} is refused: 'sync_period' must be between 300 and 31622400 seconds.", shown(text)))
}

/// Texts as the earlier plugin has them.
fn mode_of(mode: &str, period: Option<u32>) -> Result<ReplicationMode, Refusal> {
    const DEFAULT_PERIOD: u32 = 900;
    let seconds = Duration::from_secs(u64::from(period.unwrap_or(DEFAULT_PERIOD)));
    match mode {
        "synchronous" if period.is_some() => {
            Err("'sync_period' can be defined only for 'asynchronous' and 'streaming' replicate modes.".to_owned())
        }
        "synchronous" => Ok(ReplicationMode::Synchronous),
        "asynchronous" => Ok(ReplicationMode::Asynchronous(seconds)),
        "streaming" => Ok(ReplicationMode::Streaming(seconds)),
        _ => Err(format!(
            "Unknown replication mode {} specified. Valid values are 'synchronous | asynchronous | streaming'.",
            shown(mode)
        )),
    }
}

/// `source:target` pairs separated by blanks.
fn cpg_pairs(text: &str) -> Result<Vec<(CpgName, CpgName)>, Refusal> {
    text.split_whitespace()
        .map(|pair| {
            let split = pair.split_once(':');
            let (source, target) =
                split.ok_or_else(|| format!("{} is no pair of CPGs. Write source:target.", shown(pair)))?;
            Ok((cpg(source)?, cpg(target)?))
        })
        .collect()
}

fn portals(text: &str) -> Result<Vec<SocketAddr>, Refusal> {
    let items = text.split(';').map(str::trim).filter(|item| !item.is_empty());
    items.map(|item| portal(item, ISCSI_PORT)).collect()
}
