//! The certificate of the REST interface and the TLS side of its connections.
//!
//! By default the emulator makes itself a small certification authority and a server certificate signed by it. The
//! authority's certificate can be trusted as a root by any client, which a self-signed server certificate marked
//! `CA:TRUE` cannot (rustls refuses it as "CaUsedAsEndEntity"); the server certificate can be pinned as well.

use std::{net::SocketAddr, path::PathBuf, str::FromStr, sync::Arc};

use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose,
};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, pem::PemObject};
use tokio_rustls::TlsAcceptor;

/// How the REST interface protects its connections (`--tls`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum TlsMode {
    /// Plain HTTP.
    Off,
    /// HTTPS with a certificate made at start, for `127.0.0.1`, `::1`, `localhost` and the listening address.
    #[default]
    SelfSigned,
    /// HTTPS with a certificate chain and a private key from PEM files.
    Files {
        /// The chain, server certificate first.
        certificate: PathBuf,
        /// The private key: PKCS #8, PKCS #1 or SEC 1.
        key: PathBuf,
    },
}

impl FromStr for TlsMode {
    type Err = TlsError;

    fn from_str(text: &str) -> Result<Self, TlsError> {
        match text {
            "off" => Ok(Self::Off),
            "self-signed" => Ok(Self::SelfSigned),
            _ => match text.split_once(':') {
                Some((certificate, key)) if !certificate.is_empty() && !key.is_empty() => {
                    Ok(Self::Files { certificate: certificate.into(), key: key.into() })
                }
                _ => Err(TlsError::Mode { text: text.to_owned() }),
            },
        }
    }
}

/// Why TLS could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// The mode is none of the known ones.
    #[error("\"{text}\" is not a TLS mode: use \"off\", \"self-signed\" or CERT:KEY (two PEM files)")]
    Mode {
        /// What was given.
        text: String,
    },
    /// A PEM file could not be read or has the wrong content.
    #[error("cannot use {path} for TLS")]
    File {
        /// The file.
        path: PathBuf,
        /// What the reader said.
        source: rustls_pki_types::pem::Error,
    },
    /// The certificate could not be made.
    #[error("cannot make a certificate for {address}")]
    Make {
        /// The listening address it was for.
        address: SocketAddr,
        /// What the certificate library said.
        source: rcgen::Error,
    },
    /// Certificate and key do not fit, or are of a kind that is not supported.
    #[error("the certificate and its key cannot be used together")]
    Unusable(#[from] rustls::Error),
}

/// A server certificate ready for use.
pub(crate) struct ServerCertificate {
    /// Turns accepted TCP connections into TLS ones.
    pub(crate) acceptor: TlsAcceptor,
    /// What a client puts among its trusted roots: the authority's certificate, PEM.
    /// With own files this is the whole chain as given.
    pub(crate) trust_anchor: String,
    /// What a client pins: the server certificate, PEM.
    pub(crate) leaf: String,
}

impl ServerCertificate {
    /// Makes or loads the certificate; `None` for plain HTTP.
    ///
    /// # Errors
    /// Names the file or the step that failed.
    pub(crate) fn prepare(mode: &TlsMode, address: SocketAddr) -> Result<Option<Self>, TlsError> {
        match mode {
            TlsMode::Off => Ok(None),
            TlsMode::SelfSigned => make(address).map(Some),
            TlsMode::Files { certificate, key } => load(certificate, key).map(Some),
        }
    }
}

/// A fresh authority and a server certificate signed by it. Elliptic-curve keys: an RSA key takes seconds to make.
fn make(address: SocketAddr) -> Result<ServerCertificate, TlsError> {
    let failed = |source| TlsError::Make { address, source };

    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    authority.distinguished_name = name("hpe3par-emulator authority");
    let authority_key = KeyPair::generate().map_err(failed)?;
    let authority_certificate = authority.self_signed(&authority_key).map_err(failed)?;
    let issuer = Issuer::new(authority, authority_key);

    let mut names = vec!["localhost".to_owned(), "127.0.0.1".to_owned(), "::1".to_owned()];
    let listening = address.ip().to_string();
    if !address.ip().is_unspecified() && !names.contains(&listening) {
        names.push(listening);
    }
    let mut server = CertificateParams::new(names).map_err(failed)?;
    server.distinguished_name = name("hpe3par-emulator");
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    // Strict verifiers (Python 3.13 and later) want the issuer's key identifier in the server certificate.
    server.use_authority_key_identifier_extension = true;
    let server_key = KeyPair::generate().map_err(failed)?;
    let server_certificate = server.signed_by(&server_key, &issuer).map_err(failed)?;

    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der()));
    Ok(ServerCertificate {
        acceptor: acceptor(vec![server_certificate.der().clone()], key)?,
        trust_anchor: authority_certificate.pem(),
        leaf: server_certificate.pem(),
    })
}

fn name(common_name: &str) -> DistinguishedName {
    let mut name = DistinguishedName::new();
    name.push(DnType::CommonName, common_name);
    name
}

fn load(certificate: &PathBuf, key: &PathBuf) -> Result<ServerCertificate, TlsError> {
    let in_file = |path: &PathBuf| {
        let path = path.clone();
        move |source| TlsError::File { path, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .map_err(in_file(certificate))?
        .collect::<Result<Vec<_>, _>>()
        .map_err(in_file(certificate))?;
    let Some(leaf) = chain.first() else {
        return Err(in_file(certificate)(rustls_pki_types::pem::Error::NoItemsFound));
    };
    let leaf = pem(leaf);
    let trust_anchor = chain.iter().map(pem).collect();
    let key = PrivateKeyDer::from_pem_file(key).map_err(in_file(key))?;
    Ok(ServerCertificate { acceptor: acceptor(chain, key)?, trust_anchor, leaf })
}

fn acceptor(chain: Vec<CertificateDer<'static>>, key: PrivateKeyDer<'static>) -> Result<TlsAcceptor, TlsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn pem(certificate: &CertificateDer<'_>) -> String {
    use base64::Engine as _;
    let text = base64::engine::general_purpose::STANDARD.encode(certificate);
    let mut out = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, tail) = rest.split_at(rest.len().min(64));
        out.push_str(line);
        out.push('\n');
        rest = tail;
    }
    out.push_str("-----END CERTIFICATE-----\n");
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const LISTENING: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 8080);

    #[test]
    fn modes_are_read_as_documented() {
        assert_eq!("off".parse::<TlsMode>().unwrap(), TlsMode::Off);
        assert_eq!("self-signed".parse::<TlsMode>().unwrap(), TlsMode::SelfSigned);
        let files = TlsMode::Files { certificate: "a.pem".into(), key: "dir/b.pem".into() };
        assert_eq!("a.pem:dir/b.pem".parse::<TlsMode>().unwrap(), files);
        for wrong in ["", "on", ":", "a:", ":b"] {
            assert!(wrong.parse::<TlsMode>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let mode = TlsMode::Files { certificate: "/nonexistent/chain.pem".into(), key: "/nonexistent/key.pem".into() };
        let Err(error) = ServerCertificate::prepare(&mode, LISTENING) else { panic!("must fail") };
        assert!(error.to_string().contains("/nonexistent/chain.pem"), "{error}");
    }

    #[test]
    fn own_pem_writing_agrees_with_the_reader() {
        let made = make(LISTENING).unwrap();
        let der = CertificateDer::from_pem_slice(made.leaf.as_bytes()).unwrap();
        assert_eq!(CertificateDer::from_pem_slice(pem(&der).as_bytes()).unwrap(), der);
        assert_ne!(made.leaf, made.trust_anchor);
    }
}
