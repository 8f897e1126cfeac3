//! What to type at a running lab: addresses, account, and lines to paste that show a takeover.

use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use hpe3par_harness::cluster::configuration::ARRAY_USER;
use hpe3par_harness::cluster::lab::Lab;

/// Mount ids as dockerd makes them: 64 hex digits, one for each container.
const FIRST_ID: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const SECOND_ID: &str = "2222222222222222222222222222222222222222222222222222222222222222";

/// A running lab as somebody sees it who has a terminal beside it.
#[derive(Debug)]
pub(crate) struct ByHand {
    sockets: Vec<(String, PathBuf)>,
    etcd: String,
    wsapi: String,
    ssh: std::net::SocketAddr,
    control: std::net::SocketAddr,
    password: String,
    authority: PathBuf,
    known_hosts: PathBuf,
    process: u32,
}

impl ByHand {
    /// Of this lab, whose array has this password. Puts what curl and ssh need to trust the array into the lab's folder.
    ///
    /// # Errors
    /// When the files cannot be written.
    pub(crate) fn at(lab: &Lab, password: &str) -> Result<Self> {
        let (array, folder) = (lab.array(), lab.directory());
        let ssh = array.ssh_addr();
        let known_host = format!("[{}]:{} {}\n", ssh.ip(), ssh.port(), array.ssh_host_key());
        Ok(Self {
            sockets: lab.workers().map(|worker| (worker.name().to_owned(), worker.socket())).collect(),
            etcd: lab.etcd().endpoint(),
            wsapi: array.wsapi_url().to_owned(),
            ssh,
            control: array.control_addr(),
            password: password.to_owned(),
            authority: written(folder, "array-ca.pem", array.ca_pem().unwrap_or_default())?,
            known_hosts: written(folder, "known_hosts", &known_host)?,
            process: std::process::id(),
        })
    }

    fn addresses(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "The array (emulated)")?;
        writeln!(f, "  REST (WSAPI)   {}", self.wsapi)?;
        writeln!(f, "  SSH            {}", self.ssh)?;
        writeln!(f, "  user           {ARRAY_USER}")?;
        writeln!(f, "  password       {}", self.password)?;
        writeln!(f, "  control        http://{}  (state, ledger, events, faults; no login)", self.control)?;
        writeln!(f, "The metadata store (etcd)  {}", self.etcd)?;
        writeln!(f, "The workers' plugin sockets")?;
        self.sockets.iter().try_for_each(|(name, socket)| writeln!(f, "  {name:<14} {}", socket.display()))
    }

    /// Create, mount, mount on another node.
    fn takeover(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((first, socket)) = self.sockets.first() else { return Ok(()) };
        writeln!(f, "A volume, mounted on {first}:")?;
        call(f, socket, "Create", r#"{"Name":"orders","Opts":{"size":"1","mountConflictDelay":"5"}}"#)?;
        call(f, socket, "Mount", &format!(r#"{{"Name":"orders","ID":"{FIRST_ID}"}}"#))?;
        let (last, id) = match self.sockets.get(1) {
            Some((second, other)) => {
                writeln!(f, "{second} takes it over, after the 5 s it gives {first} to let go:")?;
                call(f, other, "Mount", &format!(r#"{{"Name":"orders","ID":"{SECOND_ID}"}}"#))?;
                (other, SECOND_ID)
            }
            None => (socket, FIRST_ID),
        };
        writeln!(f, "Who has it now, and the end of it:")?;
        call(f, last, "Get", r#"{"Name":"orders"}"#)?;
        call(f, last, "Unmount", &format!(r#"{{"Name":"orders","ID":"{id}"}}"#))?;
        call(f, last, "Remove", r#"{"Name":"orders"}"#)
    }

    fn looking(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (control, user) = (self.control, ARRAY_USER);
        writeln!(f, "What the array has and saw:")?;
        writeln!(
            f,
            "  ssh -o UserKnownHostsFile={} -p {} {user}@{} showvlun -t",
            self.known_hosts.display(),
            self.ssh.port(),
            self.ssh.ip()
        )?;
        writeln!(f, "  curl -s http://{control}/events    # every export and removal, in order")?;
        writeln!(f, "  curl -s http://{control}/ledger    # every write, accepted or rejected")?;
        writeln!(
            f,
            "  curl -s --cacert {} -H 'Content-Type: application/json' -d '{{\"user\":\"{user}\",\"password\":\"{}\"}}' {}/credentials",
            self.authority.display(),
            self.password,
            self.wsapi
        )?;
        writeln!(f, "The records (etcdctl is in the package etcd-client):")?;
        writeln!(f, "  ETCDCTL_API=3 etcdctl --endpoints {} get --prefix /volumes", self.etcd)
    }
}

impl fmt::Display for ByHand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.addresses(f)?;
        writeln!(f)?;
        self.takeover(f)?;
        writeln!(f)?;
        self.looking(f)?;
        write!(f, "\nCtrl-C here, or kill {} elsewhere, ends all of it and leaves nothing behind.", self.process)
    }
}

fn call(f: &mut fmt::Formatter<'_>, socket: &Path, what: &str, body: &str) -> fmt::Result {
    writeln!(f, "  curl -s --unix-socket {} http://plugin/VolumeDriver.{what} -d '{body}'", socket.display())
}

fn written(folder: &Path, name: &str, text: &str) -> Result<PathBuf> {
    let file = folder.join(name);
    fs::write(&file, text).with_context(|| format!("writing {}", file.display()))?;
    Ok(file)
}
