//! Passwords in `hpe.conf` that were encrypted with the tool `hpe3parencryptor`.
//!
//! The scheme is the tool's and kept for existing files: base64 over AES in CFB mode with 8-bit segments, a fixed initialisation
//! vector and a key that is the passphrase, filled up with the alphabet. It hides a password from a glance, no more: the
//! passphrase stands in clear text in the metadata store under `/backend/<section>`.

use aes::{Aes128, Aes192, Aes256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cfb8::Decryptor;
use cfb8::cipher::{AsyncStreamCipher as _, KeyIvInit as _};
use secrecy::{ExposeSecret as _, SecretSlice, SecretString};

/// Initialisation vector of the tool.
const IV: &[u8; 16] = b"1234567812345678";

/// What a passphrase is filled up with.
const PADDING: &[u8; 52] = b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// Why a password could not be decrypted. Shows neither password nor passphrase.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncryptedPasswordError {
    /// There is no passphrase.
    #[error("the passphrase is empty; encrypt the passwords again with hpe3parencryptor")]
    EmptyPassphrase,
    /// The value in the file was not made by the tool.
    #[error(
        "it is not base64: either it is not encrypted, or it was cut or changed; encrypt it again with hpe3parencryptor"
    )]
    NotBase64,
    /// Decryption gives no text.
    #[error("the passphrase does not fit; encrypt it again with hpe3parencryptor")]
    WrongPassphrase,
}

/// Decrypts a password as it stands in `hpe.conf` with the passphrase of its backend.
///
/// The scheme has no check sum: a wrong passphrase may give a wrong password instead of an error.
///
/// # Errors
/// If there is no passphrase, the value is not base64, or the result is no text.
pub fn decrypt(encrypted: &SecretString, passphrase: &SecretString) -> Result<SecretString, EncryptedPasswordError> {
    let passphrase = passphrase.expose_secret().as_bytes();
    if passphrase.is_empty() {
        return Err(EncryptedPasswordError::EmptyPassphrase);
    }
    let mut text = STANDARD.decode(encrypted.expose_secret().trim()).map_err(|_| EncryptedPasswordError::NotBase64)?;
    let key = key(passphrase);
    let key = key.expose_secret();
    let wrong_length = |_| EncryptedPasswordError::WrongPassphrase;
    match key.len() {
        16 => Decryptor::<Aes128>::new_from_slices(key, IV).map_err(wrong_length)?.decrypt(&mut text),
        24 => Decryptor::<Aes192>::new_from_slices(key, IV).map_err(wrong_length)?.decrypt(&mut text),
        _ => Decryptor::<Aes256>::new_from_slices(key, IV).map_err(wrong_length)?.decrypt(&mut text),
    }
    String::from_utf8(text).map(SecretString::from).map_err(|_| EncryptedPasswordError::WrongPassphrase)
}

/// The passphrase filled up to 16, 24 or 32 bytes, whichever is next; cut at 32.
fn key(passphrase: &[u8]) -> SecretSlice<u8> {
    let length = match passphrase.len() {
        0..=16 => 16,
        17..=24 => 24,
        _ => 32,
    };
    let filled: Vec<u8> = passphrase.iter().chain(PADDING).copied().take(length).collect();
    filled.into()
}

#[cfg(test)]
mod tests {
    use cfb8::Encryptor;
    use proptest::prelude::*;

    use super::*;

    fn plain(encrypted: &str, passphrase: &str) -> Result<String, EncryptedPasswordError> {
        decrypt(&encrypted.into(), &passphrase.into()).map(|password| password.expose_secret().to_owned())
    }

    #[test]
    fn passwords_of_the_tool_are_decrypted() {
        assert_eq!(plain("+CB1E8Je1j8=", "@123#").as_deref(), Ok("password"));
        assert_eq!(plain("fPNXvCBOJjzL", "#1234#").as_deref(), Ok("super@123"));
        assert_eq!(plain(" fPNXvCBOJjzL\n", "#1234#").as_deref(), Ok("super@123"));
    }

    #[test]
    fn what_cannot_be_decrypted_is_an_error_without_the_secret() {
        assert_eq!(plain("+CB1E8Je1j8=", ""), Err(EncryptedPasswordError::EmptyPassphrase));
        let error = plain("3pardata!", "@123#").unwrap_err();
        assert_eq!(error, EncryptedPasswordError::NotBase64);
        assert!(!error.to_string().contains("3pardata") && !error.to_string().contains("@123#"));
    }

    #[test]
    fn keys_are_filled_up_with_the_alphabet_and_cut_at_32() {
        let length = |n: usize| key(&vec![b'x'; n]).expose_secret().len();
        assert_eq!([1, 16, 17, 24, 25, 32, 33, 100].map(length), [16, 16, 24, 24, 32, 32, 32, 32]);
        assert_eq!(key(b"@123#").expose_secret(), b"@123#abcdefghijk");
        assert_eq!(key(&[b'x'; 16]).expose_secret(), [b'x'; 16]);
    }

    proptest! {
        #[test]
        fn every_password_survives_every_passphrase(password in ".{0,40}", passphrase in ".{1,40}") {
            let mut bytes = password.clone().into_bytes();
            let secret = key(passphrase.as_bytes());
            let secret = secret.expose_secret();
            match secret.len() {
                16 => Encryptor::<Aes128>::new_from_slices(secret, IV).unwrap().encrypt(&mut bytes),
                24 => Encryptor::<Aes192>::new_from_slices(secret, IV).unwrap().encrypt(&mut bytes),
                _ => Encryptor::<Aes256>::new_from_slices(secret, IV).unwrap().encrypt(&mut bytes),
            }
            prop_assert_eq!(plain(&STANDARD.encode(bytes), &passphrase), Ok(password));
        }

        #[test]
        fn no_text_panics(encrypted in any::<String>(), passphrase in any::<String>()) {
            let _ = plain(&encrypted, &passphrase);
        }
    }
}
