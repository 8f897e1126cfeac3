//! `/schema`: in which version the records are written, and from which version on a plugin may read and write them.
//!
//! Every plugin of a cluster looks here before it takes a volume. A version that changes records in a way older plugins would
//! misread raises `oldest_reader`; those then refuse, instead of acting on what they do not understand.

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::store::{Change, Committed, Entry, Guard, MetadataStore, StoreError, Transaction, keys};
use crate::volume::record::Rest;

/// Version in which this plugin writes records.
pub const VERSION: u32 = 1;
/// Oldest version that understands what this plugin writes. The earlier plugin has none: it does not look here.
pub const OLDEST_READER: u32 = 1;

/// How often a write is tried anew when another node writes at the same time.
const TRIES: usize = 8;

/// What stands under the key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Schema {
    version: u32,
    oldest_reader: u32,
    /// Fields of a later version.
    #[serde(flatten)]
    rest: Rest,
}

/// Why this plugin must not touch the records.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum SchemaError {
    /// Records are written in a way this version would misread.
    #[error(
        "the volume records are written in version {written}, which plugins from version {oldest_reader} on understand; this \
         one knows version {VERSION} ({} in the metadata store). Install the plugin the other nodes run",
        keys::SCHEMA
    )]
    TooOld {
        /// Version that is written.
        written: u32,
        /// Oldest that may read it.
        oldest_reader: u32,
    },
    /// The key holds something else.
    #[error(
        "{} in the metadata store says in which version the volume records are written, and cannot be read: {reason}. Nothing \
         was changed; put it back as another node's backup has it, or remove it if all nodes run this version",
        keys::SCHEMA
    )]
    Unreadable {
        /// What is wrong with it.
        reason: String,
    },
    /// The metadata store failed; tried again later.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Checks that this plugin may read and write the records of this cluster, and says in which version it does.
///
/// # Errors
/// [`SchemaError::Store`] is to be tried again; with any other the plugin must not take a volume.
pub async fn agree(store: &dyn MetadataStore) -> Result<(), SchemaError> {
    for _ in 0..TRIES {
        let found = store.get(keys::SCHEMA).await?;
        let guard = match &found {
            None => Guard::Absent(keys::SCHEMA.to_owned()),
            Some(entry) => Guard::Unchanged(entry.key.clone(), entry.modified),
        };
        let Some(schema) = to_be_written(found.as_ref())? else { return Ok(()) };
        let value = serde_json::to_vec(&schema).map_err(|error| unreadable(&error))?;
        let put = Change::Put { key: keys::SCHEMA.to_owned(), value, lease: None };
        if let Committed::Yes(_) = store.commit(Transaction { guards: vec![guard], changes: vec![put] }).await? {
            tracing::info!(
                version = schema.version,
                oldest_reader = schema.oldest_reader,
                "the version of the records is written down"
            );
            return Ok(());
        }
    }
    let reason = "other nodes keep writing it".to_owned();
    Err(StoreError::Refused { operation: format!("writing {}", keys::SCHEMA), reason }.into())
}

/// What this plugin has to write, if anything.
fn to_be_written(found: Option<&Entry>) -> Result<Option<Schema>, SchemaError> {
    let Some(entry) = found else {
        return Ok(Some(Schema { version: VERSION, oldest_reader: OLDEST_READER, rest: Rest::default() }));
    };
    let found: Schema = serde_json::from_slice(&entry.value).map_err(|error| unreadable(&error))?;
    if found.oldest_reader > VERSION {
        return Err(SchemaError::TooOld { written: found.version, oldest_reader: found.oldest_reader });
    }
    let newer = Schema {
        version: found.version.max(VERSION),
        oldest_reader: found.oldest_reader.max(OLDEST_READER),
        rest: found.rest.clone(),
    };
    Ok((newer != found).then_some(newer))
}

fn unreadable(error: &serde_json::Error) -> SchemaError {
    SchemaError::Unreadable { reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::memory::MemoryStore;

    async fn put(store: &MemoryStore, value: &str) {
        let put = Change::Put { key: keys::SCHEMA.to_owned(), value: value.into(), lease: None };
        store.commit(Transaction { guards: Vec::new(), changes: vec![put] }).await.unwrap();
    }

    async fn stored(store: &MemoryStore) -> String {
        String::from_utf8(store.get(keys::SCHEMA).await.unwrap().unwrap().value).unwrap()
    }

    #[tokio::test]
    async fn the_first_node_writes_the_version_and_the_next_one_agrees() {
        let store = MemoryStore::new();
        agree(&store).await.unwrap();
        assert_eq!(stored(&store).await, r#"{"version":1,"oldest_reader":1}"#);
        let written = store.get(keys::SCHEMA).await.unwrap();
        agree(&store).await.unwrap();
        assert_eq!(store.get(keys::SCHEMA).await.unwrap(), written, "nothing was written again");
    }

    #[tokio::test]
    async fn two_nodes_that_start_at_once_agree() {
        let store = MemoryStore::new();
        let (one, other) = tokio::join!(agree(&store), agree(&store));
        assert_eq!((one, other), (Ok(()), Ok(())));
    }

    #[tokio::test]
    async fn a_plugin_older_than_the_oldest_reader_refuses_and_changes_nothing() {
        let store = MemoryStore::new();
        let newer = r#"{"version": 3, "oldest_reader": 2}"#;
        put(&store, newer).await;
        let error = agree(&store).await.unwrap_err();
        assert_eq!(error, SchemaError::TooOld { written: 3, oldest_reader: 2 });
        assert!(error.to_string().contains("/schema"), "{error}");
        assert_eq!(stored(&store).await, newer);
    }

    #[tokio::test]
    async fn what_a_newer_plugin_wrote_is_kept_while_this_one_may_read_it() {
        let store = MemoryStore::new();
        let newer = r#"{"version":2,"oldest_reader":1,"since":"x"}"#;
        put(&store, newer).await;
        agree(&store).await.unwrap();
        assert_eq!(stored(&store).await, newer);
        put(&store, r#"{"version": 0, "oldest_reader": 0, "since": "x"}"#).await;
        agree(&store).await.unwrap();
        assert_eq!(stored(&store).await, r#"{"version":1,"oldest_reader":1,"since":"x"}"#, "raised by a newer plugin");
    }

    #[tokio::test]
    async fn an_unreadable_version_refuses_and_is_left_as_it_is() {
        for broken in ["", "2", "{}", r#"{"version": "one", "oldest_reader": 1}"#] {
            let store = MemoryStore::new();
            put(&store, broken).await;
            assert!(matches!(agree(&store).await, Err(SchemaError::Unreadable { .. })), "{broken}");
            assert_eq!(stored(&store).await, broken);
        }
    }
}
