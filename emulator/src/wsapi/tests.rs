use axum::{
    body::Body,
    http::{HeaderMap, StatusCode},
};
use serde_json::{Value, json};
use tower::ServiceExt as _;

use super::*;
use crate::array::ArrayConfig;

/// A client inside the process, logged in.
pub(super) struct Client {
    service: Router,
    pub(super) emulator: Emulator,
    pub(super) key: String,
}

pub(super) struct Got {
    pub(super) status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Got {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }

    pub(super) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    /// Status and code of a refusal.
    pub(super) fn refusal(&self) -> (u16, u64) {
        (self.status.as_u16(), self.json()["code"].as_u64().unwrap())
    }
}

impl Client {
    pub(super) async fn new() -> Self {
        Self::of(ArrayConfig::default()).await
    }

    /// Of an array with these settings.
    pub(super) async fn of(config: ArrayConfig) -> Self {
        let emulator = Emulator::new(config);
        let mut client = Self { service: service(emulator.clone(), 8080), emulator, key: String::new() };
        client.log_in("3paradm", "3pardata").await;
        client
    }

    pub(super) async fn log_in(&mut self, user: &str, password: &str) {
        let opened = self.send("POST", "/credentials", &json!({"user": user, "password": password})).await;
        assert_eq!(opened.status, 201);
        opened.json()["key"].as_str().unwrap().clone_into(&mut self.key);
        assert_eq!(opened.location(), format!("/api/v1/credentials/{}", self.key));
    }

    /// With a volume `v1` and a host `h1`.
    pub(super) async fn with_volume_and_host() -> Self {
        let client = Self::new().await;
        let volume = json!({"name": "v1", "cpg": "FC_r6", "snapCPG": "FC_r6", "sizeMiB": 1024, "tpvv": true});
        assert_eq!(client.send("POST", "/volumes", &volume).await.location(), "/api/v1/volumes/v1");
        let host = json!({"name": "h1", "iSCSINames": ["iqn.1994-05.com.example:h1"]});
        assert_eq!(client.send("POST", "/hosts", &host).await.status, 201);
        client
    }

    async fn raw(&self, method: &str, uri: &str, body: impl Into<Body>) -> Got {
        let request = Request::builder()
            .method(method)
            .uri(uri)
            .header("X-Hp3Par-Wsapi-Sessionkey", &self.key)
            .body(body.into())
            .unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = axum::body::to_bytes(body, usize::MAX).await.unwrap().to_vec();
        Got { status: parts.status, headers: parts.headers, body }
    }

    pub(super) async fn send(&self, method: &str, path: &str, body: &Value) -> Got {
        self.raw(method, &format!("/api/v1{path}"), body.to_string()).await
    }

    pub(super) async fn get(&self, path: &str) -> Got {
        self.raw("GET", &format!("/api/v1{path}"), Body::empty()).await
    }

    pub(super) async fn delete(&self, path: &str) -> Got {
        self.raw("DELETE", &format!("/api/v1{path}"), Body::empty()).await
    }
}

#[tokio::test]
async fn a_session_is_required_but_for_the_version() {
    let mut client = Client::new().await;
    let key = std::mem::take(&mut client.key);
    assert_eq!(client.get("/volumes").await.refusal(), (403, 6));
    assert_eq!(client.get("/volumes").await.json()["desc"], "invalid session key");
    let version = client.raw("GET", "/api", Body::empty()).await.json();
    assert_eq!(version, json!({"major": 1, "minor": 6, "revision": 3, "build": 30_301_460}));

    client.key = key;
    assert_eq!(client.delete(&format!("/credentials/{}", client.key)).await.status, 200);
    assert_eq!(client.get("/volumes").await.refusal(), (403, 6));
}

#[tokio::test]
async fn a_wrong_password_is_code_5_and_a_missing_one_code_40() {
    let client = Client::new().await;
    let wrong = json!({"user": "3paradm", "password": "x"});
    assert_eq!(client.send("POST", "/credentials", &wrong).await.refusal(), (403, 5));
    assert_eq!(client.send("POST", "/credentials", &json!({"user": "3paradm"})).await.refusal(), (400, 40));
}

#[tokio::test]
async fn every_answer_has_the_headers_of_an_array() {
    let client = Client::new().await;
    for got in [client.get("/system").await, client.get("/nonsense").await, client.delete("/system").await] {
        assert_eq!(got.headers["server"], "hp3par-wsapi");
        assert_eq!(got.headers["cache-control"], "no-cache");
        assert_eq!(got.headers["pragma"], "no-cache");
        assert_eq!(got.headers["content-type"], "application/json");
    }
    assert_eq!(client.get("/nonsense").await.refusal(), (404, 11));
    assert_eq!(client.delete("/system").await.refusal(), (501, 9));
}

#[tokio::test]
async fn bodies_are_checked_before_anything_happens() {
    let client = Client::new().await;
    let broken = client.raw("POST", "/api/v1/volumes", "{\"name\": ").await;
    assert_eq!(broken.refusal(), (400, 60));
    assert!(broken.json()["ref"].is_string());
    assert_eq!(client.raw("POST", "/api/v1/volumes", vec![b' '; 1 << 20]).await.refusal(), (413, 4));
    let wrong = client.send("POST", "/volumes", &json!({"name": "v", "cpg": "FC_r6", "sizeMiB": "1"})).await;
    assert_eq!((wrong.refusal(), wrong.json()["ref"].clone()), ((400, 39), json!("sizeMiB")));
    let foreign = client.send("POST", "/volumes", &json!({"name": "v", "cpg": "FC_r6", "size": 1})).await;
    assert_eq!((foreign.refusal(), foreign.json()["ref"].clone()), ((400, 12), json!("size")));
    assert_eq!(client.get("/volumes").await.json(), json!({"total": 0, "members": []}));
}

#[tokio::test]
async fn a_volume_from_birth_to_end() {
    let client = Client::with_volume_and_host().await;
    let grown = client.send("PUT", "/volumes/v1", &json!({"action": 3, "sizeMiB": 512})).await;
    assert_eq!((grown.status.as_u16(), grown.body.len()), (200, 0));
    assert_eq!(client.get("/volumes/v1").await.json()["sizeMiB"], 1536);
    let renamed = client.send("PUT", "/volumes/v1", &json!({"newName": "v2"})).await;
    assert_eq!(renamed.location(), "/api/v1/volumes/v2");
    let copy = json!({"action": "createSnapshot", "parameters": {"name": "s1", "readOnly": true}});
    assert_eq!(client.send("POST", "/volumes/v2", &copy).await.location(), "/api/v1/volumes/s1");
    assert_eq!(client.get("/volumes/s1").await.json()["copyOf"], "v2");
    assert_eq!(client.send("PUT", "/volumes/v2", &json!({"action": 6})).await.refusal(), (400, 40));
    assert_eq!(client.send("PUT", "/volumes/v2", &json!({"action": 99})).await.refusal(), (400, 46));
    assert_eq!(client.delete("/volumes/s1").await.status, 200);
    assert_eq!(client.delete("/volumes/v2").await.status, 200);
    assert_eq!(client.get("/volumes/v2").await.refusal(), (404, 23));
}

#[tokio::test]
async fn keys_of_a_volume() {
    let client = Client::with_volume_and_host().await;
    let keys = "/volumes/v1/objectKeyValues";
    let with_keys =
        json!({"name": "k1", "cpg": "FC_r6", "sizeMiB": 256, "objectKeyValues": [{"key": "a", "value": "b"}]});
    assert_eq!(client.send("POST", "/volumes", &with_keys).await.status, 201);
    assert_eq!(client.get("/volumes/k1/objectKeyValues/a").await.json()["value"], "b");
    let twice = json!({"key": "a", "value": "b"});
    let refused = json!({"name": "k2", "cpg": "FC_r6", "sizeMiB": 256, "objectKeyValues": [twice, twice]});
    assert_eq!(client.send("POST", "/volumes", &refused).await.refusal(), (409, 181));
    assert_eq!(client.get("/volumes/k2").await.refusal(), (404, 23));
    assert_eq!(client.send("POST", keys, &json!({"key": "k", "value": "1"})).await.status, 201);
    assert_eq!(client.send("POST", keys, &json!({"key": "k", "value": "1"})).await.refusal(), (409, 181));
    assert_eq!(client.send("PUT", &format!("{keys}/k"), &json!({"value": "2"})).await.status, 200);
    assert_eq!(client.get(&format!("{keys}/k")).await.json()["value"], "2");
    assert_eq!(client.get(keys).await.json()["total"], 1);
    assert_eq!(client.delete(&format!("{keys}/k")).await.status, 200);
    assert_eq!(client.get(&format!("{keys}/k")).await.refusal(), (404, 180));
}

#[tokio::test]
async fn the_location_of_a_vlun_is_its_address() {
    let client = Client::with_volume_and_host().await;
    let host_sees = json!({"volumeName": "v1", "lun": 7, "hostname": "h1"});
    let made = client.send("POST", "/vluns", &host_sees).await;
    assert_eq!((made.status.as_u16(), made.location()), (201, "/api/v1/vluns/v1,7,h1"));
    assert_eq!(client.send("POST", "/vluns", &host_sees).await.refusal(), (409, 18));

    let position = json!({"node": 0, "slot": 2, "cardPort": 1});
    let port = json!({"volumeName": "v1", "lun": 9, "portPos": position});
    assert_eq!(client.send("POST", "/vluns", &port).await.location(), "/api/v1/vluns/v1,9,,0:2:1");
    let matched = json!({"volumeName": "v1", "lun": 8, "hostname": "h1", "portPos": position});
    assert_eq!(client.send("POST", "/vluns", &matched).await.location(), "/api/v1/vluns/v1,8,h1,0:2:1");

    let one = client.get("/vluns/v1,8,h1,0:2:1").await.json();
    assert_eq!((one["total"].clone(), one["members"][0]["type"].clone()), (json!(1), json!(4)));
    assert_eq!(one["members"][0]["active"], false);
    assert_eq!(client.get("/vluns/v1,8").await.json()["total"], 1);
    assert_eq!(client.get("/vluns/v1").await.refusal(), (400, 40));
    assert_eq!(client.get("/vluns/v1,x,h1").await.refusal(), (400, 39));
    assert_eq!(client.get("/vluns/v1,5,h1").await.refusal(), (404, 19));

    // A matched set is not removed by the address of a host-sees template.
    assert_eq!(client.delete("/vluns/v1,8,h1").await.refusal(), (404, 19));
    for address in ["v1,8,h1,0:2:1", "v1,9,,0:2:1", "v1,7,h1?noVcn=true"] {
        assert_eq!(client.delete(&format!("/vluns/{address}")).await.status, 200, "{address}");
    }
    assert_eq!(client.get("/vluns").await.json()["total"], 0);
}

#[tokio::test]
async fn an_automatic_lun_is_told_in_the_location() {
    let client = Client::with_volume_and_host().await;
    let auto = json!({"volumeName": "v1", "lun": 10, "autoLun": true, "maxAutoLun": 0, "hostname": "h1"});
    assert_eq!(client.send("POST", "/vluns", &auto).await.location(), "/api/v1/vluns/v1,10,h1");
}

#[tokio::test]
async fn queries_filter_collections() {
    let client = Client::with_volume_and_host().await;
    client.send("POST", "/vluns", &json!({"volumeName": "v1", "lun": 7, "hostname": "h1"})).await;
    for (path, total) in [
        ("/vluns?query=%22volumeName%20EQ%20v1%22", 1),
        ("/vluns?query=%22hostname%20EQ%20h1%22", 1),
        ("/vluns?query=%22hostname%20EQ%20h2%22", 0),
        ("/vluns?query=%22volumeName%20EQ%20x%20OR%20lun%20EQ%207%22", 1),
        ("/hosts?query=%22iSCSIPaths%5Bname%20EQ%20iqn.1994-05.com.example:h1%5D%22", 1),
        ("/hosts?query=%22FCPaths%5Bwwn%20EQ%201000000000000000%5D%22", 0),
        ("/volumes?query=%22userCPG%20EQ%20FC_r6%22", 1),
        ("/volumes?query=%22name%20EQ%20nothing%22", 0),
        ("/ports?query=%22type%20EQ%208%22", 4),
    ] {
        assert_eq!(client.get(path).await.json()["total"], total, "{path}");
    }
    assert_eq!(client.get("/vluns?query=%22nonsense%22").await.status, 400);
}

#[tokio::test]
async fn sets_of_hosts_and_volumes() {
    let client = Client::with_volume_and_host().await;
    let made = client.send("POST", "/hostsets", &json!({"name": "hs", "setmembers": ["h1"]})).await;
    assert_eq!(made.location(), "/api/v1/hostsets/hs");
    assert_eq!(client.get("/hostsets/hs").await.json()["setmembers"], json!(["h1"]));
    let export = json!({"volumeName": "v1", "lun": 3, "hostname": "set:hs"});
    assert_eq!(client.send("POST", "/vluns", &export).await.location(), "/api/v1/vluns/v1,3,set:hs");
    assert_eq!(client.delete("/hostsets/hs").await.refusal(), (409, 26));
    assert_eq!(client.delete("/vluns/v1,3,set:hs").await.status, 200);
    assert_eq!(client.send("PUT", "/hostsets/hs", &json!({"action": 2, "setmembers": ["h1"]})).await.status, 200);
    assert!(client.get("/hostsets/hs").await.json().get("setmembers").is_none());
    assert_eq!(client.delete("/hostsets/hs").await.status, 200);

    assert_eq!(client.send("POST", "/volumesets", &json!({"name": "vs", "setmembers": ["v1"]})).await.status, 201);
    assert_eq!(client.delete("/volumes/v1").await.refusal(), (409, 34));
    assert_eq!(client.get("/volumesets/none").await.refusal(), (404, 102));
}

#[tokio::test]
async fn the_system_family() {
    let client = Client::new().await;
    assert_eq!(client.get("/system").await.json()["name"], "emulated3par");
    let configuration = client.get("/wsapiconfiguration").await.json();
    assert_eq!((configuration["version"].clone(), configuration["sessionsInUse"].clone()), (json!("1.6.3"), json!(1)));
    assert!(client.get("/capacity").await.json()["allCapacity"]["totalMiB"].as_u64().unwrap() > 0);
    assert_eq!(client.get("/ports/0:2:1").await.json()["protocol"], 2);
    assert_eq!(client.get("/ports/9:9:9").await.refusal(), (400, 55));
    assert_eq!(client.get("/ports/7:1:1").await.refusal(), (404, 20));
    assert_eq!(client.get("/portdevices/all/0:2:1").await.json()["total"], 0);
    let tasks = client.get("/tasks").await.json();
    let id = &tasks["members"][0]["id"];
    assert_eq!(client.get(&format!("/tasks/{id}")).await.json(), tasks["members"][0]);
    for (id, refusal) in [("0", (400, 115)), ("65536", (400, 43)), ("x", (400, 39)), ("777", (404, 145))] {
        assert_eq!(client.get(&format!("/tasks/{id}")).await.refusal(), refusal);
    }
}

#[tokio::test]
async fn bad_percent_encoding_is_refused() {
    let client = Client::new().await;
    assert_eq!(client.get("/volumes/%ff").await.refusal(), (400, 12));
}

#[tokio::test]
async fn the_log_names_commands_and_no_session_keys() {
    let client = Client::with_volume_and_host().await;
    client.get("/volumes/none").await;
    client.delete(&format!("/credentials/{}", client.key)).await;
    let log = client.emulator.with(|array, _| serde_json::to_string(array.events().all()).unwrap());
    assert!(log.contains("POST /volumes") && log.contains("DELETE /credentials/..."), "{log}");
    assert!(log.contains("\"code\":23"), "{log}");
    assert!(!log.contains(&client.key) && !log.contains("3pardata"), "{log}");
}

#[test]
fn every_route_is_there_once() {
    let mut known: Vec<_> = routes().iter().map(|route| (route.path, route.method)).collect();
    let all = known.len();
    known.sort_unstable();
    known.dedup();
    assert_eq!(known.len(), all);
    assert!(known.contains(&("/volumes/{name}", "POST")));
}

#[tokio::test]
async fn copies_and_their_tasks() {
    let client = Client::with_volume_and_host().await;
    let copy = |parameters: Value| json!({"action": "createPhysicalCopy", "parameters": parameters});
    let online = copy(json!({"destVolume": "v2", "destCPG": "FC_r6", "online": true, "tpvv": true}));
    let started = client.send("POST", "/volumes/v1", &online).await;
    assert_eq!((started.status.as_u16(), started.location()), (201, "/api/v1/volumes/v2"));
    let task = started.json()["taskid"].clone();
    let row = client.get(&format!("/tasks/{task}")).await.json();
    assert_eq!((&row["type"], &row["name"]), (&json!(18), &json!("v2")));
    assert_eq!(client.send("PUT", &format!("/tasks/{task}"), &json!({"action": 1})).await.status, 200);
    assert_eq!(client.send("PUT", &format!("/tasks/{task}"), &json!({"action": 1})).await.status, 400);
    let tune = json!({"action": 6, "tuneOperation": 1, "userCPG": "SSD_r6"});
    assert!(client.send("PUT", "/volumes/v1", &tune).await.json()["taskid"].is_u64());
    let group = json!({"action": 8, "parameters": {"volumeGroup": [{"volumeName": "v1", "snapshotName": "g1"}], "readOnly": true}});
    assert_eq!(client.send("POST", "/volumes", &group).await.location(), "/api/v1/volumes/g1");
    assert_eq!(client.get("/volumes?query=%22copyOf%20EQ%20v1%22").await.json()["total"], 2);
    assert_eq!(client.send("PUT", "/volumes/g1", &json!({"action": 7})).await.status, 200);
    client.send("POST", "/volumesets", &json!({"name": "vs", "setmembers": ["v1"]})).await;
    let of_set = json!({"action": "createSnapshot", "parameters": {"name": "s@count@"}});
    assert_eq!(client.send("POST", "/volumesets/vs", &of_set).await.location(), "/api/v1/volumesets/vs");
    assert_eq!(client.get("/volumes/s0").await.json()["copyOf"], "v1");
}

#[tokio::test]
async fn cpgs_and_the_space_reporter() {
    let client = Client::new().await;
    let made = client.send("POST", "/cpgs", &json!({"name": "c1", "LDLayout": {"RAIDType": 4}})).await;
    assert_eq!((made.status.as_u16(), made.location()), (201, "/api/v1/cpgs/c1"));
    let renamed = client.send("PUT", "/cpgs/c1", &json!({"newName": "c2", "growthLimitMiB": 1_048_576})).await;
    assert_eq!(renamed.location(), "/api/v1/cpgs/c2");
    let report = client.send("POST", "/spacereporter", &json!({"cpg": "c2"})).await.json();
    assert_eq!(report["usableFreeMiB"], 1_048_576);
    assert_eq!(client.send("POST", "/spacereporter", &json!({"cpg": "nix"})).await.refusal(), (404, 15));
    assert_eq!(client.delete("/cpgs/c2").await.status, 200);
    let capacity = client.get("/capacity").await.json();
    let total = |class: &str| capacity[class]["totalMiB"].as_u64().unwrap();
    assert_eq!(total("allCapacity"), total("FCCapacity") + total("NLCapacity") + total("SSDCapacity"));
}
