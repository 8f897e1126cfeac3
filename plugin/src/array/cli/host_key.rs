//! Whether the SSH server is the array: its host key against the `known_hosts` file.
//!
//! A host that is known by any key is accepted by that key only. A key of another algorithm does not count as "unknown": else
//! whoever stands in the middle would only have to offer another algorithm.

use std::borrow::Cow;
use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use russh::keys::known_hosts::{known_host_keys_path, learn_known_hosts_path};
use russh::keys::{Algorithm, HashAlg, PublicKey};
use thiserror::Error;

use crate::array::settings::{SshSettings, UnknownHostKey};

/// Why the server is not taken for the array.
#[derive(Debug, Error)]
pub(super) enum HostKeyError {
    /// The file names the host with another key.
    #[error(
        "host key of {host} CHANGED: it shows {shown}, {file} has {known}; either somebody stands in the middle or the array was replaced. Compare at the array, then correct the file"
    )]
    Changed { host: String, shown: String, known: String, file: String },
    /// The file does not name the host.
    #[error(
        "host key {shown} of {host} is not in {file}; compare it at the array, then add it (ssh-keyscan prints the line)"
    )]
    Unknown { host: String, shown: String, file: String },
    /// The file cannot be read.
    #[error("known hosts file {file} cannot be read: {reason}")]
    Unreadable { file: String, reason: String },
    /// The server shows something else than a plain key.
    #[error("{host} shows a certificate as host key; only plain host keys are known")]
    Certificate { host: String },
}

/// The known keys of one array.
#[derive(Debug, Clone)]
pub(super) struct KnownHost {
    host: String,
    port: u16,
    file: PathBuf,
    policy: UnknownHostKey,
    /// Learnt in this process: holds even where the file cannot be written.
    learnt: Arc<Mutex<Option<PublicKey>>>,
}

impl KnownHost {
    pub(super) fn new(settings: &SshSettings) -> Self {
        Self {
            host: settings.host.clone(),
            port: settings.port,
            file: settings.known_hosts.clone(),
            policy: settings.unknown_host_key,
            learnt: Arc::default(),
        }
    }

    /// `host:port`, for errors.
    pub(super) fn address(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The host is known by some key.
    pub(super) fn is_known(&self) -> Result<bool, HostKeyError> {
        Ok(!self.keys()?.is_empty())
    }

    /// Every key the host is known by.
    fn keys(&self) -> Result<Vec<PublicKey>, HostKeyError> {
        let unreadable = |reason: String| HostKeyError::Unreadable { file: self.file.display().to_string(), reason };
        // The library takes a file it cannot open for an empty one.
        match std::fs::File::open(&self.file) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unreadable(error.to_string())),
            _ => {}
        }
        let recorded =
            known_host_keys_path(&self.host, self.port, &self.file).map_err(|e| unreadable(e.to_string()))?;
        let mut keys: Vec<PublicKey> = recorded.into_iter().map(|(_, key)| key).collect();
        keys.extend(self.learnt.lock().unwrap_or_else(PoisonError::into_inner).clone());
        Ok(keys)
    }

    /// Algorithms in the order to offer them: those of known keys first, so that the server shows one of these.
    pub(super) fn algorithms(&self, default: &[Algorithm]) -> Cow<'static, [Algorithm]> {
        let known: Vec<Algorithm> = self.keys().unwrap_or_default().iter().map(PublicKey::algorithm).collect();
        let is_known = |algorithm: &Algorithm| {
            known
                .iter()
                .any(|k| k == algorithm || matches!((k, algorithm), (Algorithm::Rsa { .. }, Algorithm::Rsa { .. })))
        };
        let (mut first, rest): (Vec<Algorithm>, Vec<Algorithm>) = default.iter().cloned().partition(is_known);
        first.extend(rest);
        Cow::Owned(first)
    }

    /// Judges the key the server shows; learns it where the policy says so. Reads and writes a file.
    pub(super) fn check(&self, shown: &PublicKey) -> Result<(), HostKeyError> {
        if self.matches(shown)? {
            return Ok(());
        }
        match self.policy {
            UnknownHostKey::Refuse => Err(HostKeyError::Unknown {
                host: self.address(),
                shown: fingerprint(shown),
                file: self.file.display().to_string(),
            }),
            UnknownHostKey::LearnOnFirstUse => self.learn(shown),
        }
    }

    /// True for a known key, false for a host that is not known at all.
    fn matches(&self, shown: &PublicKey) -> Result<bool, HostKeyError> {
        let keys = self.keys()?;
        if keys.iter().any(|key| key.key_data() == shown.key_data()) {
            return Ok(true);
        }
        if keys.is_empty() {
            return Ok(false);
        }
        let known: Vec<String> = keys.iter().map(fingerprint).collect();
        Err(HostKeyError::Changed {
            host: self.address(),
            shown: fingerprint(shown),
            known: known.join(" and "),
            file: self.file.display().to_string(),
        })
    }

    fn learn(&self, shown: &PublicKey) -> Result<(), HostKeyError> {
        tracing::warn!(
            host = self.address(), key = fingerprint(shown), file = %self.file.display(),
            "host key of the array was not known and is learnt now, unchecked; compare it at the array"
        );
        // Threads and processes that learn at once would tear each other's lines, or learn two keys.
        let lock = lock(&self.file);
        if self.matches(shown)? {
            return Ok(());
        }
        if let Err(error) = learn_known_hosts_path(&self.host, self.port, shown, &self.file) {
            tracing::warn!(%error, file = %self.file.display(), "host key cannot be written down; it holds until the plugin ends");
        }
        drop(lock);
        *self.learnt.lock().unwrap_or_else(PoisonError::into_inner) = Some(shown.clone());
        Ok(())
    }
}

/// Locks the file against other learners; dropping the handle unlocks. Without a lock learning goes on: the file may be on a read-only disk.
fn lock(file: &Path) -> Option<std::fs::File> {
    if let Some(parent) = file.parent() {
        std::fs::create_dir_all(parent).ok()?;
    }
    let handle = OpenOptions::new().append(true).create(true).open(file).ok()?;
    handle.lock().ok()?;
    Some(handle)
}

fn fingerprint(key: &PublicKey) -> String {
    format!("{} {}", key.algorithm(), key.fingerprint(HashAlg::Sha256))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARRAY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";
    const OTHER: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA6rWI3G1sz07DnfFlrouTcysQlj2P+jpNSOEWD9OJ3X";
    const ECDSA: &str = "ecdsa-sha2-nistp256 AAAAE2VjZHNhLXNoYTItbmlzdHAyNTYAAAAIbmlzdHAyNTYAAABBBHwf2HMM5TRXvo2SQJjsNkiDD5KqiiNjrGVv3UUh+mMT5RHxiRtOnlqvjhQtBq0VpmpCV/PwUdhOig4vkbqAcEc=";

    fn key(text: &str) -> PublicKey {
        text.parse().unwrap()
    }

    fn host(file: &Path, policy: UnknownHostKey, port: u16) -> KnownHost {
        KnownHost { host: "array.lab".into(), port, file: file.to_owned(), policy, learnt: Arc::default() }
    }

    #[test]
    fn known_changed_and_unknown_keys() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        std::fs::write(&file, format!("# lab\nother.lab {OTHER}\n[array.lab]:2222 {ARRAY}\n")).unwrap();
        for policy in [UnknownHostKey::Refuse, UnknownHostKey::LearnOnFirstUse] {
            let known = host(&file, policy, 2222);
            assert!(known.check(&key(ARRAY)).is_ok());
            let error = known.check(&key(OTHER)).unwrap_err().to_string();
            assert!(error.contains("CHANGED"), "{error}");
            assert_eq!(error.matches("SHA256:").count(), 2, "{error}");
            // Another algorithm is no way round the known key.
            assert!(matches!(known.check(&key(ECDSA)), Err(HostKeyError::Changed { .. })));
        }
        let strict = host(&file, UnknownHostKey::Refuse, 22);
        assert!(matches!(strict.check(&key(ARRAY)), Err(HostKeyError::Unknown { .. })));
    }

    #[test]
    fn learning_happens_once_and_is_written_down() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("new/known_hosts");
        let known = host(&file, UnknownHostKey::LearnOnFirstUse, 22);
        known.check(&key(ARRAY)).unwrap();
        known.check(&key(ARRAY)).unwrap();
        let written = std::fs::read_to_string(&file).unwrap();
        assert_eq!(written.matches("array.lab").count(), 1, "{written}");
        assert!(matches!(known.check(&key(OTHER)), Err(HostKeyError::Changed { .. })));
        let later = host(&file, UnknownHostKey::Refuse, 22);
        assert!(later.check(&key(ARRAY)).is_ok());
    }

    #[test]
    fn what_cannot_be_written_is_remembered() {
        let known = host(Path::new("/proc/nonexistent/known_hosts"), UnknownHostKey::LearnOnFirstUse, 22);
        known.check(&key(ARRAY)).unwrap();
        assert!(matches!(known.check(&key(OTHER)), Err(HostKeyError::Changed { .. })));
    }

    #[test]
    fn a_file_that_cannot_be_read_is_no_empty_file() {
        let dir = tempfile::tempdir().unwrap();
        let known = host(dir.path(), UnknownHostKey::LearnOnFirstUse, 22);
        assert!(matches!(known.check(&key(ARRAY)), Err(HostKeyError::Unreadable { .. })));
    }

    #[test]
    fn known_algorithms_are_offered_first() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("known_hosts");
        std::fs::write(&file, format!("array.lab {ECDSA}\n")).unwrap();
        let known = host(&file, UnknownHostKey::Refuse, 22);
        let order = known.algorithms(&[Algorithm::Ed25519, key(ECDSA).algorithm()]);
        assert_eq!(order.as_ref(), [key(ECDSA).algorithm(), Algorithm::Ed25519]);
    }
}
