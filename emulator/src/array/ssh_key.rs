//! SSH public keys of accounts, with which they log in to the command line without a password.

use std::collections::BTreeMap;
use std::time::Duration;

use russh::keys::ssh_key::PublicKey;

use super::Array;
use super::error::ArrayError;

/// Longest line of a key (the text that asks for one names this bound).
pub const SSH_KEY_MAX: usize = 4095;
/// Most keys of an account.
pub const SSH_KEYS_MAX: usize = 100;

/// Keys by account, each as one line of OpenSSH.
pub(crate) type SshKeys = BTreeMap<String, Vec<String>>;

impl Array {
    /// Sets the key of an account in place of those it has, or beside them.
    ///
    /// # Errors
    /// 57 for a line above 4095 characters, 12 when it is no OpenSSH public key, 43 above 100 keys.
    pub fn set_ssh_key(&mut self, now: Duration, user: &str, line: &str, add: bool) -> Result<(), ArrayError> {
        self.advance(now);
        let line = line.trim();
        if line.len() > SSH_KEY_MAX {
            return Err(ArrayError::exceeds_length().with_ref("key"));
        }
        let invalid = || ArrayError { desc: "invalid SSH public key".to_owned(), ..ArrayError::invalid_input() };
        let key = PublicKey::from_openssh(line).and_then(|key| key.to_openssh()).map_err(|_| invalid())?;
        let held = self.ssh_keys.entry(user.to_owned()).or_default();
        if !add {
            held.clear();
        }
        if held.len() >= SSH_KEYS_MAX {
            return Err(ArrayError::exceeds_range().with_ref("key"));
        }
        if !held.contains(&key) {
            held.push(key);
        }
        Ok(())
    }

    /// The keys of an account, in the order they were set.
    #[must_use]
    pub fn ssh_keys(&self, user: &str) -> Vec<String> {
        self.ssh_keys.get(user).cloned().unwrap_or_default()
    }

    /// Removes a key of an account by its number, counted from 1, or all of them; gives how many went.
    pub fn remove_ssh_keys(&mut self, now: Duration, user: &str, number: Option<usize>) -> usize {
        self.advance(now);
        let Some(held) = self.ssh_keys.get_mut(user) else { return 0 };
        let before = held.len();
        match number {
            None => held.clear(),
            Some(number) if (1..=before).contains(&number) => drop(held.remove(number - 1)),
            Some(_) => {}
        }
        before - held.len()
    }

    /// Whether a key belongs to an account.
    #[must_use]
    pub(crate) fn has_ssh_key(&self, user: &str, key: &PublicKey) -> bool {
        let same = |line: &String| PublicKey::from_openssh(line).is_ok_and(|held| held.key_data() == key.key_data());
        self.config.user == user && self.ssh_keys.get(user).is_some_and(|held| held.iter().any(same))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayConfig;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti me@host";

    #[test]
    fn keys_are_set_added_and_removed() {
        let mut array = Array::new(ArrayConfig::default());
        let key = PublicKey::from_openssh(KEY).unwrap();
        assert!(!array.has_ssh_key("3paradm", &key));
        array.set_ssh_key(Duration::ZERO, "3paradm", &format!(" {KEY}\n"), false).unwrap();
        array.set_ssh_key(Duration::ZERO, "3paradm", KEY, true).unwrap();
        assert_eq!(array.ssh_keys("3paradm"), [KEY]);
        assert!(array.has_ssh_key("3paradm", &key) && !array.has_ssh_key("other", &key));
        assert_eq!(array.remove_ssh_keys(Duration::ZERO, "3paradm", Some(2)), 0);
        assert_eq!(array.remove_ssh_keys(Duration::ZERO, "3paradm", None), 1);
        assert!(!array.has_ssh_key("3paradm", &key));
    }

    #[test]
    fn what_is_no_key_is_refused() {
        let mut array = Array::new(ArrayConfig::default());
        for text in ["", "ssh-ed25519", "ssh-ed25519 AAAA", "-----BEGIN OPENSSH PRIVATE KEY-----"] {
            assert_eq!(array.set_ssh_key(Duration::ZERO, "3paradm", text, false).unwrap_err().code, 12, "{text}");
        }
        let long = format!("{KEY}{}", "x".repeat(SSH_KEY_MAX));
        assert_eq!(array.set_ssh_key(Duration::ZERO, "3paradm", &long, false).unwrap_err().code, 57);
    }
}
