//! The same operations on etcd and on the store in memory: the same answers and the same history.

use std::time::Duration;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, FileFailurePersistence, TestRunner};

use super::etcd_process::EtcdProcess;
use crate::store::memory::MemoryStore;
use crate::store::{
    Change, Committed, Entry, Guard, LeaseId, MetadataStore, Revision, StoreError, Transaction, WatchEvent,
};

const KEYS: [&str; 5] = ["/r/a", "/r/a/b", "/r/b", "/ra", "/r/"];

/// One operation; leases are numbered in order of their granting, revisions of guards are relative to the key's own.
#[derive(Debug, Clone)]
enum Operation {
    Commit(Vec<GuardOn>, Vec<ChangeOf>),
    Get(&'static str),
    List(&'static str),
    Grant,
    KeepAlive(usize),
    Revoke(usize),
}

#[derive(Debug, Clone)]
enum GuardOn {
    Absent(&'static str),
    Present(&'static str),
    /// Read the key, then demand that revision minus this.
    Unchanged(&'static str, i64),
}

#[derive(Debug, Clone)]
enum ChangeOf {
    Put(&'static str, u8, Option<usize>),
    Delete(&'static str),
}

fn operation() -> impl Strategy<Value = Operation> {
    let key = || select(&KEYS[..]);
    let guard = prop_oneof![
        key().prop_map(GuardOn::Absent),
        key().prop_map(GuardOn::Present),
        (key(), select(&[0, 0, 0, 1][..])).prop_map(|(key, behind)| GuardOn::Unchanged(key, behind)),
    ];
    let change = prop_oneof![
        3 => (key(), any::<u8>(), proptest::option::weighted(0.3, 0..3usize))
            .prop_map(|(key, value, lease)| ChangeOf::Put(key, value, lease)),
        1 => key().prop_map(ChangeOf::Delete),
    ];
    prop_oneof![
        8 => (vec(guard, 0..3), vec(change, 0..4)).prop_map(|(guards, changes)| Operation::Commit(guards, changes)),
        2 => key().prop_map(Operation::Get),
        2 => key().prop_map(Operation::List),
        1 => Just(Operation::Grant),
        1 => (0..3usize).prop_map(Operation::KeepAlive),
        1 => (0..3usize).prop_map(Operation::Revoke),
    ]
}

/// A store, and what is needed to compare its answers with another's.
struct Side<'a> {
    store: &'a dyn MetadataStore,
    /// Revision the run began at; all others are counted from it.
    origin: Revision,
    leases: Vec<LeaseId>,
}

impl<'a> Side<'a> {
    async fn new(store: &'a dyn MetadataStore) -> Self {
        let (entries, _) = store.list("/r").await.unwrap();
        let changes = entries.into_iter().map(|entry| Change::Delete { key: entry.key }).collect();
        store.commit(Transaction { guards: vec![], changes }).await.unwrap();
        Self { store, origin: store.list("/r").await.unwrap().1, leases: Vec::new() }
    }

    fn lease(&self, number: usize) -> Option<LeaseId> {
        self.leases.get(number).copied()
    }

    fn relative(&self, revision: Revision) -> i64 {
        revision.0 - self.origin.0
    }

    fn entry(&self, entry: &Entry) -> String {
        format!("{}={:?}@{}", entry.key, entry.value, self.relative(entry.modified))
    }

    fn failure(&self, error: &StoreError) -> String {
        match error {
            StoreError::LeaseLost(lease) => format!("lost {:?}", self.leases.iter().position(|known| known == lease)),
            StoreError::Refused { operation, .. } => format!("refused {operation}"),
            StoreError::Unavailable { .. } => format!("unavailable: {error}"),
        }
    }

    async fn transaction(&self, guards: &[GuardOn], changes: &[ChangeOf]) -> Transaction {
        let mut transaction = Transaction::default();
        for guard in guards {
            transaction.guards.push(match guard {
                GuardOn::Absent(key) => Guard::Absent((*key).to_owned()),
                GuardOn::Present(key) => Guard::Present((*key).to_owned()),
                GuardOn::Unchanged(key, behind) => {
                    let modified = self.store.get(key).await.unwrap().map_or(0, |entry| entry.modified.0 - behind);
                    Guard::Unchanged((*key).to_owned(), Revision(modified))
                }
            });
        }
        transaction.changes = changes
            .iter()
            .map(|change| match change {
                ChangeOf::Put(key, value, lease) => Change::Put {
                    key: (*key).to_owned(),
                    value: vec![*value],
                    lease: lease.and_then(|number| self.lease(number)),
                },
                ChangeOf::Delete(key) => Change::Delete { key: (*key).to_owned() },
            })
            .collect();
        transaction
    }

    async fn answer(&mut self, operation: &Operation) -> String {
        let answer = match operation {
            Operation::Commit(guards, changes) => {
                let transaction = self.transaction(guards, changes).await;
                self.store.commit(transaction).await.map(|committed| match committed {
                    Committed::Yes(revision) => format!("yes@{}", self.relative(revision)),
                    Committed::No => "no".to_owned(),
                })
            }
            Operation::Get(key) => {
                self.store.get(key).await.map(|entry| format!("{:?}", entry.map(|entry| self.entry(&entry))))
            }
            Operation::List(prefix) => self.store.list(prefix).await.map(|(entries, revision)| {
                let entries: Vec<String> = entries.iter().map(|entry| self.entry(entry)).collect();
                format!("{entries:?}@{}", self.relative(revision))
            }),
            Operation::Grant => self.store.grant_lease(Duration::from_secs(600)).await.map(|lease| {
                self.leases.push(lease);
                "granted".to_owned()
            }),
            Operation::KeepAlive(number) => match self.lease(*number) {
                Some(lease) => self.store.keep_alive(lease).await.map(|()| "kept".to_owned()),
                None => Ok("no lease".to_owned()),
            },
            Operation::Revoke(number) => match self.lease(*number) {
                Some(lease) => self.store.revoke_lease(lease).await.map(|()| "ended".to_owned()),
                None => Ok("no lease".to_owned()),
            },
        };
        answer.unwrap_or_else(|error| self.failure(&error))
    }

    /// Everything that happened since the run began, up to a last mark.
    async fn history(&self) -> Vec<String> {
        let mark = Change::Put { key: "/r-end".to_owned(), value: vec![], lease: None };
        self.store.commit(Transaction { guards: vec![], changes: vec![mark] }).await.unwrap();
        let mut watch = self.store.watch("/r", self.origin).await.unwrap();
        let mut history = Vec::new();
        loop {
            match tokio::time::timeout(Duration::from_secs(10), watch.next()).await.unwrap().unwrap() {
                WatchEvent::Put(entry) if entry.key == "/r-end" => return history,
                WatchEvent::Put(entry) => history.push(self.entry(&entry)),
                WatchEvent::Deleted { key, at } => history.push(format!("-{key}@{}", self.relative(at))),
            }
        }
    }
}

#[test]
fn etcd_and_memory_give_the_same_answers() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let etcd = runtime.block_on(EtcdProcess::start());
    let on_etcd = runtime.block_on(etcd.store());
    let persistence = FileFailurePersistence::WithSource("proptest-regressions");
    let config = Config {
        cases: 12,
        max_shrink_iters: 200,
        failure_persistence: Some(Box::new(persistence)),
        source_file: Some(file!()),
        ..Config::default()
    };
    let outcome = TestRunner::new(config).run(&vec(operation(), 1..40), |operations| {
        runtime.block_on(async {
            let in_memory = MemoryStore::new();
            let (mut etcd, mut memory) = (Side::new(&on_etcd).await, Side::new(&in_memory).await);
            for operation in &operations {
                prop_assert_eq!(etcd.answer(operation).await, memory.answer(operation).await, "{:?}", operation);
            }
            prop_assert_eq!(etcd.history().await, memory.history().await);
            Ok(())
        })
    });
    outcome.unwrap_or_else(|failure| panic!("{failure}"));
}
