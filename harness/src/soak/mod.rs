//! The cluster tier with real processes: three etcd members, the array, and workers, each a process of its own, under
//! load and under faults drawn from a seed, for as long as one likes. Then everything is healed and judged.
//!
//! The same checkers as everywhere judge the history, which the processes write down as they go ([`told`]).

pub mod array_process;
pub mod backup;
pub mod clock;
pub mod closing;
pub mod deployment;
pub mod fact_log;
pub mod figures;
pub mod holder;
pub mod judging;
pub mod machine;
pub mod memory;
pub mod nemesis;
pub mod report;
pub mod report_files;
pub mod run;
pub mod san;
pub mod watching;
pub mod workload;
