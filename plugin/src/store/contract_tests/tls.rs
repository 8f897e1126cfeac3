//! etcd behind TLS that asks for a client certificate.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair};
use tokio::time::{Instant, sleep};

use super::etcd_process::EtcdProcess;
use super::{apply, next, put};
use crate::store::etcd::{ClientCertificate, EtcdSettings, EtcdStore};
use crate::store::{MetadataStore as _, StoreError};

/// An authority and what it signs, as PEM files in a directory.
struct Authority {
    directory: PathBuf,
    name: &'static str,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn make(directory: &Path, name: &'static str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        std::fs::write(directory.join(format!("{name}.pem")), certificate.pem()).unwrap();
        Self { directory: directory.to_owned(), name, issuer: Issuer::new(params, key) }
    }

    fn file(&self) -> PathBuf {
        self.directory.join(format!("{}.pem", self.name))
    }

    fn sign(&self, name: &str, usage: ExtendedKeyUsagePurpose) -> ClientCertificate {
        let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
        params.extended_key_usages.push(usage);
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.issuer).unwrap();
        let file = |ending: &str| self.directory.join(format!("{name}-by-{}.{ending}", self.name));
        std::fs::write(file("pem"), signed.pem()).unwrap();
        std::fs::write(file("key"), key.serialize_pem()).unwrap();
        ClientCertificate { certificate: file("pem"), key: file("key") }
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[tokio::test]
async fn etcd_is_reached_with_the_right_certificates_only() {
    let directory = tempfile::tempdir().unwrap();
    let authority = Authority::make(directory.path(), "ours");
    let stranger = Authority::make(directory.path(), "strangers");
    let server = authority.sign("server", ExtendedKeyUsagePurpose::ServerAuth);
    let client = authority.sign("client", ExtendedKeyUsagePurpose::ClientAuth);
    let ca = authority.file();
    let etcd = EtcdProcess::spawn_https(
        directory.path(),
        &[
            ["--cert-file", text(&server.certificate)],
            ["--key-file", text(&server.key)],
            ["--trusted-ca-file", text(&ca)],
        ]
        .concat()
        .into_iter()
        .chain(["--client-cert-auth"])
        .collect::<Vec<_>>(),
    );
    let right = EtcdSettings {
        endpoints: vec![etcd.endpoint.trim_start_matches("https://").to_owned()],
        ca: Some(ca),
        client: Some(client),
        timeout: EtcdSettings::DEFAULT_TIMEOUT,
    };
    let store = EtcdStore::open(&right).await.unwrap();
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = store.get("/a").await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
    let start = apply(&store, vec![put("/a", "1")]).await;
    let mut watch = store.watch("/a", start).await.unwrap();
    apply(&store, vec![put("/a", "2")]).await;
    assert_eq!(next(watch.as_mut()).await.0, "+/a=2");

    let stranger_client = stranger.sign("client", ExtendedKeyUsagePurpose::ClientAuth);
    for wrong in [
        EtcdSettings { ca: Some(stranger.file()), ..right.clone() },
        EtcdSettings { client: None, ..right.clone() },
        EtcdSettings { client: Some(stranger_client), ..right.clone() },
        EtcdSettings { endpoints: vec![etcd.endpoint.clone()], ca: None, client: None, ..right.clone() },
    ] {
        let store = EtcdStore::open(&wrong).await.unwrap();
        let error = store.get("/a").await.unwrap_err();
        assert!(matches!(error, StoreError::Unavailable { .. }), "{error}");
    }
}
