//! WSAPI sessions: keys, idle expiry and the limit that real arrays answer with 503.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Array;
use super::error::ArrayError;
use super::event::EventKind;

/// A session key as it stands in the header `X-HP3PAR-WSAPI-SessionKey`. Hidden in `Debug`, for it is a bearer token.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct SessionKey(String);

impl SessionKey {
    /// The key as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SessionKey(…)")
    }
}

/// An open session.
#[derive(Debug, Clone)]
pub(crate) struct WsapiSession {
    user: String,
    last_used: Duration,
}

/// The open sessions by key.
pub(crate) type Sessions = BTreeMap<String, WsapiSession>;

impl Array {
    /// Opens a WSAPI session.
    ///
    /// # Errors
    /// Code 5 (403) for a wrong account, code 31 (503) when the limit of sessions is reached.
    pub fn open_session(&mut self, now: Duration, user: &str, password: &str) -> Result<SessionKey, ArrayError> {
        self.advance(now);
        self.authenticate(user, password)?;
        if self.sessions.len() >= self.config.session_limit {
            let in_use = self.sessions.len();
            self.note(EventKind::SessionRefused { in_use });
            return Err(ArrayError::too_many_sessions());
        }
        let key =
            format!("{}-{:016x}-{:08x}", self.config.system_id % 10, self.random.next(), self.random.next() >> 32);
        self.sessions.insert(key.clone(), WsapiSession { user: user.to_owned(), last_used: now });
        let in_use = self.sessions.len();
        self.note(EventKind::SessionOpened { user: user.to_owned(), in_use });
        Ok(SessionKey(key))
    }

    /// Finds the session of a request and marks it as used; gives the account.
    ///
    /// # Errors
    /// Code 6 (403) when the key is unknown or its session has expired.
    pub fn use_session(&mut self, now: Duration, key: &str) -> Result<String, ArrayError> {
        self.advance(now);
        let session = self.sessions.get_mut(key).ok_or_else(ArrayError::invalid_session_key)?;
        session.last_used = now;
        Ok(session.user.clone())
    }

    /// Closes a session.
    ///
    /// # Errors
    /// Code 6 (403) when the key is unknown or its session has expired.
    pub fn close_session(&mut self, now: Duration, key: &str) -> Result<(), ArrayError> {
        self.advance(now);
        let session = self.sessions.remove(key).ok_or_else(ArrayError::invalid_session_key)?;
        let in_use = self.sessions.len();
        self.note(EventKind::SessionClosed { user: session.user, in_use });
        Ok(())
    }

    /// Ends every session, as a restart of the WSAPI service does; gives how many there were.
    pub fn drop_all_sessions(&mut self, now: Duration) -> usize {
        self.advance(now);
        let keys: Vec<String> = self.sessions.keys().cloned().collect();
        keys.iter().for_each(|key| self.expire(key));
        keys.len()
    }

    /// Changes the idle time after which a session is gone.
    pub fn set_session_idle(&mut self, now: Duration, idle: Duration) {
        self.advance(now);
        self.config.session_idle = idle;
    }

    /// Sessions open now.
    #[must_use]
    pub fn sessions_in_use(&self) -> usize {
        self.sessions.len()
    }

    /// Ends the sessions that are idle for too long at the current time.
    pub(crate) fn expire_sessions(&mut self) {
        let (now, idle) = (self.now, self.config.session_idle);
        let expired = |s: &WsapiSession| now.saturating_sub(s.last_used) >= idle;
        let keys: Vec<String> = self.sessions.iter().filter(|(_, s)| expired(s)).map(|(k, _)| k.clone()).collect();
        keys.iter().for_each(|key| self.expire(key));
    }

    /// Ends one session without its owner.
    fn expire(&mut self, key: &str) {
        if let Some(session) = self.sessions.remove(key) {
            let in_use = self.sessions.len();
            self.note(EventKind::SessionExpired { user: session.user, in_use });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::ArrayConfig;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn a_session_lives_while_it_is_used() {
        let mut array = Array::new(ArrayConfig::default());
        let key = array.open_session(SECOND, "3paradm", "3pardata").unwrap();
        assert_eq!(array.use_session(800 * SECOND, key.as_str()).unwrap(), "3paradm");
        assert!(array.use_session(1600 * SECOND, key.as_str()).is_ok());
        assert_eq!(array.use_session(2500 * SECOND, key.as_str()).unwrap_err(), ArrayError::invalid_session_key());
        assert!(matches!(array.events().all().last().unwrap().kind, EventKind::SessionExpired { .. }));
    }

    #[test]
    fn the_limit_answers_503() {
        let mut array = Array::new(ArrayConfig { session_limit: 2, ..ArrayConfig::default() });
        let first = array.open_session(SECOND, "3paradm", "3pardata").unwrap();
        array.open_session(SECOND, "3paradm", "3pardata").unwrap();
        let refusal = array.open_session(SECOND, "3paradm", "3pardata").unwrap_err();
        assert_eq!((refusal.code, refusal.status), (31, 503));
        array.close_session(SECOND, first.as_str()).unwrap();
        assert!(array.open_session(SECOND, "3paradm", "3pardata").is_ok());
    }

    #[test]
    fn a_wrong_password_is_refused_and_not_shown() {
        let mut array = Array::new(ArrayConfig::default());
        let refusal = array.open_session(SECOND, "3paradm", "guess").unwrap_err();
        assert_eq!((refusal.code, refusal.status), (5, 403));
        assert!(!format!("{:?}", array.config()).contains("3pardata"));
    }
}
