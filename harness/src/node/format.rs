//! What the simulated filesystem puts on the disk: a superblock and a log of records chained by hash.
//!
//! Every block carries its own digest and the id of its filesystem, so that a block of another life, another
//! filesystem or another volume is never taken for part of the log. The chain is what lets a reader see that a
//! node with a stale cache wrote over what another node had acknowledged.

use std::fmt;

use hpe3par_docker_plugin::node::Filesystem;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::fabric::{BLOCK, Life};

/// Block of the superblock.
pub const SUPERBLOCK: u64 = 0;
/// First block of the log.
pub const LOG_START: u64 = 16;
/// Sectors that applications read and write by themselves, between the superblock and the log.
pub const SECTORS: u64 = 8;
/// Longest text of a record, in bytes.
pub const MAX_TEXT: usize = 100;

const SUPERBLOCK_MAGIC: &[u8; 8] = b"HPE-SB-1";
const SECTOR_MAGIC: &[u8; 8] = b"HPE-SEC1";
const RECORD_MAGIC: &[u8; 8] = b"HPE-LOG1";
const DIGEST: usize = 16;

/// Digest of a block; the link of the chain.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Link(pub [u8; DIGEST]);

impl fmt::Display for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().take(4).try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

fn digest(bytes: &[u8]) -> Link {
    let mut link = Link::default();
    link.0.copy_from_slice(&Sha256::digest(bytes)[..DIGEST]);
    link
}

/// Id of a filesystem: new with every mkfs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct FilesystemId(pub [u8; DIGEST]);

impl FilesystemId {
    /// The id of the filesystem that this life makes.
    #[must_use]
    pub fn made_by(life: &Life) -> Self {
        Self(digest(format!("{}/{}/{}/{}", life.node, life.boot, life.mount, life.epoch).as_bytes()).0)
    }
}

/// The superblock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Superblock {
    /// Kind of filesystem.
    pub kind: Filesystem,
    /// Id of the filesystem.
    pub id: FilesystemId,
    /// How often it was mounted.
    pub mounts: u64,
    /// Unmounted cleanly.
    pub clean: bool,
}

/// One appended record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Position in the log, from 0.
    pub number: u64,
    /// Who wrote it.
    pub life: Life,
    /// Link of the record before; all zeros for the first.
    pub previous: Link,
    /// What the application wrote.
    pub text: String,
    /// Link of this record.
    pub link: Link,
}

/// Number and link of a record: what an acknowledgement and a checker need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RecordId {
    /// Position in the log, from 0.
    pub number: u64,
    /// Link of the record, which also fixes everything before it.
    pub link: Link,
}

impl Record {
    /// A record after `previous`.
    #[must_use]
    pub fn after(filesystem: FilesystemId, previous: Option<&Record>, life: &Life, text: &str) -> Self {
        let text = shortened(text).to_owned();
        let number = previous.map_or(0, |record| record.number + 1);
        let mut record = Self {
            number,
            life: life.clone(),
            previous: previous.map_or(Link::default(), |record| record.link),
            text,
            link: Link::default(),
        };
        let block = record.encode(filesystem);
        record.link.0.copy_from_slice(&block[BLOCK - DIGEST..]);
        record
    }

    /// Number and link.
    #[must_use]
    pub fn id(&self) -> RecordId {
        RecordId { number: self.number, link: self.link }
    }

    /// Block on the device.
    #[must_use]
    pub fn block(&self) -> u64 {
        LOG_START + self.number
    }

    fn body(&self, filesystem: FilesystemId) -> Vec<u8> {
        let mut block = Block::new(RECORD_MAGIC);
        block.bytes(&filesystem.0);
        block.number(self.number);
        block.bytes(&self.previous.0);
        block.number(self.life.epoch);
        block.number(self.life.mount);
        block.number(self.life.boot);
        block.text(&self.life.node);
        block.text(&self.text);
        block.0
    }

    /// The record as one block.
    #[must_use]
    pub fn encode(&self, filesystem: FilesystemId) -> Vec<u8> {
        seal(self.body(filesystem))
    }

    /// Reads one block; `None` if it is no record of this filesystem.
    #[must_use]
    pub fn decode(block: &[u8], filesystem: FilesystemId) -> Option<Self> {
        let (mut body, link) = open(block, RECORD_MAGIC)?;
        if body.take(DIGEST)? != filesystem.0 {
            return None;
        }
        let number = body.number()?;
        let previous = Link(body.take(DIGEST)?.try_into().ok()?);
        let (epoch, mount, boot) = (body.number()?, body.number()?, body.number()?);
        let (node, text) = (body.text()?, body.text()?);
        Some(Self { number, life: Life { node, boot, mount, epoch }, previous, text, link })
    }
}

impl Superblock {
    /// The superblock as one block.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut block = Block::new(SUPERBLOCK_MAGIC);
        block.bytes(&self.id.0);
        block.number(self.mounts);
        block.bytes(&[u8::from(self.clean), u8::from(self.kind == Filesystem::Xfs)]);
        seal(block.0)
    }

    /// Reads one block; `None` if it is no superblock.
    #[must_use]
    pub fn decode(block: &[u8]) -> Option<Self> {
        let (mut body, _) = open(block, SUPERBLOCK_MAGIC)?;
        let id = FilesystemId(body.take(DIGEST)?.try_into().ok()?);
        let mounts = body.number()?;
        let flags = body.take(2)?;
        let kind = if flags[1] == 1 { Filesystem::Xfs } else { Filesystem::Ext4 };
        Some(Self { kind, id, mounts, clean: flags[0] == 1 })
    }
}

/// A sector that holds a value.
pub(super) fn sealed_sector(value: u64) -> Vec<u8> {
    let mut block = Block::new(SECTOR_MAGIC);
    block.number(value);
    seal(block.0)
}

/// The value of a sector; `None` if it was never written.
pub(super) fn value_of_sector(block: &[u8]) -> Option<u64> {
    open(block, SECTOR_MAGIC).and_then(|(mut body, _)| body.number())
}

/// The longest valid chain from the beginning of the log, as a journal replay finds it.
#[must_use]
pub fn replay(log: &[u8], filesystem: FilesystemId) -> Vec<Record> {
    let mut chain: Vec<Record> = Vec::new();
    extend_chain(&mut chain, log, filesystem);
    chain
}

/// Goes on replaying with the next blocks of the log; `false` when the chain has ended.
pub(crate) fn extend_chain(chain: &mut Vec<Record>, log: &[u8], filesystem: FilesystemId) -> bool {
    for block in log.chunks_exact(BLOCK) {
        let Some(record) = Record::decode(block, filesystem) else { return false };
        let (number, previous) = chain.last().map_or((0, Link::default()), |last| (last.number + 1, last.link));
        if record.number != number || record.previous != previous {
            return false;
        }
        chain.push(record);
    }
    true
}

/// A block being written.
struct Block(Vec<u8>);

impl Block {
    fn new(magic: &[u8; 8]) -> Self {
        let mut bytes = Vec::with_capacity(BLOCK);
        bytes.extend_from_slice(magic);
        Self(bytes)
    }
    fn bytes(&mut self, bytes: &[u8]) {
        self.0.extend_from_slice(bytes);
    }
    fn number(&mut self, number: u64) {
        self.bytes(&number.to_le_bytes());
    }
    fn text(&mut self, text: &str) {
        let text = shortened(text);
        self.bytes(&[u8::try_from(text.len()).unwrap_or(0)]);
        self.bytes(text.as_bytes());
    }
}

/// The text, cut at [`MAX_TEXT`] bytes.
fn shortened(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Fills a body up to a block and closes it with its digest.
fn seal(mut body: Vec<u8>) -> Vec<u8> {
    body.resize(BLOCK - DIGEST, 0);
    let link = digest(&body);
    body.extend_from_slice(&link.0);
    body
}

/// Checks magic and digest and gives the body.
fn open<'a>(block: &'a [u8], magic: &[u8; 8]) -> Option<(Body<'a>, Link)> {
    let (body, link) = block.get(..BLOCK)?.split_at(BLOCK - DIGEST);
    if !body.starts_with(magic) {
        return None;
    }
    let computed = digest(body);
    (computed.0 == *link).then(|| (Body(&body[magic.len()..]), computed))
}

/// A block being read.
struct Body<'a>(&'a [u8]);

impl<'a> Body<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (head, tail) = self.0.split_at_checked(count)?;
        self.0 = tail;
        Some(head)
    }
    fn number(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }
    fn text(&mut self) -> Option<String> {
        let length = usize::from(*self.take(1)?.first()?);
        String::from_utf8(self.take(length)?.to_vec()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(node: &str) -> Life {
        Life { node: node.to_owned(), boot: 1, mount: 1, epoch: 7 }
    }

    fn chain(filesystem: FilesystemId, node: &str, count: usize) -> Vec<Record> {
        let mut records: Vec<Record> = Vec::new();
        for i in 0..count {
            records.push(Record::after(filesystem, records.last(), &life(node), &format!("text {i}")));
        }
        records
    }

    fn on_disk(filesystem: FilesystemId, records: &[Record]) -> Vec<u8> {
        records.iter().flat_map(|r| r.encode(filesystem)).collect()
    }

    #[test]
    fn a_chain_survives_the_disk() {
        let id = FilesystemId::made_by(&life("a"));
        let records = chain(id, "a", 5);
        let mut log = on_disk(id, &records);
        log.extend_from_slice(&[0; BLOCK]);
        assert_eq!(replay(&log, id), records);
    }

    #[test]
    fn a_record_of_a_stale_cache_cuts_the_chain() {
        let id = FilesystemId::made_by(&life("a"));
        let first = chain(id, "a", 2);
        let of_b = Record::after(id, first.last(), &life("b"), "of b");
        let after_b = Record::after(id, Some(&of_b), &life("b"), "after b");
        let of_stale_a = Record::after(id, first.last(), &life("a"), "of stale a");
        let log = on_disk(id, &[first[0].clone(), first[1].clone(), of_stale_a.clone(), after_b]);
        assert_eq!(replay(&log, id), [first[0].clone(), first[1].clone(), of_stale_a]);
    }

    #[test]
    fn blocks_of_another_filesystem_and_torn_blocks_are_no_records() {
        let (one, other) = (FilesystemId::made_by(&life("a")), FilesystemId::made_by(&life("b")));
        let mut log = on_disk(one, &chain(one, "a", 1));
        assert!(replay(&log, other).is_empty());
        log[100] ^= 1;
        assert!(replay(&log, one).is_empty());
        assert_eq!(Superblock::decode(&log), None);
    }

    #[test]
    fn sectors_round_trip_and_a_blank_one_holds_nothing() {
        assert_eq!(value_of_sector(&sealed_sector(77)), Some(77));
        assert_eq!(value_of_sector(&[0; BLOCK]), None);
    }

    #[test]
    fn superblocks_round_trip() {
        let superblock =
            Superblock { kind: Filesystem::Xfs, id: FilesystemId::made_by(&life("a")), mounts: 3, clean: true };
        assert_eq!(Superblock::decode(&superblock.encode()), Some(superblock));
    }
}
