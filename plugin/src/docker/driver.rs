//! What the HTTP layer asks of the volume logic.

use std::path::PathBuf;

use async_trait::async_trait;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::VolumeName;
use crate::volume::options::{CreateOptions, HelpTopic};

/// A volume as Get and List show it.
#[derive(Debug, Clone, PartialEq)]
pub struct VolumeView {
    /// Docker name.
    pub name: String,
    /// Where it is mounted on this node.
    pub mountpoint: Option<PathBuf>,
    /// Device node on this node.
    pub device: Option<PathBuf>,
    /// Size in GiB.
    pub size_gib: u64,
    /// `Status` of Get: `volume_detail` and more.
    pub status: Map<String, Value>,
}

/// Why an operation failed: one readable line for whoever runs containers.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
#[error("{0}")]
pub struct DriverError(pub String);

/// How this node stands, for the person who looks into the plugin. Made of what is remembered: nobody is asked for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NodeView {
    /// Node id.
    pub node: String,
    /// Why this node takes no volumes, if it takes none: not registered yet, or another machine has its identity.
    pub takes_no_volumes: Option<String>,
    /// Whether the metadata store answered when it was last needed; `None` before the first time.
    pub store_answers: Option<bool>,
    /// Names of the volumes mounted here.
    pub mounted: Vec<String>,
    /// Names of the volumes this node was fenced from and has not finished cleaning up.
    pub quarantined: Vec<String>,
}

/// The operations behind the HTTP API. Each may be called concurrently and repeatedly.
#[async_trait]
pub trait VolumeDriver: Send + Sync + 'static {
    /// Makes a volume; an existing one is success.
    async fn create(&self, name: VolumeName, options: CreateOptions) -> Result<(), DriverError>;
    /// The text that `-o help` asks for, of several lines.
    async fn help(&self, topic: HelpTopic) -> String;
    /// Removes a volume that nobody owns.
    async fn remove(&self, name: VolumeName) -> Result<(), DriverError>;
    /// Mounts a volume for a mount id.
    async fn mount(&self, name: VolumeName, id: String, caller: Caller) -> Result<Mounted, DriverError>;
    /// Drops one reference of a mount id.
    async fn unmount(&self, name: VolumeName, id: String) -> Result<(), DriverError>;
    /// Mount point on this node.
    async fn path(&self, name: VolumeName) -> Result<Option<PathBuf>, DriverError>;
    /// One volume; `None` when there is no such volume.
    async fn get(&self, name: VolumeName) -> Result<Option<VolumeView>, DriverError>;
    /// How this node stands. Never waits.
    fn node_view(&self) -> NodeView;
    /// All volumes.
    async fn list(&self) -> Result<Vec<VolumeView>, DriverError>;
}
