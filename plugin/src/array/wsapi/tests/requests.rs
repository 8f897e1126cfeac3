//! What each call puts on the wire, and how it reads an array's answers.

use std::time::Duration;

use serde_json::{Value, json};

use super::scripted_array::{Reply, ScriptedArray, Seen};
use crate::array::settings::Protocol;
use crate::array::{Export, ExportTarget, HostOnArray, Lun, NewVolume, Provisioning, TargetPort, VlunRow};
use crate::node::Initiators;

const LONG: Duration = Duration::from_secs(30);
const ROWS: &str = r#"{"total":3,"members":[
  {"lun":5,"volumeName":"dcv-x","hostname":"worker1","type":3,"active":false},
  {"lun":5,"volumeName":"dcv-x","hostname":"worker1","remoteName":"iqn.a","portPos":{"node":0,"slot":2,"cardPort":1},
   "type":3,"volumeWWN":"60002AC000000000000001500000B69E","active":true},
  {"lun":9,"volumeName":"other","hostname":"worker1","type":3,"active":false}]}"#;

async fn answering(start: &'static str, body: &'static str) -> ScriptedArray {
    ScriptedArray::start(move |seen: &Seen, _| seen.line().starts_with(start).then(|| Reply::json(200, body))).await
}

/// The last request: its line and its body.
fn last(array: &ScriptedArray) -> (String, Value) {
    let seen = array.seen().pop().unwrap();
    (seen.line(), serde_json::from_str(&seen.body).unwrap_or(Value::Null))
}

#[tokio::test]
async fn vluns_of_a_volume_are_asked_for_by_name() {
    let array = answering("GET /vluns", ROWS).await;
    let rows = array.client(LONG).exports_of(&"dcv-x".parse().unwrap()).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().any(|row| matches!(row, VlunRow::Active { port: Some(_), .. })));
    assert_eq!(last(&array).0, "GET /vluns?query=%22volumeName%20EQ%20dcv-x%22");
}

#[tokio::test]
async fn an_old_array_lists_all_vluns() {
    let array = ScriptedArray::start(|seen: &Seen, _| match seen.line().as_str() {
        "GET /api" => Some(Reply::json(200, r#"{"major":1,"minor":4,"revision":1,"build":30201256}"#)),
        "GET /vluns" => Some(Reply::json(200, ROWS)),
        _ => None,
    })
    .await;
    let client = array.client(LONG);
    assert_eq!(client.exports_of(&"dcv-x".parse().unwrap()).await.unwrap().len(), 2);
    let luns = client.luns_of(&"worker1".parse().unwrap()).await.unwrap();
    assert_eq!(luns.iter().map(|lun| lun.number()).collect::<Vec<_>>(), [5, 9]);
    assert_eq!(array.count("GET /api"), 1);
}

#[tokio::test]
async fn exports_are_made_and_removed_by_their_exact_address() {
    let array = ScriptedArray::start(|_, _| None).await;
    let client = array.client(LONG);
    let host = || "worker1".parse().unwrap();
    let export = |to| Export { volume: "dcv-x".parse().unwrap(), lun: Lun::try_from(5).unwrap(), to };
    client.export(&export(ExportTarget::Host(host()))).await.unwrap();
    assert_eq!(last(&array), ("POST /vluns".into(), json!({"volumeName": "dcv-x", "lun": 5, "hostname": "worker1"})));
    let matched = export(ExportTarget::MatchedSet(host(), "0:2:1".parse().unwrap()));
    client.export(&matched).await.unwrap();
    let port = json!({"node": 0, "slot": 2, "cardPort": 1});
    assert_eq!(last(&array).1, json!({"volumeName": "dcv-x", "lun": 5, "hostname": "worker1", "portPos": port}));
    client.unexport(&matched).await.unwrap();
    assert_eq!(last(&array).0, "DELETE /vluns/dcv-x,5,worker1,0:2:1");
    client.unexport(&export(ExportTarget::HostSet("lab".into()))).await.unwrap();
    assert_eq!(last(&array).0, "DELETE /vluns/dcv-x,5,set:lab");
}

#[tokio::test]
async fn hosts_are_found_made_and_extended() {
    let hosts = r#"{"total":2,"members":[{"name":"worker1","FCPaths":[],"iSCSIPaths":[{"name":"iqn.lab:n1"}]},
        {"FCPaths":[],"iSCSIPaths":[{"name":"iqn.lab:stray"}]}]}"#;
    let array = answering("GET /hosts?", hosts).await;
    let client = array.client(LONG);
    let initiators = Initiators { iqn: Some("iqn.lab:n1".into()), wwpns: vec!["1000D89D676F3859".into()] };
    let found = client.hosts_with(&initiators, Protocol::Iscsi).await.unwrap();
    assert_eq!(found.iter().map(|host| host.name.as_str()).collect::<Vec<_>>(), ["worker1"]);
    assert_eq!(last(&array).0, "GET /hosts?query=%22iSCSIPaths%5Bname%20EQ%20iqn.lab%3An1%5D%22");
    let host = HostOnArray {
        name: "worker2".parse().unwrap(),
        domain: Some("D".into()),
        initiators: initiators.clone(),
        further_iqns: Vec::new(),
    };
    client.create_host(&host, Protocol::Iscsi).await.unwrap();
    assert_eq!(
        last(&array),
        ("POST /hosts".into(), json!({"iSCSINames": ["iqn.lab:n1"], "name": "worker2", "persona": 2, "domain": "D"}))
    );
    client.add_initiators(&host.name, &initiators, Protocol::Fc).await.unwrap();
    assert_eq!(
        last(&array),
        ("PUT /hosts/worker2".into(), json!({"FCWWNs": ["1000D89D676F3859"], "pathOperation": 1}))
    );
    // What belongs to the other transport is left alone.
    let fc_only = Initiators { iqn: None, ..initiators };
    let before = array.seen().len();
    client.add_initiators(&host.name, &fc_only, Protocol::Iscsi).await.unwrap();
    assert!(client.hosts_with(&fc_only, Protocol::Iscsi).await.is_err());
    assert!(client.create_host(&HostOnArray { initiators: fc_only, ..host }, Protocol::Iscsi).await.is_err());
    assert_eq!(array.seen().len(), before);
}

#[tokio::test]
async fn volumes_are_read_made_and_removed() {
    let volume = r#"{"id":336,"name":"dcv-x","sizeMiB":10240,"wwn":"60002AC000000000000001500000B69E","comment":"c"}"#;
    let array = answering("GET /volumes/dcv-x", volume).await;
    let client = array.client(LONG);
    let read = client.volume(&"dcv-x".parse().unwrap()).await.unwrap().unwrap();
    assert_eq!((read.size_mib, read.wwn.as_str()), (10240, "60002ac000000000000001500000b69e"));
    let new = NewVolume {
        name: "dcv-y".parse().unwrap(),
        size_mib: 1024,
        cpg: "FC_r6".parse().unwrap(),
        snap_cpg: None,
        provisioning: Provisioning::Thin,
        compression: None,
        comment: "{}".into(),
        one_host: false,
    };
    client.create_volume(&new).await.unwrap();
    assert_eq!(
        last(&array),
        (
            "POST /volumes".into(),
            json!({"name": "dcv-y", "cpg": "FC_r6", "sizeMiB": 1024, "comment": "{}", "tpvv": true})
        )
    );
    client.remove_volume(&new.name).await.unwrap();
    assert_eq!(last(&array).0, "DELETE /volumes/dcv-y");
}

#[tokio::test]
async fn a_volume_that_is_not_there() {
    let array =
        ScriptedArray::start(|seen: &Seen, _| seen.line().contains("/volumes/").then(|| Reply::error(404, 23))).await;
    let client = array.client(LONG);
    assert_eq!(client.volume(&"v".parse().unwrap()).await, Ok(None));
    assert!(client.remove_volume(&"v".parse().unwrap()).await.is_err_and(|e| e.is_not_found()));
}

#[tokio::test]
async fn cpgs_and_their_domain() {
    let array = answering("GET /cpgs/FC_r6", r#"{"id":0,"name":"FC_r6","domain":"UNIT_TEST_DOMAIN","state":1}"#).await;
    let domain = array.client(LONG).cpg_domain(&"FC_r6".parse().unwrap()).await;
    assert_eq!(domain, Ok(Some("UNIT_TEST_DOMAIN".into())));
    let array =
        ScriptedArray::start(|seen: &Seen, _| seen.line().contains("/cpgs/").then(|| Reply::error(404, 15))).await;
    assert!(array.client(LONG).cpg_domain(&"X".parse().unwrap()).await.is_err_and(|e| e.is_not_found()));
}

#[tokio::test]
async fn cpgs_are_listed_by_name() {
    let cpgs = r#"{"total":2,"members":[{"id":1,"name":"FC_r6","domain":"d"},{"id":2,"name":"SSD_r6"}]}"#;
    let array =
        ScriptedArray::start(move |seen: &Seen, _| (seen.line() == "GET /cpgs").then(|| Reply::json(200, cpgs))).await;
    let names: Vec<String> = array.client(LONG).cpgs().await.unwrap().into_iter().map(String::from).collect();
    assert_eq!(names, ["FC_r6", "SSD_r6"]);
}

#[tokio::test]
async fn ports_that_are_ready_and_their_vlans() {
    let ports = r#"{"total":3,"members":[
      {"portPos":{"node":0,"slot":2,"cardPort":1},"mode":2,"linkState":4,"type":8,"protocol":2,"IPAddr":"10.0.0.1",
       "iSCSIName":"iqn.a","iSCSIPortInfo":{"IPAddr":"10.0.0.1","iSCSIName":"iqn.a","vlan":1}},
      {"portPos":{"node":1,"slot":2,"cardPort":1},"mode":2,"linkState":10,"type":8,"protocol":2,
       "iSCSIPortInfo":{"IPAddr":"10.0.0.2","iSCSIName":"iqn.b","vlan":0}},
      {"portPos":{"node":0,"slot":0,"cardPort":2},"mode":2,"linkState":4,"portWWN":"20020002AC018D7C","type":1,"protocol":1}]}"#;
    let array = ScriptedArray::start(move |seen: &Seen, _| match seen.line().as_str() {
        "GET /ports" => Some(Reply::json(200, ports)),
        "GET /ports/0:2:1/iSCSIVlans/" => {
            Some(Reply::json(200, r#"{"iSCSIVlans":[{"IPAddr":"10.1.0.1","vlanTag":7}]}"#))
        }
        _ => None,
    })
    .await;
    let client = array.client(LONG);
    let allowed = ["10.1.0.1:3260".parse().unwrap(), "10.0.0.2:3260".parse().unwrap()];
    let targets = client.target_ports(Protocol::Iscsi, &allowed).await.unwrap();
    let portal =
        TargetPort::Iscsi { position: "0:2:1".parse().unwrap(), portal: "10.1.0.1:3260".into(), iqn: "iqn.a".into() };
    assert_eq!(targets, [portal]);
    assert_eq!(client.target_ports(Protocol::Iscsi, &[]).await.unwrap().len(), 2);
    assert_eq!(client.target_ports(Protocol::Fc, &[]).await.unwrap().len(), 1);
}
