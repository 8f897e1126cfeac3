//! The program: `serve` runs the plugin, `check-config` reads its configuration aloud.

#[cfg(all(feature = "mutants", not(debug_assertions)))]
compile_error!("the feature `mutants` puts known safety defects in; no program is ever built with it");

use std::fs::DirBuilder;
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use hpe3par_docker_plugin::assembly::{self, Assembled, Surroundings};
use hpe3par_docker_plugin::config::PluginConfig;
use hpe3par_docker_plugin::daemon::{Daemon, RunningDaemon};
use hpe3par_docker_plugin::docker::socket::Claim;
use hpe3par_docker_plugin::fencing::mutants::Defects;
use hpe3par_docker_plugin::node::linux::LinuxNode;
use hpe3par_docker_plugin::ops::lock_file::{LockError, LockFile};
use hpe3par_docker_plugin::ops::logging::{self, LogFormat, LogLevels};
use hpe3par_docker_plugin::ops::{check_config, check_node};
use hpe3par_docker_plugin::tasks::TokioTasks;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Docker volume plugin for HPE 3PAR, Primera and Alletra 9000 arrays.
///
/// Gives containers block volumes of an array and moves them between nodes: before a node mounts a volume, every other
/// node's access to it is removed on the array, so that two nodes never write to one filesystem.
#[derive(Parser)]
#[command(
    version,
    after_help = "Start with 'check-config': it reads hpe.conf and says what is wrong with it, line by line.\n\
    Then 'serve', and use the volumes: docker volume create -d hpe -o size=10 db; docker run -v db:/data …\n\
    All options of a volume: docker volume create -d hpe -o help"
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Run the plugin until SIGTERM or SIGINT; mounted volumes stay mounted
    ///
    /// Once it listens, it prints one JSON line, {"event":"ready","socket":"…"}, on stdout. Logs go to stderr; their level
    /// is 'logging' of hpe.conf unless RUST_LOG is set (RUST_LOG=debug, or RUST_LOG=warn,hpe3par_docker_plugin=debug).
    Serve(Serve),
    /// Read hpe.conf and the files it names, and report what is wrong with them, and what this host lacks; neither etcd nor an
    /// array is asked
    ///
    /// Exits with 1 if the plugin would not start with this file. Passwords are never shown.
    CheckConfig(ConfigFile),
}

#[derive(Args)]
struct ConfigFile {
    /// Configuration of this node and its arrays
    #[arg(long, value_name = "FILE", default_value = "/etc/hpedockerplugin/hpe.conf")]
    config: PathBuf,
}

#[derive(Args)]
struct Serve {
    #[command(flatten)]
    file: ConfigFile,
    /// Unix socket to listen on; dockerd finds plugins in /run/docker/plugins
    #[arg(long, value_name = "PATH", default_value = "/run/docker/plugins/hpe.sock")]
    socket: PathBuf,
    /// Form of the log lines on stderr
    #[arg(long, value_enum, default_value_t)]
    log_format: LogFormat,
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::CheckConfig(file) => check(&file.config),
        Command::Serve(arguments) => serve(&arguments).map(|()| ExitCode::SUCCESS),
    };
    match done {
        Ok(code) => code,
        Err(error) => {
            complain(&format!("{error:#}"));
            ExitCode::FAILURE
        }
    }
}

/// To stderr; a closed stderr is no reason to panic.
fn complain(text: &str) {
    let _ = writeln!(io::stderr(), "hpe3par-docker-plugin: {text}");
}

fn check(config: &Path) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let report = runtime.context("starting the runtime failed")?.block_on(check_config::report(config));
    let mut text = report.text;
    for line in report.config.iter().flat_map(|config| check_node::shortcomings(config, &LinuxNode::new())) {
        text.push_str(&format!("warning: this host: {line}\n"));
    }
    io::stdout().write_all(text.as_bytes()).context("printing the report failed")?;
    Ok(if report.usable { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn serve(arguments: &Serve) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(64)
        .enable_all()
        .build()
        .context("starting the runtime failed")?;
    let done = runtime.block_on(configure_and_run(arguments));
    // A thread that hangs in the kernel on a device without paths must not keep the plugin from ending.
    runtime.shutdown_timeout(Duration::from_millis(200));
    done
}

async fn configure_and_run(arguments: &Serve) -> anyhow::Result<()> {
    let (config, warnings) = assembly::load_checked(&arguments.file.config).await.inspect_err(|errors| {
        for warning in errors.warnings() {
            complain(&format!("warning: {warning}"));
        }
    })?;
    let array_requests = config.backends.values().any(|backend| backend.debug);
    logging::start(arguments.log_format, LogLevels { all: config.host.logging.filter(), array_requests })?;
    for warning in &warnings {
        tracing::warn!("{warning}");
    }
    run(arguments, &config).await
}

async fn run(arguments: &Serve, config: &PluginConfig) -> anyhow::Result<()> {
    let mut terminate = signal(SignalKind::terminate()).context("watching for SIGTERM failed")?;
    let mut interrupt = signal(SignalKind::interrupt()).context("watching for SIGINT failed")?;
    let Started { assembled, running, _lock } = tokio::select! {
        biased;
        () = asked_to_end(&mut terminate, &mut interrupt) => return Ok(()),
        started = start(arguments, config) => started?,
    };
    announce(&running)?;
    asked_to_end(&mut terminate, &mut interrupt).await;
    tracing::info!("ending; mounted volumes stay mounted");
    let end = async {
        running.shutdown().await;
        assembled.shut_down().await;
    };
    tokio::select! {
        biased;
        () = end => Ok(()),
        () = asked_to_end(&mut terminate, &mut interrupt) => anyhow::bail!("ended at once, on a second signal"),
    }
}

/// The plugin, serving.
struct Started {
    assembled: Assembled,
    running: RunningDaemon,
    /// Held to the end.
    _lock: LockFile,
}

async fn start(arguments: &Serve, config: &PluginConfig) -> anyhow::Result<Started> {
    let claim = Claim::take(&arguments.socket).await?;
    let lock = lock_state(&config.host.state_dir)?;
    let around =
        Surroundings { node: Arc::new(LinuxNode::new()), tasks: Arc::new(TokioTasks), defects: Defects::default() };
    let assembled = assembly::assemble(config, around).await?;
    let running = Daemon::start_on(claim, assembled.daemon_parts(&arguments.socket))?;
    Ok(Started { assembled, running, _lock: lock })
}

/// One plugin at a time works with this directory, and with the node id whose journal it holds.
fn lock_state(state_dir: &Path) -> anyhow::Result<LockFile> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(state_dir);
    made.with_context(|| format!("making state_dir {} failed", state_dir.display()))?;
    LockFile::take(&state_dir.join("lock")).map_err(|error| match error {
        LockError::Held { pid, .. } => anyhow::anyhow!(
            "state_dir {} is in use by another plugin of this node (process {pid}); stop it first. Two plugins under one \
             node id would take volumes from each other",
            state_dir.display()
        ),
        error => anyhow::Error::new(error).context(format!("taking state_dir {}", state_dir.display())),
    })
}

async fn asked_to_end(terminate: &mut Signal, interrupt: &mut Signal) {
    tokio::select! {
        biased;
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
    }
}

/// The one line on stdout that says where the plugin listens.
fn announce(running: &RunningDaemon) -> anyhow::Result<()> {
    let ready = serde_json::json!({"event": "ready", "socket": running.socket().display().to_string()});
    let mut out = io::stdout().lock();
    writeln!(out, "{ready}").and_then(|()| out.flush()).context("printing the ready line on stdout failed")?;
    tracing::info!(socket = %running.socket().display(), version = env!("CARGO_PKG_VERSION"), "ready");
    Ok(())
}
