//! What a request to the store asks for, in words that are the same for every volume and node.

use hpe3par_docker_plugin::store::{Change, Transaction, keys};
use hpe3par_docker_plugin::volume::record::{Lifecycle, Stage, VolumeRecord};

/// What a key is.
pub(super) fn kind_of_key(key: &str) -> &'static str {
    const KINDS: [(&str, &str); 7] = [
        (keys::VOLUMES, "record"),
        (keys::VOLUME_NAMES, "name"),
        (keys::NODES, "registration"),
        ("/node-machines/", "machine"),
        ("/host-nodes/", "node of host"),
        ("/luns/", "LUN counter"),
        ("/backend/", "passphrase"),
    ];
    if key.starts_with("/takeovers/") {
        return match key.rsplit('/').next() {
            Some("clock") => "delay timer",
            Some("permit") => "permit",
            _ => "takeover",
        };
    }
    KINDS.iter().find(|(prefix, _)| key.starts_with(prefix)).map_or("key", |(_, kind)| kind)
}

/// What a transaction writes; what it deletes, if it writes nothing.
pub(super) fn words_of(transaction: &Transaction) -> String {
    let written: Vec<String> = transaction
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Put { key, value, .. } => Some(written_words(key, value)),
            Change::Delete { .. } => None,
        })
        .collect();
    if !written.is_empty() {
        return format!("write {}", written.join(", "));
    }
    let deleted: Vec<&str> = transaction
        .changes
        .iter()
        .filter_map(|change| match change {
            Change::Delete { key } => Some(kind_of_key(key)),
            Change::Put { .. } => None,
        })
        .collect();
    format!("delete {}", deleted.join(", "))
}

fn written_words(key: &str, value: &[u8]) -> String {
    let kind = kind_of_key(key);
    match VolumeRecord::from_json(key, value) {
        Ok(record) if key.starts_with(keys::VOLUMES) => format!("{kind} ({})", state_words(&record)),
        _ => kind.to_owned(),
    }
}

fn state_words(record: &VolumeRecord) -> &'static str {
    match (record.lifecycle, record.ownership.stage()) {
        (Lifecycle::Creating, _) => "creating",
        (Lifecycle::Removing, _) => "removing",
        _ if record.takeover.is_some() => "wanted",
        (_, None) => "free",
        (_, Some(Stage::Fencing)) => "fencing",
        (_, Some(Stage::Attaching(_))) => "attaching",
        (_, Some(Stage::Mounted(_))) => "mounted",
        (_, Some(Stage::Releasing(_))) => "releasing",
    }
}
