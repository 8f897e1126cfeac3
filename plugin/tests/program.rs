//! The program itself: command line, ready line, signals, a second one on the same socket.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;

const PATIENCE: Duration = Duration::from_secs(60);

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hpe3par-docker-plugin"));
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.env_remove("RUST_LOG").kill_on_drop(true);
    command
}

async fn output(arguments: &[&str]) -> Output {
    timeout(PATIENCE, program(arguments).output()).await.unwrap().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A configuration whose metadata store and array are away.
fn configuration(dir: &Path) -> PathBuf {
    let path = dir.join("hpe.conf");
    let at = dir.display();
    let conf = format!(
        "[DEFAULT]\n\
         hpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver\n\
         host_etcd_ip_address = 127.0.0.1\nhost_etcd_port_number = 1\netcd_timeout = 1\n\
         hpe3par_api_url = https://127.0.0.1:1/api/v1\nhpe3par_username = 3paradm\nhpe3par_password = s3cret\n\
         san_ip = 127.0.0.1\nsan_login = 3paradm\nsan_password = s3cret\n\
         hpe3par_cpg = FC_r6\nhpe3par_iscsi_ips = 127.0.0.1\n\
         node_id_file = {at}/node_id\nstate_dir = {at}/state\nlogging = INFO\n"
    );
    std::fs::write(&path, conf).unwrap();
    path
}

struct Plugin {
    child: Child,
    socket: PathBuf,
    dir: tempfile::TempDir,
}

impl Plugin {
    async fn start() -> Self {
        Self::start_logging_to(Stdio::piped()).await
    }

    async fn start_logging_to(log: Stdio) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (conf, socket) = (configuration(dir.path()), dir.path().join("run/hpe.sock"));
        let mut child = program(&["serve", "--config", &conf.display().to_string(), "--socket"])
            .arg(&socket)
            .stderr(log)
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
        let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
        assert_eq!(ready, serde_json::json!({"event": "ready", "socket": socket.display().to_string()}));
        Self { child, socket, dir }
    }

    async fn call(&self, path: &str) -> String {
        let mut stream = UnixStream::connect(&self.socket).await.unwrap();
        let request = format!("POST {path} HTTP/1.1\r\nHost: \r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        timeout(PATIENCE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
        answer
    }

    /// Sends a signal; the exit code and what was logged.
    async fn end(&mut self, signal: Signal) -> (Option<i32>, String) {
        let pid = Pid::from_raw(i32::try_from(self.child.id().unwrap()).unwrap()).unwrap();
        kill_process(pid, signal).unwrap();
        let mut log = String::new();
        let mut stderr = self.child.stderr.take().unwrap();
        timeout(PATIENCE, stderr.read_to_string(&mut log)).await.unwrap().unwrap();
        (timeout(PATIENCE, self.child.wait()).await.unwrap().unwrap().code(), log)
    }
}

#[tokio::test]
async fn it_serves_with_store_and_array_away_and_ends_cleanly_on_sigterm() {
    let mut plugin = Plugin::start().await;
    assert!(plugin.call("/Plugin.Activate").await.ends_with(r#"{"Implements":["VolumeDriver"]}"#));
    let (code, log) = plugin.end(Signal::TERM).await;
    assert_eq!(code, Some(0), "{log}");
    assert_eq!(
        std::fs::read_dir(plugin.socket.parent().unwrap()).unwrap().count(),
        0,
        "nothing is left beside the socket"
    );
    assert!(!plugin.dir.path().join("state/lock").exists());
    assert!(log.contains("ready") && !log.contains("s3cret"), "{log}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_costs_no_answer() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut plugin = Plugin::start_logging_to(full.into()).await;
    for _ in 0..3 {
        let answer = plugin.call("/VolumeDriver.Mount").await;
        assert!(answer.contains(r#""Err":""#), "a failure is logged and answered: {answer}");
    }
    plugin.child.stderr = None;
    kill_process(Pid::from_raw(i32::try_from(plugin.child.id().unwrap()).unwrap()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(timeout(PATIENCE, plugin.child.wait()).await.unwrap().unwrap().code(), Some(0));
    assert!(!plugin.socket.exists());
}

#[tokio::test]
async fn a_second_one_on_the_same_socket_is_told_who_is_there_and_does_no_harm() {
    let mut plugin = Plugin::start().await;
    let conf = plugin.dir.path().join("hpe.conf").display().to_string();
    let second = output(&["serve", "--config", &conf, "--socket", &plugin.socket.display().to_string()]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    let running =
        format!("another plugin is running on {} (process {})", plugin.socket.display(), plugin.child.id().unwrap());
    assert!(said.contains(&running), "{said}");
    assert!(second.stdout.is_empty());
    assert!(plugin.call("/VolumeDriver.Capabilities").await.contains("global"));
    assert_eq!(plugin.end(Signal::INT).await.0, Some(0));
}

#[tokio::test]
async fn a_second_one_of_the_same_node_is_refused_whatever_its_socket_is() {
    let mut plugin = Plugin::start().await;
    let conf = plugin.dir.path().join("hpe.conf").display().to_string();
    let other = plugin.dir.path().join("other/hpe.sock");
    let second = output(&["serve", "--config", &conf, "--socket", &other.display().to_string()]).await;
    assert_eq!(second.status.code(), Some(1));
    let said = text(&second.stderr);
    let expected = format!("is in use by another plugin of this node (process {})", plugin.child.id().unwrap());
    assert!(said.contains("state_dir") && said.contains(&expected), "{said}");
    assert!(!other.exists());
    assert_eq!(plugin.end(Signal::TERM).await.0, Some(0));
}

#[tokio::test]
async fn a_plugin_that_was_killed_leaves_nothing_in_the_way() {
    let mut plugin = Plugin::start().await;
    let (code, _) = plugin.end(Signal::KILL).await;
    assert_eq!(code, None);
    assert!(plugin.socket.exists(), "nobody could remove it");
    let conf = plugin.dir.path().join("hpe.conf").display().to_string();
    let mut again = program(&["serve", "--config", &conf, "--socket"]).arg(&plugin.socket).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(again.stdout.take().unwrap());
    timeout(PATIENCE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    assert!(line.contains("\"ready\""), "{line}");
}

#[tokio::test]
async fn a_configuration_is_checked_with_an_exit_code() {
    let dir = tempfile::tempdir().unwrap();
    let conf = configuration(dir.path()).display().to_string();
    std::fs::set_permissions(&conf, std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
    let good = output(&["check-config", "--config", &conf]).await;
    assert_eq!(good.status.code(), Some(0));
    assert!(text(&good.stdout).contains("Backend DEFAULT") && !text(&good.stdout).contains("s3cret"));
    let said = text(&good.stdout);
    for expected in ["its mode is 0644", "ssh-keyscan -p 22 127.0.0.1"] {
        assert!(said.contains(expected), "{expected}: {said}");
    }
    let sound = std::fs::read_to_string(&conf).unwrap();
    std::fs::write(&conf, format!("{sound}hpe3par_ca_cert = /nonexistent/ca.pem\n")).unwrap();
    for command in ["check-config", "serve"] {
        let refused = output(&[command, "--config", &conf]).await;
        assert_eq!(refused.status.code(), Some(1), "{command}");
        let said = text(&refused.stdout) + &text(&refused.stderr);
        assert!(said.contains("hpe3par_ca_cert: ") && said.contains("/nonexistent/ca.pem"), "{command}: {said}");
        assert!(said.contains("warning: "), "{command}: {said}");
    }
    std::fs::write(&conf, "[DEFAULT]\nhost_etcd_port_number = many\n").unwrap();
    let bad = output(&["check-config", "--config", &conf]).await;
    assert_eq!(bad.status.code(), Some(1));
    assert!(text(&bad.stdout).contains("hpe.conf:2: [DEFAULT] host_etcd_port_number:"), "{}", text(&bad.stdout));
    let serve = output(&["serve", "--config", &conf, "--socket", &dir.path().join("s").display().to_string()]).await;
    assert_eq!(serve.status.code(), Some(1));
    assert!(text(&serve.stderr).contains("hpe.conf:2:"), "{}", text(&serve.stderr));
}

#[tokio::test]
async fn help_says_where_to_begin() {
    let help = text(&output(&["--help"]).await.stdout);
    for expected in ["check-config", "serve", "docker volume create -d hpe"] {
        assert!(help.contains(expected), "{expected}: {help}");
    }
    let serve = text(&output(&["serve", "--help"]).await.stdout);
    for expected in ["/etc/hpedockerplugin/hpe.conf", "/run/docker/plugins/hpe.sock", "RUST_LOG", "\"ready\""] {
        assert!(serve.contains(expected), "{expected}: {serve}");
    }
    assert!(text(&output(&["--version"]).await.stdout).contains(env!("CARGO_PKG_VERSION")));
    assert_eq!(output(&["frobnicate"]).await.status.code(), Some(2));
}
