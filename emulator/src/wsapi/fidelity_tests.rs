//! The router against the table of what is there.

use std::collections::BTreeSet;

use serde_json::json;

use super::tests::Client;
use super::*;
use crate::array::ArrayConfig;
use crate::fidelity::{ENDPOINTS, State};

/// A client of an array with one object of each kind.
async fn with_one_of_each() -> Client {
    let client = Client::with_volume_and_host().await;
    for (method, path, body) in [
        ("POST", "/hostsets", json!({"name": "hs"})),
        ("POST", "/volumesets", json!({"name": "vs"})),
        ("POST", "/vluns", json!({"volumeName": "v1", "lun": 1, "hostname": "h1"})),
        ("POST", "/qos", json!({"name": "vs", "type": 1, "ioMinGoal": 1, "ioMaxLimit": 2})),
        ("POST", "", json!({"flashCache": {"sizeGiB": 64}})),
        ("POST", "/volumes/v1/objectKeyValues", json!({"key": "k", "value": "1"})),
        ("POST", "/ports/0:2:1/iSCSIVlans", json!({"ipAddr": "127.0.0.9", "netmask": "255.0.0.0", "vlanTag": 105})),
    ] {
        let made = client.send(method, path, &body).await;
        assert_eq!(made.status, 201, "{method} {path}");
    }
    let partner = Emulator::new(ArrayConfig { system_id: 7, ..ArrayConfig::default() });
    client.emulator.link("there", &partner, "here").unwrap();
    client.send("POST", "/volumes", &json!({"name": "v2", "cpg": "FC_r6", "sizeMiB": 256, "tpvv": true})).await;
    let group = json!({"name": "g1", "targets": [{"targetName": "there", "mode": 1}]});
    assert_eq!(client.send("POST", "/remotecopygroups", &group).await.status, 201);
    let admit = json!({
        "volumeName": "v2", "targets": [{"targetName": "there", "secVolumeName": "m2"}], "volumeAutoCreation": true,
    });
    assert_eq!(client.send("POST", "/remotecopygroups/g1/volumes", &admit).await.status, 201);
    client
}

/// A path with the names of objects that are there.
fn filled(path: &str, client: &Client) -> String {
    let name = match path.split('/').nth(1).unwrap_or_default() {
        "cpgs" => "FC_r6",
        "volumes" => "v1",
        "hosts" => "h1",
        "hostsets" => "hs",
        "volumesets" => "vs",
        "users" => "3paradm",
        "roles" => "super",
        "remotecopygroups" => "g1",
        "remotecopytargets" => "there",
        _ => "none",
    };
    let key = if path.starts_with("/credentials") { client.key.as_str() } else { "k" };
    let id = "1";
    [
        ("{name}", name),
        ("{key}", key),
        ("{id}", id),
        ("{address}", "v1,1,h1"),
        ("{position}", "0:2:1"),
        ("{tag}", "105"),
        ("{volume}", "v2"),
        ("{target}", if path.starts_with("/qos") { "vvset:vs" } else { "there" }),
    ]
    .iter()
    .fold(path.to_owned(), |path, (variable, value)| path.replace(variable, value))
}

#[test]
fn every_route_is_in_the_table() {
    let routed: BTreeSet<String> = routes().iter().map(|route| format!("{} {}", route.method, route.path)).collect();
    let listed: BTreeSet<String> =
        ENDPOINTS.iter().filter(|entry| entry.state != State::Absent).map(|entry| entry.what.to_owned()).collect();
    assert_eq!(routed, listed);
}

#[tokio::test]
async fn what_is_complete_answers_and_what_is_absent_does_not() {
    for entry in ENDPOINTS {
        // A fresh array for each, as some of them delete something.
        let client = with_one_of_each().await;
        let (method, path) = entry.what.split_once(' ').unwrap();
        let got = client.send(method, &filled(path, &client), &json!({})).await;
        let away = matches!(got.status.as_u16(), 404 | 501);
        match entry.state {
            State::Complete => assert!(!away, "{}: {}", entry.what, got.status),
            State::Absent => assert!(away, "{}: {}", entry.what, got.status),
            State::Partial => {}
        }
    }
}
