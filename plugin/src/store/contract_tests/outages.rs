//! etcd frozen, killed, restarted, compacted: every call ends in time, says what it was about, and works again later.

use std::future::Future;
use std::time::Duration;

use etcd_client::Client;
use tokio::time::{Instant, sleep, timeout};

use super::etcd_process::{EtcdProcess, GENEROUS};
use super::{apply, next, put, put_leased, when};
use crate::store::etcd::{EtcdSettings, EtcdStore};
use crate::store::memory::MemoryStore;
use crate::store::{Committed, LeaseId, MetadataStore, Revision, StoreError, Transaction};

/// What a call may take beyond its deadline on a loaded machine.
const SLACK: Duration = Duration::from_secs(2);

/// The call ends by its deadline, and says that the store is away and what the call was about.
async fn fails_in_time<T: std::fmt::Debug>(call: impl Future<Output = Result<T, StoreError>>, about: &str) {
    let limit = EtcdSettings::DEFAULT_TIMEOUT + SLACK;
    let error = timeout(limit, call).await.unwrap_or_else(|_| panic!("{about}: no end within {limit:?}")).unwrap_err();
    assert!(matches!(error, StoreError::Unavailable { .. }), "{about}: {error}");
    assert!(error.to_string().contains(about), "{about}: {error}");
}

async fn every_call_fails_in_time(store: &EtcdStore, lease: LeaseId) {
    let number = lease.0.to_string();
    tokio::join!(
        fails_in_time(store.get("/a"), "/a"),
        fails_in_time(store.list("/a/"), "/a/"),
        fails_in_time(store.commit(when(vec![], vec![put("/b", ""), put("/c", "")])), "/b, /c"),
        fails_in_time(async { store.watch("/d/", Revision(0)).await.map(|_| ()) }, "/d/"),
        fails_in_time(store.grant_lease(Duration::from_secs(7)), "a lease of 7 s"),
        fails_in_time(store.keep_alive(lease), &number),
        // Another lease: what is sent to a frozen etcd takes effect once it goes on.
        fails_in_time(store.revoke_lease(LeaseId(4711)), "4711"),
    );
}

async fn works_again(store: &EtcdStore) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while let Err(error) = store.get("/a").await {
        assert!(Instant::now() < deadline, "{error}");
        sleep(Duration::from_millis(50)).await;
    }
    apply(store, vec![put("/a", "again")]).await;
}

#[tokio::test]
async fn a_store_whose_etcd_is_not_there_opens_and_every_call_says_so() {
    let settings = EtcdSettings::plain(vec!["127.0.0.1:1".to_owned(), "127.0.0.2:1".to_owned()]);
    let store = EtcdStore::open(&settings).await.unwrap();
    every_call_fails_in_time(&store, LeaseId(77)).await;
    let text = store.get("/a").await.unwrap_err().to_string();
    assert!(text.contains("http://127.0.0.1:1") && text.contains("http://127.0.0.2:1"), "{text}");
    assert!(text.contains("refused"), "{text}");
}

#[tokio::test]
async fn with_etcd_frozen_every_call_ends_in_time_and_later_works_again() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store_with_the_usual_deadline().await;
    let lease = store.grant_lease(Duration::from_secs(600)).await.unwrap();
    let start = apply(&store, vec![put("/a", "1"), put_leased("/l", lease)]).await;
    let mut watch = store.watch("/a", start).await.unwrap();

    etcd.freeze();
    let died = timeout(Duration::from_secs(10), watch.next()).await.expect("a dead watch was not noticed");
    assert!(matches!(died, Err(StoreError::Unavailable { .. })), "{died:?}");
    every_call_fails_in_time(&store, lease).await;
    let died_again = timeout(Duration::from_secs(1), watch.next()).await.unwrap();
    assert!(died_again.is_err(), "an ended watch stays ended");

    etcd.thaw();
    works_again(&store).await;
    store.keep_alive(lease).await.unwrap();
    let mut watch = store.watch("/a", start).await.unwrap();
    assert_eq!(next(watch.as_mut()).await.0, "+/a=again");
}

#[tokio::test]
async fn with_etcd_killed_every_call_ends_in_time_and_after_a_restart_works_again() {
    let mut etcd = EtcdProcess::start().await;
    let store = etcd.store_with_the_usual_deadline().await;
    let lease = store.grant_lease(Duration::from_secs(600)).await.unwrap();
    let start = apply(&store, vec![put("/a", "1"), put_leased("/l", lease)]).await;
    let mut watch = store.watch("/a", start).await.unwrap();

    etcd.kill();
    let died = timeout(Duration::from_secs(10), watch.next()).await.expect("a dead watch was not noticed");
    assert!(died.is_err());
    every_call_fails_in_time(&store, lease).await;

    etcd.restart().await;
    works_again(&store).await;
    store.keep_alive(lease).await.unwrap();
    assert_eq!(store.get("/l").await.unwrap().map(|entry| entry.modified), Some(start));
    let mut watch = store.watch("/a", start).await.unwrap();
    assert_eq!(next(watch.as_mut()).await.0, "+/a=again");
}

/// etcd closes a connection that is pinged too often while nothing happens on it; a quiet watch must outlive that.
#[tokio::test]
async fn a_watch_on_which_nothing_happens_stays() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store().await;
    let start = apply(&store, vec![put("/a", "1")]).await;
    let mut watch = store.watch("/a", start).await.unwrap();
    let quiet = timeout(Duration::from_secs(16), watch.next()).await;
    assert!(quiet.is_err(), "{quiet:?}");
    apply(&store, vec![put("/a", "2")]).await;
    assert_eq!(next(watch.as_mut()).await.0, "+/a=2");
}

#[tokio::test]
async fn one_of_three_members_frozen_is_got_around() {
    let (members, _directory) = EtcdProcess::start_three().await;
    let mut settings = EtcdSettings::plain(members.iter().map(|member| member.endpoint.clone()).collect());
    settings.timeout = GENEROUS;
    let store = EtcdStore::open(&settings).await.unwrap();
    apply(&store, vec![put("/a", "1")]).await;

    // The member that is asked first; it may be the leader.
    members[0].freeze();
    works_again_within_its_deadline(&store).await;
    for round in 0..20 {
        assert!(store.get("/a").await.unwrap().is_some());
        apply(&store, vec![put("/a", &round.to_string())]).await;
        store.grant_lease(Duration::from_secs(60)).await.unwrap();
    }
    let (_, revision) = store.list("/a").await.unwrap();
    let mut watch = store.watch("/a", revision).await.unwrap();
    apply(&store, vec![put("/a", "seen")]).await;
    assert_eq!(next(watch.as_mut()).await.0, "+/a=seen");
    members[0].thaw();
}

/// Reads until the cluster has a leader again; each try ends by its own deadline.
async fn works_again_within_its_deadline(store: &EtcdStore) {
    let deadline = Instant::now() + Duration::from_secs(30);
    while let Err(error) = timeout(GENEROUS + SLACK, store.get("/a")).await.unwrap() {
        assert!(Instant::now() < deadline, "{error}");
    }
    // By now the last answer of the frozen member is too old for a transaction to be sent to it.
    sleep(Duration::from_secs(1)).await;
}

#[tokio::test]
async fn a_transaction_whose_answer_is_lost_is_sent_once() {
    let etcd = EtcdProcess::start().await;
    let mut settings = EtcdSettings::plain(vec![etcd.endpoint.clone()]);
    settings.timeout = Duration::from_millis(500);
    let store = EtcdStore::open(&settings).await.unwrap();
    let written = apply(&store, vec![put("/a", "1")]).await;
    etcd.freeze();
    let unknown = store.commit(Transaction { guards: vec![], changes: vec![put("/a", "2")] }).await.unwrap_err();
    assert!(unknown.to_string().contains("the outcome is unknown"), "{unknown}");
    etcd.thaw();
    works_again(&store).await;
    let mut watch = store.watch("/a", written).await.unwrap();
    let mut times = 0;
    while next(watch.as_mut()).await.0 != "+/a=again" {
        times += 1;
    }
    assert!(times <= 1, "applied {times} times");
}

/// A watch from before a compaction is refused, when it is opened or at its first message, and stays so.
async fn is_refused(store: &dyn MetadataStore) {
    let refusal = match store.watch("/a", Revision(1)).await {
        Err(refusal) => refusal,
        Ok(mut watch) => {
            let refusal = timeout(Duration::from_secs(5), watch.next()).await.unwrap().unwrap_err();
            let again = timeout(Duration::from_secs(1), watch.next()).await.unwrap();
            assert_eq!(again, Err(refusal.clone()));
            refusal
        }
    };
    assert!(matches!(refusal, StoreError::Refused { .. }), "{refusal}");
    assert!(refusal.to_string().contains("list again"), "{refusal}");
}

async fn three_changes(store: &dyn MetadataStore) -> Revision {
    apply(store, vec![put("/a", "1")]).await;
    apply(store, vec![put("/a", "2")]).await;
    apply(store, vec![put("/a", "3")]).await
}

#[tokio::test]
async fn a_watch_from_before_a_compaction_is_refused_by_etcd() {
    let etcd = EtcdProcess::start().await;
    let store = etcd.store().await;
    let last = three_changes(&store).await;
    let mut client = Client::connect([&etcd.endpoint], None).await.unwrap();
    client.compact(last.0, None).await.unwrap();
    is_refused(&store).await;
    let mut watch = store.watch("/a", Revision(last.0 - 1)).await.unwrap();
    assert_eq!(next(watch.as_mut()).await, ("+/a=3".to_owned(), last));
}

#[tokio::test(start_paused = true)]
async fn a_watch_from_before_a_compaction_is_refused_in_memory() {
    let store = MemoryStore::new();
    let last = three_changes(&store).await;
    let mut behind = store.subscribe("/a", Revision(1)).unwrap();
    store.compact(last);
    is_refused(&store).await;
    assert!(matches!(behind.poll_now(), Err(StoreError::Refused { .. })));
    let mut watch = store.subscribe("/a", Revision(last.0 - 1)).unwrap();
    assert_eq!(next(&mut watch).await, ("+/a=3".to_owned(), last));
    assert_eq!(store.transact(&when(vec![], vec![])), Ok(Committed::Yes(last)));
}
