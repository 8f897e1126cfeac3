//! Mount ids that hold a volume.
//!
//! dockerd's ids (64 hex digits) are counted, because `docker cp` mounts and unmounts with the id of the
//! running container; a pod's UID (a UUID, sent by kubelet through dory) is a set, because kubelet repeats it.

/// The id is a UUID: repeating it adds nothing.
fn is_repeated_by_its_sender(id: &str) -> bool {
    uuid::Uuid::try_parse(id).is_ok() && id.contains('-')
}

/// The id is counted and holds the volume already: another mount of the same container, or of one that was started
/// again after its daemon died.
pub(super) fn is_counted_again(ids: &[String], id: &str) -> bool {
    !is_repeated_by_its_sender(id) && ids.iter().any(|known| known == id)
}

/// How many references an id has.
pub(super) fn count(ids: &[String], id: &str) -> usize {
    ids.iter().filter(|known| *known == id).count()
}

/// Drops every reference of an id.
pub(super) fn forget(ids: &mut Vec<String>, id: &str) {
    ids.retain(|known| known != id);
}

/// Adds a reference.
pub(super) fn add(ids: &mut Vec<String>, id: &str) {
    if !(is_repeated_by_its_sender(id) && ids.iter().any(|known| known == id)) {
        ids.push(id.to_owned());
    }
}

/// Drops one reference; an unknown id changes nothing. Returns whether something was dropped.
pub(super) fn drop_one(ids: &mut Vec<String>, id: &str) -> bool {
    match ids.iter().position(|known| known == id) {
        Some(index) => {
            ids.remove(index);
            true
        }
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dockerds_ids_are_counted_and_pod_uids_are_a_set() {
        let container = "a".repeat(64);
        let pod = "8a2818b7-11e8-4bed-a8f9-b099979be4f9";
        let mut ids = Vec::new();
        for id in [&container, &container] {
            add(&mut ids, id);
        }
        add(&mut ids, pod);
        add(&mut ids, pod);
        assert_eq!(ids.len(), 3);
        assert!(drop_one(&mut ids, &container) && drop_one(&mut ids, pod));
        assert!(!drop_one(&mut ids, pod) && !drop_one(&mut ids, "never mounted"));
        assert_eq!(ids, [container]);
    }
}
