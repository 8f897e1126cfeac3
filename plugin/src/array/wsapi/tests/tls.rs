//! Which certificates are accepted, and what is said of those that are not.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

use super::scripted_array::ScriptedArray;
use crate::array::ArrayError;
use crate::array::settings::{CertificatePin, SettingsError, Trust};
use crate::array::wsapi::Wsapi;

struct Certified {
    array: ScriptedArray,
    pin: CertificatePin,
    /// Holds the certificate, or the CA's.
    pem: PathBuf,
    _dir: tempfile::TempDir,
}

async fn serve(leaf: CertificateDer<'static>, key: &KeyPair, pem: &str) -> Certified {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("trusted.pem");
    std::fs::write(&file, pem).unwrap();
    let pin = CertificatePin::new(Sha256::digest(leaf.as_ref()).into());
    let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![leaf], key)
        .unwrap();
    let array = ScriptedArray::start_tls(TlsAcceptor::from(Arc::new(config))).await;
    Certified { array, pin, pem: file, _dir: dir }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// As arrays are delivered: self-signed, and a CA by its own words.
async fn self_signed() -> Certified {
    let key = KeyPair::generate().unwrap();
    let certificate = authority().self_signed(&key).unwrap();
    serve(certificate.der().clone(), &key, &certificate.pem()).await
}

/// Issued by a site's own CA, for `name`.
async fn issued_for(name: &str) -> Certified {
    let issuer = CertifiedIssuer::self_signed(authority(), KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let leaf = CertificateParams::new(vec![name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
    serve(leaf.der().clone(), &key, &issuer.pem()).await
}

async fn call(certified: &Certified, trust: Trust) -> Result<(), ArrayError> {
    let client = Wsapi::new(&certified.array.settings(trust), Duration::from_secs(30)).unwrap();
    client.exports_of(&"v".parse().unwrap()).await.map(|_| ())
}

#[tokio::test]
async fn the_pinned_certificate_is_accepted_and_no_other() {
    let certified = self_signed().await;
    assert_eq!(call(&certified, Trust::Pinned(certified.pin)).await, Ok(()));
    let other = CertificatePin::new([7; 32]);
    let error = call(&certified, Trust::Pinned(other)).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("SHA-256"), "{text}");
    // Only the accepted connection carried the password.
    assert_eq!(certified.array.count("POST"), 1);
}

#[tokio::test]
async fn a_self_signed_certificate_is_refused_with_the_way_out() {
    let certified = self_signed().await;
    for trust in [Trust::CaFile(certified.pem.clone()), Trust::System] {
        let error = call(&certified, trust).await.unwrap_err();
        assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains(&certified.pin.to_string()) && text.contains("pin"), "{text}");
    }
}

#[tokio::test]
async fn a_certificate_of_the_sites_ca_is_accepted_for_its_address_only() {
    let certified = issued_for("127.0.0.1").await;
    assert_eq!(call(&certified, Trust::CaFile(certified.pem.clone())).await, Ok(()));
    assert!(call(&certified, Trust::System).await.is_err());
    let elsewhere = issued_for("other.lab").await;
    let error = call(&elsewhere, Trust::CaFile(elsewhere.pem.clone())).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn anything_goes_only_where_that_was_asked_for() {
    let certified = self_signed().await;
    assert_eq!(call(&certified, Trust::Anything).await, Ok(()));
}

#[tokio::test]
async fn a_ca_file_without_a_certificate_is_named() {
    let certified = self_signed().await;
    std::fs::write(&certified.pem, "nothing here").unwrap();
    let missing = PathBuf::from("/nonexistent/ca.pem");
    for file in [certified.pem.clone(), missing] {
        let name = file.display().to_string();
        let error = Wsapi::new(&certified.array.settings(Trust::CaFile(file)), Duration::from_secs(1)).unwrap_err();
        assert!(matches!(&error, SettingsError::Certificates { file, .. } if *file == name), "{error}");
    }
}
