//! `hpe3par-emulator`: an HPE 3PAR array in one process.

use std::{
    convert::Infallible,
    io::{IsTerminal as _, Write as _},
    net::SocketAddr,
    process::ExitCode,
    time::{Duration, SystemTime},
};

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use hpe3par_emulator::{
    Emulator,
    array::{ArrayConfig, Personality},
    server::{EmulatorBuilder, RunningEmulator, TlsMode},
};
use secrecy::SecretString;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::EnvFilter;

/// Name of the array that `--partner` starts, and of the target that stands for it.
const PARTNER_NAME: &str = "partner3par";

/// Longest time that stopping may take before the process ends anyway.
const STOP_WITHIN: Duration = Duration::from_secs(8);

/// An HPE 3PAR array in one process: REST interface (WSAPI), SSH command line, iSCSI targets and control interface on one
/// state.
///
/// Nothing is stored; every start gives a fresh array with the CPGs FC_r6 and SSD_r6, the domain UNIT_TEST_DOMAIN and
/// two nodes with two Fibre Channel and two iSCSI target ports each.
#[derive(Debug, Parser)]
#[command(name = "hpe3par-emulator", version, after_help = EXAMPLES)]
struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

const EXAMPLES: &str = "\
Examples:
  Any free ports, HTTPS with a certificate made at start:
      hpe3par-emulator serve

  Fixed ports and plain HTTP:
      hpe3par-emulator serve --wsapi 127.0.0.1:8008 --tls off --ssh 127.0.0.1:2222

  With an iSCSI target on each of two loopback addresses:
      hpe3par-emulator serve --iscsi 127.0.0.11:3260,127.0.0.12:3260
      iscsi-ls iscsi://127.0.0.11:3260

  Talk to it (the addresses are in the ready line on stdout; CONTROL/identity has the certificate and the SSH host key):
      curl -s http://CONTROL/identity | python3 -c 'import json,sys; print(json.load(sys.stdin)[\"tls_certificate\"])' > ca.pem
      curl --cacert ca.pem https://127.0.0.1:PORT/api/v1/credentials \\
           -d '{\"user\":\"3paradm\",\"password\":\"3pardata\"}'
      ssh -p PORT 3paradm@127.0.0.1 showvlun -t
      curl http://CONTROL/state

Once all interfaces accept connections, one JSON line is printed on stdout:
  {\"event\":\"ready\",\"wsapi\":\"https://127.0.0.1:PORT/api/v1\",\"ssh\":\"127.0.0.1:PORT\",\"iscsi\":[...],\"control\":\"127.0.0.1:PORT\",...}
Logs go to stderr; set RUST_LOG (for example RUST_LOG=debug) for more. SIGTERM and SIGINT end the program with exit code 0.";

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the array and serve until SIGTERM or SIGINT.
    #[command(after_help = EXAMPLES)]
    Serve(Box<Serve>),
    /// Print what of a real array is played, how far, and after which evidence (Markdown).
    Fidelity,
}

#[derive(Debug, Args)]
struct Serve {
    /// Address of the REST interface; port 0 means any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    wsapi: SocketAddr,

    /// TLS of the REST interface: `off`, `self-signed` (an own authority and a certificate for localhost, 127.0.0.1, ::1
    /// and the listening address; the authority's certificate is in the ready line and at /identity) or CERT:KEY, two PEM
    /// files.
    #[arg(long, value_name = "MODE", default_value = "self-signed")]
    tls: TlsMode,

    /// Address of the SSH command line; port 0 means any free port.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    ssh: SocketAddr,

    /// Address of the control interface (state, ledger, events, faults, reset). It has no login, so it should stay on a
    /// loopback address.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    control: SocketAddr,

    /// Up to four addresses on which the array's iSCSI ports 0:2:1, 0:2:2, 1:2:1 and 1:2:2 listen and which they advertise;
    /// port 0 means any free port. With fewer addresses than ports, ports share them in turn. Without this option there is
    /// no iSCSI target, and the ports advertise 127.0.0.11 to 127.0.0.14.
    #[arg(long, value_name = "ADDR,ADDR", value_delimiter = ',')]
    iscsi: Vec<SocketAddr>,

    /// Name of the array's account, for both interfaces.
    #[arg(long, value_name = "NAME", default_value = "3paradm")]
    user: String,

    /// Password of the account.
    #[arg(long, value_name = "PW", default_value = "3pardata", value_parser = secret)]
    password: SecretString,

    /// Release to play: 3.2.1, 3.2.2, 3.3.1 or primera-4.2.
    #[arg(long, value_name = "RELEASE", default_value = "3.3.1")]
    personality: Personality,

    /// Start a second array beside this one and join the two by remote copy links: this one knows it as the target `partner3par`, and
    /// is known to it as `emulated3par`. Its interfaces listen on free loopback ports, with the same account and kind of TLS; the
    /// ready line has them under `partner`.
    #[arg(long)]
    partner: bool,

    /// Seed of everything that looks random, the SSH host key included. Without it the host key is new at every start.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,

    /// Folder to keep the state in. Not offered by this release.
    #[arg(long, value_name = "DIR")]
    state: Option<std::path::PathBuf>,

    /// Settings file. Not offered by this release.
    #[arg(long, value_name = "FILE")]
    config: Option<std::path::PathBuf>,
}

/// Wraps an argument so that it cannot end up in a log.
#[expect(clippy::unnecessary_wraps, reason = "the form of a value parser")]
fn secret(text: &str) -> Result<SecretString, Infallible> {
    Ok(text.into())
}

fn main() -> ExitCode {
    let options = match CommandLine::parse().command {
        Command::Serve(options) => *options,
        Command::Fidelity => {
            let printed = std::io::stdout().lock().write_all(hpe3par_emulator::fidelity::document().as_bytes());
            return if printed.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE };
        }
    };
    let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info,russh=warn"));
    let colours = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none();
    // A line that cannot be written is lost: told of on the same stderr, that would be a panic.
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colours)
        .with_writer(std::io::stderr)
        .log_internal_errors(false)
        .init();
    match run(options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // One line for people, with the causes.
            let _ = writeln!(std::io::stderr(), "hpe3par-emulator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: Serve) -> anyhow::Result<()> {
    if let Some(folder) = &options.state {
        anyhow::bail!(
            "--state {} cannot be honoured: this release keeps its state in memory only; start without --state",
            folder.display()
        );
    }
    if let Some(file) = &options.config {
        anyhow::bail!("--config {} cannot be honoured: this release is set up by its options only", file.display());
    }
    let runtime = tokio::runtime::Runtime::new().context("cannot start the worker threads")?;
    let served = runtime.block_on(serve(options));
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

/// The one line on stdout; a closed stdout is an error, not a panic.
fn announce(ready: &serde_json::Value) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{ready}").and_then(|()| out.flush())
}

/// Starts the array that `--partner` asks for: like the first one, but for its name, its identity and its ports.
async fn start_partner(first: &EmulatorBuilder) -> anyhow::Result<RunningEmulator> {
    first.partner(PARTNER_NAME).start().await.context("cannot start the partner array")
}

async fn serve(options: Serve) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("cannot listen for SIGTERM")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot listen for SIGINT")?;
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    let array =
        ArrayConfig { started_at: since_1970.as_secs(), personality: options.personality, ..ArrayConfig::default() };
    let mut builder = Emulator::builder()
        .array(array)
        .wsapi(options.wsapi)
        .tls(options.tls)
        .ssh(options.ssh)
        .control(options.control)
        .iscsi_portals(options.iscsi)
        .account(&options.user, options.password);
    if let Some(seed) = options.seed {
        builder = builder.seed(seed);
    }
    let partner = if options.partner { Some(start_partner(&builder).await?) } else { None };
    let running = builder.start().await?;
    if let Some(partner) = &partner {
        let (here, there) = (running.handle(), partner.handle());
        here.link(PARTNER_NAME, there, &here.with(|array, _| array.config().name.clone()))
            .context("cannot join the two arrays by remote copy links")?;
    }
    let mut ready = json!({
        "event": "ready",
        "wsapi": running.wsapi_url(),
        "ssh": running.ssh_addr().to_string(),
        "iscsi": running.iscsi_portals().iter().map(ToString::to_string).collect::<Vec<_>>(),
        "control": running.control_addr().to_string(),
        "user": options.user,
        "tls_certificate": running.ca_pem(),
        "ssh_host_key": running.ssh_host_key(),
    });
    if let Some(partner) = &partner {
        ready["partner"] = json!({
            "wsapi": partner.wsapi_url(),
            "ssh": partner.ssh_addr().to_string(),
            "control": partner.control_addr().to_string(),
            "tls_certificate": partner.ca_pem(),
            "ssh_host_key": partner.ssh_host_key(),
        });
    }
    announce(&ready).context("cannot print the ready line on stdout")?;
    tokio::select! {
        _ = terminate.recv() => tracing::info!("SIGTERM: stopping"),
        _ = interrupt.recv() => tracing::info!("SIGINT: stopping"),
    }
    let stop = async {
        running.shutdown().await;
        if let Some(partner) = partner {
            partner.shutdown().await;
        }
    };
    if tokio::time::timeout(STOP_WITHIN, stop).await.is_err() {
        tracing::warn!("some connections did not end in time and are dropped");
    }
    Ok(())
}
