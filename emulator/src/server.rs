//! Starting and stopping the front ends of an array.
//!
//! ```no_run
//! # async fn example() -> Result<(), hpe3par_emulator::server::StartError> {
//! use hpe3par_emulator::Emulator;
//!
//! let array = Emulator::builder().seed(7).start().await?;
//! println!("REST at {}, SSH at {}", array.wsapi_url(), array.ssh_addr());
//! array.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod cut;
mod front_end;
mod tls;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
};

use russh::keys::PrivateKey;
use secrecy::SecretString;
use tokio::task::JoinHandle;

pub use self::tls::{TlsError, TlsMode};
pub(crate) use self::{
    cut::{Cut, CuttableStream},
    front_end::{Connection, FrontEnd, Listening},
    tls::ServerCertificate,
};
pub use crate::cli::HostKeyError;
use crate::{
    Emulator,
    array::ArrayConfig,
    cli, control,
    iscsi::{self, Portal, Target},
    wsapi,
};

impl Emulator {
    /// Settings for an array that listens on sockets; [`EmulatorBuilder::start`] starts it.
    #[must_use]
    pub fn builder() -> EmulatorBuilder {
        EmulatorBuilder::default()
    }
}

/// Any free port of the loopback interface.
const ANY_LOOPBACK_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// Why an array did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// An address could not be listened on.
    #[error("cannot listen on {address} for the {front_end}; choose another address, or port 0 for any free port")]
    Listen {
        /// Which interface.
        front_end: &'static str,
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
    /// The control interface has no login and may only be reached from this machine.
    #[error("the control interface has no login: {0} is not a loopback address; use 127.0.0.1:PORT")]
    ControlNotLoopback(SocketAddr),
    /// There are four iSCSI ports.
    #[error("{0} iSCSI addresses were given, but the array has four iSCSI ports")]
    TooManyPortals(usize),
    /// TLS could not be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The SSH host key could not be made.
    #[error(transparent)]
    HostKey(#[from] HostKeyError),
}

/// What an array is started with. Every setting has a default: loopback addresses with any free port, HTTPS with an
/// own certificate, account `3paradm` / `3pardata`.
#[derive(Debug, Clone)]
pub struct EmulatorBuilder {
    array: ArrayConfig,
    wsapi: SocketAddr,
    tls: TlsMode,
    ssh: SocketAddr,
    control: SocketAddr,
    seed: Option<u64>,
}

impl Default for EmulatorBuilder {
    fn default() -> Self {
        Self {
            array: ArrayConfig::default(),
            wsapi: ANY_LOOPBACK_PORT,
            tls: TlsMode::default(),
            ssh: ANY_LOOPBACK_PORT,
            control: ANY_LOOPBACK_PORT,
            seed: None,
        }
    }
}

impl EmulatorBuilder {
    /// Replaces all settings of the array itself (identity, personality, limits); call it before the other setters
    /// that concern the array ([`Self::iscsi_portals`], [`Self::account`], [`Self::seed`]).
    #[must_use]
    pub fn array(mut self, config: ArrayConfig) -> Self {
        self.array = config;
        self
    }

    /// Address of the REST interface.
    #[must_use]
    pub fn wsapi(mut self, address: SocketAddr) -> Self {
        self.wsapi = address;
        self
    }

    /// TLS of the REST interface.
    #[must_use]
    pub fn tls(mut self, mode: TlsMode) -> Self {
        self.tls = mode;
        self
    }

    /// Address of the SSH command line.
    #[must_use]
    pub fn ssh(mut self, address: SocketAddr) -> Self {
        self.ssh = address;
        self
    }

    /// Address of the control interface; it has to be a loopback address.
    #[must_use]
    pub fn control(mut self, address: SocketAddr) -> Self {
        self.control = address;
        self
    }

    /// Addresses of the four iSCSI ports, in the order 0:2:1, 0:2:2, 1:2:1, 1:2:2; port 0 means any free port. Ports share the
    /// addresses in turn when there are fewer. Without addresses the ports advertise loopback addresses and there is no target.
    #[must_use]
    pub fn iscsi_portals(mut self, portals: Vec<SocketAddr>) -> Self {
        self.array.iscsi_portals = portals;
        self
    }

    /// Account of the array, for both interfaces.
    #[must_use]
    pub fn account(mut self, user: &str, password: SecretString) -> Self {
        user.clone_into(&mut self.array.user);
        self.array.password = password;
        self
    }

    /// Seed of everything that looks random in the array, and of the SSH host key.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.array.seed = seed;
        self.seed = Some(seed);
        self
    }

    /// Settings for another array beside this one: with this name, the next system id, any free loopback ports and no iSCSI targets.
    #[must_use]
    pub fn partner(&self, name: &str) -> Self {
        let mut partner = self.clone();
        name.clone_into(&mut partner.array.name);
        partner.array.system_id += 1;
        partner.array.serial = (u64::from(partner.array.system_id) + 1_600_000).to_string();
        partner.array.iscsi_portals = Vec::new();
        for address in [&mut partner.wsapi, &mut partner.ssh, &mut partner.control] {
            *address = ANY_LOOPBACK_PORT;
        }
        partner
    }

    /// Starts the array; every interface accepts connections when this returns.
    ///
    /// # Errors
    /// When an address cannot be used, or certificate or host key cannot be made.
    pub async fn start(self) -> Result<RunningEmulator, StartError> {
        if !self.control.ip().is_loopback() {
            return Err(StartError::ControlNotLoopback(self.control));
        }
        if self.array.iscsi_portals.len() > 4 {
            return Err(StartError::TooManyPortals(self.array.iscsi_portals.len()));
        }
        let certificate = ServerCertificate::prepare(&self.tls, self.wsapi)?;
        let host_key = cli::host_key(self.seed)?;
        let ssh_host_key = cli::public_line(&host_key)?;
        let identity = control::Identity {
            user: self.array.user.clone(),
            ca_pem: certificate.as_ref().map(|made| made.trust_anchor.clone()),
            certificate_pem: certificate.as_ref().map(|made| made.leaf.clone()),
            ssh_host_key,
        };
        let mut config = self.array;
        let portals = open_portals(&mut config)?;
        let emulator = Emulator::new(config);
        let target = Arc::new(Target::new(emulator.clone()));
        let (wsapi, wsapi_url) = open_wsapi(&emulator, self.wsapi, certificate)?;
        let ssh = open_ssh(&emulator, self.ssh, host_key)?;
        let iscsi = serve_portals(&emulator, &target, portals);
        let follower = tokio::spawn(target.follow_array());
        let front_ends = Arc::new(FrontEnds { wsapi, ssh, iscsi });
        let context = control::Context::new(emulator.clone(), identity.clone(), &wsapi_url, Arc::clone(&front_ends));
        let service = control::service(context);
        let control = listen("control interface", self.control)?
            .serve(move |connection| control::serve(service.clone(), connection));
        let timekeeper = tokio::spawn({
            let emulator = emulator.clone();
            async move { emulator.keep_time().await }
        });
        tracing::info!(wsapi = %wsapi_url, ssh = %front_ends.ssh.address(), control = %control.address(), "array started");
        let background = [timekeeper, follower];
        Ok(RunningEmulator { emulator, front_ends, control, wsapi_url, identity, background })
    }
}

/// Opens the REST interface; gives its URL too.
fn open_wsapi(
    emulator: &Emulator,
    address: SocketAddr,
    certificate: Option<ServerCertificate>,
) -> Result<(FrontEnd, String), StartError> {
    let listening = listen("REST interface", address)?;
    let scheme = if certificate.is_some() { "https" } else { "http" };
    let url = format!("{scheme}://{}/api/v1", listening.address());
    let service = wsapi::service(emulator.clone(), listening.address().port());
    let acceptor = certificate.map(|made| made.acceptor);
    let wsapi = listening.serve(move |connection| wsapi::serve(service.clone(), acceptor.clone(), connection));
    Ok((wsapi, url))
}

/// Opens the SSH command line.
fn open_ssh(emulator: &Emulator, address: SocketAddr, host_key: PrivateKey) -> Result<FrontEnd, StartError> {
    let shared = Arc::new(cli::Shared::new(emulator.clone()));
    let protocol = Arc::new(cli::protocol(host_key));
    let listening = listen("SSH command line", address)?;
    Ok(listening.serve(move |connection| cli::serve(Arc::clone(&shared), Arc::clone(&protocol), connection)))
}

/// Listens on the addresses given for iSCSI, each once, and gives every port of the array one: when there are fewer addresses than
/// ports, ports share them in turn. Without any address there is no target.
fn open_portals(config: &mut ArrayConfig) -> Result<Vec<Listening>, StartError> {
    let mut listening: Vec<(SocketAddr, Listening)> = Vec::new();
    let mut real = Vec::with_capacity(ISCSI_PORTS);
    for address in &config.iscsi_portals {
        let known = listening.iter().find(|(asked, _)| asked == address && address.port() != 0);
        match known {
            Some((_, held)) => real.push(held.address()),
            None => {
                let opened = listen("iSCSI portal", *address)?;
                real.push(opened.address());
                listening.push((*address, opened));
            }
        }
    }
    if !real.is_empty() {
        config.iscsi_portals = real.iter().copied().cycle().take(ISCSI_PORTS).collect();
    }
    Ok(listening.into_iter().map(|(_, opened)| opened).collect())
}

/// Serves the targets behind each portal.
fn serve_portals(emulator: &Emulator, target: &Arc<Target>, portals: Vec<Listening>) -> Vec<FrontEnd> {
    let serve = |listening: Listening| {
        let address = listening.address();
        let ports = emulator.with(|array, _| {
            let behind = |port: &&crate::array::Port| port.iscsi().is_some_and(|(_, portal)| portal == address);
            array.ports().iter().filter(behind).map(|port| port.pos).collect()
        });
        let (target, portal) = (Arc::clone(target), Arc::new(Portal { ports }));
        listening.serve(move |connection| iscsi::serve(Arc::clone(&target), Arc::clone(&portal), connection))
    };
    portals.into_iter().map(serve).collect()
}

fn listen(front_end: &'static str, address: SocketAddr) -> Result<Listening, StartError> {
    Listening::on(front_end, address).map_err(|source| StartError::Listen { front_end, address, source })
}

/// How many iSCSI ports the array has.
const ISCSI_PORTS: usize = 4;

/// The interfaces that can be cut.
pub(crate) struct FrontEnds {
    /// REST.
    pub(crate) wsapi: FrontEnd,
    /// Command line.
    pub(crate) ssh: FrontEnd,
    /// iSCSI portals, in the order of their addresses.
    pub(crate) iscsi: Vec<FrontEnd>,
}

/// An array that is running. Dropping it leaves the interfaces open until the runtime ends; call
/// [`RunningEmulator::shutdown`].
pub struct RunningEmulator {
    emulator: Emulator,
    front_ends: Arc<FrontEnds>,
    control: FrontEnd,
    wsapi_url: String,
    identity: control::Identity,
    /// What goes on beside the interfaces: things that are due happen at their time; connections whose session is gone end.
    background: [JoinHandle<()>; 2],
}

impl RunningEmulator {
    /// The array behind the interfaces, for callers in the same process.
    #[must_use]
    pub fn handle(&self) -> &Emulator {
        &self.emulator
    }

    /// URL of the REST interface, ending in `/api/v1`.
    #[must_use]
    pub fn wsapi_url(&self) -> &str {
        &self.wsapi_url
    }

    /// Address of the REST interface.
    #[must_use]
    pub fn wsapi_addr(&self) -> SocketAddr {
        self.front_ends.wsapi.address()
    }

    /// Address of the SSH command line.
    #[must_use]
    pub fn ssh_addr(&self) -> SocketAddr {
        self.front_ends.ssh.address()
    }

    /// Address of the control interface.
    #[must_use]
    pub fn control_addr(&self) -> SocketAddr {
        self.control.address()
    }

    /// Addresses that the iSCSI ports advertise, in the order of the ports.
    #[must_use]
    pub fn iscsi_portals(&self) -> Vec<SocketAddr> {
        self.emulator.iscsi_portals()
    }

    /// What a client trusts as root certificate, PEM; `None` for plain HTTP.
    #[must_use]
    pub fn ca_pem(&self) -> Option<&str> {
        self.identity.ca_pem.as_deref()
    }

    /// The server certificate itself, PEM, for clients that pin it; `None` for plain HTTP.
    #[must_use]
    pub fn certificate_pem(&self) -> Option<&str> {
        self.identity.certificate_pem.as_deref()
    }

    /// The SSH host key as `ssh-ed25519 AAAA…`. A `known_hosts` line is `[127.0.0.1]:PORT` and this.
    #[must_use]
    pub fn ssh_host_key(&self) -> &str {
        &self.identity.ssh_host_key
    }

    /// Cuts the REST interface off: new connections are refused, existing ones are reset.
    ///
    /// # Errors
    /// When the address could not be kept reserved.
    pub async fn pause_wsapi(&self) -> io::Result<()> {
        self.front_ends.wsapi.pause().await
    }

    /// Opens the REST interface again on the same address. Sessions are still known.
    ///
    /// # Errors
    /// When the address cannot be listened on any more.
    pub async fn resume_wsapi(&self) -> io::Result<()> {
        self.front_ends.wsapi.resume().await
    }

    /// Cuts the SSH command line off: new connections are refused, existing ones are reset.
    ///
    /// # Errors
    /// When the address could not be kept reserved.
    pub async fn pause_ssh(&self) -> io::Result<()> {
        self.front_ends.ssh.pause().await
    }

    /// Opens the SSH command line again on the same address.
    ///
    /// # Errors
    /// When the address cannot be listened on any more.
    pub async fn resume_ssh(&self) -> io::Result<()> {
        self.front_ends.ssh.resume().await
    }

    /// Cuts the iSCSI portals off: new connections are refused, existing ones are reset.
    ///
    /// # Errors
    /// When an address could not be kept reserved.
    pub async fn pause_iscsi(&self) -> io::Result<()> {
        for portal in &self.front_ends.iscsi {
            portal.pause().await?;
        }
        Ok(())
    }

    /// Opens the iSCSI portals again on the same addresses.
    ///
    /// # Errors
    /// When an address cannot be listened on any more.
    pub async fn resume_iscsi(&self) -> io::Result<()> {
        for portal in &self.front_ends.iscsi {
            portal.resume().await?;
        }
        Ok(())
    }

    /// Closes every interface and ends its connections.
    pub async fn shutdown(self) {
        self.control.close().await;
        self.front_ends.wsapi.close().await;
        self.front_ends.ssh.close().await;
        for portal in &self.front_ends.iscsi {
            portal.close().await;
        }
        self.background.iter().for_each(JoinHandle::abort);
        tracing::info!("array stopped");
    }
}
