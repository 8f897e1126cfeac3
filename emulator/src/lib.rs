//! An HPE 3PAR array in one process.
//!
//! [`array`] is the state machine with every rule; [`datapath`] lets initiators log in, read and write on the same state and keeps
//! the ledger of writes; [`faults`] decides which commands go wrong and how; [`Emulator`] is the handle that front ends and callers
//! in the same process share. It needs no runtime and no wall clock:
//!
//! ```
//! use std::time::Duration;
//! use hpe3par_emulator::Emulator;
//! use hpe3par_emulator::array::{ArrayConfig, CreateHost, CreateVlun, CreateVolume, Initiator, Lun, PortPos};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let emulator = Emulator::new(ArrayConfig::default());
//! let initiator = Initiator::parse("iqn.1994-05.com.redhat:h1")?;
//! emulator.with(|array, now| {
//!     array.create_volume(now, &CreateVolume::thin("v1", "FC_r6", 1024))?;
//!     array.create_host(now, &CreateHost::iscsi("h1", &["iqn.1994-05.com.redhat:h1"]))?;
//!     array.create_vlun(now, &CreateVlun::host_sees("v1", 7, "h1"))
//! })?;
//! let session = emulator.with(|array, now| array.login(now, &initiator, PortPos::new(0, 2, 1).unwrap()))?;
//! emulator.with(|array, now| array.write(now, session, Lun::new(7).unwrap(), 0, b"data", None))?;
//! assert_eq!(emulator.with(|array, _| array.ledger().accepted().count()), 1);
//! # Ok(())
//! # }
//! ```

pub mod array;
mod cli;
mod control;
pub mod datapath;
mod emulator;
pub mod faults;
pub mod fidelity;
pub mod iscsi;
pub mod scsi;
pub mod server;
mod wsapi;

pub use self::emulator::Emulator;
