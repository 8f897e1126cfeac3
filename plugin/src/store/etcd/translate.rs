//! Between the port's words and etcd's: transactions, entries and errors.

use std::error::Error as _;

use etcd_client::{Compare, CompareOp, Error, KeyValue, PutOptions, Txn, TxnOp};

use crate::store::{Change, Entry, Guard, Revision, StoreError, Transaction};

/// gRPC status codes by which etcd says that it understood a call and changed nothing (gRPC status code list; etcd's
/// `rpctypes` maps its own errors to them). All others leave the outcome open.
const NOT_FOUND: i32 = 5;
const REFUSALS: [i32; 9] = [
    3,  // invalid argument
    6,  // already exists
    7,  // permission denied
    8,  // resource exhausted: out of space, too many requests
    9,  // failed precondition
    11, // out of range: compacted, future revision
    12, // unimplemented
    16, // unauthenticated
    NOT_FOUND,
];

/// How a call to etcd failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Fault {
    /// Not delivered, not answered, or answered by a member that cannot tell: the outcome is unknown.
    Unavailable(String),
    /// Understood and refused.
    Refused(String),
    /// Refused because something named in the call does not exist.
    NotFound(String),
}

impl Fault {
    /// What the other side or the transport said.
    pub(super) fn reason(self) -> String {
        match self {
            Self::Unavailable(reason) | Self::Refused(reason) | Self::NotFound(reason) => reason,
        }
    }

    /// As the error of `operation`.
    pub(super) fn into_error(self, operation: &str) -> StoreError {
        let operation = operation.to_owned();
        match self {
            Self::Unavailable(reason) => StoreError::Unavailable { operation, reason },
            Self::Refused(reason) | Self::NotFound(reason) => StoreError::Refused { operation, reason },
        }
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        match error {
            Error::GRpcStatus(status) => {
                let reason = with_causes(status.message(), status.source());
                match i32::from(status.code()) {
                    NOT_FOUND => Self::NotFound(reason),
                    code if REFUSALS.contains(&code) => Self::Refused(reason),
                    _ => Self::Unavailable(reason),
                }
            }
            Error::TransportError(error) => Self::Unavailable(with_causes(&error.to_string(), error.source())),
            Error::InvalidArgs(_) | Error::InvalidUri(_) | Error::InvalidMetadataValue(_) => {
                Self::Refused(error.to_string())
            }
            _ => Self::Unavailable(error.to_string()),
        }
    }
}

/// A message with its causes, each said once.
fn with_causes(message: &str, mut cause: Option<&(dyn std::error::Error + 'static)>) -> String {
    let mut text = message.to_owned();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}

/// A key and its value. Keys of this plugin are UTF-8; what is not cannot be one of them.
pub(super) fn entry(found: &KeyValue) -> Entry {
    Entry { key: key_text(found), value: found.value().to_vec(), modified: Revision(found.mod_revision()) }
}

/// The key as text.
pub(super) fn key_text(found: &KeyValue) -> String {
    String::from_utf8_lossy(found.key()).into_owned()
}

/// The transaction in etcd's words.
pub(super) fn etcd_transaction(transaction: &Transaction) -> Txn {
    let compares: Vec<Compare> = transaction.guards.iter().map(compare).collect();
    let operations: Vec<TxnOp> = transaction.changes.iter().map(operation).collect();
    Txn::new().when(compares).and_then(operations)
}

fn compare(guard: &Guard) -> Compare {
    match guard {
        Guard::Absent(key) => Compare::create_revision(key.as_str(), CompareOp::Equal, 0),
        Guard::Present(key) => Compare::create_revision(key.as_str(), CompareOp::Greater, 0),
        Guard::Unchanged(key, revision) => Compare::mod_revision(key.as_str(), CompareOp::Equal, revision.0),
    }
}

fn operation(change: &Change) -> TxnOp {
    match change {
        Change::Put { key, value, lease } => {
            let options = lease.map(|lease| PutOptions::new().with_lease(lease.0));
            TxnOp::put(key.as_str(), value.as_slice(), options)
        }
        Change::Delete { key } => TxnOp::delete(key.as_str(), None),
    }
}
