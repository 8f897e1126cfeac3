//! What every metadata store must do, run against each of them: the one in memory and a real etcd.

mod etcd_process;
mod outages;
mod same_answers;
mod tls;

use std::time::Duration;

use tokio::time::timeout;

use super::memory::MemoryStore;
use super::{Change, Committed, Entry, Guard, LeaseId, MetadataStore, Revision, StoreError, Transaction, WatchEvent};

fn put(key: &str, value: &str) -> Change {
    Change::Put { key: key.to_owned(), value: value.as_bytes().to_vec(), lease: None }
}

fn put_leased(key: &str, lease: LeaseId) -> Change {
    Change::Put { key: key.to_owned(), value: b"leased".to_vec(), lease: Some(lease) }
}

fn delete(key: &str) -> Change {
    Change::Delete { key: key.to_owned() }
}

fn when(guards: Vec<Guard>, changes: Vec<Change>) -> Transaction {
    Transaction { guards, changes }
}

fn absent(key: &str) -> Guard {
    Guard::Absent(key.to_owned())
}

fn present(key: &str) -> Guard {
    Guard::Present(key.to_owned())
}

fn unchanged(key: &str, revision: Revision) -> Guard {
    Guard::Unchanged(key.to_owned(), revision)
}

/// Applies changes without a guard.
async fn apply(store: &dyn MetadataStore, changes: Vec<Change>) -> Revision {
    match store.commit(when(vec![], changes)).await.unwrap() {
        Committed::Yes(revision) => revision,
        Committed::No => panic!("a transaction without guards was refused"),
    }
}

fn keys(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.key.as_str()).collect()
}

/// The next change of a watch in the form `+key=value` or `-key`, with its revision.
async fn next(watch: &mut dyn super::Watch) -> (String, Revision) {
    match timeout(Duration::from_secs(10), watch.next()).await.expect("no change was seen").unwrap() {
        WatchEvent::Put(entry) => {
            (format!("+{}={}", entry.key, String::from_utf8(entry.value).unwrap()), entry.modified)
        }
        WatchEvent::Deleted { key, at } => (format!("-{key}"), at),
    }
}

async fn a_key_is_read_as_it_was_written(store: &dyn MetadataStore) {
    assert_eq!(store.get("/a").await.unwrap(), None);
    let bytes: Vec<u8> = (0..=255).collect();
    let change = Change::Put { key: "/a".to_owned(), value: bytes.clone(), lease: None };
    let revision = apply(store, vec![change]).await;
    assert_eq!(store.get("/a").await.unwrap(), Some(Entry { key: "/a".to_owned(), value: bytes, modified: revision }));
    assert_eq!(store.get("/").await.unwrap(), None, "a key is not a prefix");
}

async fn all_guards_hold_or_nothing_is_changed(store: &dyn MetadataStore) {
    let first = apply(store, vec![put("/a", "1")]).await;
    let refused = [
        vec![absent("/a")],
        vec![present("/b")],
        vec![unchanged("/a", Revision(first.0 - 1))],
        vec![unchanged("/a", Revision(0))],
        vec![unchanged("/b", first)],
        vec![unchanged("/a", first), absent("/b"), present("/c")],
    ];
    for guards in refused {
        let outcome = store.commit(when(guards.clone(), vec![put("/a", "2"), put("/b", "2")])).await;
        assert_eq!(outcome, Ok(Committed::No), "{guards:?}");
    }
    let (entries, revision) = store.list("/").await.unwrap();
    assert_eq!((keys(&entries), entries[0].modified, revision), (vec!["/a"], first, first));

    let guards = vec![unchanged("/a", first), absent("/b"), unchanged("/c", Revision(0)), present("/a")];
    let Ok(Committed::Yes(second)) = store.commit(when(guards, vec![put("/a", "2"), put("/b", "2")])).await else {
        panic!("all guards hold");
    };
    assert!(second > first);
    let (entries, revision) = store.list("/").await.unwrap();
    assert_eq!(keys(&entries), ["/a", "/b"]);
    assert!(entries.iter().all(|entry| entry.modified == second) && revision == second);
    let stale = store.commit(when(vec![unchanged("/a", first)], vec![put("/a", "3")])).await;
    assert_eq!(stale, Ok(Committed::No), "the same value written twice is still a change");
}

async fn deleting_is_a_change_only_if_there_was_something(store: &dyn MetadataStore) {
    let written = apply(store, vec![put("/a", "1")]).await;
    assert_eq!(apply(store, vec![delete("/b")]).await, written);
    assert!(apply(store, vec![delete("/a")]).await > written);
    assert_eq!(store.get("/a").await.unwrap(), None);
    let again = store.commit(when(vec![absent("/a")], vec![put("/a", "2")])).await.unwrap();
    assert!(matches!(again, Committed::Yes(_)));
}

async fn a_listing_is_in_key_order_and_keeps_to_its_prefix(store: &dyn MetadataStore) {
    let revision =
        apply(store, ["/v/b", "/v/a", "/v/a/x", "/v0", "/v", "/u", "/v/é"].map(|key| put(key, "")).into()).await;
    let (entries, at) = store.list("/v/").await.unwrap();
    assert_eq!(keys(&entries), ["/v/a", "/v/a/x", "/v/b", "/v/é"]);
    assert_eq!(at, revision);
    assert_eq!(store.list("/none/").await.unwrap(), (vec![], revision));
    assert_eq!(store.list("").await.unwrap().0.len(), 7);
}

async fn a_listing_may_be_long(store: &dyn MetadataStore) {
    let value = vec![b'x'; 100 * 1024];
    for number in 0..80 {
        let key = format!("/long/{number:03}");
        apply(store, vec![Change::Put { key, value: value.clone(), lease: None }]).await;
    }
    let (entries, _) = store.list("/long/").await.unwrap();
    assert_eq!((entries.len(), entries[79].value.len()), (80, value.len()));
}

async fn a_watch_tells_every_change_in_order(store: &dyn MetadataStore) {
    let start = apply(store, vec![put("/w/a", "0"), put("/x", "0")]).await;
    let mut watch = store.watch("/w/", start).await.unwrap();
    let one = apply(store, vec![put("/w/b", "1"), put("/x", "1"), put("/w/a", "1")]).await;
    let two = apply(store, vec![delete("/w/a"), delete("/w/none")]).await;
    let three = apply(store, vec![put("/w/a", "3")]).await;
    for expected in [("+/w/b=1", one), ("+/w/a=1", one), ("-/w/a", two), ("+/w/a=3", three)] {
        let (seen, at) = next(watch.as_mut()).await;
        assert_eq!((seen.as_str(), at), expected);
    }
}

async fn a_watch_is_resumed_after_any_revision(store: &dyn MetadataStore) {
    apply(store, vec![put("/w/a", "1")]).await;
    let (_, listed) = store.list("/w/").await.unwrap();
    apply(store, vec![put("/w/a", "2")]).await;
    let last = apply(store, vec![put("/w/a", "3")]).await;

    let mut from_listing = store.watch("/w/", listed).await.unwrap();
    assert_eq!(next(from_listing.as_mut()).await.0, "+/w/a=2");
    assert_eq!(next(from_listing.as_mut()).await, ("+/w/a=3".to_owned(), last));
    let mut from_start = store.watch("/w/", Revision(0)).await.unwrap();
    assert_eq!(next(from_start.as_mut()).await.0, "+/w/a=1");
    let mut from_the_future = store.watch("/w/", Revision(last.0 + 1)).await.unwrap();
    apply(store, vec![put("/w/a", "4")]).await;
    apply(store, vec![put("/w/a", "5")]).await;
    assert_eq!(next(from_the_future.as_mut()).await.0, "+/w/a=5");
}

async fn a_watch_that_is_put_aside_loses_nothing(store: &dyn MetadataStore) {
    let start = apply(store, vec![put("/w/a", "0")]).await;
    let mut watch = store.watch("/w/", start).await.unwrap();
    for round in 0..5 {
        assert!(timeout(Duration::from_millis(60), watch.next()).await.is_err(), "nothing has happened");
        apply(store, vec![put("/w/a", &format!("{round}a")), put("/w/b", &format!("{round}b"))]).await;
        assert_eq!(next(watch.as_mut()).await.0, format!("+/w/a={round}a"));
        assert_eq!(next(watch.as_mut()).await.0, format!("+/w/b={round}b"));
    }
}

async fn a_lease_that_is_not_renewed_takes_its_keys_along(store: &dyn MetadataStore) {
    let lease = store.grant_lease(Duration::from_secs(2)).await.unwrap();
    let start = apply(store, vec![put_leased("/l/b", lease), put_leased("/l/a", lease), put("/l/c", "stays")]).await;
    let mut watch = store.watch("/l/", start).await.unwrap();
    let (first, at) = next(watch.as_mut()).await;
    let (second, with) = next(watch.as_mut()).await;
    assert_eq!((first.as_str(), second.as_str(), at), ("-/l/a", "-/l/b", with));
    let (entries, revision) = store.list("/l/").await.unwrap();
    assert_eq!((keys(&entries), revision), (vec!["/l/c"], at));
    assert_eq!(store.keep_alive(lease).await, Err(StoreError::LeaseLost(lease)));
    let late = store.commit(when(vec![absent("/l/a")], vec![put("/l/d", ""), put_leased("/l/a", lease)])).await;
    assert_eq!(late, Err(StoreError::LeaseLost(lease)));
    assert_eq!(store.get("/l/d").await.unwrap(), None, "nothing of the transaction was applied");
    assert_eq!(store.revoke_lease(lease).await, Ok(()));
}

async fn a_lease_lives_while_it_is_renewed(store: &dyn MetadataStore) {
    let lease = store.grant_lease(Duration::from_secs(4)).await.unwrap();
    apply(store, vec![put_leased("/l/a", lease)]).await;
    for _ in 0..10 {
        tokio::time::sleep(Duration::from_millis(600)).await;
        store.keep_alive(lease).await.unwrap();
    }
    assert!(store.get("/l/a").await.unwrap().is_some());
}

async fn an_ended_lease_frees_the_keys_that_were_taken_off_it(store: &dyn MetadataStore) {
    let [one, other] = [
        store.grant_lease(Duration::from_secs(60)).await.unwrap(),
        store.grant_lease(Duration::from_secs(60)).await.unwrap(),
    ];
    apply(store, ["/l/a", "/l/b", "/l/c", "/l/d"].map(|key| put_leased(key, one)).into()).await;
    apply(store, vec![put("/l/a", "free"), put_leased("/l/b", other), delete("/l/d")]).await;
    apply(store, vec![put("/l/d", "new")]).await;
    store.revoke_lease(one).await.unwrap();
    assert_eq!(keys(&store.list("/l/").await.unwrap().0), ["/l/a", "/l/b", "/l/d"]);
    store.revoke_lease(other).await.unwrap();
    store.revoke_lease(other).await.unwrap();
    assert_eq!(keys(&store.list("/l/").await.unwrap().0), ["/l/a", "/l/d"]);
}

async fn a_malformed_transaction_is_refused_by_name(store: &dyn MetadataStore) {
    let many = (0..129).map(|number| put(&format!("/m/{number}"), "")).collect();
    for changes in [
        vec![put("", "1")],
        vec![put("/m/1", "1"), put("/m/1", "2")],
        vec![put("/m/1", "1"), delete("/m/1")],
        vec![delete("/m/1"), put("/m/1", "1")],
        many,
    ] {
        let refusal = store.commit(when(vec![], changes.clone())).await.unwrap_err();
        assert!(matches!(refusal, StoreError::Refused { .. }), "{changes:?}: {refusal}");
        assert!(changes.len() == 1 || refusal.to_string().contains("/m/1"), "{refusal}");
    }
    apply(store, vec![delete("/m/1"), delete("/m/1")]).await;
    assert_eq!(store.list("/m/").await.unwrap().0, []);
}

macro_rules! contract {
    ($($behaviour:ident),* $(,)?) => {
        mod in_memory {
            $(#[tokio::test(start_paused = true)]
            async fn $behaviour() {
                super::$behaviour(&super::MemoryStore::new()).await;
            })*
        }

        mod on_etcd {
            $(#[tokio::test]
            async fn $behaviour() {
                let etcd = super::etcd_process::EtcdProcess::start().await;
                super::$behaviour(&etcd.store().await).await;
            })*
        }
    };
}

contract! {
    a_key_is_read_as_it_was_written,
    all_guards_hold_or_nothing_is_changed,
    deleting_is_a_change_only_if_there_was_something,
    a_listing_is_in_key_order_and_keeps_to_its_prefix,
    a_listing_may_be_long,
    a_watch_tells_every_change_in_order,
    a_watch_is_resumed_after_any_revision,
    a_watch_that_is_put_aside_loses_nothing,
    a_lease_that_is_not_renewed_takes_its_keys_along,
    a_lease_lives_while_it_is_renewed,
    an_ended_lease_frees_the_keys_that_were_taken_off_it,
    a_malformed_transaction_is_refused_by_name,
}
