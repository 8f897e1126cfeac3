//! What is on a device: a look at its first and last MiB. A read that fails is a failure, never "blank": a device that
//! cannot be read yet looks empty to careless tools, and mkfs would follow.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use crate::node::Content;

/// How much is looked at at either end, in bytes.
const LOOKED_AT: u64 = 1 << 20;
/// Alignment that direct reads need on every device.
const ALIGNMENT: usize = 4096;

/// Reads both ends and tells what is there.
///
/// # Errors
/// The device cannot be opened or read to the full length.
pub(super) fn probe(path: &Path) -> io::Result<Content> {
    let mut device = open(path)?;
    let size = device.seek(SeekFrom::End(0))?;
    if size == 0 {
        return Err(io::Error::other("the device has no size yet"));
    }
    let length = size.min(LOOKED_AT);
    let head = read_at(&mut device, 0, length)?;
    if let Some(filesystem) = filesystem(&head) {
        return Ok(Content::Filesystem(filesystem.to_owned()));
    }
    let tail = read_at(&mut device, size - length, length)?;
    let blank = head.iter().chain(&tail).all(|byte| *byte == 0);
    Ok(if blank { Content::Blank } else { Content::Other })
}

/// Past the page cache, where the device can: what counts is what the array has.
fn open(path: &Path) -> io::Result<File> {
    let direct = i32::try_from(rustix::fs::OFlags::DIRECT.bits()).unwrap_or(0);
    match OpenOptions::new().read(true).custom_flags(direct).open(path) {
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INVAL.raw_os_error()) => File::open(path),
        opened => opened,
    }
}

fn read_at(device: &mut File, at: u64, length: u64) -> io::Result<Vec<u8>> {
    let length = usize::try_from(length).map_err(io::Error::other)?;
    device.seek(SeekFrom::Start(at))?;
    let mut buffer = vec![0; length + ALIGNMENT];
    let start = buffer.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
    let Some(aligned) = buffer.get_mut(start..start + length) else { return Err(io::Error::other("no memory")) };
    device.read_exact(aligned)?;
    Ok(aligned.to_vec())
}

/// The filesystem whose superblock is in the first bytes, if it is one the plugin mounts.
pub(super) fn filesystem(head: &[u8]) -> Option<&'static str> {
    if head.starts_with(b"XFSB") {
        // `sb_inprogress`: mkfs.xfs has not finished (XFS Algorithms & Data Structures, "Superblocks").
        return (head.get(126) == Some(&0)).then_some("xfs");
    }
    extended_filesystem(head.get(1024..2048)?)
}

/// The ext family by its features (ext4 documentation of the kernel, "Super Block").
fn extended_filesystem(superblock: &[u8]) -> Option<&'static str> {
    let word = |at: usize| Some(u32::from_le_bytes(superblock.get(at..at + 4)?.try_into().ok()?));
    if superblock.get(0x38..0x3a)? != [0x53, 0xef] {
        return None;
    }
    let (compatible, incompatible) = (word(0x5c)?, word(0x60)?);
    let has_journal = compatible & 0x4 != 0;
    // Extents, 64 bit, flexible groups and everything younger belong to ext4 alone.
    let is_ext4 = incompatible & !0x1f != 0;
    Some(match (is_ext4, has_journal) {
        (true, _) => "ext4",
        (false, true) => "ext3",
        (false, false) => "ext2",
    })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn with(size: u64, writes: &[(u64, &[u8])]) -> Content {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.as_file().set_len(size).unwrap();
        for (at, bytes) in writes {
            file.as_file_mut().seek(SeekFrom::Start(*at)).unwrap();
            file.write_all(bytes).unwrap();
        }
        file.as_file().sync_all().unwrap();
        probe(file.path()).unwrap()
    }

    const MIB: u64 = 1 << 20;

    #[test]
    fn zeros_at_both_ends_are_blank_and_anything_else_is_not() {
        assert_eq!(with(8 * MIB, &[]), Content::Blank);
        assert_eq!(with(MIB / 2, &[]), Content::Blank);
        assert_eq!(
            with(8 * MIB, &[(8 * MIB - 1, &[1])]),
            Content::Other,
            "a backup partition table is at the very end"
        );
        assert_eq!(with(8 * MIB, &[(MIB - 1, &[1])]), Content::Other);
        assert_eq!(with(8 * MIB, &[(510, &[0x55, 0xaa])]), Content::Other);
        assert_eq!(with(8 * MIB, &[(4 * MIB, &[1])]), Content::Blank, "the middle is not read");
    }

    #[test]
    fn superblocks_are_named() {
        let ext = |compatible: u32, incompatible: u32| {
            let mut superblock = vec![0; 1024];
            superblock[0x38..0x3a].copy_from_slice(&[0x53, 0xef]);
            superblock[0x5c..0x60].copy_from_slice(&compatible.to_le_bytes());
            superblock[0x60..0x64].copy_from_slice(&incompatible.to_le_bytes());
            superblock
        };
        for (superblock, expected) in
            [(ext(0, 2), "ext2"), (ext(4, 6), "ext3"), (ext(4, 0x2c2), "ext4"), (ext(0, 0x42), "ext4")]
        {
            assert_eq!(with(8 * MIB, &[(1024, &superblock)]), Content::Filesystem(expected.into()));
        }
        assert_eq!(with(8 * MIB, &[(0, b"XFSB")]), Content::Filesystem("xfs".into()));
    }

    #[test]
    fn what_cannot_be_read_is_an_error() {
        assert!(probe(Path::new("/nonexistent")).is_err());
        assert!(probe(Path::new("/")).is_err());
        let empty = tempfile::NamedTempFile::new().unwrap();
        assert!(probe(empty.path()).is_err());
    }
}
