//! A hook before and after every step of the node port: where tests delay, fail, hang or kill.

use std::time::Duration;

/// Names of the steps, in the order a mount and an unmount take them. Enumerated for cut points.
pub const STEPS: [&str; 21] = [
    "facts",
    "inspect",
    "luns_present",
    "volumes_present",
    "purge_stale_lun",
    "attach",
    "probe",
    "make_filesystem",
    "mount",
    "set_root_access",
    "sync_filesystem",
    "unmount",
    "device_use",
    "flush_map",
    "delete_paths",
    "shutdown_filesystem",
    "fail_queued_io",
    "unmount_fenced",
    // Steps of the world around the port.
    "append",
    "fsync",
    "run_container",
];

/// Before or after the effect of a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Moment {
    /// The step has not begun.
    Before,
    /// The step has taken effect, its caller has not heard of it.
    After,
}

/// What is to happen at a moment of a step.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Injection {
    /// Nothing.
    #[default]
    None,
    /// Wait.
    Delay(Duration),
    /// The step fails with this reason; at [`Moment::After`] its effect stays.
    Fail(String),
    /// The caller never hears of the step again.
    Hang,
    /// The kernel takes so much longer for it, whether or not its caller still waits. Only at [`Moment::Before`].
    Late(Duration),
    /// The caller hears nothing until its deadline is over; the effect stays. Only at [`Moment::After`].
    AnswerLost,
    /// The caller gives way once, so that whoever stopped it finds it stopped here.
    Yield,
}

/// Decides what happens at each step of one node. To crash at a step, the hook kills and returns [`Injection::Hang`].
pub trait StepHook: Send + Sync {
    /// Asked before and after each step; `object` is the device, directory or WWN. Must not block.
    fn at(&self, step: &'static str, object: &str, moment: Moment) -> Injection;
}

/// A hook that never does anything.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoHook;

impl StepHook for NoHook {
    fn at(&self, _: &'static str, _: &str, _: Moment) -> Injection {
        Injection::None
    }
}
