//! Where etcd is and how to prove who we are to it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use etcd_client::{Certificate, ConnectOptions, Identity, TlsOptions};
use thiserror::Error;

/// How long to wait for a TCP connection, and again for its TLS handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// HTTP/2 pings on a connection with calls in flight: how often, and how long their answer may take.
const PING: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(2));

/// Where etcd is and how to reach it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EtcdSettings {
    /// Client URLs (`https://10.0.0.1:2379`) or `address:port`, which means https if certificates are given, else http.
    pub endpoints: Vec<String>,
    /// PEM file of the authority that signed the servers' certificates; `None`: the system's authorities.
    pub ca: Option<PathBuf>,
    /// Certificate to show to etcd.
    pub client: Option<ClientCertificate>,
    /// Longest time of any call, retries on other members included.
    pub timeout: Duration,
}

/// A client certificate for etcd.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientCertificate {
    /// PEM file of the certificate, with intermediates if any.
    pub certificate: PathBuf,
    /// PEM file of its private key.
    pub key: PathBuf,
}

/// Why the settings are unusable.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum EtcdSettingsError {
    /// No endpoint at all.
    #[error("no etcd endpoint is configured; set host_etcd_ip_address")]
    NoEndpoint,
    /// An endpoint is no URL, or does not go with the certificates.
    #[error(
        "etcd endpoint '{endpoint}' is unusable: {reason}; write https://address:port, or http:// without certificates"
    )]
    BadEndpoint {
        /// As configured.
        endpoint: String,
        /// What is wrong.
        reason: String,
    },
    /// A certificate or key file cannot be read.
    #[error("{what} {path} for etcd cannot be read: {reason}")]
    Unreadable {
        /// Which file.
        what: &'static str,
        /// Its path.
        path: String,
        /// What the kernel said.
        reason: String,
    },
}

impl EtcdSettings {
    /// Longest time of a call unless configured (`etcd_timeout`).
    pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(3);

    /// Settings without TLS and with the default time-out.
    #[must_use]
    pub fn plain(endpoints: Vec<String>) -> Self {
        Self { endpoints, ca: None, client: None, timeout: Self::DEFAULT_TIMEOUT }
    }

    /// The URL of each endpoint, without repeats.
    pub(super) fn urls(&self) -> Result<Vec<String>, EtcdSettingsError> {
        let with_certificates = self.ca.is_some() || self.client.is_some();
        let mut urls = Vec::new();
        for endpoint in self.endpoints.iter().map(|endpoint| endpoint.trim()).filter(|endpoint| !endpoint.is_empty()) {
            let bad = |reason: &str| EtcdSettingsError::BadEndpoint {
                endpoint: endpoint.to_owned(),
                reason: reason.to_owned(),
            };
            let url = match endpoint.split_once("://") {
                None if with_certificates => format!("https://{endpoint}"),
                None => format!("http://{endpoint}"),
                Some(("https", _)) => endpoint.to_owned(),
                Some(("http", _)) if with_certificates => {
                    return Err(bad("certificates are given, but it is not https"));
                }
                Some(("http", _)) => endpoint.to_owned(),
                Some(_) => return Err(bad("the scheme must be http or https")),
            };
            if !urls.contains(&url) {
                urls.push(url);
            }
        }
        if urls.is_empty() { Err(EtcdSettingsError::NoEndpoint) } else { Ok(urls) }
    }

    /// Options of the client of one endpoint.
    pub(super) async fn options(&self, url: &str) -> Result<ConnectOptions, EtcdSettingsError> {
        let options = ConnectOptions::new()
            .with_connect_timeout(CONNECT_TIMEOUT)
            .with_timeout(self.timeout)
            .with_keep_alive(PING.0, PING.1)
            // etcd closes connections that are pinged while nothing is asked of it.
            .with_keep_alive_while_idle(false)
            // A member cut off from the majority must say so instead of leaving a watch silent.
            .with_require_leader(true);
        if !url.starts_with("https://") {
            return Ok(options);
        }
        let tls = TlsOptions::new().timeout(CONNECT_TIMEOUT);
        let tls = match &self.ca {
            Some(path) => tls.ca_certificate(Certificate::from_pem(read("CA certificate", path).await?)),
            None => tls.with_native_roots(),
        };
        let tls = match &self.client {
            Some(ClientCertificate { certificate, key }) => tls.identity(Identity::from_pem(
                read("client certificate", certificate).await?,
                read("private key", key).await?,
            )),
            None => tls,
        };
        Ok(options.with_tls(tls))
    }
}

async fn read(what: &'static str, path: &Path) -> Result<Vec<u8>, EtcdSettingsError> {
    tokio::fs::read(path).await.map_err(|error| EtcdSettingsError::Unreadable {
        what,
        path: path.display().to_string(),
        reason: error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn urls(endpoints: &[&str], ca: Option<&str>) -> Result<Vec<String>, EtcdSettingsError> {
        let endpoints = endpoints.iter().map(|&endpoint| endpoint.to_owned()).collect();
        EtcdSettings { ca: ca.map(PathBuf::from), ..EtcdSettings::plain(endpoints) }.urls()
    }

    #[test]
    fn the_scheme_follows_the_certificates_unless_it_is_written() {
        assert_eq!(urls(&["10.0.0.1:2379"], None), Ok(vec!["http://10.0.0.1:2379".to_owned()]));
        assert_eq!(urls(&["10.0.0.1:2379"], Some("/ca")), Ok(vec!["https://10.0.0.1:2379".to_owned()]));
        assert_eq!(urls(&["https://etcd:1"], None), Ok(vec!["https://etcd:1".to_owned()]));
    }

    #[test]
    fn repeats_and_blanks_are_dropped() {
        assert_eq!(urls(&[" a:1", "", "http://a:1"], None), Ok(vec!["http://a:1".to_owned()]));
    }

    #[test]
    fn unusable_endpoints_are_named() {
        assert_eq!(urls(&["", " "], None), Err(EtcdSettingsError::NoEndpoint));
        let plain_with_certificates = urls(&["http://a:1"], Some("/ca")).unwrap_err();
        assert!(plain_with_certificates.to_string().contains("http://a:1"), "{plain_with_certificates}");
        assert!(urls(&["ftp://a:1"], None).is_err());
    }

    #[tokio::test]
    async fn an_unreadable_certificate_is_named() {
        let settings =
            EtcdSettings { ca: Some("/nonexistent/ca.pem".into()), ..EtcdSettings::plain(vec!["a:1".to_owned()]) };
        let error = settings.options("https://a:1").await.unwrap_err();
        assert!(error.to_string().starts_with("CA certificate /nonexistent/ca.pem for etcd cannot be read"), "{error}");
    }
}
