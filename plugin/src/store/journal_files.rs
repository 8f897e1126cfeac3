//! The node's journal on disk: one JSON file per volume, so that one bad file costs one volume, not the journal.
//!
//! A write goes to a new file that is synced and renamed over the old one, and the directory is synced: after a power
//! failure there is the old entry or the new one, never half of one.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use std::time::Duration;

use async_trait::async_trait;

use super::journal::{Journal, JournalEntry, JournalError};
use crate::volume::names::VolumeId;

/// Ending of the files of the journal.
const ENDING: &str = "json";
/// Ending of files that are being written; what is left of them after a crash is removed.
const UNFINISHED: &str = "new";

/// How long a change may take before its caller is told that the disk hangs.
const PATIENCE: Duration = Duration::from_secs(20);

/// The journal in `<state_dir>/volumes/<volume id>.json`, readable by root only.
#[derive(Debug, Clone)]
pub struct FileJournal {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    directory: PathBuf,
    /// Orders changes: a change that was asked for earlier but reaches the disk later is dropped.
    asked: AtomicU64,
    /// Order of the last change on disk, by volume. Held while a file is changed.
    done: Mutex<BTreeMap<VolumeId, u64>>,
}

/// What the journal's directory holds.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct JournalContents {
    /// Entries in order of volume id.
    pub entries: Vec<JournalEntry>,
    /// Files that are no entry: cut short, damaged, or of another version.
    pub unreadable: Vec<JournalError>,
}

impl FileJournal {
    /// Opens the journal below `state_dir`, making the directory if needed and removing files of interrupted writes.
    ///
    /// # Errors
    /// [`JournalError`] naming the directory when it cannot be made or read.
    pub fn open(state_dir: &Path) -> Result<Self, JournalError> {
        let directory = state_dir.join("volumes");
        let opened = DirBuilder::new().recursive(true).mode(0o700).create(&directory).and_then(|()| {
            let left_over = files(&directory, UNFINISHED)?;
            left_over.iter().try_for_each(fs::remove_file)
        });
        opened.map_err(|error| failure(&directory, &error))?;
        let shared = Shared { directory, asked: AtomicU64::new(0), done: Mutex::default() };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Reads everything, the unreadable files apart.
    ///
    /// # Errors
    /// [`JournalError`] when the directory itself cannot be read.
    pub async fn contents(&self) -> Result<JournalContents, JournalError> {
        self.on_disk(Shared::contents).await
    }

    /// Runs `work` where blocking is allowed. It is carried through even when the caller stops waiting.
    async fn on_disk<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Shared) -> Result<T, JournalError> + Send + 'static,
    ) -> Result<T, JournalError> {
        let shared = Arc::clone(&self.shared);
        let path = shared.directory.display().to_string();
        let outcome = tokio::time::timeout(PATIENCE, tokio::task::spawn_blocking(move || work(&shared))).await;
        match outcome {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(error)) => Err(JournalError { path, reason: error.to_string() }),
            Err(_) => Err(JournalError { path, reason: format!("the disk did not answer within {PATIENCE:?}") }),
        }
    }

    fn next_order(&self) -> u64 {
        self.shared.asked.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[async_trait]
impl Journal for FileJournal {
    /// All readable entries; each unreadable file is reported in the log. [`FileJournal::contents`] has them too.
    async fn entries(&self) -> Result<Vec<JournalEntry>, JournalError> {
        let contents = self.contents().await?;
        for error in &contents.unreadable {
            tracing::error!(file = %error.path, "journal entry skipped: {error}");
        }
        Ok(contents.entries)
    }

    async fn write(&self, entry: &JournalEntry) -> Result<(), JournalError> {
        let (order, id) = (self.next_order(), entry.id);
        let path = self.shared.path(id);
        let text = serde_json::to_vec_pretty(entry).map_err(|error| failure(&path, &error.into()))?;
        self.on_disk(move |shared| shared.change(id, order, |path| replace(path, &text))).await
    }

    async fn forget(&self, id: VolumeId) -> Result<(), JournalError> {
        let order = self.next_order();
        self.on_disk(move |shared| shared.change(id, order, remove)).await
    }
}

impl Shared {
    fn path(&self, id: VolumeId) -> PathBuf {
        self.directory.join(format!("{id}.{ENDING}"))
    }

    /// Makes a change to a volume's file unless a later one has been made, and syncs the directory.
    fn change(
        &self,
        id: VolumeId,
        order: u64,
        change: impl FnOnce(&Path) -> io::Result<()>,
    ) -> Result<(), JournalError> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        if done.get(&id).is_some_and(|later| *later > order) {
            return Ok(());
        }
        let path = self.path(id);
        let changed = change(&path).and_then(|()| File::open(&self.directory)?.sync_all());
        changed.map_err(|error| failure(&path, &error))?;
        done.insert(id, order);
        Ok(())
    }

    fn contents(&self) -> Result<JournalContents, JournalError> {
        let _no_change_meanwhile = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        let files = files(&self.directory, ENDING).map_err(|error| failure(&self.directory, &error))?;
        let mut contents = JournalContents::default();
        for path in files {
            match self.read(&path) {
                Ok(entry) => contents.entries.push(entry),
                Err(error) => contents.unreadable.push(failure(&path, &error)),
            }
        }
        Ok(contents)
    }

    fn read(&self, path: &Path) -> io::Result<JournalEntry> {
        let entry: JournalEntry = serde_json::from_slice(&fs::read(path)?)?;
        if self.path(entry.id) == path {
            Ok(entry)
        } else {
            Err(io::Error::other(format!("it is about volume {}", entry.id)))
        }
    }
}

/// Writes `text` to a new file beside `path`, syncs it and renames it to `path`.
fn replace(path: &Path, text: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(UNFINISHED);
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let written = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished).and_then(|mut file| {
        file.write_all(text)?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    });
    if written.is_err() {
        // Best effort: what stays is removed when the journal is opened next.
        let _ = fs::remove_file(&unfinished);
    }
    written
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        done => done,
    }
}

/// Files in `directory` with the ending, in order of name.
fn files(directory: &Path, ending: &str) -> io::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for file in fs::read_dir(directory)? {
        let path = file?.path();
        if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn failure(path: &Path, error: &io::Error) -> JournalError {
    JournalError { path: path.display().to_string(), reason: error.to_string() }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;
    use crate::node::BootId;
    use crate::volume::record::Epoch;

    fn an_entry(number: u128) -> JournalEntry {
        let wwn = "60002AC0000000000000000200001234".parse().unwrap();
        JournalEntry {
            id: VolumeId(uuid::Uuid::from_u128(number)),
            name: format!("volume-{number}").parse().unwrap(),
            backend: "DEFAULT".to_owned(),
            array_name: "dcs-L4I73ONuTci9Fd4ceij-MQ".parse().unwrap(),
            wwn,
            epoch: Epoch::default(),
            boot: BootId::new("boot-1"),
            lun: None,
            mount_dir: PathBuf::from("/mnt/a"),
            device: PathBuf::from("/dev/dm-4"),
            mount_ids: vec!["one".to_owned(), "one".to_owned()],
            size_gib: 10,
            released: false,
            given_up: false,
            ahead_of_store: true,
        }
    }

    #[tokio::test]
    async fn entries_survive_a_restart() {
        let state = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        let (mut first, second) = (an_entry(1), an_entry(2));
        journal.write(&second).await.unwrap();
        journal.write(&first).await.unwrap();
        first.mount_ids.pop();
        journal.write(&first).await.unwrap();

        let reopened = FileJournal::open(state.path()).unwrap();
        assert_eq!(reopened.entries().await.unwrap(), [first, second.clone()]);
        reopened.forget(an_entry(1).id).await.unwrap();
        reopened.forget(an_entry(1).id).await.unwrap();
        assert_eq!(reopened.entries().await.unwrap(), [second]);
    }

    #[tokio::test]
    async fn only_root_may_read_the_files() {
        let state = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        journal.write(&an_entry(1)).await.unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&journal.shared.directory), 0o700);
        assert_eq!(mode(&journal.shared.path(an_entry(1).id)), 0o600);
    }

    #[tokio::test]
    async fn one_damaged_file_is_named_and_costs_only_its_own_volume() {
        let state = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        journal.write(&an_entry(1)).await.unwrap();
        journal.write(&an_entry(2)).await.unwrap();
        let damaged = journal.shared.path(an_entry(1).id);
        let whole = fs::read(&damaged).unwrap();
        fs::write(&damaged, &whole[..whole.len() / 2]).unwrap();
        fs::copy(journal.shared.path(an_entry(2).id), journal.shared.path(an_entry(3).id)).unwrap();

        let contents = journal.contents().await.unwrap();
        assert_eq!(contents.entries, [an_entry(2)]);
        let named: Vec<String> = contents.unreadable.iter().map(|error| error.path.clone()).collect();
        assert_eq!(named, [damaged.display().to_string(), journal.shared.path(an_entry(3).id).display().to_string()]);
        assert_eq!(journal.entries().await.unwrap(), [an_entry(2)]);
    }

    #[tokio::test]
    async fn what_an_interrupted_write_left_is_removed() {
        let state = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        journal.write(&an_entry(1)).await.unwrap();
        let left = journal.shared.path(an_entry(1).id).with_extension(UNFINISHED);
        fs::write(&left, b"{").unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        assert!(!left.exists());
        assert_eq!(journal.entries().await.unwrap(), [an_entry(1)]);
    }

    #[tokio::test]
    async fn a_change_overtaken_by_a_later_one_is_dropped() {
        let state = tempfile::tempdir().unwrap();
        let journal = FileJournal::open(state.path()).unwrap();
        let earlier = journal.next_order();
        journal.write(&an_entry(1)).await.unwrap();
        journal.shared.change(an_entry(1).id, earlier, remove).unwrap();
        assert_eq!(journal.entries().await.unwrap(), [an_entry(1)]);
    }

    #[tokio::test]
    async fn a_directory_that_cannot_be_made_is_named() {
        let state = tempfile::tempdir().unwrap();
        let file = state.path().join("file");
        fs::write(&file, b"").unwrap();
        let error = FileJournal::open(&file).unwrap_err();
        assert!(error.to_string().contains("file/volumes"), "{error}");
    }
}
