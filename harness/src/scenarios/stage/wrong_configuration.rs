//! Workers started with something wrong on purpose, and requests that must leave no trace.

use std::time::Duration;

use anyhow::{Context as _, Result, bail, ensure};
use hpe3par_docker_plugin::membership::schema::VERSION;
use hpe3par_docker_plugin::store::keys;
use hpe3par_emulator::array::{Channel, EventKind};

use super::Stage;
use super::disturbances::Where;
use crate::cluster::configuration::ConfigFile;
use crate::cluster::docker_client::{Dialect, DockerClient};

/// What is wrong with a worker's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WrongConfiguration {
    /// A key is missing.
    Without(&'static str),
    /// A key has this value.
    Set(&'static str, &'static str),
    /// This line stands in the file.
    Line(&'static str),
    /// There is no `hpe.conf`.
    Missing,
    /// The known host key is another array's.
    HostKey,
    /// The trusted authority is somebody else's.
    Authority,
    /// The password is wrong.
    Password,
    /// The node id is that of another worker.
    NodeIdOf(&'static str),
}

/// Note of what stood in the metadata store before a newer plugin changed it.
const SOUND_SCHEMA: &str = "schema";
/// A host key and a password of nobody.
const OTHER_HOST_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJx5kdI9wHC2kGWgWJUlEMyWrS2vD1cbrZkMlVgNS0wk";
const WRONG_PASSWORD: &str = "not-the-password-of-the-lab";
/// How long a plugin that refuses to start may take to say so.
const REFUSED: Duration = Duration::from_secs(15);

impl Stage {
    /// A caller of a worker's plugin.
    ///
    /// # Errors
    /// When there is no such worker.
    pub fn client(&self, worker: &str) -> Result<DockerClient> {
        self.lab()?.worker(worker)?.client(Dialect::Dockerd)
    }

    /// Restarts a worker's plugin with something wrong.
    ///
    /// # Errors
    /// When there is no such worker, or a plugin that should start does not.
    pub async fn launch_misconfigured(&mut self, worker: &str, wrong: WrongConfiguration) -> Result<()> {
        if wrong == WrongConfiguration::HostKey {
            self.cut_others_from_ssh(worker)?;
        }
        let others_ca = match wrong {
            WrongConfiguration::Authority => Some(other_authority().await?),
            _ => None,
        };
        let id_of_other = match wrong {
            WrongConfiguration::NodeIdOf(other) => Some(self.lab()?.worker(other)?.id().to_string()),
            _ => None,
        };
        let worker = self.lab_mut()?.worker_mut(worker)?;
        worker.kill_plugin().await;
        worker.configuration.remember_sound();
        let text = worker.configuration.text();
        let configuration = &mut worker.configuration;
        match wrong {
            WrongConfiguration::Without(key) => {
                let kept: Vec<&str> = text.lines().filter(|line| !line.starts_with(key)).collect();
                configuration.file = ConfigFile::Text(kept.join("\n") + "\n");
            }
            WrongConfiguration::Set(key, value) => configuration.set(key, value),
            WrongConfiguration::Line(line) => configuration.file = ConfigFile::Text(format!("{text}{line}\n")),
            WrongConfiguration::Missing => configuration.file = ConfigFile::Missing,
            WrongConfiguration::HostKey => configuration.array.ssh_host_key = OTHER_HOST_KEY.to_owned(),
            WrongConfiguration::Authority => configuration.array.ca_pem = others_ca.unwrap_or_default(),
            WrongConfiguration::Password => configuration.password = WRONG_PASSWORD.to_owned(),
            WrongConfiguration::NodeIdOf(_) => configuration.node_id = id_of_other.unwrap_or_default(),
        }
        match wrong {
            WrongConfiguration::HostKey | WrongConfiguration::Authority | WrongConfiguration::Password => {
                worker.start().await
            }
            _ => worker.launch(),
        }
    }

    /// Restarts a worker's plugin after the metadata store says that only newer plugins understand the records.
    ///
    /// # Errors
    /// When there is no such worker or the store does not answer.
    pub async fn launch_beside_newer_records(&mut self, worker: &str) -> Result<()> {
        let stored = self.lab()?.everything_stored().await?;
        let (_, sound) =
            stored.into_iter().find(|(key, _)| key == keys::SCHEMA).context("no plugin wrote a version")?;
        self.notes.insert(SOUND_SCHEMA.to_owned(), sound);
        let newer = serde_json::json!({"version": VERSION + 1, "oldest_reader": VERSION + 1});
        self.lab()?.put(keys::SCHEMA.to_owned(), newer.to_string().into_bytes()).await?;
        let worker = self.lab_mut()?.worker_mut(worker)?;
        worker.kill_plugin().await;
        worker.launch()
    }

    /// Puts the version of the records back to what this plugin wrote, if it was changed.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn restore_schema(&mut self) -> Result<()> {
        match self.notes.remove(SOUND_SCHEMA) {
            Some(sound) => self.lab()?.put(keys::SCHEMA.to_owned(), sound.into_bytes()).await,
            None => Ok(()),
        }
    }

    /// A plugin ended by itself and its one line holds all these words.
    ///
    /// # Errors
    /// When it runs, or says something else.
    pub async fn refused_to_start(&mut self, worker: &str, words: &[&str]) -> Result<()> {
        let worker = self.lab_mut()?.worker_mut(worker)?;
        match worker.plugin_ending(REFUSED).await {
            Some(Err(text)) if words.iter().all(|word| text.contains(word)) => Ok(()),
            Some(ending) => {
                bail!("the plugin on {} ended with {ending:?}, which does not name {words:?}", worker.name())
            }
            None => bail!("the plugin on {} still runs; its log:\n{}", worker.name(), worker.log().tail(5)),
        }
    }

    /// Since the other workers were cut off from the command line, nobody has used it.
    ///
    /// # Errors
    /// When somebody has.
    pub fn never_used_ssh(&self, worker: &str) -> Result<()> {
        let before: usize = self.notes.get("command lines").context("nothing was noted")?.parse()?;
        let now = self.command_lines()?;
        ensure!(now == before, "{worker} ran {} commands over SSH", now - before);
        Ok(())
    }

    /// Remembers every record and everything on the array.
    ///
    /// # Errors
    /// When the store does not answer.
    pub async fn note_everything(&mut self) -> Result<()> {
        let now = self.everything().await?;
        self.notes.insert("everything".to_owned(), now);
        Ok(())
    }

    /// Records and array are as they were.
    ///
    /// # Errors
    /// Shows what they were and are.
    pub async fn nothing_changed(&self) -> Result<()> {
        let before = self.notes.get("everything").context("nothing was noted")?;
        let now = self.everything().await?;
        ensure!(*before == now, "before:\n{before}\nnow:\n{now}");
        Ok(())
    }

    async fn everything(&self) -> Result<String> {
        let lab = self.lab()?;
        let stored = lab.everything_stored().await?;
        let records: Vec<_> = stored.into_iter().filter(|(key, _)| key.starts_with("/volume")).collect();
        let array = lab.on_array();
        let rows: Vec<_> =
            array.volumes().iter().flat_map(|volume| array.rows(volume)).map(|row| row.address()).collect();
        Ok(format!("{records:?}\n{:?}\n{rows:?}", array.volumes()))
    }

    fn cut_others_from_ssh(&mut self, worker: &str) -> Result<()> {
        let names: Vec<String> = self.lab()?.workers().map(|worker| worker.name().to_owned()).collect();
        for other in names.iter().filter(|name| *name != worker) {
            self.cut(other, Where::CommandLine, true)?;
        }
        let lines = self.command_lines()?;
        self.notes.insert("command lines".to_owned(), lines.to_string());
        Ok(())
    }

    fn command_lines(&self) -> Result<usize> {
        let of_cli = |kind: &EventKind| matches!(kind, EventKind::Command { channel: Channel::Cli, .. });
        Ok(self
            .lab()?
            .array()
            .handle()
            .with(|array, _| array.events().all().iter().filter(|event| of_cli(&event.kind)).count()))
    }
}

/// The authority of another array.
async fn other_authority() -> Result<String> {
    let other = hpe3par_emulator::Emulator::builder().start().await.context("starting another array")?;
    let authority = other.ca_pem().unwrap_or_default().to_owned();
    other.shutdown().await;
    Ok(authority)
}
