//! The Linux node against this kernel where it can be, and against a made-up sysfs with stand-in tools where not.

mod attaching;
mod fake_host;
mod inspecting;
mod loop_device;
mod requirements;
