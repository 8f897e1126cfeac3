//! How the metadata store is reached.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::PathBuf;
use std::time::Duration;

use super::reader::{Refusal, SectionReader, list, port, shown};

/// How etcd is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdConfig {
    /// The members, at least one, in the order of the file.
    pub endpoints: Vec<EtcdEndpoint>,
    /// TLS, if it is used.
    pub tls: Option<EtcdTls>,
    /// Deadline of every call, 1 to 60 s.
    pub timeout: Duration,
}

/// One etcd member.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdEndpoint {
    /// Address or host name; an IPv6 address in brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl fmt::Display for EtcdEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// TLS towards etcd, used when client certificate and key are given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EtcdTls {
    /// PEM file with the client's certificate.
    pub client_cert: PathBuf,
    /// PEM file with the client's key.
    pub client_key: PathBuf,
    /// PEM file with the authority that signed the servers' certificates; `None`: the system's authorities.
    pub ca_cert: Option<PathBuf>,
}

impl EtcdConfig {
    /// The endpoints as URLs, `https` if TLS is used.
    #[must_use]
    pub fn urls(&self) -> Vec<String> {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.endpoints.iter().map(|endpoint| format!("{scheme}://{endpoint}")).collect()
    }

    pub(super) fn read(reader: &mut SectionReader<'_>) -> Self {
        let default_port = reader.port("host_etcd_port_number", 2379);
        let endpoints = reader.parsed("host_etcd_ip_address", |text| endpoints(text, default_port));
        // The address etcd and the earlier plugin use for "this host".
        let this_host = || vec![EtcdEndpoint { host: "0.0.0.0".to_owned(), port: default_port }];
        Self {
            endpoints: endpoints.unwrap_or_else(this_host),
            tls: tls(reader),
            timeout: reader.seconds("etcd_timeout", 1..=60, 3),
        }
    }
}

fn tls(reader: &mut SectionReader<'_>) -> Option<EtcdTls> {
    let client_cert = reader.path("host_etcd_client_cert");
    let client_key = reader.path("host_etcd_client_key");
    let ca_cert = reader.path("host_etcd_ca_cert");
    match (client_cert, client_key) {
        (Some(client_cert), Some(client_key)) => {
            if ca_cert.is_none() && !reader.has("host_etcd_ca_cert") {
                reader.warning(
                    "host_etcd_client_cert",
                    "etcd's own certificate is verified against the system's authorities. If a private one signed it, name \
                     that in host_etcd_ca_cert; the earlier plugin did not verify at all.",
                );
            }
            return Some(EtcdTls { client_cert, client_key, ca_cert });
        }
        (Some(_), None) if !reader.has("host_etcd_client_key") => {
            reader.error("host_etcd_client_cert", "needs host_etcd_client_key too. Set both, or neither for etcd without TLS.");
        }
        (None, Some(_)) if !reader.has("host_etcd_client_cert") => {
            reader.error("host_etcd_client_key", "needs host_etcd_client_cert too. Set both, or neither for etcd without TLS.");
        }
        (None, None) if ca_cert.is_some() => reader.warning(
            "host_etcd_ca_cert",
            "has no effect: etcd is reached without TLS. Set host_etcd_client_cert and host_etcd_client_key to use TLS.",
        ),
        _ => {}
    }
    None
}

/// One host, or `host:port,host:port,…`.
fn endpoints(text: &str, default_port: u16) -> Result<Vec<EtcdEndpoint>, Refusal> {
    let several = text.contains(',');
    let endpoints: Vec<_> =
        list(text).map(|item| endpoint(item, (!several).then_some(default_port))).collect::<Result<_, _>>()?;
    if endpoints.is_empty() { Err("names no etcd host.".to_owned()) } else { Ok(endpoints) }
}

/// `host`, `host:port`, `[v6]`, `[v6]:port` or a bare IPv6 address. The port must be given if there is no default.
fn endpoint(item: &str, default_port: Option<u16>) -> Result<EtcdEndpoint, Refusal> {
    if item.contains("://") {
        return Err(format!(
            "{} is a URL. Give host and port only; TLS is switched on with host_etcd_client_cert.",
            shown(item)
        ));
    }
    let (host, given) = match item.rsplit_once(':') {
        _ if item.ends_with(']') || item.parse::<Ipv6Addr>().is_ok() => (item, None),
        Some((host, given)) => (host, Some(port(given)?)),
        None => (item, None),
    };
    let host = if host.parse::<Ipv6Addr>().is_ok() { format!("[{host}]") } else { host.to_owned() };
    if !is_host(&host) {
        return Err(format!("{} is neither a host name nor an address.", shown(host)));
    }
    let missing = || format!("{} has no port. In a list of etcd hosts write each as host:port.", shown(item));
    Ok(EtcdEndpoint { host, port: given.or(default_port).ok_or_else(missing)? })
}

/// A host name, an IPv4 address or an IPv6 address in brackets.
pub(super) fn is_host(host: &str) -> bool {
    if let Some(address) = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')) {
        return address.parse::<Ipv6Addr>().is_ok();
    }
    let label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    host.len() <= 253 && host.strip_suffix('.').unwrap_or(host).split('.').all(label)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown_endpoints(text: &str) -> Result<Vec<String>, String> {
        endpoints(text, 2379).map(|all| all.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn one_host_or_a_list_of_hosts_with_ports() {
        for (text, expected) in [
            ("192.0.2.1", "192.0.2.1:2379"),
            ("etcd-1.example.com", "etcd-1.example.com:2379"),
            ("192.0.2.1:4001", "192.0.2.1:4001"),
            ("::1", "[::1]:2379"),
            ("[::1]", "[::1]:2379"),
            ("[::1]:4001", "[::1]:4001"),
            ("192.0.2.1:2379,", "192.0.2.1:2379"),
        ] {
            assert_eq!(shown_endpoints(text), Ok(vec![expected.to_owned()]), "{text}");
        }
        assert_eq!(shown_endpoints("a:1, b:2").unwrap(), ["a:1", "b:2"]);
    }

    #[test]
    fn what_is_no_host_is_refused_with_a_reason() {
        let refusal = |text| shown_endpoints(text).unwrap_err();
        assert_eq!(refusal("a,b:1"), "'a' has no port. In a list of etcd hosts write each as host:port.");
        assert_eq!(refusal("a:0"), "'0' is not a port, 1 to 65535.");
        assert_eq!(refusal("a b"), "'a b' is neither a host name nor an address.");
        assert_eq!(refusal(","), "names no etcd host.");
        assert!(refusal("https://a:1").contains("is a URL"));
    }
}
