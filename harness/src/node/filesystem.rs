//! The filesystem: an append-only log in the page cache, written back by fsync, unmount and the flusher.

use std::path::Path;
use std::sync::Arc;

use hpe3par_docker_plugin::array::Wwn;
use hpe3par_docker_plugin::node::{Content, Device, Filesystem as Kind};
use tokio::time::sleep;

use super::events::NodeEvent;
use super::fabric::{BLOCK, BlockWrite, Life};
use super::format::{FilesystemId, LOG_START, Record, RecordId, SUPERBLOCK, Superblock, extend_chain};
use super::io::IoError;
use super::kernel::{Filesystem, FilesystemNumber, FilesystemState, HOST, Mount};
use super::machine::Machine;

/// Blocks of the log read at once.
const READ_AHEAD: u64 = 32;

impl Machine {
    /// A new life: the label of all writes of a mount or mkfs made now.
    fn new_life(&self, wwn: &Wwn) -> Life {
        let node = self.identity.hostname.clone();
        let epoch = self.world.epochs.epoch_of(&node, wwn);
        let mut state = self.state();
        state.kernel.mounts_made += 1;
        Life { boot: state.boots, mount: state.kernel.mounts_made, node, epoch }
    }

    /// Writes one block of the device.
    pub(super) async fn write_block(&self, wwn: &Wwn, life: &Life, block: u64, data: Vec<u8>) -> Result<(), IoError> {
        self.write_map(wwn, &BlockWrite { block, data, meant_for: wwn.clone(), life: life.clone() }).await
    }

    /// Looks at head and tail of the device.
    pub(super) async fn look_at(&self, wwn: &Wwn) -> Result<Content, IoError> {
        let blocks = self.capacity(wwn).await?;
        let head = self.read_map(wwn, SUPERBLOCK, LOG_START + 1).await?;
        if let Some(superblock) = Superblock::decode(&head) {
            let name = if superblock.kind == Kind::Xfs { "xfs" } else { "ext4" };
            return Ok(Content::Filesystem(name.to_owned()));
        }
        let tail = self.read_map(wwn, blocks.saturating_sub(LOG_START), LOG_START.min(blocks)).await?;
        let blank = head.iter().chain(&tail).all(|byte| *byte == 0);
        Ok(if blank { Content::Blank } else { Content::Other })
    }

    /// Makes a filesystem: superblock last, so that half a filesystem is none.
    pub(super) async fn make(&self, wwn: &Wwn, kind: Kind) -> Result<(), IoError> {
        let life = self.new_life(wwn);
        let superblock = Superblock { kind, id: FilesystemId::made_by(&life), mounts: 0, clean: true };
        self.observe(NodeEvent::FilesystemMade { wwn: wwn.clone(), life: life.clone() });
        self.state().kernel.hold(wwn);
        let mut made = self.write_block(wwn, &life, LOG_START, vec![0; BLOCK]).await;
        if made.is_ok() {
            made = self.write_block(wwn, &life, SUPERBLOCK, superblock.encode()).await;
        }
        self.state().kernel.let_go(wwn);
        made
    }

    /// Reads superblock and log as a mount does.
    async fn read_filesystem(&self, wwn: &Wwn) -> Result<Option<(Superblock, Vec<Record>)>, IoError> {
        let Some(superblock) = Superblock::decode(&self.read_map(wwn, SUPERBLOCK, 1).await?) else { return Ok(None) };
        let end = self.capacity(wwn).await?;
        let (mut records, mut block) = (Vec::new(), LOG_START);
        while block < end {
            let count = READ_AHEAD.min(end - block);
            let log = self.read_map(wwn, block, count).await?;
            if !extend_chain(&mut records, &log, superblock.id) {
                break;
            }
            block += count;
        }
        Ok(Some((superblock, records)))
    }

    /// Mounts the device at `dir` in the host's namespace. A filesystem that is in the kernel already is shown once
    /// more as it is, with its cache: nothing is read again.
    pub(super) async fn mount_at(&self, device: &Device, dir: &Path) -> Result<(), String> {
        {
            let mut state = self.state();
            if state.kernel.mounted_at(HOST, dir).is_some() {
                return Err("already mounted".to_owned());
            }
            if state.kernel.map_of(device).is_none() {
                return Err("no such device".to_owned());
            }
            if let Some(filesystem) = state.kernel.filesystem_on(&device.wwn) {
                state.kernel.mounts.push(Mount { namespace: HOST, dir: dir.to_owned(), filesystem });
                return Ok(());
            }
            state.kernel.hold(&device.wwn);
        }
        let mounted = self.read_and_mount(device, dir).await;
        self.state().kernel.let_go(&device.wwn);
        mounted
    }

    /// The part of a mount that does I/O: reads superblock and log, marks the filesystem as mounted, keeps it.
    async fn read_and_mount(&self, device: &Device, dir: &Path) -> Result<(), String> {
        let wwn = &device.wwn;
        let read = self.read_filesystem(wwn).await.map_err(|e| e.to_string())?;
        let (mut superblock, records) = read.ok_or("wrong fs type, bad superblock")?;
        let life = self.new_life(wwn);
        let chain = records.iter().map(Record::id).collect();
        self.observe(NodeEvent::Mounted { wwn: wwn.clone(), life: life.clone(), dir: dir.to_owned(), chain });
        superblock.mounts += 1;
        superblock.clean = false;
        let marked = self.write_block(wwn, &life, SUPERBLOCK, superblock.encode()).await.map_err(|e| e.to_string());
        let mounted = marked.and_then(|()| self.keep_mounted(device, dir, life.clone(), superblock, records));
        if mounted.is_err() {
            self.observe(NodeEvent::Unmounted { wwn: wwn.clone(), life });
        }
        mounted
    }

    fn keep_mounted(
        &self,
        device: &Device,
        dir: &Path,
        life: Life,
        superblock: Superblock,
        records: Vec<Record>,
    ) -> Result<(), String> {
        let mut state = self.state();
        let kernel = &mut state.kernel;
        kernel.map_of(device).ok_or("the device went away")?;
        if kernel.mounted_at(HOST, dir).is_some() || kernel.filesystem_on(&device.wwn).is_some() {
            return Err("already mounted".to_owned());
        }
        let (number, durable) = (kernel.number(), records.len());
        let filesystem = Filesystem {
            wwn: device.wwn.clone(),
            life,
            superblock,
            records,
            durable,
            state: FilesystemState::Alive,
            flusher: false,
            writing: Arc::default(),
        };
        kernel.filesystems.insert(number, filesystem);
        kernel.mounts.push(Mount { namespace: HOST, dir: dir.to_owned(), filesystem: number });
        Ok(())
    }

    /// Appends a record to the page cache and sends a flusher off.
    pub(super) fn append_to(self: &Arc<Self>, number: FilesystemNumber, text: &str) -> Result<RecordId, String> {
        let (id, start_flusher) = {
            let mut state = self.state();
            let fs = state.kernel.filesystems.get_mut(&number).ok_or("not mounted")?;
            if fs.state != FilesystemState::Alive {
                return Err("Read-only file system".to_owned());
            }
            let record = Record::after(fs.superblock.id, fs.records.last(), &fs.life, text);
            let id = record.id();
            fs.records.push(record);
            (id, !std::mem::replace(&mut fs.flusher, true))
        };
        if start_flusher {
            let machine = self.clone();
            self.run(Box::pin(async move {
                sleep(machine.options.flush_after).await;
                if let Some(fs) = machine.state().kernel.filesystems.get_mut(&number) {
                    fs.flusher = false;
                }
                // The flusher has nobody to tell; the next fsync hears of the error.
                let _ = machine.write_back(number).await;
            }));
        }
        Ok(id)
    }

    /// Writes everything dirty back, in order; gives the last record that is on the device.
    pub(super) async fn write_back(&self, number: FilesystemNumber) -> Result<Option<RecordId>, String> {
        let writing = self.state().kernel.filesystems.get(&number).map(|fs| fs.writing.clone()).ok_or("not mounted")?;
        let _one_at_a_time = writing.lock().await;
        loop {
            let (wwn, life, block, data) = {
                let state = self.state();
                let fs = state.kernel.filesystems.get(&number).ok_or("not mounted")?;
                if fs.state != FilesystemState::Alive {
                    return Err("Input/output error: the filesystem is shut down".to_owned());
                }
                match fs.records.get(fs.durable) {
                    None => return Ok(fs.records.last().map(Record::id)),
                    Some(record) => (fs.wwn.clone(), fs.life.clone(), record.block(), record.encode(fs.superblock.id)),
                }
            };
            let written = self.write_block(&wwn, &life, block, data).await;
            let mut state = self.state();
            let Some(fs) = state.kernel.filesystems.get_mut(&number) else { return Err("not mounted".to_owned()) };
            match written {
                Ok(()) => fs.durable += 1,
                Err(error) => {
                    drop(state);
                    self.stop(number, FilesystemState::Aborted);
                    return Err(error.to_string());
                }
            }
        }
    }

    /// `fsync`: success means everything appended before is on the device.
    pub(super) async fn fsync(&self, number: FilesystemNumber) -> Result<Option<RecordId>, String> {
        let record = self.write_back(number).await?;
        let labels = self.state().kernel.filesystems.get(&number).map(|fs| (fs.wwn.clone(), fs.life.clone()));
        if let (Some(record), Some((wwn, life))) = (record, labels) {
            self.observe(NodeEvent::Acknowledged { wwn, life, record });
        }
        Ok(record)
    }

    /// Stops a filesystem: its dirty pages are never written back. I/O already handed to the map is not called back.
    pub(super) fn stop(&self, number: FilesystemNumber, to: FilesystemState) {
        let event = {
            let mut state = self.state();
            let Some(fs) = state.kernel.filesystems.get_mut(&number).filter(|fs| fs.state == FilesystemState::Alive)
            else {
                return;
            };
            fs.state = to;
            let aborted = to == FilesystemState::Aborted;
            NodeEvent::Stopped { wwn: fs.wwn.clone(), life: fs.life.clone(), aborted }
        };
        self.observe(event);
    }

    /// Takes a filesystem without mounts out of the kernel, after writing it back if it is alive.
    pub(super) async fn put_away(&self, number: FilesystemNumber) {
        let clean = self.write_back(number).await.is_ok();
        let Some(writing) = self.state().kernel.filesystems.get(&number).map(|fs| fs.writing.clone()) else { return };
        let _nobody_writes = writing.lock().await;
        let last_write = {
            let state = self.state();
            let Some(fs) = state.kernel.filesystems.get(&number) else { return };
            let superblock = Superblock { clean: true, ..fs.superblock.clone() };
            clean.then(|| (fs.wwn.clone(), fs.life.clone(), superblock.encode()))
        };
        if let Some((wwn, life, data)) = last_write {
            // A failed last write leaves the filesystem marked as not clean, which is the truth.
            let _ = self.write_block(&wwn, &life, SUPERBLOCK, data).await;
        }
        let gone = {
            let mut state = self.state();
            let remounted = state.kernel.mounts.iter().any(|m| m.filesystem == number);
            if remounted { None } else { state.kernel.filesystems.remove(&number) }
        };
        if let Some(fs) = gone {
            self.observe(NodeEvent::Unmounted { wwn: fs.wwn, life: fs.life });
        }
    }
}
