//! How the array proves its identity over HTTPS.
//!
//! Arrays are delivered with a self-signed certificate, usually one that calls itself a CA. Such a one is refused as a server
//! certificate even where it is the trusted root (observed), so it can only be pinned; the refusal therefore names the
//! fingerprint that was shown.

use std::path::Path;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error, OtherError, RootCertStore, SignatureScheme,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::array::settings::{CertificatePin, SettingsError, Trust};

/// Where Debian, Ubuntu and Alpine keep the authorities the system trusts.
const SYSTEM_ROOTS: &str = "/etc/ssl/certs/ca-certificates.crt";

/// TLS configuration for one array.
///
/// # Errors
/// [`SettingsError`] when the trusted certificates cannot be read or there is none among them.
pub(super) fn client_config(trust: &Trust) -> Result<ClientConfig, SettingsError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let rule = match trust {
        Trust::System => Rule::Authorities(authorities(Path::new(SYSTEM_ROOTS), &provider)?),
        Trust::CaFile(file) => Rule::Authorities(authorities(file, &provider)?),
        Trust::Pinned(pin) => Rule::Pinned(*pin),
        Trust::Anything => Rule::Anything,
    };
    let check = CertificateCheck { rule, provider: Arc::clone(&provider) };
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| SettingsError::Client { reason: error.to_string() })?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(check))
        .with_no_client_auth();
    Ok(config)
}

/// A check against the authorities of a PEM file.
fn authorities(file: &Path, provider: &Arc<CryptoProvider>) -> Result<Arc<WebPkiServerVerifier>, SettingsError> {
    let unusable = |reason: String| SettingsError::Certificates { file: file.display().to_string(), reason };
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(file).map_err(|e| unusable(e.to_string()))? {
        let certificate = certificate.map_err(|e| unusable(e.to_string()))?;
        // One odd root among the system's hundred must not take the others away; an empty store is refused below.
        if let Err(error) = roots.add(certificate) {
            tracing::warn!(file = %file.display(), %error, "certificate is no usable authority, left out");
        }
    }
    if roots.is_empty() {
        return Err(unusable("it holds no certificate".into()));
    }
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider))
        .build()
        .map_err(|e| unusable(e.to_string()))
}

/// Why the array's certificate is not accepted.
#[derive(Debug, Error)]
enum CertificateRefused {
    /// No trusted authority vouches for it.
    #[error(
        "the array's certificate (SHA-256 {shown}) is not accepted: {reason}; a self-signed certificate is accepted only by pinning this fingerprint, after comparing it at the array"
    )]
    Untrusted { shown: CertificatePin, reason: Error },
    /// It is another one than the pinned.
    #[error(
        "the array shows certificate SHA-256 {shown}, pinned is {pinned}; if the array got a new certificate, pin the new fingerprint"
    )]
    NotThePinned { shown: CertificatePin, pinned: CertificatePin },
}

#[derive(Debug)]
enum Rule {
    Authorities(Arc<WebPkiServerVerifier>),
    Pinned(CertificatePin),
    Anything,
}

/// Judges the certificate by the rule and, under every rule, the handshake's signature made with its key.
#[derive(Debug)]
struct CertificateCheck {
    rule: Rule,
    provider: Arc<CryptoProvider>,
}

/// The refusal of a certificate in the causes of a failed request, if that is what it failed of.
pub(super) fn certificate_refusal(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(Error::InvalidCertificate(CertificateError::Other(OtherError(reason)))) = error.downcast_ref() {
            return Some(reason.to_string());
        }
        // An I/O error passes over its own content when asked for its source.
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(content) => Some(content),
            None => error.source(),
        };
    }
    None
}

fn refused(reason: CertificateRefused) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

impl ServerCertVerifier for CertificateCheck {
    fn verify_server_cert(
        &self,
        certificate: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let shown = || CertificatePin::new(Sha256::digest(certificate.as_ref()).into());
        match &self.rule {
            Rule::Authorities(verifier) => verifier
                .verify_server_cert(certificate, intermediates, name, ocsp, now)
                .map_err(|reason| refused(CertificateRefused::Untrusted { shown: shown(), reason })),
            Rule::Pinned(pinned) if shown() == *pinned => Ok(ServerCertVerified::assertion()),
            Rule::Pinned(pinned) => Err(refused(CertificateRefused::NotThePinned { shown: shown(), pinned: *pinned })),
            Rule::Anything => Ok(ServerCertVerified::assertion()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
