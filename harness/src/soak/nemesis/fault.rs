//! The kinds of faults.

use std::fmt;

use hpe3par_emulator::array::Channel;
use hpe3par_emulator::faults::{FaultKind, FaultRule, Moment, Trigger};

use crate::soak::deployment::{FrontEnd, Network};

/// A member of etcd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Victim {
    /// Whoever leads when the fault begins.
    Leader,
    /// A member by number, from 0.
    Number(usize),
}

/// How a link is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum How {
    /// Connections break, new ones are refused.
    Cut,
    /// Connections stay, nothing comes through.
    Silent,
    /// Everything takes longer.
    Slow,
    /// One answer is lost.
    AnswerLost,
}

/// What the array does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trouble {
    /// Exports are made, and the answer is lost.
    ExportAnswerLost,
    /// Exports are not answered and made later.
    ExportLate,
    /// Removals of exports are answered with success and take effect later.
    RemovalSlow,
    /// Removals of exports are answered with success and have no effect.
    RemovalLies,
    /// Removals of exports leave a path behind.
    RemovalPartial,
    /// The REST interface answers 503.
    Busy,
    /// The command line takes seconds.
    CommandLineSlow,
}

impl Trouble {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ExportAnswerLost,
        Self::ExportLate,
        Self::RemovalSlow,
        Self::RemovalLies,
        Self::RemovalPartial,
        Self::Busy,
        Self::CommandLineSlow,
    ];

    /// The rules of the array's fault plan that make it.
    #[must_use]
    pub fn rules(self) -> Vec<FaultRule> {
        let on_both = |rest: &str, command: &str, fault: FaultKind| {
            vec![
                FaultRule::new(Some(Channel::Wsapi), rest, fault.clone()),
                FaultRule::new(Some(Channel::Cli), command, fault),
            ]
        };
        let exports = |fault| on_both("POST /vluns*", "createvlun", fault);
        let removals = |fault| on_both("DELETE /vluns*", "removevlun", fault);
        let sometimes = |mut rule: FaultRule| {
            rule.trigger = Trigger { probability: 0.6, ..Trigger::default() };
            rule
        };
        let rules = match self {
            Self::ExportAnswerLost => {
                let after = |mut rule: FaultRule| {
                    rule.when = Moment::After;
                    rule
                };
                exports(FaultKind::Reset).into_iter().map(after).collect()
            }
            Self::ExportLate => exports(FaultKind::ApplyLater { delay_ms: 4_000 }),
            Self::RemovalSlow => removals(FaultKind::SlowRemoval { delay_ms: 2_500 }),
            Self::RemovalLies => removals(FaultKind::LyingRemoval),
            Self::RemovalPartial => removals(FaultKind::PartialRemoval),
            Self::Busy => vec![FaultRule::new(Some(Channel::Wsapi), "", FaultKind::HttpStatus { status: 503 })],
            Self::CommandLineSlow => {
                vec![FaultRule::new(Some(Channel::Cli), "", FaultKind::Delay { delay_ms: 2_000 })]
            }
        };
        rules.into_iter().map(sometimes).collect()
    }

    fn words(self) -> &'static str {
        match self {
            Self::ExportAnswerLost => "answers to exports are lost",
            Self::ExportLate => "exports take effect late",
            Self::RemovalSlow => "removals of exports take effect late",
            Self::RemovalLies => "removals of exports have no effect",
            Self::RemovalPartial => "removals of exports leave a path",
            Self::Busy => "REST answers 503",
            Self::CommandLineSlow => "the command line is slow",
        }
    }
}

/// One fault.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    /// A machine loses power: kernel, plugin and containers are gone. Ends with a boot.
    PowerCut(usize),
    /// A machine stands still (SIGSTOP of its process).
    FreezeMachine(usize),
    /// A plugin is killed; the kernel goes on. Ends with a start.
    KillPlugin(usize),
    /// A plugin stands still; the kernel goes on.
    FreezePlugin(usize),
    /// A member of etcd is killed. Ends with a start.
    KillMember(Victim),
    /// A member of etcd stands still.
    FreezeMember(Victim),
    /// A member of etcd goes on and stops many times a second, as on a machine that has far too much to do.
    Stutter(Victim),
    /// A member of etcd is killed and started on a slow disk; ends with another start.
    SlowDisk(Victim),
    /// Two members stand still: no majority.
    MajorityAway,
    /// The other members do not reach a member.
    CutPeers(usize),
    /// Two members do not reach each other; the third reaches both.
    CutPair(usize, usize),
    /// All revisions before now are forgotten.
    Compact,
    /// A worker loses its watches, and what they missed is forgotten.
    LoseWatch(usize),
    /// The wall clock of a worker jumps by so many seconds, and back again at the end.
    ClockJump(usize, i64),
    /// A worker is cut off from something.
    Links(usize, Network, How),
    /// A worker is cut off from one member of etcd.
    LinkToMember(usize, usize, How),
    /// A worker loses its management network and keeps the SAN.
    ManagementAway(usize),
    /// Management interfaces of the array are away.
    FrontEnds(Vec<FrontEnd>),
    /// The array's process stands still: management and data path.
    FreezeArray,
    /// The array does something wrong.
    Array(Trouble),
    /// All sessions of the REST interface end.
    EndSessions,
}

impl Fault {
    /// The worker it is about, from 0.
    #[must_use]
    pub fn worker(&self) -> Option<usize> {
        match self {
            Self::PowerCut(worker)
            | Self::FreezeMachine(worker)
            | Self::KillPlugin(worker)
            | Self::FreezePlugin(worker)
            | Self::LoseWatch(worker)
            | Self::ClockJump(worker, _)
            | Self::Links(worker, _, _)
            | Self::LinkToMember(worker, _, _)
            | Self::ManagementAway(worker) => Some(*worker),
            _ => None,
        }
    }

    /// It is about etcd as a whole or about a member.
    #[must_use]
    pub fn is_about_etcd(&self) -> bool {
        matches!(
            self,
            Self::KillMember(_)
                | Self::FreezeMember(_)
                | Self::Stutter(_)
                | Self::SlowDisk(_)
                | Self::MajorityAway
                | Self::CutPeers(_)
                | Self::CutPair(_, _)
                | Self::Compact
        )
    }

    /// It is about the array.
    #[must_use]
    pub fn is_about_the_array(&self) -> bool {
        matches!(self, Self::FrontEnds(_) | Self::FreezeArray | Self::Array(_) | Self::EndSessions)
    }

    /// A worker reaches neither management interface of the array while it lasts.
    #[must_use]
    pub fn takes_the_management_from(&self, worker: usize) -> bool {
        match self {
            Self::ManagementAway(away) => *away == worker,
            Self::FrontEnds(fronts) => fronts.len() == 2,
            Self::FreezeArray => true,
            _ => false,
        }
    }

    /// A worker does not reach etcd while it lasts.
    #[must_use]
    pub fn takes_etcd_from(&self, worker: usize) -> bool {
        match self {
            Self::MajorityAway => true,
            Self::ManagementAway(away) | Self::Links(away, Network::Etcd, How::Cut | How::Silent) => *away == worker,
            _ => false,
        }
    }

    /// Whom it hits.
    #[must_use]
    pub fn hits(&self) -> String {
        match self.worker() {
            Some(worker) => format!("worker{}", worker + 1),
            None if self.is_about_the_array() => "array".to_owned(),
            None => "etcd".to_owned(),
        }
    }

    /// The kind, without the name of who it hits.
    #[must_use]
    pub fn kind(&self) -> String {
        match self {
            Self::PowerCut(_) => "machine loses power".to_owned(),
            Self::FreezeMachine(_) => "machine stands still".to_owned(),
            Self::KillPlugin(_) => "plugin killed".to_owned(),
            Self::FreezePlugin(_) => "plugin stands still".to_owned(),
            Self::KillMember(victim) => format!("etcd {} killed", role(*victim)),
            Self::FreezeMember(victim) => format!("etcd {} stands still", role(*victim)),
            Self::Stutter(victim) => format!("etcd {} stutters", role(*victim)),
            Self::MajorityAway => "etcd without majority".to_owned(),
            Self::SlowDisk(victim) => format!("etcd {} on a slow disk", role(*victim)),
            Self::CutPeers(_) => "etcd member not reached by its peers".to_owned(),
            Self::CutPair(_, _) => "two etcd members cut from each other".to_owned(),
            Self::Compact => "etcd compacted".to_owned(),
            Self::LoseWatch(_) => "watches lost and compacted away".to_owned(),
            Self::ClockJump(_, seconds) => format!("wall clock jumps by {} h", seconds / 3_600),
            Self::Links(_, network, how) => format!("worker and {}: {}", name_of(*network), words(*how)),
            Self::LinkToMember(_, _, how) => format!("worker and one etcd member: {}", words(*how)),
            Self::FreezeArray => "array stands still".to_owned(),
            Self::ManagementAway(_) => "worker without management network, SAN up".to_owned(),
            Self::FrontEnds(fronts) => {
                let names: Vec<&str> =
                    fronts.iter().map(|f| if *f == FrontEnd::Ssh { "SSH" } else { "WSAPI" }).collect();
                format!("array without {}", names.join(" and "))
            }
            Self::Array(trouble) => format!("array: {}", trouble.words()),
            Self::EndSessions => "array: all REST sessions end".to_owned(),
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.kind())?;
        match (self, self.worker()) {
            (Self::LinkToMember(_, member, _), Some(worker)) => {
                write!(f, " (worker{}, etcd{})", worker + 1, member + 1)
            }
            (_, Some(worker)) => write!(f, " (worker{})", worker + 1),
            (Self::CutPair(one, other), None) => write!(f, " (etcd{}, etcd{})", one + 1, other + 1),
            (
                Self::KillMember(Victim::Number(member))
                | Self::FreezeMember(Victim::Number(member))
                | Self::Stutter(Victim::Number(member))
                | Self::SlowDisk(Victim::Number(member))
                | Self::CutPeers(member),
                None,
            ) => write!(f, " (etcd{})", member + 1),
            _ => Ok(()),
        }
    }
}

fn role(victim: Victim) -> &'static str {
    match victim {
        Victim::Leader => "leader",
        Victim::Number(_) => "member",
    }
}

fn name_of(network: Network) -> &'static str {
    match network {
        Network::Etcd => "etcd",
        Network::Wsapi => "WSAPI",
        Network::Ssh => "SSH",
        Network::San => "SAN",
    }
}

fn words(how: How) -> &'static str {
    match how {
        How::Cut => "cut",
        How::Silent => "silent",
        How::Slow => "slow",
        How::AnswerLost => "an answer lost",
    }
}
