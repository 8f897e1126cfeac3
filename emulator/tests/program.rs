//! The program itself: ready line, signals, refusals on the command line.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::process::Stdio;

use serde_json::Value;
use support::DEADLINE;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, BufReader},
    process::{Child, Command},
};

fn program(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hpe3par-emulator"));
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
    command
}

/// Starts the program and reads its ready line.
async fn start(arguments: &[&str]) -> (Child, Value) {
    let mut child = program(arguments).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(DEADLINE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    (child, serde_json::from_str(&line).unwrap())
}

async fn refused(arguments: &[&str]) -> (Option<i32>, String) {
    let ended = tokio::time::timeout(DEADLINE, program(arguments).output()).await.unwrap().unwrap();
    (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
}

#[tokio::test]
async fn the_ready_line_has_the_real_addresses_and_sigterm_ends_cleanly() {
    let portals = "127.0.0.1:0,127.0.0.2:0";
    let (mut child, ready) = start(&["serve", "--tls", "off", "--iscsi", portals, "--password", "h1dden"]).await;
    assert_eq!(ready["event"], "ready");
    let wsapi = ready["wsapi"].as_str().unwrap();
    assert!(wsapi.starts_with("http://127.0.0.1:") && wsapi.ends_with("/api/v1"));
    let iscsi: Vec<&str> = ready["iscsi"].as_array().unwrap().iter().map(|portal| portal.as_str().unwrap()).collect();
    assert_eq!(iscsi.len(), 4);
    assert!(iscsi[1].starts_with("127.0.0.2:") && !iscsi[1].ends_with(":0"), "{iscsi:?}");
    assert_eq!(iscsi[..2], iscsi[2..], "ports share the addresses in turn");
    tokio::net::TcpStream::connect(iscsi[1]).await.unwrap();
    assert!(ready["tls_certificate"].is_null());
    for member in ["ssh", "control"] {
        let address = ready[member].as_str().unwrap();
        tokio::net::TcpStream::connect(address).await.unwrap();
    }

    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().await.unwrap().success());
    let status = tokio::time::timeout(DEADLINE, child.wait()).await.unwrap().unwrap();
    let mut log = String::new();
    child.stderr.take().unwrap().read_to_string(&mut log).await.unwrap();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(!log.contains("h1dden"), "{log}");
    assert!(!log.contains('\u{1b}'), "a log that is no terminal has no colours: {log}");
}

#[tokio::test]
async fn what_cannot_be_honoured_is_refused_with_a_sentence() {
    let (code, text) = refused(&["serve", "--state", "/tmp/x"]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("--state /tmp/x") && text.contains("memory only"), "{text}");
    let (code, text) = refused(&["serve", "--control", "192.0.2.1:0"]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("loopback"), "{text}");
    let (code, text) = refused(&["serve", "--tls", "maybe"]).await;
    assert_eq!(code, Some(2));
    assert!(text.contains("self-signed"), "{text}");
    let (code, text) = refused(&["serve", "--tls", "/nonexistent/a.pem:/nonexistent/b.pem"]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains("/nonexistent/a.pem"), "{text}");
    assert_eq!(text.matches("No such file").count(), 1, "a cause is told once: {text}");
}

#[tokio::test]
async fn a_taken_address_is_named() {
    let taken = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (code, text) = refused(&["serve", "--ssh", &address]).await;
    assert_eq!(code, Some(1));
    assert!(text.contains(&address) && text.contains("SSH command line"), "{text}");
    assert_eq!(text.matches("in use").count(), 1, "a cause is told once: {text}");
}

#[tokio::test]
async fn a_log_that_cannot_be_written_ends_nothing() {
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let mut child = program(&["serve", "--tls", "off"]).stderr(full).spawn().unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    tokio::time::timeout(DEADLINE, stdout.read_line(&mut line)).await.unwrap().unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    tokio::net::TcpStream::connect(ready["control"].as_str().unwrap()).await.unwrap();
    assert_eq!(child.try_wait().unwrap(), None);
}

#[tokio::test]
async fn a_partner_is_a_second_array_joined_by_remote_copy() {
    // Another test of this process may have installed it already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (_child, ready) = start(&["serve", "--tls", "off", "--partner", "--personality", "3.2.2"]).await;
    for (array, target) in [(&ready, "partner3par"), (&ready["partner"], "emulated3par")] {
        let wsapi = array["wsapi"].as_str().unwrap();
        let client = reqwest::Client::new();
        let version: Value = client.get(wsapi.replace("/api/v1", "/api")).send().await.unwrap().json().await.unwrap();
        assert_eq!(version["build"], 30_202_530);
        let account = serde_json::json!({"user": "3paradm", "password": "3pardata"});
        let opened = client.post(format!("{wsapi}/credentials")).json(&account).send().await.unwrap();
        let key = opened.json::<Value>().await.unwrap()["key"].as_str().unwrap().to_owned();
        let targets = client.get(format!("{wsapi}/remotecopytargets")).header("X-HP3PAR-WSAPI-SessionKey", key);
        let targets: Value = targets.send().await.unwrap().json().await.unwrap();
        assert_eq!(targets["members"][0]["name"], target);
        let control = array["control"].as_str().unwrap();
        let cut = client.post(format!("http://{control}/remote-copy-links/{target}/cut")).send().await.unwrap();
        assert_eq!(cut.status(), 200);
        let unknown = client.post(format!("http://{control}/remote-copy-links/nix/cut")).send().await.unwrap();
        assert_eq!(unknown.status(), 404);
    }
}

#[tokio::test]
async fn the_fidelity_table_is_printed() {
    let printed = program(&["fidelity"]).output().await.unwrap();
    assert!(printed.status.success());
    assert!(String::from_utf8(printed.stdout).unwrap().contains("| `POST /volumes` | complete |"));
}
