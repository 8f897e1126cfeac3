//! The plan of a soak's faults: the same seed, length and number of workers give the same plan.
//!
//! Storms and calm take turns. In a storm up to three faults overlap, at most one of them at etcd and one at the array; in the
//! calm everything is well, so that what is measured then is the plugin's own pace.

use std::fmt;
use std::time::Duration;

use super::fault::{Fault, How, Trouble, Victim};
use crate::node::Random;
use crate::soak::deployment::{FrontEnd, MEMBERS, Network};

/// A storm begins this often.
const CYCLE: Duration = Duration::from_secs(32);
/// So long before the next storm all faults are over.
const CALM: Duration = Duration::from_secs(11);
/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Faults that may overlap.
const AT_ONCE: usize = 3;

/// A fault with its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// When it begins, since the beginning of the load.
    pub at: Duration,
    /// How long it lasts; nothing for what happens at once.
    pub lasts: Duration,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Planned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:>7.1} s  {:>4.1} s  {}", self.at.as_secs_f64(), self.lasts.as_secs_f64(), self.fault)
    }
}

/// Draws the faults of a soak of this length. Worker 1 is never killed, so that the memory of one plugin can be watched over the
/// whole time.
#[must_use]
pub fn plan(seed: u64, length: Duration, workers: usize) -> Vec<Planned> {
    let mut random = Random::new(seed, "nemesis");
    let mut planned: Vec<Planned> = Vec::new();
    let mut storm = Duration::from_secs(4);
    while storm + CALM < length {
        let over = (storm + CYCLE).min(length).saturating_sub(CALM);
        // Every third storm is one fault at a time: what a single one costs is seen best alone.
        let at_once = if random.percent(33) { 1 } else { AT_ONCE };
        let mut at = storm;
        while at < over {
            if let Some(one) = draw(&mut random, at, over, workers, &planned, at_once) {
                planned.push(one);
            }
            at += Duration::from_millis(600 + random.below(2_400));
        }
        storm += CYCLE;
    }
    planned
}

fn draw(
    random: &mut Random,
    at: Duration,
    over: Duration,
    workers: usize,
    planned: &[Planned],
    at_once: usize,
) -> Option<Planned> {
    let (fault, longest) = choose(random, workers);
    let lasts = Duration::from_millis(800 + random.below(longest * 1_000));
    let lasts = lasts.min(over.saturating_sub(at));
    let running: Vec<&Fault> = planned.iter().filter(|p| p.at + p.lasts > at).map(|p| &p.fault).collect();
    let clash = |other: &&Fault| {
        (fault.worker().is_some() && other.worker() == fault.worker())
            || (fault.is_about_etcd() && other.is_about_etcd())
            || (fault.is_about_the_array() && other.is_about_the_array())
    };
    let fits = running.len() < at_once && !running.iter().any(clash);
    fits.then_some(Planned { at, lasts, fault })
}

/// A fault and how many seconds it may last.
fn choose(random: &mut Random, workers: usize) -> (Fault, u64) {
    let worker = below(random, workers);
    // Never the first one.
    let mortal = if workers < 2 { worker } else { 1 + below(random, workers - 1) };
    let member = below(random, MEMBERS);
    let victim = if random.percent(50) { Victim::Leader } else { Victim::Number(member) };
    match random.below(100) {
        0..14 => (Fault::PowerCut(mortal), 14),
        14..29 => (Fault::FreezeMachine(worker), 14),
        29..35 => (Fault::KillPlugin(mortal), 4),
        35..43 => (Fault::FreezePlugin(worker), 12),
        43..47 => (Fault::KillMember(victim), 6),
        47..51 => (Fault::FreezeMember(victim), 6),
        51 => (Fault::Stutter(victim), 6),
        52..54 => (Fault::SlowDisk(victim), 8),
        54..56 => (Fault::MajorityAway, 6),
        56 => (Fault::CutPeers(member), 6),
        57..59 => (Fault::CutPair(member, (member + 1) % MEMBERS), 8),
        59 => (Fault::Compact, 0),
        60..62 => (Fault::LoseWatch(worker), 2),
        62..67 => (Fault::ManagementAway(worker), 12),
        67..76 => (Fault::Links(worker, network(random), how(random)), 8),
        76..79 => (Fault::LinkToMember(worker, member, how(random)), 8),
        79..83 => (Fault::FrontEnds(fronts(random)), 6),
        83..85 => (Fault::FreezeArray, 6),
        85 => (Fault::ClockJump(mortal, *random.pick(&[-HOUR, HOUR, 24 * HOUR]).unwrap_or(&HOUR)), 10),
        86 => (Fault::EndSessions, 0),
        _ => (Fault::Array(*random.pick(&Trouble::ALL).unwrap_or(&Trouble::Busy)), 8),
    }
}

fn network(random: &mut Random) -> Network {
    *random.pick(&Network::ALL).unwrap_or(&Network::San)
}

fn how(random: &mut Random) -> How {
    *random.pick(&[How::Cut, How::Cut, How::Silent, How::Slow, How::AnswerLost]).unwrap_or(&How::Cut)
}

fn fronts(random: &mut Random) -> Vec<FrontEnd> {
    match random.below(5) {
        0 | 1 => vec![FrontEnd::Wsapi],
        2 | 3 => vec![FrontEnd::Ssh],
        _ => vec![FrontEnd::Wsapi, FrontEnd::Ssh],
    }
}

fn below(random: &mut Random, bound: usize) -> usize {
    usize::try_from(random.below(bound as u64)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LENGTH: Duration = Duration::from_secs(600);

    #[test]
    fn the_same_seed_gives_the_same_plan_and_others_differ() {
        assert_eq!(plan(7, LENGTH, 5), plan(7, LENGTH, 5));
        assert_ne!(plan(7, LENGTH, 5), plan(8, LENGTH, 5));
    }

    #[test]
    fn every_fault_is_over_before_the_calm() {
        for seed in 0..50 {
            let planned = plan(seed, LENGTH, 5);
            assert!(planned.len() > 60, "seed {seed} has {} faults", planned.len());
            for one in &planned {
                assert!(one.at + one.lasts + CALM <= LENGTH, "seed {seed}: {one}");
            }
        }
    }

    #[test]
    fn faults_do_not_clash_and_the_first_worker_lives() {
        for seed in 0..50 {
            let planned = plan(seed, LENGTH, 5);
            for (index, one) in planned.iter().enumerate() {
                let earlier = planned[..index].iter().filter(|other| other.at + other.lasts > one.at);
                let earlier: Vec<&Planned> = earlier.collect();
                assert!(earlier.len() < AT_ONCE);
                assert!(earlier.iter().all(|o| o.fault.worker() != one.fault.worker() || o.fault.worker().is_none()));
                assert!(!matches!(one.fault, Fault::PowerCut(0) | Fault::KillPlugin(0)));
            }
        }
    }

    #[test]
    fn a_minute_has_storms_too() {
        assert!((0..20).all(|seed| plan(seed, Duration::from_secs(60), 3).len() >= 4));
    }
}
