//! Carries the plan out.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::fault::{Fault, How, Victim};
use super::log::FaultLog;
use super::plan::Planned;
use crate::checks::FactKind;
use crate::cluster::link::Condition;
use crate::soak::deployment::{Deployment, MEMBERS, Network};
use crate::soak::figures::{Figures, Measure};

/// How much later each piece of a slow link comes.
const SLOW: Duration = Duration::from_millis(250);
/// A stuttering member goes on for this long.
const GO: Duration = Duration::from_millis(60);
/// Then it stands for this long.
const STAND: Duration = Duration::from_millis(180);

/// Does to a deployment what was planned.
pub struct Nemesis {
    deployment: Arc<Deployment>,
    log: Arc<FaultLog>,
    figures: Arc<Figures>,
}

impl Nemesis {
    /// A nemesis of this deployment.
    #[must_use]
    pub fn of(deployment: &Arc<Deployment>, log: &Arc<FaultLog>, figures: &Arc<Figures>) -> Self {
        Self { deployment: Arc::clone(deployment), log: Arc::clone(log), figures: Arc::clone(figures) }
    }

    /// Carries the whole plan out; returns when the last fault is over.
    pub async fn run(self: Arc<Self>, plan: Vec<Planned>) {
        let begun = Instant::now();
        let mut faults = JoinSet::new();
        for planned in plan {
            let nemesis = Arc::clone(&self);
            faults.spawn(async move {
                sleep_until(begun + planned.at).await;
                nemesis.one(planned).await;
            });
        }
        while faults.join_next().await.is_some() {}
    }

    async fn one(&self, planned: Planned) {
        let Planned { fault, lasts, .. } = planned;
        let number = self.log.begin(fault.clone(), self.deployment.clock.now());
        let (who, what) = (fault.hits(), fault.kind());
        self.deployment.fact_log.log(FactKind::FaultBegan { who: who.clone(), what: what.clone(), lasts: None });
        if let Err(error) = self.carry_out(&fault, lasts).await {
            let note = format!("{fault} could not be carried out: {error:#}");
            self.deployment.fact_log.log(FactKind::Note { who: "nemesis".to_owned(), what: note });
            self.figures.count("nemesis", "could not be carried out");
        }
        self.log.end(number, self.deployment.clock.now());
        self.deployment.fact_log.log(FactKind::FaultEnded { who, what });
    }

    /// From its beginning to its end.
    async fn carry_out(&self, fault: &Fault, lasts: Duration) -> Result<()> {
        match fault {
            Fault::PowerCut(worker)
            | Fault::FreezeMachine(worker)
            | Fault::KillPlugin(worker)
            | Fault::FreezePlugin(worker) => self.strike_worker(fault, *worker, lasts).await,
            Fault::KillMember(victim)
            | Fault::FreezeMember(victim)
            | Fault::Stutter(victim)
            | Fault::SlowDisk(victim) => self.strike_member(fault, *victim, lasts).await,
            Fault::MajorityAway => self.majority_away(lasts).await,
            Fault::CutPeers(member) => {
                self.deployment.members.close_to_a_member(*member);
                sleep(lasts).await;
                self.deployment.members.open_all_ways();
                Ok(())
            }
            Fault::CutPair(one, other) => {
                self.deployment.members.close_between(*one, *other);
                sleep(lasts).await;
                self.deployment.members.open_all_ways();
                Ok(())
            }
            Fault::Compact => self.deployment.members.compact().await,
            Fault::LoseWatch(worker) => self.lose_watch(*worker, lasts).await,
            Fault::Links(worker, network, how) => self.links(*worker, &[*network], *how, lasts).await,
            Fault::ClockJump(worker, seconds) => {
                let Some(worker) = self.deployment.workers.get(*worker) else { return Ok(()) };
                if !worker.set_wall_clock(*seconds)? {
                    self.figures.count("nemesis", "no libfaketime: no clock jumped");
                    return Ok(());
                }
                sleep(lasts).await;
                worker.set_wall_clock(0).map(drop)
            }
            Fault::LinkToMember(worker, member, how) => {
                let Some(worker) = self.deployment.workers.get(*worker) else { return Ok(()) };
                worker.set_link_to_member(*member, condition(*how));
                sleep(lasts).await;
                worker.set_link_to_member(*member, Condition::Up);
                Ok(())
            }
            Fault::FreezeArray => {
                self.deployment.array.lock().await.freeze(true)?;
                sleep(lasts).await;
                self.deployment.array.lock().await.freeze(false)
            }
            Fault::ManagementAway(worker) => self.links(*worker, &Network::MANAGEMENT, How::Cut, lasts).await,
            Fault::FrontEnds(fronts) => {
                for front in fronts {
                    self.deployment.array.lock().await.front_end(*front, true).await?;
                }
                sleep(lasts).await;
                for front in fronts {
                    self.deployment.array.lock().await.front_end(*front, false).await?;
                }
                Ok(())
            }
            Fault::Array(trouble) => {
                let mut numbers = Vec::new();
                for rule in trouble.rules() {
                    numbers.push(self.deployment.array.lock().await.add_fault(&rule).await?);
                }
                sleep(lasts).await;
                for number in numbers {
                    self.deployment.array.lock().await.remove_fault(number).await?;
                }
                Ok(())
            }
            Fault::EndSessions => self.deployment.array.lock().await.end_sessions().await,
        }
    }

    async fn strike_worker(&self, fault: &Fault, number: usize, lasts: Duration) -> Result<()> {
        let Some(worker) = self.deployment.workers.get(number) else { return Ok(()) };
        let fact_log = &self.deployment.fact_log;
        match fault {
            Fault::PowerCut(_) => {
                worker.cut_power(fact_log).await;
                sleep(lasts).await;
                worker.switch_on(fact_log).await
            }
            Fault::FreezeMachine(_) => {
                worker.freeze(true, fact_log).await;
                sleep(lasts).await;
                worker.freeze(false, fact_log).await;
                Ok(())
            }
            Fault::KillPlugin(_) => {
                worker.kill_plugin().await?;
                sleep(lasts).await;
                let (asked, begun) = (self.deployment.clock.now(), Instant::now());
                worker.start_plugin().await?;
                let took = begun.elapsed();
                let alone = self.log.around(asked, asked + took).iter().all(|other| other == fault);
                self.figures.measure(Measure::PluginStart, took, alone);
                Ok(())
            }
            _ => {
                worker.freeze_plugin(true).await?;
                sleep(lasts).await;
                worker.freeze_plugin(false).await
            }
        }
    }

    async fn strike_member(&self, fault: &Fault, victim: Victim, lasts: Duration) -> Result<()> {
        let members = &self.deployment.members;
        let number = match victim {
            Victim::Number(number) => number,
            Victim::Leader => members.leader().await.unwrap_or(0),
        };
        let until = Instant::now() + lasts;
        match fault {
            Fault::KillMember(_) => {
                members.kill(number).await;
                sleep_until(until).await;
                members.restart(number).await
            }
            Fault::FreezeMember(_) => {
                let frozen = members.freeze(number).await;
                sleep_until(until).await;
                members.thaw(number).await;
                frozen
            }
            Fault::SlowDisk(_) => {
                members.kill(number).await;
                members.until_gone(number).await;
                if !members.restart_on_a_slow_disk(number).await? {
                    members.restart(number).await?;
                    self.figures.count("nemesis", "no strace: stutter instead of a slow disk");
                    return self.stutter(number, until).await;
                }
                sleep_until(until).await;
                members.kill(number).await;
                members.until_gone(number).await;
                members.restart(number).await
            }
            _ => self.stutter(number, until).await,
        }
    }

    async fn stutter(&self, number: usize, until: Instant) -> Result<()> {
        while Instant::now() < until {
            self.deployment.members.freeze(number).await?;
            sleep(STAND).await;
            self.deployment.members.thaw(number).await;
            sleep(GO).await;
        }
        Ok(())
    }

    async fn majority_away(&self, lasts: Duration) -> Result<()> {
        for number in 1..MEMBERS {
            self.deployment.members.freeze(number).await?;
        }
        sleep(lasts).await;
        for number in 1..MEMBERS {
            self.deployment.members.thaw(number).await;
        }
        Ok(())
    }

    /// The watch breaks, something is written meanwhile, and the revisions it would go on from are gone.
    async fn lose_watch(&self, number: usize, lasts: Duration) -> Result<()> {
        let Some(worker) = self.deployment.workers.get(number) else { return Ok(()) };
        worker.set_links(Network::Etcd, Condition::Cut);
        sleep(lasts).await;
        let compacted = self.deployment.members.compact().await;
        worker.set_links(Network::Etcd, Condition::Up);
        compacted
    }

    async fn links(&self, number: usize, networks: &[Network], how: How, lasts: Duration) -> Result<()> {
        let Some(worker) = self.deployment.workers.get(number) else { return Ok(()) };
        networks.iter().for_each(|network| worker.set_links(*network, condition(how)));
        sleep(lasts).await;
        networks.iter().for_each(|network| worker.set_links(*network, Condition::Up));
        Ok(())
    }
}

fn condition(how: How) -> Condition {
    match how {
        How::Cut => Condition::Cut,
        How::Silent => Condition::BlackHole,
        How::Slow => Condition::Slow(SLOW),
        How::AnswerLost => Condition::LoseAnswer,
    }
}
