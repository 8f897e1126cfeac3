//! The node's id on disk: made once, kept over upgrades, the same for every process of the node.
//!
//! The file of the earlier plugin is used as it is, so that a node keeps its place in existing records.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};
use thiserror::Error;
use uuid::Uuid;

use super::NodeId;

/// Where the earlier plugin keeps the id, and so do we.
pub const NODE_ID_FILE: &str = "/etc/hpedockerplugin/.node_id";

/// Longest id taken; the plugin's own have 36 characters.
const LONGEST: usize = 128;

/// Why there is no node id.
#[derive(Debug, Error)]
pub enum NodeIdError {
    /// The file cannot be read or made.
    #[error(
        "node id file {path} cannot be {tried}: {reason}; check that its directory exists on the host and is writable"
    )]
    File {
        /// The file.
        path: String,
        /// `read` or `made`.
        tried: &'static str,
        /// What the kernel said.
        reason: io::Error,
    },
    /// The file holds no usable id. It is never replaced: the id in it may own volumes.
    #[error(
        "node id file {path} holds no usable id ({reason}); write this node's former id back, as volume records name it, \
         or remove the file if the node has no mounted volumes"
    )]
    Unusable {
        /// The file.
        path: String,
        /// What is wrong with its first line.
        reason: &'static str,
    },
}

/// Reads the node's id from `path`, or makes one (a random UUID) if there is no file.
///
/// Processes that make it at the same time all get the id of the first.
///
/// # Errors
/// [`NodeIdError`] when the file can neither be read nor made, or holds no usable id.
pub fn read_or_make(path: &Path) -> Result<NodeId, NodeIdError> {
    if let Some(id) = read(path)? {
        return Ok(id);
    }
    make(path, &Uuid::new_v4().to_string()).map_err(|reason| failed(path, "made", reason))?;
    let missing = || failed(path, "read", io::Error::from(io::ErrorKind::NotFound));
    read(path)?.ok_or_else(missing)
}

/// The node's id, if there is a file of it already. Makes nothing.
///
/// # Errors
/// As [`read_or_make`].
pub fn check(path: &Path) -> Result<Option<NodeId>, NodeIdError> {
    read(path)
}

fn read(path: &Path) -> Result<Option<NodeId>, NodeIdError> {
    let text = match fs::read(path) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(path, "read", error)),
    };
    let unusable = |reason| NodeIdError::Unusable { path: path.display().to_string(), reason };
    let text = std::str::from_utf8(&text).map_err(|_| unusable("it is not text"))?;
    let line = text.lines().next().unwrap_or_default().trim();
    match line {
        "" => Err(unusable("its first line is empty")),
        _ if line.len() > LONGEST => Err(unusable("its first line is too long")),
        // The id becomes part of keys in the metadata store.
        _ if line.contains(|c: char| c == '/' || !c.is_ascii_graphic()) => {
            Err(unusable("an id has no slash, blank or control character"))
        }
        _ => Ok(Some(NodeId::new(line))),
    }
}

/// Makes the file with its content complete and on disk from its first moment, unless another process was quicker.
fn make(path: &Path, id: &str) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    DirBuilder::new().recursive(true).mode(0o755).create(directory)?;
    let unfinished = unfinished_name(path);
    let made = write_new(&unfinished, id).and_then(|()| publish(&unfinished, path));
    match fs::remove_file(&unfinished) {
        // Renamed away.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        removed => removed?,
    }
    made?;
    File::open(directory)?.sync_all()
}

fn unfinished_name(path: &Path) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}", Uuid::new_v4()));
    path.with_file_name(name)
}

fn write_new(path: &Path, id: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o644).open(path)?;
    file.write_all(id.as_bytes())?;
    file.sync_all()
}

/// Gives the complete file its name unless the name is taken; a taken name is no error.
fn publish(unfinished: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(unfinished, path) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        // A filesystem without hard links.
        Err(_) => match renameat_with(CWD, unfinished, CWD, path, RenameFlags::NOREPLACE) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => Ok(()),
            Err(error) => Err(error.into()),
        },
    }
}

fn failed(path: &Path, tried: &'static str, reason: io::Error) -> NodeIdError {
    NodeIdError::File { path: path.display().to_string(), tried, reason }
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;
    use std::thread;

    use super::*;

    #[test]
    fn the_id_is_made_once_and_kept() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join("hpedockerplugin/.node_id");
        let id = read_or_make(&path).unwrap();
        assert!(Uuid::try_parse(id.as_str()).is_ok(), "{id}");
        assert_eq!(read_or_make(&path).unwrap(), id);
        let names: Vec<_> =
            fs::read_dir(path.parent().unwrap()).unwrap().map(|file| file.unwrap().file_name()).collect();
        assert_eq!(names, [".node_id"], "nothing is left beside it");
    }

    #[test]
    fn the_file_of_the_earlier_plugin_is_taken_by_its_first_line() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join(".node_id");
        fs::write(&path, " 4f1c1e0e-9df2-4f2e-b0e0-2f5f9a2a8b11 \r\nsecond line\n").unwrap();
        assert_eq!(read_or_make(&path).unwrap().as_str(), "4f1c1e0e-9df2-4f2e-b0e0-2f5f9a2a8b11");
    }

    #[test]
    fn all_that_race_get_the_same_id() {
        const RACERS: usize = 16;
        for _ in 0..20 {
            let etc = tempfile::tempdir().unwrap();
            let path = etc.path().join(".node_id");
            let start = Barrier::new(RACERS);
            let ids: Vec<NodeId> = thread::scope(|scope| {
                let race = || {
                    start.wait();
                    read_or_make(&path).unwrap()
                };
                let racers: Vec<_> = (0..RACERS).map(|_| scope.spawn(race)).collect();
                racers.into_iter().map(|racer| racer.join().unwrap()).collect()
            });
            assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
        }
    }

    #[test]
    fn an_unusable_file_is_named_and_left_alone() {
        let etc = tempfile::tempdir().unwrap();
        let path = etc.path().join(".node_id");
        for content in [&b""[..], b"\nid", b"a/b", b"a b", &[0xFF, 0xFE], &[b'a'; LONGEST + 1]] {
            fs::write(&path, content).unwrap();
            let error = read_or_make(&path).unwrap_err();
            assert!(error.to_string().contains(&path.display().to_string()), "{error}");
            assert_eq!(fs::read(&path).unwrap(), content);
        }
    }

    #[test]
    fn a_directory_in_its_place_is_an_error() {
        let etc = tempfile::tempdir().unwrap();
        assert!(matches!(read_or_make(etc.path()), Err(NodeIdError::File { tried: "read", .. })));
    }
}
