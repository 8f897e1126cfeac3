//! The few session keys this process holds, and who uses which.
//!
//! The array carries out the requests on one key one after the other (guide 1.3.1 p. 40), so a key is lent to one call at a time;
//! it allows few keys in all (36 on a small array), so no more than [`MOST_KEYS`] are made and each is used again.

use std::collections::VecDeque;
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tokio::sync::{Semaphore, SemaphorePermit};

/// Most keys, and so most requests, at the same time.
pub(super) const MOST_KEYS: usize = 4;

/// A session key. As good as the password while it lives, so nothing prints it.
#[derive(Clone)]
pub(super) struct SessionKey(SecretString);

impl SessionKey {
    /// Wraps a key as the array gave it; `None` for a text that cannot be one.
    pub(super) fn new(text: String) -> Option<Self> {
        let fit = (1..=128).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.' | b'~'));
        fit.then(|| Self(SecretString::from(text)))
    }

    /// The key, for a header or the path of the logout.
    pub(super) fn expose(&self) -> &str {
        self.0.expose_secret()
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// The keys that are not lent, and the right to hold one.
#[derive(Debug)]
pub(super) struct Sessions {
    idle: Mutex<VecDeque<SessionKey>>,
    permits: Semaphore,
    /// Held over a login, so that calls that start together make one login and not four.
    pub(super) login: tokio::sync::Mutex<()>,
}

impl Sessions {
    pub(super) fn new() -> Self {
        Self { idle: Mutex::default(), permits: Semaphore::new(MOST_KEYS), login: tokio::sync::Mutex::default() }
    }

    fn idle(&self) -> MutexGuard<'_, VecDeque<SessionKey>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for the right to hold a key.
    pub(super) async fn permit(&self) -> Permit<'_> {
        // The semaphore is never closed; should it be, an unbounded call is better than none.
        Permit { sessions: self, held: self.permits.acquire().await.ok() }
    }

    /// Takes out every idle key, to log them out.
    pub(super) fn drain(&self) -> Vec<SessionKey> {
        self.idle().drain(..).collect()
    }
}

/// The right to hold one key.
#[derive(Debug)]
pub(super) struct Permit<'a> {
    sessions: &'a Sessions,
    held: Option<SemaphorePermit<'a>>,
}

impl<'a> Permit<'a> {
    /// The idle key used last, if there is one.
    pub(super) fn idle_key(&self) -> Option<SessionKey> {
        self.sessions.idle().pop_back()
    }

    /// Lends out `key` under this permit.
    pub(super) fn lend(self, key: SessionKey) -> Lease<'a> {
        Lease { sessions: self.sessions, key: Some(key), answered: false, _permit: self.held }
    }
}

/// A key in use. It goes back when this is dropped, which includes a call cut off by its deadline.
#[derive(Debug)]
pub(super) struct Lease<'a> {
    sessions: &'a Sessions,
    key: Option<SessionKey>,
    answered: bool,
    _permit: Option<SemaphorePermit<'a>>,
}

impl Lease<'_> {
    /// The key.
    pub(super) fn key(&self) -> Option<&SessionKey> {
        self.key.as_ref()
    }

    /// The array answered: the key is free for the next request.
    pub(super) fn answered(&mut self) {
        self.answered = true;
    }

    /// The array does not know the key any more.
    pub(super) fn forget(mut self) {
        self.key = None;
    }
}

impl Drop for Lease<'_> {
    fn drop(&mut self) {
        if let Some(key) = self.key.take() {
            let mut idle = self.sessions.idle();
            // On a key without an answer the array may still be working: the next request on it would wait behind that.
            if self.answered { idle.push_back(key) } else { idle.push_front(key) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> SessionKey {
        SessionKey::new(text.to_owned()).unwrap()
    }

    #[test]
    fn keys_are_url_safe_and_never_printed() {
        assert!(SessionKey::new("1-c86aedb2e7e98b41-b06d2d50".into()).is_some());
        for bad in ["", "a/b", "a b", "a\r\nX: y"] {
            assert!(SessionKey::new(bad.into()).is_none(), "{bad:?}");
        }
        assert!(!format!("{:?}", key("secretkey")).contains("secret"));
    }

    #[tokio::test]
    async fn a_key_without_an_answer_is_used_last() {
        let sessions = Sessions::new();
        drop(sessions.permit().await.lend(key("hung")));
        let mut good = sessions.permit().await.lend(key("good"));
        good.answered();
        drop(good);
        let permit = sessions.permit().await;
        assert_eq!(permit.idle_key().map(|k| k.expose().to_owned()), Some("good".to_owned()));
        permit.lend(key("unused")).forget();
        assert_eq!(sessions.drain().len(), 1);
    }
}
