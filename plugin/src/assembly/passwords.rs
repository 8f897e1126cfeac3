//! Passwords of `hpe.conf`: plain, or encrypted with a passphrase that the metadata store keeps.
//!
//! Only the store knows which of the two they are, and it may be away when the plugin starts. So a password is read at the
//! first login that needs it. A store that does not answer then fails that login, and the next one asks again: an encrypted
//! password that is sent as it stands would be counted by the array as a wrong one.

use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;
use tokio::sync::OnceCell;

use crate::array::settings::{Password, PasswordSource};
use crate::config::BackendName;
use crate::config::encrypted_password::decrypt;
use crate::store::{MetadataStore, StoreError, keys};

/// The passphrase of a section, if it has one; read from the store once.
pub(super) struct SectionPassphrase {
    store: Arc<dyn MetadataStore>,
    section: BackendName,
    read: OnceCell<Option<SecretString>>,
}

impl SectionPassphrase {
    pub(super) fn new(store: Arc<dyn MetadataStore>, section: BackendName) -> Arc<Self> {
        Arc::new(Self { store, section, read: OnceCell::new() })
    }

    /// A password of the section as it is written in the file; `key` is where it stands.
    pub(super) fn password(self: &Arc<Self>, key: &'static str, written: SecretString) -> Password {
        Password::from_source(Arc::new(WrittenPassword { passphrase: Arc::clone(self), key, written }))
    }

    async fn get(&self) -> Result<Option<&SecretString>, StoreError> {
        let read = || async {
            let entry = self.store.get(&keys::backend_passphrase(self.section.as_str())).await?;
            Ok(entry.map(|entry| SecretString::from(String::from_utf8_lossy(&entry.value).into_owned())))
        };
        self.read.get_or_try_init(read).await.map(Option::as_ref)
    }
}

/// A password as it stands in the file.
struct WrittenPassword {
    passphrase: Arc<SectionPassphrase>,
    key: &'static str,
    written: SecretString,
}

#[async_trait]
impl PasswordSource for WrittenPassword {
    async fn reveal(&self) -> Result<SecretString, String> {
        let (section, key) = (&self.passphrase.section, self.key);
        match self.passphrase.get().await {
            Ok(None) => Ok(self.written.clone()),
            Ok(Some(passphrase)) => decrypt(&self.written, passphrase).map_err(|reason| {
                format!(
                    "{key} of section [{section}] of hpe.conf cannot be decrypted with the passphrase of /backend/{section} \
                     in the metadata store: {reason}"
                )
            }),
            Err(error) => Err(format!("whether {key} of section [{section}] of hpe.conf is encrypted is not known yet: {error}")),
        }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret as _;

    use super::*;
    use crate::store::memory::MemoryStore;
    use crate::store::{Change, Committed, Entry, LeaseId, Revision, Transaction, Watch};

    /// A store that is away until it is told to answer.
    #[derive(Default)]
    struct Shy {
        store: MemoryStore,
        answers: std::sync::atomic::AtomicBool,
        asked: std::sync::atomic::AtomicUsize,
    }

    impl Shy {
        fn has_passphrase(&self, passphrase: &str) {
            let put = Change::Put { key: "/backend/DEFAULT".to_owned(), value: passphrase.into(), lease: None };
            self.store.transact(&Transaction { guards: Vec::new(), changes: vec![put] }).unwrap();
        }

        fn comes_back(&self) {
            self.answers.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    }

    fn away<T>() -> Result<T, StoreError> {
        Err(StoreError::Unavailable { operation: "a read".to_owned(), reason: "connection refused".to_owned() })
    }

    #[async_trait]
    impl MetadataStore for Shy {
        async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
            self.asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            if self.answers.load(std::sync::atomic::Ordering::SeqCst) { self.store.get(key).await } else { away() }
        }
        async fn list(&self, _: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
            away()
        }
        async fn commit(&self, _: Transaction) -> Result<Committed, StoreError> {
            away()
        }
        async fn watch(&self, _: &str, _: Revision) -> Result<Box<dyn Watch>, StoreError> {
            away()
        }
        async fn grant_lease(&self, _: std::time::Duration) -> Result<LeaseId, StoreError> {
            away()
        }
        async fn keep_alive(&self, _: LeaseId) -> Result<(), StoreError> {
            away()
        }
        async fn revoke_lease(&self, _: LeaseId) -> Result<(), StoreError> {
            away()
        }
    }

    fn source(store: &Arc<Shy>, written: &str) -> WrittenPassword {
        let passphrase = SectionPassphrase::new(store.clone(), "DEFAULT".parse().unwrap());
        WrittenPassword { passphrase, key: "hpe3par_password", written: SecretString::from(written) }
    }

    #[tokio::test]
    async fn a_password_is_decrypted_once_the_store_answers() {
        let store = Arc::new(Shy::default());
        store.has_passphrase("@123#");
        let password = source(&store, "+CB1E8Je1j8=");
        let error = password.reveal().await.unwrap_err();
        assert!(error.contains("hpe3par_password of section [DEFAULT]") && error.contains("not known yet"), "{error}");
        store.comes_back();
        for _ in 0..3 {
            assert_eq!(password.reveal().await.unwrap().expose_secret(), "password");
        }
        assert_eq!(store.asked.load(std::sync::atomic::Ordering::SeqCst), 2, "the passphrase is read once");
    }

    #[tokio::test]
    async fn without_a_passphrase_a_password_is_taken_as_it_stands() {
        let store = Arc::new(Shy::default());
        store.comes_back();
        assert_eq!(source(&store, "3pardata").reveal().await.unwrap().expose_secret(), "3pardata");
    }

    #[tokio::test]
    async fn a_password_that_cannot_be_decrypted_is_named_and_not_shown() {
        let store = Arc::new(Shy::default());
        store.has_passphrase("@123#");
        store.comes_back();
        let error = source(&store, "tuna!fish").reveal().await.unwrap_err();
        assert!(error.contains("hpe3par_password") && error.contains("/backend/DEFAULT"), "{error}");
        assert!(!error.contains("tuna") && !error.contains("@123#"), "{error}");
    }
}
