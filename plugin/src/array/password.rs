//! A password, or the way to it.
//!
//! Passwords of `hpe.conf` may be encrypted with a passphrase that is in the metadata store, and the store may be away when
//! the plugin starts. So a password is asked for when it is needed, and a login that needs one before it can be had fails
//! with the reason; the next login asks again.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use secrecy::SecretString;

/// Where a password comes from.
#[async_trait]
pub trait PasswordSource: Send + Sync {
    /// The password in clear text.
    ///
    /// # Errors
    /// Why it cannot be had now, in one line that holds no secret.
    async fn reveal(&self) -> Result<SecretString, String>;
}

/// A password of an account on the array. Never shows in `Debug`.
#[derive(Clone)]
pub struct Password(Arc<dyn PasswordSource>);

impl Password {
    /// A password that comes from `source` each time it is needed.
    #[must_use]
    pub fn from_source(source: Arc<dyn PasswordSource>) -> Self {
        Self(source)
    }

    pub(super) async fn reveal(&self) -> Result<SecretString, String> {
        self.0.reveal().await
    }
}

impl From<SecretString> for Password {
    /// A password that is known already.
    fn from(known: SecretString) -> Self {
        Self(Arc::new(Known(known)))
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

struct Known(SecretString);

#[async_trait]
impl PasswordSource for Known {
    async fn reveal(&self) -> Result<SecretString, String> {
        Ok(self.0.clone())
    }
}
