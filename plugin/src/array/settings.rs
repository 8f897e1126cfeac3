//! What the adapter for a real array has to be told.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use thiserror::Error;

pub use super::password::{Password, PasswordSource};

/// How the array proves over HTTPS that it is the right one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trust {
    /// By a certificate that the system's authorities vouch for (`/etc/ssl/certs/ca-certificates.crt`).
    System,
    /// By a certificate that an authority of this PEM file vouches for.
    CaFile(PathBuf),
    /// By exactly this certificate. The choice for the self-signed certificate an array is delivered with.
    Pinned(CertificatePin),
    /// Not at all: whoever answers gets the password.
    Anything,
}

/// SHA-256 fingerprint of a certificate (of its DER form).
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct CertificatePin([u8; 32]);

impl CertificatePin {
    /// Wraps a fingerprint.
    #[must_use]
    pub fn new(sha256: [u8; 32]) -> Self {
        Self(sha256)
    }

    /// The 32 bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

/// A text that is no fingerprint.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error(
    "'{0}' is no SHA-256 certificate fingerprint: 64 hex digits, colons allowed; read it with: openssl s_client -connect ARRAY:8080 </dev/null | openssl x509 -noout -fingerprint -sha256"
)]
pub struct PinError(String);

impl FromStr for CertificatePin {
    type Err = PinError;

    /// Takes `openssl x509 -fingerprint -sha256` output as it is, or the bare digits, with or without `sha256:` in front.
    fn from_str(text: &str) -> Result<Self, PinError> {
        let wrong = || PinError(text.chars().take(100).collect());
        let lower = text.trim().to_ascii_lowercase();
        let lower = lower.rsplit_once('=').map_or(lower.as_str(), |(_, digits)| digits);
        let lower = lower.strip_prefix("sha256:").unwrap_or(lower);
        let digits: Vec<u8> = lower
            .chars()
            .filter(|c| *c != ':')
            .map(|c| c.to_digit(16).and_then(|d| u8::try_from(d).ok()))
            .collect::<Option<_>>()
            .ok_or_else(wrong)?;
        let bytes: Vec<u8> = digits.chunks(2).map(|pair| pair.iter().fold(0, |sum, d| sum * 16 + d)).collect();
        if digits.len() != 64 {
            return Err(wrong());
        }
        bytes.try_into().map(Self).map_err(|_| wrong())
    }
}

impl fmt::Display for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            let colon = if index == 0 { "" } else { ":" };
            write!(f, "{colon}{byte:02X}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for CertificatePin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CertificatePin({self})")
    }
}

/// The REST side of an array.
#[derive(Debug, Clone)]
pub struct WsapiSettings {
    /// `https://ADDRESS:8080/api/v1` (3PAR) or `https://ADDRESS:443/api/v1` (Primera, Alletra 9000).
    pub api_url: String,
    /// Account; needs the role `edit` or better.
    pub user: String,
    /// Its password.
    pub password: Password,
    /// How the array proves its identity.
    pub trust: Trust,
}

/// How the plugin logs in over SSH.
#[derive(Debug, Clone)]
pub enum SshLogin {
    /// With a password.
    Password(Password),
    /// With an unencrypted private key file, PEM or OpenSSH form.
    PrivateKey(PathBuf),
}

/// What to do with the host key of an array that `known_hosts` does not name. A *changed* key is refused in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum UnknownHostKey {
    /// Do not connect.
    Refuse,
    /// Connect, warn, and write the key into the file: from then on it is the only one accepted.
    LearnOnFirstUse,
}

/// The command line side of an array.
#[derive(Debug, Clone)]
pub struct SshSettings {
    /// Name or address.
    pub host: String,
    /// TCP port, usually 22.
    pub port: u16,
    /// Account.
    pub user: String,
    /// How it proves itself.
    pub login: SshLogin,
    /// Known hosts in OpenSSH's form; entries for other ports than 22 read `[host]:port`.
    pub known_hosts: PathBuf,
    /// Policy for a key the file does not name.
    pub unknown_host_key: UnknownHostKey,
    /// How long a connection may take to come up, before the login. Never longer than a call may take.
    pub connect_timeout: Duration,
    /// Commands at the same time, at least 1. Arrays allow few command sessions; the default is [`SshSettings::SESSIONS`].
    pub sessions: usize,
}

impl SshSettings {
    /// Usual number of commands at the same time.
    pub const SESSIONS: usize = 2;
}

/// The transport hosts reach their volumes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// iSCSI over TCP.
    Iscsi,
    /// Fibre Channel.
    Fc,
}

impl fmt::Display for Protocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Iscsi => "iSCSI",
            Self::Fc => "Fibre Channel",
        })
    }
}

/// Everything about one array (one backend section of `hpe.conf`).
#[derive(Debug, Clone)]
pub struct ArraySettings {
    /// Under which LUN counters and hosts of the array are kept in the metadata store. All nodes have to use the same for
    /// one array, and all sections that name it.
    pub array_id: String,
    /// REST side.
    pub wsapi: WsapiSettings,
    /// Command line side.
    pub ssh: SshSettings,
    /// Longest time of one call, waiting for a free session included.
    pub timeout: Duration,
    /// Transport of the backend.
    pub protocol: Protocol,
    /// iSCSI addresses the backend may use; empty means every ready one.
    pub iscsi_ips: Vec<SocketAddr>,
}

/// Why settings cannot work, found without asking the array.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum SettingsError {
    /// The URL is no WSAPI address.
    #[error("array address '{url}' cannot be used: {reason}; write https://ADDRESS:8080/api/v1")]
    Url {
        /// The URL, without an account if it had one.
        url: String,
        /// What is wrong.
        reason: String,
    },
    /// The trusted certificates cannot be read.
    #[error(
        "trusted certificates {file} cannot be used: {reason}; name a PEM file with the array's CA, or pin the array's certificate by its SHA-256 fingerprint"
    )]
    Certificates {
        /// The file.
        file: String,
        /// What is wrong.
        reason: String,
    },
    /// The HTTPS client cannot be built.
    #[error("HTTPS client cannot be built: {reason}")]
    Client {
        /// What the library said.
        reason: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_in_every_usual_form() {
        let colons = vec!["aB"; 32].join(":");
        let bare = "ab".repeat(32);
        let pin: CertificatePin = bare.parse().unwrap();
        assert_eq!(pin.as_bytes(), &[0xab; 32]);
        for text in [colons.clone(), format!("sha256 Fingerprint={colons}"), format!("SHA256:{bare}")] {
            assert_eq!(text.parse(), Ok(pin), "{text}");
        }
        assert_eq!(pin.to_string().parse(), Ok(pin));
        for bad in ["", "ab", &"ab".repeat(31), &"ab".repeat(33), &"zz".repeat(32), &format!("{}a", "ab".repeat(31))] {
            assert!(bad.parse::<CertificatePin>().is_err(), "{bad}");
        }
    }
}
