//! Stops a filesystem for good: nothing of it is written back any more.
//!
//! The only file with `unsafe`: the request has no safe wrapper in any library.

use std::io;
use std::os::fd::AsFd;

use rustix::ioctl::{Setter, ioctl, opcode};

/// `EXT4_IOC_SHUTDOWN` of ext4 and `XFS_IOC_GOINGDOWN` of XFS: the same number, `_IOR('X', 125, __u32)`.
const SHUTDOWN: rustix::ioctl::Opcode = opcode::read::<u32>(b'X', 125);
/// Without writing the journal: `EXT4_GOING_FLAGS_NOLOGFLUSH`, `XFS_FSOP_GOING_FLAGS_NOLOGFLUSH`.
const NOTHING_IS_WRITTEN: u32 = 2;

/// Shuts down the filesystem of an open file or directory. Done twice is no error.
///
/// # Errors
/// What the kernel said; `ENOTTY` from a filesystem that cannot be shut down.
pub(super) fn shut_down(of: impl AsFd) -> io::Result<()> {
    // SAFETY: the kernel reads one u32 through the pointer for this number (fs/ext4/ioctl.c, fs/xfs/xfs_ioctl.c), which is
    // what `Setter` with a `u32` passes; other filesystems and drivers answer ENOTTY and touch nothing.
    #[allow(unsafe_code)]
    let done = unsafe { ioctl(of, Setter::<SHUTDOWN, u32>::new(NOTHING_IS_WRITTEN)) };
    done.map_err(io::Error::from)
}
