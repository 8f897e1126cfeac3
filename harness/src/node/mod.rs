//! A simulated worker node: everything about a Linux host that makes fencing hard, without a kernel.
//!
//! [`SimulatedNode`] implements the plugin's node port over a [`Fabric`]. It keeps page cache and queued I/O that
//! is written late, SCSI devices that outlive their export, mount namespaces that hold a device after the host's
//! unmount, and writes that arrive at the array after their sender has died.

mod attaching;
mod by_hand;
mod container;
mod emulated_fabric;
mod events;
pub mod fabric;
mod filesystem;
pub mod format;
mod gate;
mod hook;
mod io;
mod kernel;
mod looking;
mod machine;
mod options;
mod port;
mod random;
mod sector;
mod steps;

#[cfg(test)]
mod tests;

pub use container::ContainerId;
pub use emulated_fabric::EmulatedFabric;
pub use events::{NoObserver, NodeEvent, NodeObserver};
pub use fabric::{Fabric, FabricError, Life};
pub use gate::{Gate, Gated};
pub use hook::{Injection, Moment, NoHook, STEPS, StepHook};
pub use kernel::{FilesystemState, ScsiAddress};
pub use machine::{Epochs, Leftovers, MachineIdentity, NoEpochs, NodeWorld, SimulatedNode};
pub use options::NodeOptions;
pub use random::Random;
