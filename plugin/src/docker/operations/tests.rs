//! Joining, leaving, panics and the end, without a socket in between.

use std::sync::atomic::{AtomicUsize, Ordering};

use proptest::prelude::*;
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, yield_now};

use super::*;
use crate::tasks::TokioTasks;

fn mount() -> Operation {
    Operation::Mount { name: "db".parse::<VolumeName>().unwrap_or_else(|_| unreachable!()), id: "abc".into() }
}

/// Lets every task that can run do so; deterministic on the single-threaded runtime of these tests.
async fn settle() {
    for _ in 0..32 {
        yield_now().await;
    }
}

/// A Mount in two stages: it looks at its caller when told to, and ends when told to.
struct Stage {
    operations: Operations,
    started: Arc<AtomicUsize>,
    references: Arc<AtomicUsize>,
    look: Arc<Semaphore>,
    finish: Arc<Semaphore>,
}

impl Stage {
    fn new() -> Self {
        Self {
            operations: Operations::new(Arc::new(TokioTasks)),
            started: Arc::default(),
            references: Arc::default(),
            look: Arc::new(Semaphore::new(0)),
            finish: Arc::new(Semaphore::new(0)),
        }
    }

    fn request(&self, patience: Duration) -> JoinHandle<Answer> {
        let operations = self.operations.clone();
        let (started, references) = (Arc::clone(&self.started), Arc::clone(&self.references));
        let (look, finish) = (Arc::clone(&self.look), Arc::clone(&self.finish));
        tokio::spawn(async move {
            operations
                .run(mount(), patience, move |caller| {
                    let (started, references) = (Arc::clone(&started), Arc::clone(&references));
                    let (look, finish) = (Arc::clone(&look), Arc::clone(&finish));
                    async move {
                        started.fetch_add(1, Ordering::SeqCst);
                        look.acquire().await.unwrap().forget();
                        let wanted = caller.is_waiting();
                        if wanted {
                            references.fetch_add(1, Ordering::SeqCst);
                        }
                        finish.acquire().await.unwrap().forget();
                        if wanted { Ok(None) } else { Err(DriverError("nobody waited".into())) }
                    }
                    .boxed()
                })
                .await
        })
    }

    fn started(&self) -> usize {
        self.started.load(Ordering::SeqCst)
    }

    fn references(&self) -> usize {
        self.references.load(Ordering::SeqCst)
    }
}

const LONG: Duration = Duration::from_secs(1000);

#[tokio::test(start_paused = true)]
async fn a_repeated_request_joins_and_gets_the_same_answer() {
    let stage = Stage::new();
    let (one, two) = (stage.request(LONG), stage.request(LONG));
    settle().await;
    assert_eq!(stage.operations.running()[0].waiting, 2);
    stage.look.add_permits(1);
    stage.finish.add_permits(1);
    assert_eq!((one.await.unwrap(), two.await.unwrap()), (Ok(None), Ok(None)));
    assert_eq!((stage.started(), stage.references()), (1, 1));
    let third = stage.request(LONG);
    stage.look.add_permits(1);
    stage.finish.add_permits(1);
    assert_eq!(third.await.unwrap(), Ok(None));
    assert_eq!(stage.started(), 2, "a request after the answer is a new one");
}

#[tokio::test(start_paused = true)]
async fn at_the_deadline_the_caller_hears_it_and_the_operation_goes_on_without_it() {
    let stage = Stage::new();
    let error = stage.request(Duration::from_secs(110)).await.unwrap().unwrap_err().to_string();
    assert_eq!(error, "Mount of volume db for abc is still in progress after 110 s; repeat the request to join it");
    stage.look.add_permits(1);
    settle().await;
    assert_eq!((stage.started(), stage.references()), (1, 0), "no reference for a caller that went");
    assert_eq!(stage.operations.running()[0].waiting, 0);
    stage.finish.add_permits(1);
    settle().await;
    assert!(stage.operations.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_repeated_request_takes_the_place_of_one_that_left_in_time() {
    let stage = Stage::new();
    assert!(stage.request(Duration::from_secs(25)).await.unwrap().is_err());
    let again = stage.request(LONG);
    settle().await;
    stage.look.add_permits(1);
    stage.finish.add_permits(1);
    assert_eq!(again.await.unwrap(), Ok(None));
    assert_eq!((stage.started(), stage.references()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_request_that_comes_too_late_starts_anew_after_the_abandoned_one() {
    let stage = Stage::new();
    let gone = stage.request(LONG);
    settle().await;
    gone.abort();
    settle().await;
    stage.look.add_permits(1);
    settle().await;
    let late = stage.request(LONG);
    settle().await;
    assert_eq!(stage.started(), 1, "one at a time");
    stage.finish.add_permits(1);
    settle().await;
    assert_eq!(stage.started(), 2);
    stage.look.add_permits(1);
    stage.finish.add_permits(1);
    assert_eq!(late.await.unwrap(), Ok(None));
    assert_eq!(stage.references(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_panic_is_an_answer_and_leaves_nothing_behind() {
    let operations = Operations::new(Arc::new(TokioTasks));
    let answer = operations.run(mount(), LONG, |_| async { panic!("broken {}", 7) }.boxed()).await;
    assert_eq!(
        answer.unwrap_err().to_string(),
        "Mount of volume db for abc failed by a defect of the plugin: broken 7"
    );
    assert!(operations.running().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_waits_for_what_runs_and_takes_nothing_new() {
    let stage = Stage::new();
    let running = stage.request(LONG);
    settle().await;
    let operations = stage.operations.clone();
    let end = tokio::spawn(async move { operations.stop(Duration::from_secs(8)).await });
    settle().await;
    let other = Operation::Remove { name: "other".parse().unwrap() };
    let refused = stage.operations.run(other, LONG, |_| async { Ok(None) }.boxed()).await;
    assert!(refused.unwrap_err().0.starts_with("the plugin is stopping"));
    stage.look.add_permits(1);
    stage.finish.add_permits(1);
    assert_eq!(running.await.unwrap(), Ok(None));
    assert!(end.await.unwrap().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_end_does_not_wait_for_ever() {
    let stage = Stage::new();
    let running = stage.request(LONG);
    settle().await;
    let before = Instant::now();
    let unfinished = stage.operations.stop(Duration::from_secs(8)).await;
    assert_eq!(before.elapsed(), Duration::from_secs(8));
    assert_eq!(unfinished[0].operation, "Mount of volume db for abc");
    assert!(running.await.unwrap().unwrap_err().0.contains("is not finished"));
}

#[derive(Debug, Clone)]
enum Event {
    Request,
    Disconnect(usize),
    Look,
    Finish,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => Just(Event::Request),
        2 => (0_usize..6).prop_map(Event::Disconnect),
        2 => Just(Event::Look),
        2 => Just(Event::Finish),
    ]
}

/// Whatever the order of requests, disconnections and steps: one operation at a time, a reference only for somebody who
/// waited, and success only where a reference was recorded.
async fn play(events: Vec<Event>) -> Result<(), TestCaseError> {
    let stage = Stage::new();
    let mut requests: Vec<JoinHandle<Answer>> = Vec::new();
    for event in events {
        let waiting = stage.operations.running().first().map_or(0, |one| one.waiting);
        let references = stage.references();
        match event {
            Event::Request => requests.push(stage.request(LONG)),
            Event::Disconnect(which) => {
                if let Some(request) = requests.get(which) {
                    request.abort();
                }
            }
            Event::Look if stage.look.available_permits() == 0 => stage.look.add_permits(1),
            Event::Finish if stage.finish.available_permits() == 0 => stage.finish.add_permits(1),
            Event::Look | Event::Finish => {}
        }
        settle().await;
        prop_assert!(stage.operations.running().len() <= 1);
        if matches!(event, Event::Look) && waiting == 0 {
            prop_assert_eq!(stage.references(), references, "a reference nobody waited for");
        }
    }
    stage.look.add_permits(100);
    stage.finish.add_permits(100);
    settle().await;
    let mut successes = 0;
    for request in requests {
        match request.await {
            Ok(Ok(_)) => successes += 1,
            Ok(Err(error)) => prop_assert!(false, "a caller that waited was refused: {error}"),
            Err(_disconnected) => {}
        }
    }
    prop_assert!(successes == 0 || stage.references() > 0);
    prop_assert!(stage.operations.running().is_empty());
    Ok(())
}

proptest! {
    #[test]
    fn no_order_of_requests_and_disconnections_breaks_the_rules(events in proptest::collection::vec(event(), 0..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(play(events))?;
    }
}
