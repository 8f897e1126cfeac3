//! One takeover, played on a real lab and told as a time line.

mod narrator;
mod sentences;
mod verdict;

use std::time::Duration;

use anyhow::{Context as _, Result};

use crate::checks::{Fact, FactKind};
use crate::cluster::lab::Lab;
use crate::report::{Finding, Outcome, Scene, Story, Timeline};
use crate::scenarios::holder::Holder;
use crate::scenarios::stage::{Patience, Stage, Where};

pub use narrator::Narrator;

const TITLE: &str = "A volume changes its node by force, and nothing is lost";
const VOLUME: &str = "db";
const OLD: &str = "worker1";
const NEW: &str = "worker2";

/// The demonstration: its lab and how far it has been told.
#[derive(Debug)]
pub struct Demonstration {
    stage: Stage,
    narrator: Narrator,
    delay: u64,
    told: usize,
    scenes: Vec<Scene>,
    said: Vec<Fact>,
}

impl Demonstration {
    /// A demonstration that has not begun. `delay` is the conflict delay in seconds.
    #[must_use]
    pub fn new(narrator: Narrator, delay: u64) -> Self {
        Self { stage: Stage::default(), narrator, delay, told: 0, scenes: Vec::new(), said: Vec::new() }
    }

    /// The lab it runs on.
    ///
    /// # Errors
    /// When it has not begun.
    pub fn lab(&self) -> Result<&Lab> {
        self.stage.lab()
    }

    /// Why its story could not be written, if it could not.
    #[must_use]
    pub fn unwritten(&self) -> Option<&str> {
        self.narrator.unwritten()
    }

    /// Plays it from the beginning to the ledger's verdict.
    ///
    /// # Errors
    /// What did not go as it should.
    pub async fn play(&mut self) -> Result<()> {
        self.set_up().await.context("starting the lab")?;
        self.worker1_has_the_volume().await?;
        self.worker1_is_cut_off().await?;
        self.worker2_takes_the_volume().await?;
        self.worker1_finds_itself_fenced().await?;
        self.worker1_gets_the_volume_back().await?;
        self.tell_ledger()
    }

    /// Ends the lab; with `judge`, after all checks of the acceptance scenarios.
    ///
    /// # Errors
    /// What the checks found.
    pub async fn end(&mut self, judge: bool) -> Result<()> {
        let judged = self.stage.end(judge).await;
        if judge && judged.is_ok() {
            self.narrator.good("Every check held: one exporter at a time, nothing acknowledged lost, no stale write, nothing left behind, no secret in a log.");
        }
        judged
    }

    /// The time line of the demonstration, once it has ended; `failure` is what did not go as it should.
    #[must_use]
    pub fn timeline(&mut self, failure: Option<&str>) -> Option<Timeline> {
        let (mut recording, broken) = self.stage.take_recording()?;
        recording.scenes.append(&mut self.scenes);
        recording.facts.append(&mut self.said);
        let end = recording.scenes.last().map(|scene| scene.at).unwrap_or_default();
        let mut findings: Vec<Finding> = broken.iter().map(Finding::from).collect();
        if let (Some(failure), true) = (failure, findings.is_empty()) {
            findings.push(Finding {
                at: end.into(),
                code: "failed".to_owned(),
                rule: "The demonstration plays to its end.".to_owned(),
                explanation: failure.to_owned(),
                before: Vec::new(),
            });
        }
        let outcome = if findings.is_empty() { Outcome::Passed } else { Outcome::Failed };
        let about = vec![("repeat with".to_owned(), format!("hpe3par-lab demo --delay {}", self.delay))];
        Some(recording.timeline(Story { title: TITLE.to_owned(), outcome, about, findings }))
    }

    async fn set_up(&mut self) -> Result<()> {
        let begun = tokio::time::Instant::now();
        self.stage.set_up(2).await?;
        let lab = self.stage.lab()?;
        self.narrator.title(TITLE);
        self.narrator.plain(&format!("etcd         {}", lab.etcd().endpoint()));
        self.narrator.plain(&format!("array        {} and SSH at {}", lab.array().wsapi_url(), lab.array().ssh_addr()));
        self.narrator
            .plain("two workers  the production plugin twice, each with its own socket, on a simulated machine");
        self.narrator.plain(&format!(
            "All of it started in {:.1} s. Times are those of the array's clock.",
            begun.elapsed().as_secs_f64()
        ));
        Ok(())
    }

    async fn worker1_has_the_volume(&mut self) -> Result<()> {
        self.chapter("worker1 has the volume");
        self.stage.create(VOLUME, &[("mountConflictDelay", &self.delay.to_string())]).await?;
        self.stage.have_mounted(&web(), OLD, VOLUME).await?;
        self.tell()?;
        self.stage.write(&web(), 5).await?;
        self.say(OLD, "container web wrote 5 records; each fsync was acknowledged")?;
        self.stage.leave_dirty(&web(), 3).await?;
        self.say(OLD, "3 more records are in its page cache, not yet flushed")
    }

    async fn worker1_is_cut_off(&mut self) -> Result<()> {
        self.chapter("worker1 loses its management network; its storage network still works");
        self.stage.cut(OLD, Where::Etcd, true)?;
        self.stage.cut(OLD, Where::Management, true)?;
        self.say(OLD, "no etcd, no array management; nobody can ask it to let go")
    }

    async fn worker2_takes_the_volume(&mut self) -> Result<()> {
        self.chapter(&format!("worker2 is asked to mount it; conflict delay {} s", self.delay));
        let begun = tokio::time::Instant::now();
        self.stage.begin_mount(&api(), NEW, VOLUME)?;
        if self.delay > 0 {
            self.stage.waits_for(NEW, VOLUME).await?;
            self.told = self.stage.lab()?.witness().history().len();
            self.say(NEW, &format!("waits: {} s for worker1 to let go", self.delay))?;
        }
        self.stage.await_mount(&api(), Duration::from_secs(60)).await?;
        self.stage.succeeded(None)?;
        self.tell()?;
        self.say(NEW, &format!("Docker has its mount point after {:.1} s", begun.elapsed().as_secs_f64()))?;
        self.stage.quarantined(OLD, VOLUME, true, Duration::from_secs(5)).await?;
        self.stage.reads_acknowledged(&api(), None)?;
        self.say(NEW, "container api reads all 5 acknowledged records; the 3 that were never flushed are gone, as after a power cut")?;
        self.stage.write(&api(), 4).await?;
        self.say(NEW, "container api wrote 4 records of its own")
    }

    async fn worker1_finds_itself_fenced(&mut self) -> Result<()> {
        self.chapter("worker1 goes on writing, and the array does not take it");
        self.stage.write_is_refused(&web()).await?;
        self.tell()?;
        self.say(OLD, "its flush hangs in a queueing multipath map: this is the write that must never arrive")?;
        self.chapter("worker1's network returns");
        self.stage.die(&web()).await?;
        self.stage.cut(OLD, Where::Etcd, false)?;
        self.stage.cut(OLD, Where::Management, false)?;
        self.stage.is_clean(OLD, VOLUME, Duration::from_secs(30)).await?;
        self.stage.quarantined(OLD, VOLUME, false, Duration::from_secs(30)).await?;
        self.tell()?;
        self.say(
            OLD,
            "has proven that nothing is left: no mount, no map, no device. Out of quarantine, without a reboot",
        )
    }

    async fn worker1_gets_the_volume_back(&mut self) -> Result<()> {
        self.chapter("worker1 gets the volume back, the moment where a stale cache would strike");
        self.stage.stop(&api(), NEW).await?;
        self.stage.succeeded(None)?;
        self.stage.mount(&web(), OLD, VOLUME, Patience::UntilItSucceeds).await?;
        self.stage.succeeded(None)?;
        self.tell()?;
        self.stage.reads_acknowledged(&web(), None)?;
        self.say(OLD, "reads all 9 acknowledged records, its own and worker2's; nothing was overwritten")
    }

    fn tell_ledger(&mut self) -> Result<()> {
        self.tell()?;
        self.chapter("what the array's ledger says");
        let history = self.stage.lab()?.witness().history();
        for line in verdict::of(&history) {
            self.narrator.plain(&line);
        }
        Ok(())
    }

    /// Tells what array, store and machines did since it was told last.
    fn tell(&mut self) -> Result<()> {
        let history = self.stage.lab()?.witness().history();
        for sentence in sentences::of(&history, self.told, VOLUME) {
            self.narrator.event(sentence.at, &sentence.who, &sentence.what);
        }
        self.told = history.len();
        Ok(())
    }

    /// A new chapter, on the terminal and for the page.
    fn chapter(&mut self, text: &str) {
        let at = self.stage.lab().map(|lab| lab.witness().now()).unwrap_or_default();
        self.scenes.push(Scene { at, text: text.to_owned(), failed: false });
        self.narrator.chapter(text);
    }

    fn say(&mut self, who: &str, what: &str) -> Result<()> {
        let now = self.stage.lab()?.array().handle().now();
        self.said.push(Fact { at: now, kind: FactKind::Note { who: who.to_owned(), what: what.to_owned() } });
        self.narrator.event(now, who, what);
        Ok(())
    }
}

fn web() -> Holder {
    Holder::Container("web".to_owned())
}

fn api() -> Holder {
    Holder::Container("api".to_owned())
}
