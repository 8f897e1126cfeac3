//! CHAP accounts of a host: rules for names and secrets; secrets never leave through `Debug` or a row.

use secrecy::{ExposeSecret, SecretString};

use super::error::ArrayError;

/// One account.
#[derive(Debug, Clone)]
pub struct ChapAccount {
    /// Name, at most 223 characters.
    pub name: String,
    /// Secret: 12 to 16 characters, or 16 bytes in hex.
    pub secret: SecretString,
}

/// The accounts of a host.
#[derive(Debug, Clone, Default)]
pub struct ChapAccounts {
    /// The initiator proves itself with this one.
    pub initiator: Option<ChapAccount>,
    /// The target proves itself with this one (mutual CHAP).
    pub target: Option<ChapAccount>,
}

impl ChapAccount {
    /// Checks name and secret.
    ///
    /// # Errors
    /// 57 for a name above 223 characters, a provisional code for a secret of the wrong length.
    pub fn new(name: &str, secret: &str, hex: bool) -> Result<Self, ArrayError> {
        if name.is_empty() {
            return Err(ArrayError::empty_string().with_ref("chapName"));
        }
        if name.len() > 223 {
            return Err(ArrayError::exceeds_length().with_ref("chapName"));
        }
        let good = if hex {
            secret.trim_start_matches("0x").len() == 32
                && secret.trim_start_matches("0x").bytes().all(|b| b.is_ascii_hexdigit())
        } else {
            secret.is_ascii() && (12..=16).contains(&secret.len())
        };
        if !good {
            return Err(ArrayError::bad_length().with_ref("chapSecret"));
        }
        Ok(Self { name: name.to_owned(), secret: secret.into() })
    }
}

impl ChapAccounts {
    /// Sets the account of the initiator.
    ///
    /// # Errors
    /// A provisional code (409) when the target has the same secret.
    pub(crate) fn set_initiator(&mut self, account: ChapAccount) -> Result<(), ArrayError> {
        refuse_equal(self.target.as_ref(), &account)?;
        self.initiator = Some(account);
        Ok(())
    }

    /// Sets the account of the target.
    ///
    /// # Errors
    /// A provisional code (404) without an account of the initiator, (409) when both secrets are equal.
    pub(crate) fn set_target(&mut self, account: ChapAccount) -> Result<(), ArrayError> {
        if self.initiator.is_none() {
            return Err(ArrayError::no_initiator_chap());
        }
        refuse_equal(self.initiator.as_ref(), &account)?;
        self.target = Some(account);
        Ok(())
    }

    /// Removes both accounts, or only that of the target.
    ///
    /// # Errors
    /// A provisional code (404) when there is nothing to remove.
    pub(crate) fn remove(&mut self, target_only: bool) -> Result<(), ArrayError> {
        let present = if target_only { self.target.is_some() } else { self.initiator.is_some() };
        if !present {
            return Err(ArrayError::non_existent_chap());
        }
        self.target = None;
        if !target_only {
            self.initiator = None;
        }
        Ok(())
    }
}

/// Refuses a secret that the other side has too.
fn refuse_equal(other: Option<&ChapAccount>, account: &ChapAccount) -> Result<(), ArrayError> {
    let equal = other.is_some_and(|o| o.secret.expose_secret() == account.secret.expose_secret());
    if equal { Err(ArrayError::non_unique_chap_secret()) } else { Ok(()) }
}
