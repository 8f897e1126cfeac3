//! Reads and writes of sysfs files. A device may vanish between two reads, which is an answer and no error.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

use rustix::io::Errno;

/// The kernel says that the object is not there any more.
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::NOENT, Errno::NODEV, Errno::NXIO, Errno::NOTDIR];
    gone.iter().any(|errno| error.raw_os_error() == Some(errno.raw_os_error()))
}

/// Text of an attribute without blanks around it; `None` when it is not there.
pub(super) fn text(path: &Path) -> io::Result<Option<String>> {
    Ok(bytes(path)?.map(|bytes| String::from_utf8_lossy(&bytes).trim().to_owned()))
}

/// Bytes of an attribute; `None` when it is not there.
pub(super) fn bytes(path: &Path) -> io::Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Names in a directory, in order; none when it is not there.
pub(super) fn names(directory: &Path) -> io::Result<Vec<String>> {
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if is_gone(&error) => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let mut names = Vec::new();
    for entry in entries {
        names.push(entry?.file_name().to_string_lossy().into_owned());
    }
    names.sort();
    Ok(names)
}

/// Writes a command to an attribute. `false`: it is not there.
pub(super) fn write(path: &Path, command: &str) -> io::Result<bool> {
    let written = OpenOptions::new().write(true).open(path).and_then(|mut file| file.write_all(command.as_bytes()));
    match written {
        Ok(()) => Ok(true),
        Err(error) if is_gone(&error) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Last component of the directory a link leads to; `None` when the link is not there.
pub(super) fn target_name(link: &Path) -> io::Result<Option<String>> {
    match fs::canonicalize(link) {
        Ok(target) => Ok(target.file_name().map(|name| name.to_string_lossy().into_owned())),
        Err(error) if is_gone(&error) => Ok(None),
        Err(error) => Err(error),
    }
}
