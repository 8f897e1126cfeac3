//! The iSCSI front end (RFC 7143): one target for each iSCSI port of the array, on the array's own state.
//!
//! [`wire`] is what goes over a connection, for targets and initiators alike. The target is cut by subject: `login` with `chap` and
//! `parameters`, `discovery`, `session` (the full feature phase, a state machine without I/O) with
//! `answers` and `task_management`, `transfer` (data on its way in),
//! `outbox` (data on its way out), `connection` (the one task that reads and writes), `target` (who is logged in).
//! What a SCSI command does is in [`scsi`](crate::scsi).

mod answers;
mod chap;
mod connection;
mod discovery;
mod login;
mod outbox;
mod parameters;
mod session;
mod target;
mod task_management;
mod transfer;
pub mod wire;

pub(crate) use self::connection::serve;
pub(crate) use self::target::{Portal, Target};
