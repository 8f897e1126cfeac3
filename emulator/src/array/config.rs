//! What an array is told at its birth: who it is, who may log in, how it behaves where real arrays differ.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::account::Account;

/// Portals given to the iSCSI ports that the configuration names no address for: 127.0.0.11 to 127.0.0.14, port 3260.
const FIRST_LOOPBACK_PORTAL: u8 = 11;
/// TCP port of iSCSI (RFC 7143 s. 13).
pub const ISCSI_PORT: u16 = 3260;

/// Release of the operating system that the array plays; clients branch on its build number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Personality {
    /// 3PAR OS 3.2.1, WSAPI 1.4.
    V3_2_1,
    /// 3PAR OS 3.2.2 MU4, WSAPI 1.5.3.
    V3_2_2,
    /// 3PAR OS 3.3.1 MU3, WSAPI 1.6.3 (a build observed in the field).
    #[default]
    V3_3_1,
    /// Primera OS 4.2, WSAPI 1.8: thin volumes are the default, `reduce` takes the place of `tdvv` and `compression`.
    Primera4_2,
}

/// Personalities with the names of the command line.
const NAMES: [(Personality, &str); 4] = [
    (Personality::V3_2_1, "3.2.1"),
    (Personality::V3_2_2, "3.2.2"),
    (Personality::V3_3_1, "3.3.1"),
    (Personality::Primera4_2, "primera-4.2"),
];

impl std::str::FromStr for Personality {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = NAMES.iter().find(|row| row.1 == text).map(|row| row.0);
        found.ok_or_else(|| format!("there is no release {text}; choose one of {}", NAMES.map(|row| row.1).join(", ")))
    }
}

/// Answer of `GET /api` (1.3.1 guide p. 128).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiVersion {
    /// Major version of the WSAPI.
    pub major: u32,
    /// Minor version of the WSAPI.
    pub minor: u32,
    /// Revision of the WSAPI.
    pub revision: u32,
    /// Build of the operating system, `MmmNNbbb`.
    pub build: u32,
}

impl Personality {
    /// Version and build for `GET /api`.
    #[must_use]
    pub const fn api_version(self) -> ApiVersion {
        let (minor, revision, build) = match self {
            Self::V3_2_1 => (4, 2, 30_201_292),
            Self::V3_2_2 => (5, 3, 30_202_530),
            Self::V3_3_1 => (6, 3, 30_301_460),
            Self::Primera4_2 => (8, 1, 40_200_000),
        };
        ApiVersion { major: 1, minor, revision, build }
    }

    /// Release as `/system` and `showversion` print it.
    #[must_use]
    pub const fn os_version(self) -> &'static str {
        match self {
            Self::V3_2_1 => "3.2.1.292",
            Self::V3_2_2 => "3.2.2.530",
            Self::V3_3_1 => "3.3.1.460",
            Self::Primera4_2 => "4.2.0.0",
        }
    }

    /// Whether volumes can be compressed (WSAPI 1.6; from Primera on `reduce` takes the place of it).
    #[must_use]
    pub const fn has_compression(self) -> bool {
        matches!(self, Self::V3_3_1)
    }

    /// Whether volumes reach up to 64 TiB.
    #[must_use]
    pub const fn has_large_volumes(self) -> bool {
        matches!(self, Self::V3_3_1 | Self::Primera4_2)
    }

    /// Whether the array is a Primera or later: neither `tpvv` nor `reduce` on create is a refusal.
    #[must_use]
    pub const fn is_primera(self) -> bool {
        matches!(self, Self::Primera4_2)
    }
}

/// What happens to the writes in flight on a VLUN when it is removed. The guides are silent, so all three can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum InflightPolicy {
    /// The removal returns after every write that the array has received is on the medium.
    #[default]
    SettleBeforeReturn,
    /// The removal aborts every write that the array has received.
    Abort,
    /// The removal returns at once; a write received before is still accepted when it is finished within this time.
    Linger(Duration),
}

/// Whether a volume may be exported to a host a second time with another LUN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum SecondLun {
    /// Both exports stand. Matched sets with one LUN per port were observed on real arrays.
    #[default]
    Allow,
    /// The second is refused with code 18 when both would serve one path.
    Refuse,
}

/// How long background tasks take: copies, promotions, conversions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TaskPace {
    /// Time that the shortest task takes.
    pub at_least: Duration,
    /// Data moved in a second, MiB; space that was never written costs no time.
    pub mib_per_second: u64,
}

impl Default for TaskPace {
    fn default() -> Self {
        Self { at_least: Duration::from_millis(500), mib_per_second: 1024 }
    }
}

impl TaskPace {
    /// Time to move `mib`.
    #[must_use]
    pub fn time_for(self, mib: u64) -> Duration {
        self.at_least + Duration::from_millis(mib.saturating_mul(1000) / self.mib_per_second.max(1))
    }
}

/// Everything an [`Array`](super::Array) is told at its birth.
#[derive(Debug, Clone)]
pub struct ArrayConfig {
    /// Name of the system, also the prompt of the command line.
    pub name: String,
    /// Serial number: seven digits starting with 16 on the 7000 series.
    pub serial: String,
    /// System id; on the 7000 series the serial number less 1600000. Part of every WWN.
    pub system_id: u32,
    /// Model as `/system` prints it.
    pub model: String,
    /// Release to play.
    pub personality: Personality,
    /// The account of the array.
    pub user: String,
    /// Its password.
    pub password: SecretString,
    /// Further accounts.
    pub accounts: Vec<Account>,
    /// Portal addresses of the iSCSI ports in the order 0:2:1, 0:2:2, 1:2:1, 1:2:2; loopback addresses for those missing.
    pub iscsi_portals: Vec<SocketAddr>,
    /// Most WSAPI sessions at a time (`systemResourceUsage`; 1.3.1 guide p. 40).
    pub session_limit: usize,
    /// Idle time after which a WSAPI session is gone (1.3.1 guide p. 41: 15 minutes).
    pub session_idle: Duration,
    /// Fate of writes in flight on a removed VLUN.
    pub inflight: InflightPolicy,
    /// Second export of a volume to the same host.
    pub second_lun: SecondLun,
    /// Whether hosts whose persona has the capability SESLun see the enclosure at LUN 254.
    pub ses_lun: bool,
    /// How long background tasks take.
    pub task_pace: TaskPace,
    /// Seed of every random-looking value (session keys, UUIDs).
    pub seed: u64,
    /// Wall-clock time at the start of the array, seconds since 1970; only rows show it.
    pub started_at: u64,
}

impl Default for ArrayConfig {
    fn default() -> Self {
        Self {
            name: "emulated3par".to_owned(),
            serial: "1646750".to_owned(),
            system_id: 46_750,
            model: "HP_3PAR 7400".to_owned(),
            personality: Personality::default(),
            user: "3paradm".to_owned(),
            password: "3pardata".into(),
            accounts: Vec::new(),
            iscsi_portals: Vec::new(),
            session_limit: 36,
            session_idle: Duration::from_secs(15 * 60),
            inflight: InflightPolicy::default(),
            second_lun: SecondLun::default(),
            ses_lun: true,
            task_pace: TaskPace::default(),
            seed: 0,
            started_at: 1_767_225_600,
        }
    }
}

impl ArrayConfig {
    /// Portal of the iSCSI port number `index` (0 to 3).
    pub(crate) fn portal(&self, index: u8) -> SocketAddr {
        let loopback = IpAddr::V4(Ipv4Addr::new(127, 0, 0, FIRST_LOOPBACK_PORTAL + index));
        let default = SocketAddr::new(loopback, ISCSI_PORT);
        self.iscsi_portals.get(usize::from(index)).copied().unwrap_or(default)
    }
}
