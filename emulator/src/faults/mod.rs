//! The fault plan: which calls go wrong, when, and how.
//!
//! Front ends and callers in the same process describe each call and get a [`Verdict`]; the plan itself does nothing. The same calls
//! in the same order with the same seed get the same verdicts.

mod glob;
mod plan;
mod rule;

pub use self::glob::glob_matches;
pub use self::plan::{FaultPlan, RuleCounters, RuleId, Verdict};
pub use self::rule::{Call, FaultKind, FaultRule, Moment, Trigger};
