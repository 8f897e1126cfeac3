//! The rules in force, their counters, and the verdict on a call.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::rule::{Call, FaultKind, FaultRule, Moment};
use crate::array::random::SeededRandom;

/// Number of a rule; never used twice in the life of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RuleId(pub u64);

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What is to become of a call.
#[derive(Debug, Clone, PartialEq)]
pub enum Verdict {
    /// Nothing special.
    Pass,
    /// A fault.
    Fault {
        /// The rule that struck.
        rule: RuleId,
        /// Before or after the effect.
        when: Moment,
        /// What to do.
        fault: FaultKind,
    },
}

/// How often a rule was met.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct RuleCounters {
    /// Calls it was about.
    pub matched: u64,
    /// Calls it struck.
    pub struck: u64,
}

/// A rule in force.
#[derive(Debug, Clone)]
struct Held {
    rule: FaultRule,
    counters: RuleCounters,
}

/// The plan. Rules are asked in the order they were added; the first that strikes decides, but all that match count the call.
#[derive(Debug, Clone)]
pub struct FaultPlan {
    rules: BTreeMap<RuleId, Held>,
    made: u64,
    random: SeededRandom,
}

impl FaultPlan {
    /// An empty plan whose probabilities are drawn from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { rules: BTreeMap::new(), made: 0, random: SeededRandom::new(seed ^ 0x6661_756C_7473) }
    }

    /// Adds a rule.
    pub fn add(&mut self, rule: FaultRule) -> RuleId {
        self.made += 1;
        let id = RuleId(self.made);
        self.rules.insert(id, Held { rule, counters: RuleCounters::default() });
        id
    }

    /// Takes a rule out; tells whether it was there.
    pub fn remove(&mut self, id: RuleId) -> bool {
        self.rules.remove(&id).is_some()
    }

    /// Takes all rules out.
    pub fn clear(&mut self) {
        self.rules.clear();
    }

    /// The rules in force with their counters.
    pub fn rules(&self) -> impl Iterator<Item = (RuleId, &FaultRule, RuleCounters)> {
        self.rules.iter().map(|(id, held)| (*id, &held.rule, held.counters))
    }

    /// Counters of a rule.
    #[must_use]
    pub fn counters(&self, id: RuleId) -> Option<RuleCounters> {
        self.rules.get(&id).map(|held| held.counters)
    }

    /// Decides about a call and counts it.
    pub fn judge(&mut self, call: &Call) -> Verdict {
        let mut verdict = Verdict::Pass;
        for (id, held) in &mut self.rules {
            if !held.rule.matches(call) {
                continue;
            }
            held.counters.matched += 1;
            if verdict == Verdict::Pass && held.is_due() && chance(&mut self.random, held.rule.trigger.probability) {
                held.counters.struck += 1;
                verdict = Verdict::Fault { rule: *id, when: held.rule.when, fault: held.rule.fault.clone() };
            }
        }
        verdict
    }
}

impl Held {
    /// Whether the call counted last is one to strike, chance aside.
    fn is_due(&self) -> bool {
        let trigger = self.rule.trigger;
        self.counters.matched > trigger.skip && trigger.count.is_none_or(|count| self.counters.struck < count)
    }
}

/// Draws only where the outcome is open, so that rules without chance do not shift the sequence.
fn chance(random: &mut SeededRandom, probability: f64) -> bool {
    match probability {
        p if p >= 1.0 => true,
        p if p > 0.0 => ((random.next() >> 11) as f64) < p * (1u64 << 53) as f64,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::Channel;
    use crate::faults::Trigger;

    fn struck(plan: &mut FaultPlan, call: &Call, times: usize) -> Vec<bool> {
        (0..times).map(|_| plan.judge(call) != Verdict::Pass).collect()
    }

    #[test]
    fn the_nth_call_of_an_operation() {
        let mut plan = FaultPlan::new(1);
        let id =
            plan.add(FaultRule::new(Some(Channel::Cli), "removevlun", FaultKind::Hang).about("v1").on(Trigger::nth(2)));
        let other = Call::cli("removevlun -f v2 3 h1");
        let call = Call::cli("removevlun  -f v1 3 h1");
        assert_eq!(struck(&mut plan, &other, 3), [false; 3]);
        assert_eq!(struck(&mut plan, &call, 4), [false, true, false, false]);
        assert_eq!(plan.counters(id), Some(RuleCounters { matched: 4, struck: 1 }));
    }

    #[test]
    fn a_glob_over_method_and_path() {
        let mut plan = FaultPlan::new(1);
        plan.add(FaultRule::new(None, "DELETE /vluns/*", FaultKind::Reset).after_effect());
        assert_eq!(plan.judge(&Call::wsapi("GET", "/vluns/v1,3,h1", "")), Verdict::Pass);
        let verdict = plan.judge(&Call::wsapi("DELETE", "/vluns/v1,3,h1", ""));
        assert!(matches!(verdict, Verdict::Fault { when: Moment::After, fault: FaultKind::Reset, .. }));
    }

    #[test]
    fn an_object_may_stand_in_the_body() {
        let mut plan = FaultPlan::new(1);
        plan.add(FaultRule::new(Some(Channel::Wsapi), "POST /vluns", FaultKind::Hang).about("\"h2\""));
        assert_eq!(plan.judge(&Call::wsapi("POST", "/vluns", r#"{"hostname":"h1"}"#)), Verdict::Pass);
        assert_ne!(plan.judge(&Call::wsapi("POST", "/vluns", r#"{"hostname":"h2"}"#)), Verdict::Pass);
    }

    #[test]
    fn one_seed_gives_one_run() {
        let run = |seed| {
            let mut plan = FaultPlan::new(seed);
            let trigger = Trigger { probability: 0.3, ..Trigger::default() };
            plan.add(FaultRule::new(None, "", FaultKind::Reset).on(trigger));
            struck(&mut plan, &Call::cli("showvv"), 200)
        };
        assert_eq!(run(7), run(7));
        assert_ne!(run(7), run(8));
        let hits = run(7).iter().filter(|s| **s).count();
        assert!((30..90).contains(&hits), "{hits} of 200 with probability 0.3");
    }

    #[test]
    fn rules_are_read_from_json() {
        let text = r#"{"channel":"cli","operation":"removevlun","object":"v1","trigger":{"skip":1},"when":"after","kind":"delay","delayMs":50}"#;
        let rule: FaultRule = serde_json::from_str(text).unwrap();
        assert_eq!(rule.fault, FaultKind::Delay { delay_ms: 50 });
        assert_eq!((rule.when, rule.trigger.skip, rule.channel), (Moment::After, 1, Some(Channel::Cli)));
        let simple: FaultRule = serde_json::from_str(r#"{"kind":"lyingRemoval"}"#).unwrap();
        assert!(simple.matches(&Call::cli("removevlun")) && simple.fault.removal_anomaly().is_some());
    }
}
