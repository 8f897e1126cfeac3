//! Services of the array over REST: QoS, flash cache, accounts, logs and statistics, remote copy.

use serde_json::{Value, json};

use super::tests::Client;
use super::*;
use crate::array::{Account, ArrayConfig, Role};

#[tokio::test]
async fn qos_rules() {
    let client = Client::with_volume_and_host().await;
    client.send("POST", "/volumesets", &json!({"name": "vs", "setmembers": ["v1"]})).await;
    let rule = json!({"name": "vs", "type": 1, "ioMinGoal": 10, "ioMaxLimit": 20});
    assert_eq!(client.send("POST", "/qos", &rule).await.location(), "/api/v1/qos/vvset:vs");
    assert_eq!(client.get("/qos/vvset:vs").await.json()["ioMaxLimit"], 20);
    assert_eq!(client.get("/qos").await.json()["total"], 1);
    assert_eq!(client.send("PUT", "/qos/vvset:vs", &json!({"ioMinGoal": 30, "ioMaxLimit": 40})).await.status, 200);
    assert_eq!(client.delete("/volumesets/vs").await.status, 409);
    assert_eq!(client.delete("/qos/vvset:vs").await.status, 200);
    assert_eq!(client.get("/qos/vvset:vs").await.refusal(), (404, 100));
}

#[tokio::test]
async fn a_flash_cache_and_who_uses_it() {
    let client = Client::new().await;
    assert_eq!(client.get("/flashcache").await.refusal(), (404, 285));
    assert_eq!(client.send("POST", "", &json!({"flashCache": {"sizeGiB": 64, "mode": 1}})).await.status, 201);
    assert_eq!(client.get("/flashcache").await.json()["mode"], 1);
    client.send("POST", "/volumesets", &json!({"name": "vs"})).await;
    assert_eq!(client.send("PUT", "/volumesets/vs", &json!({"flashCachePolicy": 1})).await.status, 200);
    assert_eq!(client.get("/volumesets/vs").await.json()["flashCachePolicy"], 1);
    assert_eq!(client.send("PUT", "/system", &json!({"flashCachePolicy": 1})).await.status, 200);
    assert_eq!(client.delete("/flashcache").await.status, 200);
}

#[tokio::test]
async fn who_may_only_look_changes_nothing() {
    let guest = Account { name: "guest".into(), password: "guestpass".into(), role: Role::Browse };
    let mut client = Client::of(ArrayConfig { accounts: vec![guest], ..ArrayConfig::default() }).await;
    let users = client.get("/users").await.json();
    assert_eq!((&users["total"], &users["members"][1]["privileges"][0]["role"]), (&json!(2), &json!("browse")));
    assert_eq!(client.get("/users/nobody").await.status, 404);
    assert_eq!(client.get("/roles/super").await.json()["name"], "super");
    client.log_in("guest", "guestpass").await;
    assert_eq!(client.get("/volumes").await.status, 200);
    let refused = client.send("POST", "/volumes", &json!({"name": "v", "cpg": "FC_r6", "sizeMiB": 256})).await;
    assert_eq!(refused.refusal(), (403, 13));
    assert_eq!(client.delete(&format!("/credentials/{}", client.key)).await.status, 200);
}

#[tokio::test]
async fn parameters_logs_and_statistics() {
    let client = Client::with_volume_and_host().await;
    let change = json!({"parameters": {"remoteSyslog": true, "remoteSyslogHost": "127.0.0.1"}});
    assert_eq!(client.send("PUT", "/system", &change).await.status, 200);
    assert_eq!(client.get("/system").await.json()["parameters"]["remoteSyslogHost"], "127.0.0.1");
    assert_eq!(client.send("PUT", "/system", &json!({})).await.refusal(), (400, 78));
    let log = client.get("/eventlog/minutes:5").await.json();
    assert!(log["members"].as_array().unwrap().iter().any(|entry| entry["type"] == "volumeCreated"), "{log}");
    assert_eq!(client.get("/eventlog/hours:5").await.refusal(), (400, 12));
    assert_eq!(client.get("/systemreporter/attime/portstatistics/hires").await.json()["total"], 8);
    assert!(client.get("/systemreporter/vstime/cpgstatistics/daily;name:FC_r6").await.json()["members"].is_array());
    assert_eq!(client.get("/systemreporter/vstime/nonsense/daily").await.refusal(), (404, 11));
    assert_eq!(
        client.get("/hostpersonas?query=%22wsapiAssignedId%20EQ%208%22").await.json()["members"][0]["name"],
        "VMware"
    );
}

#[tokio::test]
async fn nvme_hosts_and_vlans() {
    let client = Client::new().await;
    let host = json!({"name": "n1", "NQN": "nqn.2014-08.org.nvmexpress:uuid:1"});
    assert_eq!(client.send("POST", "/hosts", &host).await.status, 201);
    assert_eq!(client.get("/hosts/n1").await.json()["NVMETCPPaths"][0]["NQN"], "nqn.2014-08.org.nvmexpress:uuid:1");
    let found = client.get("/hosts?query=%22NVMETCPPaths%5BNQN%20EQ%20nqn.2014-08.org.nvmexpress:uuid:1%5D%22").await;
    assert_eq!(found.json()["total"], 1);
    let vlan = json!({"ipAddr": "127.0.0.9", "netmask": "255.0.0.0", "vlanTag": 105});
    let made = client.send("POST", "/ports/0:2:1/iSCSIVlans", &vlan).await;
    assert_eq!(made.location(), "/api/v1/ports/0:2:1/iSCSIVlans/105");
    assert_eq!(client.get("/ports/0:2:1/iSCSIVlans").await.json()["iSCSIVlans"][0]["vlanTag"], 105);
    assert_eq!(client.send("PUT", "/ports/0:2:1", &json!({"mtu": 9000})).await.status, 200);
    assert_eq!(client.get("/ports/0:2:1").await.json()["iSCSIPortInfo"]["mtu"], 9000);
    assert_eq!(client.send("POST", "/ports/0:2:1", &json!({"action": 2})).await.status, 200);
    assert_eq!(client.delete("/ports/0:2:1/iSCSIVlans/105").await.status, 200);
}

#[tokio::test]
async fn a_volume_set_is_exported() {
    let client = Client::with_volume_and_host().await;
    client.send("POST", "/volumesets", &json!({"name": "vs", "setmembers": ["v1"]})).await;
    let export = json!({"volumeName": "set:vs", "lun": 5, "hostname": "h1"});
    assert_eq!(client.send("POST", "/vluns", &export).await.location(), "/api/v1/vluns/set:vs,5,h1");
    assert_eq!(client.get("/vluns?query=%22volumeName%20EQ%20v1%22").await.json()["members"][0]["lun"], 5);
    assert_eq!(client.delete("/vluns/set:vs,5,h1").await.status, 200);
    assert_eq!(client.get("/vluns").await.json()["total"], 0);
}

#[tokio::test]
async fn a_remote_copy_group_from_birth_to_end() {
    let client = Client::with_volume_and_host().await;
    let partner = Emulator::new(ArrayConfig { system_id: 7, ..ArrayConfig::default() });
    client.emulator.link("there", &partner, "here").unwrap();
    assert_eq!(client.get("/remotecopytargets").await.json()["members"][0]["name"], "there");
    assert_eq!(client.get("/remotecopylinks").await.json()["total"], 1);
    let group = json!({"name": "g1", "targets": [{"targetName": "there", "mode": 1}]});
    let made = client.send("POST", "/remotecopygroups", &group).await;
    assert_eq!((made.status.as_u16(), made.location()), (201, "/api/v1/remotecopygroups/g1"));
    let put = |body: Value| {
        let client = &client;
        async move { client.send("PUT", "/remotecopygroups/g1", &body).await }
    };
    assert_eq!(put(json!({"action": 3})).await.status, 400, "it has no volumes");
    let admit = json!({
        "action": 1, "volumeName": "v1", "targets": [{"targetName": "there", "secVolumeName": "m1"}],
        "volumeAutoCreation": true, "skipInitialSync": true,
    });
    assert_eq!(put(admit).await.status, 200);
    assert_eq!(put(json!({"action": 3, "skipInitialSync": true})).await.status, 200);
    let row = client.get("/remotecopygroups/g1").await.json();
    assert_eq!(
        (&row["targets"][0]["state"], &row["volumes"][0]["remoteVolumes"][0]["syncStatus"]),
        (&json!(3), &json!(3))
    );
    assert!(put(json!({"action": 5})).await.json()["tasks"][0]["taskId"].is_u64());
    assert_eq!(client.delete("/volumes/v1").await.refusal(), (409, 34));
    assert_eq!(client.send("POST", "/remotecopygroups/g1", &json!({"action": 8})).await.status, 200);
    assert_eq!(client.get("/remotecopygroups/g1").await.json()["role"], 2, "a switchover");
    let back = |array: &mut crate::array::Array, partners: &mut crate::array::Partners<'_>, now| {
        let body = crate::array::RecoverGroup::default();
        array.recover_rcopy_group(partners, now, "g1.r46750", crate::array::RecoveryAction::Migrate, &body)
    };
    partner.with_partners(back).unwrap();
    assert_eq!(put(json!({"action": 4})).await.status, 200);
    assert_eq!(client.delete("/remotecopygroups/g1/volumes/v1?removeSecondaryVolume=true").await.status, 200);
    assert!(partner.with(|array, _| array.volume("m1").is_err()));
    assert_eq!(client.delete("/remotecopygroups/g1?keepSnap=false").await.status, 200);
    assert_eq!(client.get("/remotecopygroups/g1").await.refusal(), (404, 187));
    assert_eq!(client.delete("/volumes/v1").await.status, 200);
}
