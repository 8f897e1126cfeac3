//! How an array is reached: its REST interface and its command line.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use reqwest::Url;
use secrecy::SecretString;

use super::etcd::is_host;
use super::reader::{Refusal, SectionReader, shown};
use crate::array::settings::{CertificatePin, Trust};

/// The array's REST interface (WSAPI).
#[derive(Clone, Debug)]
pub struct WsapiAccess {
    /// Address (`hpe3par_api_url`).
    pub url: ApiUrl,
    /// Account (`hpe3par_username`).
    pub username: String,
    /// Password, encrypted or plain (`hpe3par_password`).
    pub password: SecretString,
    /// How the array's certificate is checked.
    pub trust: Trust,
}

impl WsapiAccess {
    pub(super) fn read(reader: &mut SectionReader<'_>) -> Option<Self> {
        let hint = "Give the address of the array's REST interface, like https://192.0.2.10:8080/api/v1.";
        let url = reader.required_parsed("hpe3par_api_url", hint, |text| text.parse());
        let username = reader.required("hpe3par_username", "Name the array account for the REST interface.");
        let password = reader.required_secret("hpe3par_password", "Give the password of hpe3par_username.");
        let trust = read_trust(reader);
        let url: ApiUrl = url?;
        if !url.is_encrypted() {
            reader.warning(
                "hpe3par_api_url",
                "is not https: passwords cross the network in clear text. Use https, port 8080.",
            );
        }
        Some(Self { url, username: username?, password: password?, trust: trust? })
    }
}

/// Address of a REST interface: `https://<host>:8080/api/v1`, or `http` for arrays where that is switched on. Neither account
/// nor query; no `/` at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiUrl(Url);

impl ApiUrl {
    /// The address as text, without `/` at the end.
    #[must_use]
    pub fn as_str(&self) -> &str {
        self.0.as_str().trim_end_matches('/')
    }

    /// Host name or address; IPv6 in brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    /// Whether the connection uses TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.0.scheme() == "https"
    }
}

impl FromStr for ApiUrl {
    type Err = Refusal;

    /// The refusal does not repeat the text, because it may hold a password.
    fn from_str(text: &str) -> Result<Self, Refusal> {
        const FORM: &str = "Write it like https://192.0.2.10:8080/api/v1.";
        if !text.contains("://") {
            return Err(format!("does not begin with https://. {FORM}"));
        }
        let url = Url::parse(text).map_err(|error| format!("is no URL: {error}. {FORM}"))?;
        let problem = if !matches!(url.scheme(), "https" | "http") || url.host_str().is_none_or(str::is_empty) {
            "is no https URL"
        } else if !url.username().is_empty() || url.password().is_some() {
            "holds an account; that belongs into hpe3par_username and hpe3par_password"
        } else if url.query().is_some() || url.fragment().is_some() {
            "has something behind the path"
        } else if url.path().trim_end_matches('/') != "/api/v1" {
            "does not end with /api/v1"
        } else {
            return Ok(Self(url));
        };
        Err(format!("{problem}. {FORM}"))
    }
}

impl fmt::Display for ApiUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// How the array's certificate is checked. `None` if there are errors, which are recorded.
fn read_trust(reader: &mut SectionReader<'_>) -> Option<Trust> {
    let insecure = reader.boolean("insecure", false);
    let pin_given = reader.has("hpe3par_pinned_cert_sha256");
    let pin = reader.parsed("hpe3par_pinned_cert_sha256", fingerprint);
    let ca_file = reader.path("hpe3par_ca_cert");
    if insecure {
        if pin_given || reader.has("hpe3par_ca_cert") {
            reader.error(
                "insecure",
                "is set together with hpe3par_pinned_cert_sha256 or hpe3par_ca_cert. Decide for one of them.",
            );
            return None;
        }
        reader.warning(
            "insecure",
            "the certificate of the array is NOT verified: whoever answers at hpe3par_api_url gets the array's password. \
             Use hpe3par_pinned_cert_sha256 or hpe3par_ca_cert instead.",
        );
        return Some(Trust::Anything);
    }
    match (pin, ca_file) {
        (Some(pin), _) => Some(Trust::Pinned(pin)),
        (None, _) if pin_given => None,
        (None, Some(file)) => Some(Trust::CaFile(file)),
        (None, None) => Some(Trust::System),
    }
}

/// A fingerprint as openssl prints it.
fn fingerprint(text: &str) -> Result<CertificatePin, Refusal> {
    text.parse().map_err(|_| {
        format!(
            "{} is no SHA-256 fingerprint, 64 hex digits. 'openssl x509 -noout -fingerprint -sha256' prints it.",
            shown(text)
        )
    })
}

/// The array's command line over SSH.
#[derive(Clone, Debug)]
pub struct SshAccess {
    /// Host name or address (`san_ip`).
    pub host: String,
    /// Port (`san_ssh_port`).
    pub port: u16,
    /// Account (`san_login`).
    pub login: String,
    /// How the account is proven.
    pub auth: SshAuth,
    /// How long a connection may take to come up, 1 to 600 s (`ssh_conn_timeout`).
    pub connect_timeout: Duration,
}

/// How the account of the command line is proven.
#[derive(Clone, Debug)]
pub enum SshAuth {
    /// Password, encrypted or plain (`san_password`).
    Password(SecretString),
    /// File with an unencrypted private key (`san_private_key`).
    PrivateKey(PathBuf),
}

impl SshAccess {
    pub(super) fn read(reader: &mut SectionReader<'_>) -> Option<Self> {
        let hint = "Give the address of the array's command line (SSH), usually that of hpe3par_api_url.";
        let host = reader.required_parsed("san_ip", hint, host);
        let port = reader.port("san_ssh_port", 22);
        let login = reader.text("san_login").unwrap_or_else(|| "admin".to_owned());
        let connect_timeout = reader.seconds("ssh_conn_timeout", 1..=600, 30);
        let key_file = reader.path("san_private_key");
        let auth = match (reader.secret("san_password"), key_file) {
            (Some(password), key_file) => {
                if key_file.is_some() {
                    reader.warning("san_private_key", "has no effect: san_password is set and counts.");
                }
                Some(SshAuth::Password(password))
            }
            (None, Some(file)) if !reader.has("san_password") => Some(SshAuth::PrivateKey(file)),
            _ => {
                if !reader.has("san_password") && !reader.has("san_private_key") {
                    reader.error(
                        "san_password",
                        "is not set. Give the password of san_login, or a key in san_private_key.",
                    );
                }
                None
            }
        };
        Some(Self { host: host?, port, login, auth: auth?, connect_timeout })
    }
}

pub(super) fn host(text: &str) -> Result<String, Refusal> {
    if is_host(text) || text.parse::<std::net::IpAddr>().is_ok() {
        Ok(text.to_owned())
    } else {
        Err(format!("{} is neither a host name nor an address.", shown(text)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn api_urls_are_checked_and_never_repeated_in_errors() {
        let url: ApiUrl = "https://192.0.2.10:8080/api/v1/".parse().unwrap();
        assert_eq!(url.as_str(), "https://192.0.2.10:8080/api/v1");
        assert_eq!(url.host(), "192.0.2.10");
        assert!(url.is_encrypted());
        for bad in [
            "192.0.2.10:8080/api/v1",
            "https://me:swordfish@192.0.2.10:8080/api/v1",
            "https://:8080/api/v1",
            "https://192.0.2.10:8080",
            "https://192.0.2.10:8080/api/v1?x=swordfish",
            "ftp://192.0.2.10/api/v1",
        ] {
            let refusal = bad.parse::<ApiUrl>().unwrap_err();
            assert!(!refusal.contains("swordfish"), "{refusal}");
        }
    }
}
