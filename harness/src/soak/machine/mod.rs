//! One worker node as a process: a simulated machine, the production plugin on it, and the containers' applications.
//!
//! Killing the process is a power cut: kernel, plugin and applications are gone, and nothing gets a chance to do anything. SIGSTOP
//! freezes the machine as a paused virtual machine is frozen. Killing the plugin alone is asked for at the machine's
//! console; kernel and containers go on.

mod application;
mod console;
mod console_server;
mod process;
mod sectors;

pub use application::AppReport;
pub use console::{Console, ConsoleError, Order, Report, Status};
pub(crate) use process::until_nobody_holds_the_other_end;
pub use process::{MachinePlan, run};
