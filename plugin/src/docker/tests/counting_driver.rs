//! A volume logic without volumes: it counts what it is asked, and holds, panics or fails by the volume's name.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::Map;
use tokio::sync::Semaphore;

use crate::docker::driver::{DriverError, NodeView, VolumeDriver, VolumeView};
use crate::volume::mount::{Caller, Mounted};
use crate::volume::names::VolumeName;
use crate::volume::options::{CreateOptions, HelpTopic};

/// Counts the calls that would change something, and those that would not.
pub(super) struct CountingDriver {
    pub(super) changes: Mutex<Vec<String>>,
    pub(super) volumes: Mutex<BTreeMap<String, VolumeView>>,
    /// A Mount of volume `held` waits for a permit.
    pub(super) gate: Semaphore,
    /// Caller of the last Mount.
    pub(super) caller: Mutex<Option<Caller>>,
}

impl CountingDriver {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            changes: Mutex::default(),
            volumes: Mutex::default(),
            gate: Semaphore::new(0),
            caller: Mutex::default(),
        })
    }

    pub(super) fn changes(&self) -> Vec<String> {
        self.changes.lock().unwrap().clone()
    }

    fn note(&self, change: String) {
        self.changes.lock().unwrap().push(change);
    }

    pub(super) fn view(name: &str) -> VolumeView {
        VolumeView { name: name.into(), mountpoint: None, device: None, size_gib: 100, status: Map::new() }
    }
}

#[async_trait]
impl VolumeDriver for CountingDriver {
    async fn create(&self, name: VolumeName, _options: CreateOptions) -> Result<(), DriverError> {
        self.note(format!("create {name}"));
        self.volumes.lock().unwrap().insert(name.to_string(), Self::view(name.as_str()));
        Ok(())
    }

    async fn help(&self, topic: HelpTopic) -> String {
        format!("\nhelp on {topic:?}\n  second line\n")
    }

    async fn remove(&self, name: VolumeName) -> Result<(), DriverError> {
        self.note(format!("remove {name}"));
        match self.volumes.lock().unwrap().remove(name.as_str()) {
            Some(_) => Ok(()),
            None => Err(DriverError(format!("Volume name to remove not found: {name}"))),
        }
    }

    async fn mount(&self, name: VolumeName, id: String, caller: Caller) -> Result<Mounted, DriverError> {
        self.note(format!("mount {name} {id}"));
        *self.caller.lock().unwrap() = Some(caller);
        match name.as_str() {
            "held" => self.gate.acquire().await.unwrap().forget(),
            "panics" => panic!("on purpose"),
            "fails" => return Err(DriverError("array says\nno".into())),
            _ => {}
        }
        self.note(format!("mounted {name} {id}"));
        Ok(Mounted { mountpoint: format!("/opt/hpe/data/{name}").into(), device: "/dev/dm-7".into() })
    }

    async fn unmount(&self, name: VolumeName, id: String) -> Result<(), DriverError> {
        self.note(format!("unmount {name} {id}"));
        Ok(())
    }

    async fn path(&self, name: VolumeName) -> Result<Option<PathBuf>, DriverError> {
        match self.volumes.lock().unwrap().get(name.as_str()) {
            Some(view) => Ok(view.mountpoint.clone()),
            None => Err(DriverError("No Mount Point".into())),
        }
    }

    async fn get(&self, name: VolumeName) -> Result<Option<VolumeView>, DriverError> {
        assert!(name.as_str() != "panics", "on purpose");
        Ok(self.volumes.lock().unwrap().get(name.as_str()).cloned())
    }

    fn node_view(&self) -> NodeView {
        NodeView { node: "node-1".into(), ..NodeView::default() }
    }

    async fn list(&self) -> Result<Vec<VolumeView>, DriverError> {
        Ok(self.volumes.lock().unwrap().values().cloned().collect())
    }
}
