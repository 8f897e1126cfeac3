//! The SSH host key of the array.
//!
//! Ed25519, because making an RSA key takes seconds. With a seed the key is a function of it, so that clients which
//! remembered the key of a run accept the same run again.

use russh::keys::{Algorithm, PrivateKey, ssh_key};
use sha2::{Digest, Sha256};

/// Why there is no host key.
#[derive(Debug, thiserror::Error)]
#[error("cannot make the SSH host key")]
pub struct HostKeyError(#[from] ssh_key::Error);

/// Makes the host key: from `seed` when there is one, else at random.
///
/// # Errors
/// When the key library refuses, which it does not for ed25519.
pub(crate) fn host_key(seed: Option<u64>) -> Result<PrivateKey, HostKeyError> {
    match seed {
        None => Ok(PrivateKey::random(&mut russh::keys::key::safe_rng(), Algorithm::Ed25519)?),
        Some(seed) => {
            let mut hash = Sha256::new();
            hash.update(b"hpe3par-emulator ssh host key");
            hash.update(seed.to_be_bytes());
            let pair = ssh_key::private::Ed25519Keypair::from_seed(&hash.finalize().into());
            Ok(PrivateKey::new(pair.into(), "")?)
        }
    }
}

/// The public half as `ssh-ed25519 AAAA…`, the form used in a `known_hosts` line after the host name.
///
/// # Errors
/// When the key cannot be encoded.
pub(crate) fn public_line(key: &PrivateKey) -> Result<String, HostKeyError> {
    Ok(key.public_key().to_openssh()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_seed_decides_the_key() {
        let line = |seed| public_line(&host_key(seed).unwrap()).unwrap();
        assert!(line(Some(7)).starts_with("ssh-ed25519 AAAA"));
        assert_eq!(line(Some(7)), line(Some(7)));
        assert_ne!(line(Some(7)), line(Some(8)));
        assert_ne!(line(None), line(None));
    }
}
