use std::sync::Mutex as SyncMutex;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use tokio::time::sleep;

use super::*;
use crate::node::{BootId, Initiators, MachineId, NodeFacts, NodeId};
use crate::store::memory::MemoryStore;
use crate::store::{Committed, Entry, LeaseId, Revision, StoreError, Transaction, Watch, keys};
use crate::tasks::TokioTasks;

/// The way of one node to the store: may be cut, slow, or lose the answer of the next transaction.
#[derive(Clone, Default)]
struct Link {
    store: MemoryStore,
    cut: Arc<AtomicBool>,
    loses_answer: Arc<AtomicBool>,
    delay: Duration,
}

impl Link {
    fn to(store: &MemoryStore) -> Self {
        Self { store: store.clone(), ..Self::default() }
    }

    fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
    }

    async fn pass(&self) -> Result<(), StoreError> {
        sleep(self.delay).await;
        if self.cut.load(Ordering::SeqCst) {
            sleep(Duration::from_secs(3)).await;
            return Err(lost());
        }
        Ok(())
    }
}

fn lost() -> StoreError {
    StoreError::Unavailable { operation: "a call".to_owned(), reason: "the link is cut".to_owned() }
}

#[async_trait]
impl MetadataStore for Link {
    async fn get(&self, key: &str) -> Result<Option<Entry>, StoreError> {
        self.pass().await?;
        self.store.get(key).await
    }
    async fn list(&self, prefix: &str) -> Result<(Vec<Entry>, Revision), StoreError> {
        self.pass().await?;
        self.store.list(prefix).await
    }
    async fn commit(&self, transaction: Transaction) -> Result<Committed, StoreError> {
        self.pass().await?;
        let answer = self.store.transact(&transaction);
        if self.loses_answer.swap(false, Ordering::SeqCst) { Err(lost()) } else { answer }
    }
    async fn watch(&self, prefix: &str, after: Revision) -> Result<Box<dyn Watch>, StoreError> {
        self.pass().await?;
        self.store.watch(prefix, after).await
    }
    async fn grant_lease(&self, time_to_live: Duration) -> Result<LeaseId, StoreError> {
        self.pass().await?;
        self.store.grant_lease(time_to_live).await
    }
    async fn keep_alive(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.pass().await?;
        self.store.keep_alive(lease).await
    }
    async fn revoke_lease(&self, lease: LeaseId) -> Result<(), StoreError> {
        self.pass().await?;
        self.store.revoke_lease(lease).await
    }
}

fn node(id: &str, machine: &str, boot: &str) -> Registrant {
    let initiators = Initiators { iqn: Some(format!("iqn.1994-05.com.example:{machine}")), wwpns: Vec::new() };
    let facts = NodeFacts {
        hostname: format!("host-of-{machine}"),
        machine: MachineId::new(machine),
        boot: BootId::new(boot),
        initiators,
        idle_wwpns: Vec::new(),
    };
    Registrant { node: NodeId::new(id), facts }
}

/// What was reported about the node's identity, in order.
#[derive(Clone, Default)]
struct Reports(Arc<SyncMutex<Vec<Option<String>>>>);

impl Reports {
    fn report(&self) -> IdentityReport {
        let reports = Arc::clone(&self.0);
        Arc::new(move |reason| reports.lock().unwrap().push(reason))
    }

    fn all(&self) -> Vec<Option<String>> {
        self.0.lock().unwrap().clone()
    }
}

async fn open(link: &Link, registrant: Registrant) -> Result<Registration, RegistrationError> {
    open_with(link, registrant, &Reports::default()).await
}

async fn open_with(link: &Link, registrant: Registrant, reports: &Reports) -> Result<Registration, RegistrationError> {
    Registration::open(Arc::new(link.clone()), &TokioTasks, registrant, reports.report()).await
}

async fn registered(registration: &Registration) {
    let mut standing = registration.watch_standing();
    let wait = standing.wait_for(|standing| *standing == Standing::Registered);
    tokio::time::timeout(Duration::from_secs(60), wait).await.unwrap().unwrap();
}

fn alive(store: &MemoryStore) -> Vec<String> {
    let (entries, _) = store.read_all(keys::NODES);
    entries.iter().map(|entry| entry.key.trim_start_matches(keys::NODES).to_owned()).collect()
}

#[tokio::test(start_paused = true)]
async fn a_registration_lasts_as_long_as_it_is_held_and_a_little_longer() {
    let store = MemoryStore::new();
    let registration = open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap();
    sleep(Duration::from_secs(120)).await;
    assert_eq!(registration.standing(), Standing::Registered);

    let (id, boot) = (NodeId::new("a"), BootId::new("b1"));
    let (entries, _) = store.read_all(keys::NODES);
    let written: RegisteredNode = serde_json::from_slice(&entries[0].value).unwrap();
    assert_eq!(written.hostname, "host-of-m1");
    assert_eq!(written.initiators.iqn.as_deref(), Some("iqn.1994-05.com.example:m1"));
    assert!(is_alive(&store, &id, &boot).await.unwrap());
    assert!(!is_alive(&store, &id, &BootId::new("b0")).await.unwrap(), "another boot of the node is not alive");

    drop(registration);
    sleep(Duration::from_secs(9)).await;
    assert!(is_alive(&store, &id, &boot).await.unwrap());
    sleep(Duration::from_secs(6)).await;
    assert!(!is_alive(&store, &id, &boot).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_refused_and_both_machines_are_named() {
    let store = MemoryStore::new();
    let first = open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap();
    let refusal = open(&Link::to(&store), node("a", "m2", "b2")).await.err().unwrap();
    assert!(matches!(refusal, RegistrationError::DuplicateNode(_)), "{refusal}");
    let text = refusal.to_string();
    for part in ["host-of-m1", "machine m1", "host-of-m2", "machine m2"] {
        assert!(text.contains(part), "{text}");
    }
    sleep(Duration::from_secs(60)).await;
    assert_eq!(first.standing(), Standing::Registered);
}

#[tokio::test(start_paused = true)]
async fn a_restarted_plugin_or_rebooted_node_takes_its_own_registration_over_at_once() {
    let store = MemoryStore::new();
    drop(open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap());
    let restarted = open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap();
    assert_eq!(restarted.standing(), Standing::Registered);
    drop(restarted);
    let rebooted = open(&Link::to(&store), node("a", "m1", "b2")).await.unwrap();
    sleep(Duration::from_secs(60)).await;
    assert_eq!(rebooted.standing(), Standing::Registered);
    assert!(is_alive(&store, &NodeId::new("a"), &BootId::new("b2")).await.unwrap());
}

#[tokio::test(start_paused = true)]
async fn of_two_plugins_on_one_machine_the_earlier_one_stops_taking_volumes() {
    let store = MemoryStore::new();
    let reports = Reports::default();
    let earlier = open_with(&Link::to(&store), node("a", "m1", "b1"), &reports).await.unwrap();
    let later = open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap();
    sleep(Duration::from_secs(30)).await;
    assert!(matches!(earlier.standing(), Standing::Refused(RegistrationError::Replaced(_))));
    assert_eq!(later.standing(), Standing::Registered, "they do not take it from each other in turn");
    assert_eq!(reports.all().len(), 1);

    drop(later);
    registered(&earlier).await;
    assert_eq!(reports.all().last(), Some(&None));
}

#[tokio::test(start_paused = true)]
async fn two_nodes_may_not_share_an_initiator() {
    let store = MemoryStore::new();
    let mut first = node("a", "m1", "b1");
    first.facts.initiators.wwpns = vec!["10000000C9AABBCC".to_owned()];
    let _first = open(&Link::to(&store), first).await.unwrap();

    let mut same_iqn = node("b", "m2", "b2");
    same_iqn.facts.initiators.iqn = Some("IQN.1994-05.com.example:m1".to_owned());
    let mut same_wwpn = node("b", "m2", "b2");
    same_wwpn.facts.initiators.wwpns = vec!["10000000c9aabbcc".to_owned()];
    for twin in [same_iqn, same_wwpn] {
        let refusal = open(&Link::to(&store), twin).await.err().unwrap();
        assert!(matches!(refusal, RegistrationError::SharedInitiator { .. }), "{refusal}");
        assert!(refusal.to_string().contains("host-of-m1"), "{refusal}");
    }
    let _second = open(&Link::to(&store), node("b", "m2", "b2")).await.unwrap();
    assert_eq!(alive(&store), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn starting_without_the_store_does_not_wait_for_it() {
    let link = Link::default();
    link.set_cut(true);
    let started = Instant::now();
    let registration = open(&link, node("a", "m1", "b1")).await.unwrap();
    assert!(started.elapsed() < Duration::from_secs(4));
    assert!(matches!(registration.standing(), Standing::Waiting { .. }));
    sleep(Duration::from_secs(300)).await;
    link.set_cut(false);
    sleep(Duration::from_secs(8)).await;
    assert_eq!(registration.standing(), Standing::Registered);
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_of_the_store_is_not_noticed() {
    let link = Link::default();
    let registration = open(&link, node("a", "m1", "b1")).await.unwrap();
    link.set_cut(true);
    sleep(Duration::from_secs(7)).await;
    assert_eq!(registration.standing(), Standing::Registered);
    link.set_cut(false);
    sleep(Duration::from_secs(6)).await;
    assert_eq!(registration.standing(), Standing::Registered);
    assert_eq!(alive(&link.store), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn after_a_long_outage_the_node_registers_again() {
    let link = Link::default();
    let reports = Reports::default();
    let registration = open_with(&link, node("a", "m1", "b1"), &reports).await.unwrap();
    link.set_cut(true);
    sleep(Duration::from_secs(60)).await;
    assert!(matches!(registration.standing(), Standing::Waiting { .. }));
    assert!(alive(&link.store).is_empty());
    link.set_cut(false);
    registered(&registration).await;
    assert_eq!(alive(&link.store), ["a"]);
    assert!(reports.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_clone_is_refused_also_while_the_original_is_away_and_the_original_comes_back() {
    let store = MemoryStore::new();
    let (link, reports) = (Link::to(&store), Reports::default());
    let registration = open_with(&link, node("a", "m1", "b1"), &reports).await.unwrap();
    link.set_cut(true);
    sleep(Duration::from_secs(30)).await;
    assert!(alive(&store).is_empty(), "nothing but the machine of the id is left");
    let refusal = open(&Link::to(&store), node("a", "m2", "b2")).await.err().unwrap();
    assert!(matches!(refusal, RegistrationError::OfAnotherMachine { .. }), "{refusal}");
    let text = refusal.to_string();
    for part in ["node id a", "host-of-m1 (machine m1)", "host-of-m2 (machine m2", "remove this node's id file"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    link.set_cut(false);
    registered(&registration).await;
    assert!(reports.all().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_clone_that_starts_without_the_store_is_refused_when_the_store_is_back() {
    let store = MemoryStore::new();
    drop(open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap());
    sleep(Duration::from_secs(60)).await;
    let (link, reports) = (Link::to(&store), Reports::default());
    link.set_cut(true);
    let clone = open_with(&link, node("a", "m2", "b2"), &reports).await.unwrap();
    link.set_cut(false);
    let mut standing = clone.watch_standing();
    let refused = standing.wait_for(|standing| matches!(standing, Standing::Refused(_)));
    tokio::time::timeout(Duration::from_secs(60), refused).await.unwrap().unwrap();
    assert!(
        reports.all()[0].as_ref().is_some_and(|reason| reason.contains("machine m1") && reason.contains("machine m2"))
    );
    assert!(alive(&store).is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_tells_more_or_less_of_itself_than_before_is_the_same() {
    let store = MemoryStore::new();
    for machine in ["m1", "m1.firmware", "m1"] {
        let registration = open(&Link::to(&store), node("a", machine, "b1")).await.unwrap();
        assert_eq!(registration.standing(), Standing::Registered);
        drop(registration);
        sleep(Duration::from_secs(60)).await;
    }
    let clone = open(&Link::to(&store), node("a", "m1.other-firmware", "b2")).await.err().unwrap();
    assert!(matches!(clone, RegistrationError::OfAnotherMachine { .. }), "what was told once is kept: {clone}");
}

#[tokio::test(start_paused = true)]
async fn a_registration_whose_answer_was_lost_is_recognised() {
    let link = Link::default();
    link.loses_answer.store(true, Ordering::SeqCst);
    let registration = open(&link, node("a", "m1", "b1")).await.unwrap();
    assert!(matches!(registration.standing(), Standing::Waiting { .. }));
    registered(&registration).await;
    assert_eq!(alive(&link.store), ["a"]);
}

#[tokio::test(start_paused = true)]
async fn of_two_that_register_one_initiator_at_the_same_time_one_stays() {
    for (slow, head_start, loses_answer) in
        (0..4u64).flat_map(|slow| (0..40u64).flat_map(move |start| [false, true].map(|loses| (slow, start, loses))))
    {
        let store = MemoryStore::new();
        let link = |millis| Link { delay: Duration::from_millis(millis), ..Link::to(&store) };
        let (a, b) = (link(5), link(3 + slow));
        b.loses_answer.store(loses_answer, Ordering::SeqCst);
        let mut twin = node("b", "m2", "b2");
        twin.facts.initiators.iqn = node("a", "m1", "b1").facts.initiators.iqn;
        let later = async {
            sleep(Duration::from_millis(head_start)).await;
            open(&b, twin).await
        };
        let (first, second) = tokio::join!(open(&a, node("a", "m1", "b1")), later);
        sleep(Duration::from_secs(10)).await;
        let standing = [&first, &second].map(|opened| opened.as_ref().map(Registration::standing));
        let stay = standing.iter().filter(|standing| **standing == Ok(Standing::Registered)).count();
        assert_eq!(stay, 1, "head start {head_start}, slow {slow}, lost {loses_answer}: {standing:?}");
        assert_eq!(alive(&store).len(), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_version_wrote_does_not_hide_the_other_nodes() {
    let store = MemoryStore::new();
    let _first = open(&Link::to(&store), node("a", "m1", "b1")).await.unwrap();
    let put = |key: &str| crate::store::Change::Put { key: key.to_owned(), value: b"[]".to_vec(), lease: None };
    store
        .transact(&Transaction { guards: Vec::new(), changes: vec![put("/nodes/x"), put("/node-machines/y")] })
        .unwrap();
    let refusal = open(&Link::to(&store), node("x", "m3", "b3")).await.err().unwrap();
    assert!(refusal.to_string().contains("/nodes/x"), "{refusal}");
    let refusal = open(&Link::to(&store), node("y", "m4", "b4")).await.err().unwrap();
    assert!(refusal.to_string().contains("/node-machines/y"), "{refusal}");
    let _second = open(&Link::to(&store), node("b", "m2", "b2")).await.unwrap();
}
