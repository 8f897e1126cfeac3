//! Puts the production adapters together as `hpe.conf` says.
//!
//! Nothing here waits for etcd or an array: the plugin starts with either of them away. The node adapter is given
//! from outside, so that a test lab runs everything else unchanged on nodes of its own.

mod adapters;
mod offline;
mod passwords;

pub use offline::load_checked;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use self::passwords::SectionPassphrase;
use crate::array::hpe3par::Hpe3par;
use crate::array::settings::SettingsError;
use crate::config::{BackendConfig, BackendName, PluginConfig};
use crate::daemon::Parts;
use crate::docker::api;
use crate::fencing::mutants::Defects;
use crate::fencing::{Backend, Driver, DriverParts, Me};
use crate::membership::{self, JoinError};
use crate::node::node_id::{self, NodeIdError};
use crate::node::registration::Registration;
use crate::node::{Node, NodeError};
use crate::store::MetadataStore;
use crate::store::etcd::{EtcdSettingsError, EtcdStore};
use crate::store::journal::JournalError;
use crate::store::journal_files::FileJournal;
use crate::tasks::Tasks;
use crate::volume::names::VolumeId;
use crate::volume::service::{Deadlines, NewVolumeDefaults, ServiceParts, VolumeService};

/// Longest answer of anything but Mount and Unmount; dockerd gives up after 60 s.
const OTHER_DEADLINE: Duration = Duration::from_secs(55);
/// By how much the volume logic gives up before the request does: it can say how far it got, such as how long a takeover
/// still takes.
const HEAD_START: Duration = Duration::from_millis(500);
/// How long arrays get to end their sessions when the plugin stops.
const LOG_OUT: Duration = Duration::from_secs(1);
/// Paths a device should have before it is used.
const PATHS_WANTED: usize = 2;

/// Why the plugin cannot be put together.
#[derive(Debug, Error)]
pub enum AssemblyError {
    /// etcd settings.
    #[error(transparent)]
    Etcd(#[from] EtcdSettingsError),
    /// An array's settings.
    #[error("backend {backend}: {reason}")]
    Array {
        /// Section.
        backend: String,
        /// What is wrong.
        reason: SettingsError,
    },
    /// The node's id.
    #[error(transparent)]
    NodeId(#[from] NodeIdError),
    /// The node itself.
    #[error(transparent)]
    Node(#[from] NodeError),
    /// This node cannot become a member of the cluster.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The journal of this node.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// What a plugin is assembled from, besides its configuration.
pub struct Surroundings {
    /// The node it runs on.
    pub node: Arc<dyn Node>,
    /// Where background work runs.
    pub tasks: Arc<dyn Tasks>,
    /// Defects put in by a test; none in production.
    pub defects: Defects,
}

/// The assembled plugin, not yet listening.
pub struct Assembled {
    /// The volume logic.
    pub service: Arc<VolumeService>,
    /// Keeps the node registered until dropped.
    registration: Registration,
    arrays: Vec<Arc<Hpe3par>>,
    tasks: Arc<dyn Tasks>,
    deadlines: api::Deadlines,
}

impl Assembled {
    /// What the server needs.
    #[must_use]
    pub fn daemon_parts(&self, socket: &Path) -> Parts {
        Parts {
            driver: Arc::clone(&self.service) as _,
            tasks: Arc::clone(&self.tasks),
            deadlines: self.deadlines,
            socket: socket.to_owned(),
        }
    }

    /// Ends sessions on the arrays. Registration runs out by itself, so that a quick restart is never seen as a death.
    pub async fn shut_down(self) {
        futures::future::join_all(self.arrays.iter().map(|array| array.shut_down(LOG_OUT))).await;
        drop(self.registration);
    }
}

/// Assembles the plugin and starts its background work: registration and reconciliation.
///
/// # Errors
/// [`AssemblyError`] for settings that can never work and for an identity that another machine uses.
pub async fn assemble(config: &PluginConfig, around: Surroundings) -> Result<Assembled, AssemblyError> {
    let store = open_store(config).await?;
    assemble_on(config, store, around).await
}

/// The metadata store of a configuration. Nothing is sent yet.
///
/// # Errors
/// [`AssemblyError::Etcd`] for settings that can never work.
pub async fn open_store(config: &PluginConfig) -> Result<Arc<dyn MetadataStore>, AssemblyError> {
    Ok(Arc::new(EtcdStore::open(&adapters::etcd_settings(&config.host.etcd)).await?))
}

/// [`assemble`] on a store that is open already, so that a test lab can look at every commit.
///
/// # Errors
/// As [`assemble`].
pub async fn assemble_on(
    config: &PluginConfig,
    store: Arc<dyn MetadataStore>,
    around: Surroundings,
) -> Result<Assembled, AssemblyError> {
    let facts = around.node.facts().await?;
    let me = Me { node: node_id::read_or_make(&config.host.node_id_file)?, boot: facts.boot.clone() };
    let (backends, arrays) = open_backends(config, &store)?;
    let driver = Arc::new(Driver::new(DriverParts {
        store: Arc::clone(&store),
        backends,
        node: around.node,
        journal: Arc::new(FileJournal::open(&config.host.state_dir)?),
        me,
        mount_prefix: config.host.mount_prefix.clone(),
        defects: around.defects,
    }));
    let registration = membership::join(&driver, Arc::clone(&store), around.tasks.as_ref(), facts).await?;
    let service = VolumeService::new(ServiceParts {
        driver,
        store,
        defaults: config.backends.values().map(|b| (b.name.as_str().to_owned(), new_volume_defaults(b))).collect(),
        default_backend: config.default_backend().map_or(BackendName::DEFAULT, |b| b.name.as_str()).to_owned(),
        deadlines: Deadlines {
            mount: config.host.mount_deadline.saturating_sub(HEAD_START),
            unmount: config.host.unmount_deadline.saturating_sub(HEAD_START),
        },
        new_id: Arc::new(VolumeId::random),
    });
    let (mount, unmount) = (config.host.mount_deadline, config.host.unmount_deadline);
    let deadlines = api::Deadlines { mount, unmount, other: OTHER_DEADLINE };
    Ok(Assembled { service: Arc::new(service), registration, arrays, tasks: around.tasks, deadlines })
}

type OpenedBackends = (BTreeMap<String, Backend>, Vec<Arc<Hpe3par>>);

/// Nothing is sent: passwords are read from the store, and arrays asked, when the first call needs them.
fn open_backends(config: &PluginConfig, store: &Arc<dyn MetadataStore>) -> Result<OpenedBackends, AssemblyError> {
    let mut backends = BTreeMap::new();
    let mut arrays = Vec::new();
    for section in config.backends.values() {
        let name = section.name.as_str().to_owned();
        let array = open_array(section, config, store)
            .map_err(|reason| AssemblyError::Array { backend: name.clone(), reason })?;
        let array = Arc::new(array);
        arrays.push(Arc::clone(&array));
        let policy = adapters::policy(section, &config.host);
        let backend = Backend { array, policy, filesystem: section.filesystem, paths_wanted: PATHS_WANTED };
        backends.insert(name, backend);
    }
    Ok((backends, arrays))
}

fn open_array(
    section: &BackendConfig,
    config: &PluginConfig,
    store: &Arc<dyn MetadataStore>,
) -> Result<Hpe3par, SettingsError> {
    let passphrase = SectionPassphrase::new(Arc::clone(store), section.name.clone());
    Hpe3par::connect(adapters::array_settings(section, &config.host, &passphrase))
}

fn new_volume_defaults(section: &BackendConfig) -> NewVolumeDefaults {
    NewVolumeDefaults {
        cpg: section.cpgs.first().cloned(),
        snap_cpg: section.snap_cpgs.first().cloned(),
        one_host: section.one_host,
    }
}
