//! What is mounted: `/proc/self/mountinfo` (proc(5)), the only table that tells the truth about this mount namespace.
//!
//! Nothing here touches a mounted filesystem: a `stat` of a mount point may hang on a device without paths.

use std::ffi::OsString;
use std::fmt;
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

/// Number of a device, `major:minor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct DeviceNumber {
    pub(super) major: u32,
    pub(super) minor: u32,
}

impl DeviceNumber {
    /// From a `dev_t` as the kernel hands it to programs.
    pub(super) fn of(dev: u64) -> Self {
        Self { major: rustix::fs::major(dev), minor: rustix::fs::minor(dev) }
    }

    /// From the text `8:16`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (major, minor) = text.trim().split_once(':')?;
        Some(Self { major: major.parse().ok()?, minor: minor.parse().ok()? })
    }
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.major, self.minor)
    }
}

/// One line of the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mount {
    /// Device of the filesystem.
    pub(super) device: DeviceNumber,
    /// Directory of the filesystem that is mounted; `/` unless it is a bind mount of a part.
    pub(super) root: PathBuf,
    /// Where it is mounted.
    pub(super) at: PathBuf,
    /// Type of filesystem.
    pub(super) filesystem: String,
    /// What was given as source, usually a device.
    pub(super) source: OsString,
    /// Options of the filesystem itself.
    pub(super) super_options: String,
}

impl Mount {
    /// The filesystem says that it stopped working: `emergency_ro` and `shutdown` are shown by ext4 of recent kernels
    /// (observed with 6.18). Older kernels show nothing; then this is `false`.
    pub(super) fn is_dead(&self) -> bool {
        self.super_options.split(',').any(|option| matches!(option, "emergency_ro" | "shutdown"))
    }
}

/// Reads the table of this process.
///
/// # Errors
/// The file cannot be read, or a line is not understood: then nothing is concluded from the rest.
pub(super) fn mounts(proc_root: &Path) -> io::Result<Vec<Mount>> {
    let table = std::fs::read(proc_root.join("self/mountinfo"))?;
    parse(&table).map_err(io::Error::other)
}

/// The topmost mount at a directory. Later lines cover earlier ones.
pub(super) fn topmost<'m>(mounts: &'m [Mount], dir: &Path) -> Option<&'m Mount> {
    mounts.iter().rfind(|mount| mount.at == dir)
}

/// A line that is no line of mountinfo.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {0} of mountinfo is not understood")]
pub(super) struct NotUnderstood(usize);

pub(super) fn parse(table: &[u8]) -> Result<Vec<Mount>, NotUnderstood> {
    let lines = table.split(|byte| *byte == b'\n').enumerate().filter(|(_, line)| !line.is_empty());
    lines.map(|(number, line)| parse_line(line).ok_or(NotUnderstood(number + 1))).collect()
}

/// `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue`
fn parse_line(line: &[u8]) -> Option<Mount> {
    let mut fields = line.split(|byte| *byte == b' ');
    let device = DeviceNumber::parse(std::str::from_utf8(fields.nth(2)?).ok()?)?;
    let root = PathBuf::from(unescape(fields.next()?));
    let at = PathBuf::from(unescape(fields.next()?));
    let _mount_options = fields.next()?;
    fields.find(|field| *field == b"-")?;
    let filesystem = String::from_utf8_lossy(fields.next()?).into_owned();
    let source = unescape(fields.next()?);
    let super_options = String::from_utf8_lossy(fields.next().unwrap_or_default()).into_owned();
    Some(Mount { device, root, at, filesystem, source, super_options })
}

/// The kernel writes blank, tab, line feed and backslash as `\ooo`.
fn unescape(field: &[u8]) -> OsString {
    let mut bytes = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((&first, after)) = rest.split_first() {
        match (first, octal(after)) {
            (b'\\', Some((byte, after))) => {
                bytes.push(byte);
                rest = after;
            }
            _ => {
                bytes.push(first);
                rest = after;
            }
        }
    }
    OsString::from_vec(bytes)
}

fn octal(text: &[u8]) -> Option<(u8, &[u8])> {
    let (digits, after) = text.split_at_checked(3)?;
    let value = digits.iter().try_fold(0_u32, |value, digit| match digit {
        b'0'..=b'7' => Some(value * 8 + u32::from(digit - b'0')),
        _ => None,
    })?;
    Some((u8::try_from(value).ok()?, after))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt as _;

    use proptest::prelude::*;

    use super::*;

    const TABLE: &str = "22 1 0:20 / / rw,relatime shared:1 - overlay overlay rw,lowerdir=/a\\040b\n\
        36 22 253:4 / /opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac0 rw,relatime shared:7 master:2 - ext4 /dev/dm-4 rw,emergency_ro\n\
        37 22 253:4 /sub\\040dir /mnt/with\\040blank\\134and\\011tab rw - ext4 /dev/dm-4 rw\n";

    #[test]
    fn lines_with_any_number_of_optional_fields_are_read() {
        let mounts = parse(TABLE.as_bytes()).unwrap();
        assert_eq!(mounts.len(), 3);
        assert_eq!(mounts[1].device, DeviceNumber { major: 253, minor: 4 });
        assert!(mounts[1].is_dead() && !mounts[2].is_dead());
        assert_eq!(mounts[2].root, Path::new("/sub dir"));
        assert_eq!(mounts[2].at, Path::new("/mnt/with blank\\and\ttab"));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error_and_not_skipped() {
        for bad in ["garbage", "1 2 x:y / / rw - ext4 /dev/sda rw", "1 2 8:0 / / rw shared:1 ext4 /dev/sda rw"] {
            assert_eq!(parse(format!("{TABLE}{bad}\n").as_bytes()), Err(NotUnderstood(4)), "{bad}");
        }
    }

    #[test]
    fn the_last_mount_covers_the_others() {
        let two = "1 0 8:0 / /mnt rw - ext4 /dev/sda rw\n2 1 8:1 / /mnt rw - xfs /dev/sdb rw\n";
        let mounts = parse(two.as_bytes()).unwrap();
        assert_eq!(topmost(&mounts, Path::new("/mnt")).unwrap().filesystem, "xfs");
        assert_eq!(topmost(&mounts, Path::new("/other")), None);
    }

    #[test]
    fn the_table_of_this_process_is_understood() {
        let mounts = mounts(Path::new("/proc")).unwrap();
        assert!(mounts.iter().any(|mount| mount.at == Path::new("/")));
    }

    /// What the kernel does on its side (`seq_path` with the escapes " \t\n\\").
    fn escape(text: &[u8]) -> Vec<u8> {
        let escaped = |byte: &u8| match byte {
            b' ' | b'\t' | b'\n' | b'\\' => format!("\\{byte:03o}").into_bytes(),
            other => vec![*other],
        };
        text.iter().flat_map(escaped).collect()
    }

    proptest! {
        #[test]
        fn every_path_is_read_back(path in proptest::collection::vec(1_u8..=255, 1..60)) {
            let mut line = b"36 35 98:0 / ".to_vec();
            line.extend(escape(&path));
            line.extend(b" rw - ext4 /dev/x rw\n");
            let mounts = parse(&line).unwrap();
            prop_assert_eq!(mounts[0].at.as_os_str(), OsStr::from_bytes(&path));
        }

        #[test]
        fn no_table_panics(table in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&table);
        }
    }
}
