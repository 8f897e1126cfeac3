//! CHAP (RFC 7143 s. 13.1 and 12.1.3, RFC 1994): the initiator proves itself with the account of its host, and the target with its
//! own when it is asked to. Secrets stay inside [`SecretString`].

use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

use super::wire::text::{self, Keys};
use crate::array::{ChapAccount, ChapAccounts};

/// Bytes of a challenge.
const CHALLENGE_BYTES: usize = 16;

/// A digest algorithm that both sides know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Algorithm {
    Md5,
    Sha256,
}

impl Algorithm {
    /// The first of a list of numbers that is known.
    fn choose(list: &str) -> Option<Self> {
        list.split(',').find_map(|number| match number {
            "5" => Some(Self::Md5),
            "7" => Some(Self::Sha256),
            _ => None,
        })
    }

    const fn number(self) -> &'static str {
        match self {
            Self::Md5 => "5",
            Self::Sha256 => "7",
        }
    }

    /// The proof: digest over identifier, secret and challenge.
    fn respond(self, identifier: u8, secret: &SecretString, challenge: &[u8]) -> Vec<u8> {
        let message = [&[identifier][..], &secret_bytes(secret), challenge].concat();
        let message = zeroize::Zeroizing::new(message);
        match self {
            Self::Md5 => md5::compute(&*message).0.to_vec(),
            Self::Sha256 => Sha256::digest(&*message).to_vec(),
        }
    }
}

/// A secret of 32 hexadecimal digits stands for 16 bytes; a text of that length cannot be a secret.
fn secret_bytes(secret: &SecretString) -> zeroize::Zeroizing<Vec<u8>> {
    let shown = secret.expose_secret();
    let digits = shown.trim_start_matches("0x");
    let hex = if digits.len() == 32 { text::from_hex(digits) } else { None };
    hex.unwrap_or_else(|| shown.as_bytes().to_vec()).into()
}

/// How far the exchange is.
#[derive(Debug)]
enum Stage {
    /// The initiator has to list its algorithms.
    Algorithms,
    /// The initiator has to answer this challenge.
    Challenged { algorithm: Algorithm, identifier: u8, challenge: [u8; CHALLENGE_BYTES] },
}

/// An exchange.
#[derive(Debug)]
pub(super) struct Exchange {
    accounts: ChapAccounts,
    stage: Stage,
}

/// Why an initiator is turned away. The initiator is told only that it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum ChapError {
    #[error("it did not go on with the exchange")]
    OutOfTurn,
    #[error("it knows no digest algorithm that the target knows")]
    NoAlgorithm,
    #[error("the name is not that of the host's account")]
    WrongName,
    #[error("the proof is wrong")]
    WrongProof,
    #[error("it wants a proof of the target, but the host has no account for the target")]
    NoTargetAccount,
    #[error("its challenge cannot be used")]
    BadChallenge,
}

/// What the target says, and whether the initiator has proved itself.
pub(super) struct Reply {
    pub(super) keys: Keys,
    pub(super) done: bool,
}

impl Exchange {
    pub(super) fn new(accounts: ChapAccounts) -> Self {
        Self { accounts, stage: Stage::Algorithms }
    }

    /// Goes one step on with what the initiator says.
    pub(super) fn step(&mut self, said: &Keys) -> Result<Reply, ChapError> {
        match self.stage {
            Stage::Algorithms => {
                let algorithm = Algorithm::choose(said.get("CHAP_A").ok_or(ChapError::OutOfTurn)?);
                self.challenge(algorithm.ok_or(ChapError::NoAlgorithm)?)
            }
            Stage::Challenged { algorithm, identifier, challenge } => {
                let proof = said.get("CHAP_R").and_then(text::bytes).ok_or(ChapError::OutOfTurn)?;
                let name = said.get("CHAP_N").ok_or(ChapError::OutOfTurn)?;
                let account = self.accounts.initiator.as_ref().ok_or(ChapError::WrongName)?;
                if name != account.name {
                    return Err(ChapError::WrongName);
                }
                if proof != algorithm.respond(identifier, &account.secret, &challenge) {
                    return Err(ChapError::WrongProof);
                }
                let keys = self.prove_target(said, algorithm, &challenge)?;
                Ok(Reply { keys, done: true })
            }
        }
    }

    fn challenge(&mut self, algorithm: Algorithm) -> Result<Reply, ChapError> {
        // Random bits of version 4 UUIDs: the operating system's.
        let challenge = uuid::Uuid::new_v4().into_bytes();
        let identifier = uuid::Uuid::new_v4().into_bytes()[0];
        self.stage = Stage::Challenged { algorithm, identifier, challenge };
        let mut keys = Keys::default();
        keys.push("CHAP_A", algorithm.number());
        keys.push("CHAP_I", identifier.to_string());
        keys.push("CHAP_C", text::to_hex(&challenge));
        Ok(Reply { keys, done: false })
    }

    /// The proof of the target, if the initiator wants one.
    fn prove_target(&self, said: &Keys, algorithm: Algorithm, own: &[u8]) -> Result<Keys, ChapError> {
        let mut keys = Keys::default();
        let (identifier, challenge) = match (said.get("CHAP_I"), said.get("CHAP_C")) {
            (None, None) => return Ok(keys),
            (Some(identifier), Some(challenge)) => (text::number(identifier), text::bytes(challenge)),
            _ => return Err(ChapError::OutOfTurn),
        };
        let identifier = identifier.and_then(|i| u8::try_from(i).ok()).ok_or(ChapError::BadChallenge)?;
        // A challenge that is the target's own would let an initiator use the target's answer as its own.
        let challenge = challenge.filter(|c| !c.is_empty() && c != own).ok_or(ChapError::BadChallenge)?;
        let ChapAccount { name, secret } = self.accounts.target.as_ref().ok_or(ChapError::NoTargetAccount)?;
        keys.push("CHAP_N", name.as_str());
        keys.push("CHAP_R", text::to_hex(&algorithm.respond(identifier, secret, &challenge)));
        Ok(keys)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accounts(mutual: bool) -> ChapAccounts {
        ChapAccounts {
            initiator: Some(ChapAccount::new("h1", "secret-of-h1-1", false).unwrap()),
            target: mutual.then(|| ChapAccount::new("array", "secret-of-array", false).unwrap()),
        }
    }

    fn keys(pairs: &[(&str, &str)]) -> Keys {
        let mut keys = Keys::default();
        pairs.iter().for_each(|(key, value)| keys.push(key, *value));
        keys
    }

    /// Plays an initiator with this name and secret; asks the target for its proof with `back`.
    fn play(
        accounts: ChapAccounts,
        list: &str,
        name: &str,
        secret: &str,
        back: Option<&str>,
    ) -> Result<Keys, ChapError> {
        let mut exchange = Exchange::new(accounts);
        let asked = exchange.step(&keys(&[("CHAP_A", list)]))?;
        assert!(!asked.done);
        let algorithm = Algorithm::choose(asked.keys.get("CHAP_A").unwrap()).unwrap();
        let identifier = asked.keys.get("CHAP_I").unwrap().parse().unwrap();
        let challenge = asked.keys.get("CHAP_C").unwrap().to_owned();
        let proof = algorithm.respond(identifier, &secret.into(), &text::bytes(&challenge).unwrap());
        let mut said = keys(&[("CHAP_N", name), ("CHAP_R", &text::to_hex(&proof))]);
        if let Some(back) = back {
            said.push("CHAP_I", "9");
            said.push("CHAP_C", if back == "own" { challenge.as_str() } else { back });
        }
        exchange.step(&said).map(|reply| reply.keys)
    }

    #[test]
    fn an_initiator_proves_itself() {
        assert!(play(accounts(false), "5", "h1", "secret-of-h1-1", None).unwrap().is_empty());
        assert!(play(accounts(false), "9,7,5", "h1", "secret-of-h1-1", None).is_ok());
        assert_eq!(play(accounts(false), "5", "h1", "wrong", None), Err(ChapError::WrongProof));
        assert_eq!(play(accounts(false), "5", "h2", "secret-of-h1-1", None), Err(ChapError::WrongName));
        assert_eq!(play(accounts(false), "9", "h1", "", None), Err(ChapError::NoAlgorithm));
        assert_eq!(Exchange::new(accounts(false)).step(&keys(&[("CHAP_N", "h1")])).err(), Some(ChapError::OutOfTurn));
    }

    #[test]
    fn a_target_proves_itself() {
        let reply = play(accounts(true), "5", "h1", "secret-of-h1-1", Some("0x0102")).unwrap();
        let expected = Algorithm::Md5.respond(9, &"secret-of-array".into(), &[1, 2]);
        assert_eq!((reply.get("CHAP_N"), reply.get("CHAP_R")), (Some("array"), Some(&*text::to_hex(&expected))));
        let refused = |mutual, back| play(accounts(mutual), "5", "h1", "secret-of-h1-1", Some(back)).unwrap_err();
        assert_eq!(refused(false, "0x0102"), ChapError::NoTargetAccount);
        assert_eq!(refused(true, "own"), ChapError::BadChallenge, "a reflected challenge");
        assert_eq!(refused(true, "0x"), ChapError::BadChallenge);
    }

    #[test]
    fn hexadecimal_secrets_stand_for_bytes() {
        let hex = "0x000102030405060708090a0b0c0d0e0f";
        assert_eq!(*secret_bytes(&hex.into()), (0..16).collect::<Vec<u8>>());
        assert_eq!(*secret_bytes(&"secret-of-h1-1".into()), b"secret-of-h1-1");
        assert!(!format!("{:?}", Exchange::new(accounts(true))).contains("secret-of"));
    }
}
