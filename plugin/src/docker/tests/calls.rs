//! The calls as dockerd and dory make them.

use std::time::Duration;

use tokio::io::AsyncWriteExt as _;
use tokio::time::{Instant, sleep};

use super::client::{exchange, plugin, plugin_with, post_request};
use crate::docker::api::Deadlines;

/// Waits for a condition that another task brings about.
async fn until(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + Duration::from_secs(20);
    while !condition() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn the_life_of_a_volume() {
    let plugin = plugin().await;
    let activated = plugin.post("/Plugin.Activate", "").await;
    assert_eq!(activated.body, r#"{"Implements":["VolumeDriver"]}"#);
    assert!(activated.head.starts_with("HTTP/1.1 200 OK"));
    assert!(activated.head.to_lowercase().contains("content-type: application/vnd.docker.plugins.v1.2+json"));
    for (path, body, expected) in [
        ("/VolumeDriver.Capabilities", "", r#"{"Capabilities":{"Scope":"global"}}"#),
        ("/VolumeDriver.List", "", r#"{"Err":""}"#),
        ("/VolumeDriver.Get", "{\"Name\":\"db\"}\n", r#"{"Err":""}"#),
        ("/VolumeDriver.Create", "{\"Name\":\"db\",\"Opts\":null}\n", r#"{"Err":""}"#),
        (
            "/VolumeDriver.Create",
            r#"{"Name":"k8","Opts":{"size":16,"mountConflictDelay":30,"compression":true}}"#,
            r#"{"Err":""}"#,
        ),
        ("/VolumeDriver.Create", r#"{"Name":"db","Opts":{"nonsense":1}}"#, r#"{"Err":""}"#),
        (
            "/VolumeDriver.Mount",
            r#"{"Name":"db","ID":"abc"}"#,
            r#"{"Err":"","Name":"db","Mountpoint":"/opt/hpe/data/db","Devicename":"/dev/dm-7"}"#,
        ),
        ("/VolumeDriver.Path", r#"{"Name":"db"}"#, r#"{"Err":"","Mountpoint":""}"#),
        ("/VolumeDriver.Path", r#"{"Name":"no"}"#, r#"{"Err":"No Mount Point","Mountpoint":""}"#),
        ("/VolumeDriver.Unmount", r#"{"Name":"db","ID":"abc"}"#, r#"{"Err":""}"#),
        (
            "/VolumeDriver.Get",
            r#"{"Name":"db"}"#,
            r#"{"Err":"","Volume":{"Name":"db","Mountpoint":"","Devicename":"","Status":{}}}"#,
        ),
        ("/VolumeDriver.Remove", r#"{"Name":"db"}"#, r#"{"Err":""}"#),
        ("/VolumeDriver.Remove", r#"{"Name":"db"}"#, r#"{"Err":"Volume name to remove not found: db"}"#),
        (
            "/VolumeDriver.List",
            "{}",
            r#"{"Err":"","Volumes":[{"Name":"k8","Devicename":"","size":100,"Mountpoint":"","Status":{}}]}"#,
        ),
    ] {
        assert_eq!(plugin.post(path, body).await.body, expected, "{path} {body}");
    }
    plugin.daemon.shutdown().await;
}

#[tokio::test]
async fn help_comes_in_lines_and_makes_nothing() {
    let plugin = plugin().await;
    for (options, expected) in [
        ("help\":\"", "\nhelp on Usage\n  second line\n"),
        ("help\":\"backends", "\nhelp on Backends\n  second line\n"),
    ] {
        let body = format!(r#"{{"Name":"db","Opts":{{"{options}"}}}}"#);
        assert_eq!(plugin.post("/VolumeDriver.Create", &body).await.json()["Err"], expected);
    }
    assert!(plugin.driver.changes().is_empty());
}

#[tokio::test]
async fn failures_and_panics_are_one_line_and_the_plugin_lives() {
    let plugin = plugin().await;
    assert_eq!(plugin.post("/VolumeDriver.Mount", r#"{"Name":"fails","ID":"1"}"#).await.err(), "array says no");
    let panicked = plugin.post("/VolumeDriver.Mount", r#"{"Name":"panics","ID":"1"}"#).await.err();
    assert_eq!(panicked, "Mount of volume panics for 1 failed by a defect of the plugin: on purpose");
    assert!(plugin.post("/VolumeDriver.Get", r#"{"Name":"panics"}"#).await.err().contains("on purpose"));
    assert_eq!(plugin.post("/VolumeDriver.Mount", r#"{"Name":"ok","ID":"1"}"#).await.err(), "");
}

#[tokio::test]
async fn a_mount_survives_its_caller_and_is_joined_by_the_repeated_request() {
    let plugin = plugin().await;
    let body = r#"{"Name":"held","ID":"abc"}"#;
    let mut impatient = plugin.connect().await;
    let request =
        format!("POST /VolumeDriver.Mount HTTP/1.1\r\nHost: \r\nContent-Length: {}\r\n\r\n{body}", body.len());
    impatient.write_all(request.as_bytes()).await.unwrap();
    until("the Mount starts", || plugin.driver.changes() == ["mount held abc"]).await;
    drop(impatient);
    let health = async || plugin.send(b"GET /health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await.json();
    let deadline = Instant::now() + Duration::from_secs(20);
    while health().await["operations"][0]["waiting"] != 0 {
        assert!(Instant::now() < deadline, "the disconnection was not noticed");
    }
    let (again, ()) = tokio::join!(plugin.post("/VolumeDriver.Mount", body), async {
        while health().await["operations"][0]["waiting"] != 1 {
            assert!(Instant::now() < deadline, "the repeated request did not join");
        }
        assert!(plugin.driver.caller.lock().unwrap().as_ref().unwrap().is_waiting());
        plugin.driver.gate.add_permits(1);
    });
    assert_eq!(again.json()["Mountpoint"], "/opt/hpe/data/held");
    assert_eq!(plugin.driver.changes(), ["mount held abc", "mounted held abc"], "one effect");
}

#[tokio::test]
async fn at_its_deadline_a_mount_is_answered_and_its_caller_has_left() {
    let short = Deadlines { mount: Duration::from_millis(50), ..Deadlines::default() };
    let plugin = plugin_with(short).await;
    let error = plugin.post("/VolumeDriver.Mount", r#"{"Name":"held","ID":"abc"}"#).await.err();
    assert!(error.ends_with("repeat the request to join it"), "{error}");
    assert!(!plugin.driver.caller.lock().unwrap().as_ref().unwrap().is_waiting());
}

#[tokio::test]
async fn the_end_waits_for_a_running_mount_and_removes_the_socket() {
    let plugin = plugin().await;
    let (path, driver) = (plugin.daemon.socket().to_owned(), plugin.driver.clone());
    let request = post_request("/VolumeDriver.Mount", br#"{"Name":"held","ID":"abc"}"#);
    let waiting = exchange(&path, &request);
    let end = async {
        until("the Mount starts", || driver.changes() == ["mount held abc"]).await;
        plugin.daemon.shutdown().await;
    };
    let release = async {
        let refused = || std::os::unix::net::UnixStream::connect(&path).is_err();
        until("the plugin stops listening", refused).await;
        driver.gate.add_permits(1);
    };
    let (answer, (), ()) = tokio::join!(waiting, end, release);
    assert_eq!(answer.err(), "");
    assert!(!path.exists());
}

#[tokio::test]
async fn two_hundred_gets_at_once_are_answered() {
    let plugin = plugin().await;
    let gets = (0..200).map(|_| plugin.post("/VolumeDriver.Get", r#"{"Name":"db"}"#));
    for answer in futures::future::join_all(gets).await {
        assert_eq!(answer.body, r#"{"Err":""}"#);
    }
}
