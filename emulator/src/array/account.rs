//! Accounts, roles and what they may do.

use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::{Value, json};

use super::Array;
use super::error::ArrayError;

/// Role of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Look at everything, change nothing.
    Browse,
    /// Make and change objects.
    Edit,
    /// Everything.
    #[default]
    Super,
    /// Servicing.
    Service,
}

/// Roles with what is said about them.
const ROLES: [(Role, &str, &str); 4] = [
    (Role::Browse, "browse", "Rights are limited to read-only access"),
    (Role::Edit, "edit", "Rights to create, modify and remove objects"),
    (Role::Super, "super", "Rights to all operations"),
    (Role::Service, "service", "Rights limited to operations that service the system"),
];

impl Role {
    /// Whether it may change anything.
    #[must_use]
    pub const fn may_change(self) -> bool {
        !matches!(self, Self::Browse)
    }

    /// Its word.
    #[must_use]
    pub fn name(self) -> &'static str {
        ROLES.iter().find(|row| row.0 == self).map_or("super", |row| row.1)
    }
}

/// An account beside the first one of [`ArrayConfig`](super::ArrayConfig).
#[derive(Debug, Clone)]
pub struct Account {
    /// Name.
    pub name: String,
    /// Password.
    pub password: SecretString,
    /// Role in all domains.
    pub role: Role,
}

impl Array {
    /// Checks an account, as the login of either front end does; gives its role.
    ///
    /// # Errors
    /// Code 5 when user or password is wrong.
    pub fn authenticate(&self, user: &str, password: &str) -> Result<Role, ArrayError> {
        if self.config.user == user && self.config.password.expose_secret() == password {
            return Ok(Role::Super);
        }
        let found = self.config.accounts.iter().find(|a| a.name == user && a.password.expose_secret() == password);
        found.map(|account| account.role).ok_or_else(ArrayError::invalid_user_password)
    }

    /// Role of an account.
    #[must_use]
    pub fn role_of(&self, user: &str) -> Role {
        let found = self.config.accounts.iter().find(|account| account.name == user);
        found.filter(|_| self.config.user != user).map_or(Role::Super, |account| account.role)
    }

    /// All accounts as the WSAPI shows them.
    #[must_use]
    pub fn user_rows(&self) -> Vec<Value> {
        let row =
            |name: &str, role: Role| json!({"name": name, "privileges": [{"domain": "all", "role": role.name()}]});
        let others = self.config.accounts.iter().map(|account| row(&account.name, account.role));
        std::iter::once(row(&self.config.user, Role::Super)).chain(others).collect()
    }

    /// All roles as the WSAPI shows them.
    #[must_use]
    pub fn role_rows(&self) -> Vec<Value> {
        let rights = |role: Role| if role.may_change() { json!(["browse", role.name()]) } else { json!(["browse"]) };
        ROLES
            .iter()
            .map(|(role, name, text)| json!({"name": name, "description": text, "rights": rights(*role)}))
            .collect()
    }
}
