//! The control interface, as a harness in another process uses it.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use support::{Rest, export, exports, https_client, ssh, start, start_plain};

struct Control {
    client: reqwest::Client,
    url: String,
}

impl Control {
    fn of(running: &hpe3par_emulator::server::RunningEmulator) -> Self {
        Self { client: https_client(running), url: format!("http://{}", running.control_addr()) }
    }

    async fn send(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        let request = self.client.request(method, format!("{}{path}", self.url)).body(body.to_owned());
        let answer = request.send().await.unwrap();
        (answer.status(), answer.json().await.unwrap())
    }

    async fn get(&self, path: &str) -> Value {
        let (status, body) = self.send(Method::GET, path, "").await;
        assert_eq!(status, 200, "{path}: {body}");
        body
    }
}

#[tokio::test]
async fn the_identity_is_enough_to_connect_and_holds_no_password() {
    let running = start().await;
    // The client of the control interface trusts the authority that the identity must name.
    let identity = Control { client: https_client(&running), url: format!("http://{}", running.control_addr()) }
        .client
        .get(format!("http://{}/identity", running.control_addr()))
        .send()
        .await;
    let identity: Value = identity.unwrap().json().await.unwrap();
    assert_eq!(identity["tls_certificate"], running.ca_pem().unwrap());
    assert_eq!(identity["server_certificate"], running.certificate_pem().unwrap());
    assert_eq!(identity["ssh_host_key"], running.ssh_host_key());
    assert_eq!(identity["wsapi"], running.wsapi_url());
    assert_eq!(identity["user"], "3paradm");
    assert!(!identity.to_string().contains("3pardata"));
}

#[tokio::test]
async fn the_state_shows_what_is_exported_and_reset_forgets_it() {
    let running = start_plain().await;
    export(running.handle());
    let control = Control::of(&running);
    let state = control.get("/state").await;
    assert_eq!(state["hosts"][0]["name"], "h1");
    assert_eq!(state["volumes"][0]["name"], "v1");
    assert_eq!((&state["vluns"][0]["lun"], &state["vluns"][0]["generation"]), (&json!(7), &json!(1)));
    assert_eq!(control.send(Method::POST, "/reset", "").await.0, 200);
    let state = control.get("/state").await;
    assert_eq!((&state["vluns"], &state["volumes"], &state["hosts"]), (&json!([]), &json!([]), &json!([])));
}

#[tokio::test]
async fn events_can_be_waited_for() {
    let running = start_plain().await;
    let control = Control::of(&running);
    let last = control.get("/events").await["last_seq"].as_u64().unwrap();
    let path = format!("/events?after={last}&wait_ms=20000");
    let waiting = control.get(&path);
    let acting = async { export(running.handle()) };
    let (news, ()) = tokio::join!(waiting, acting);
    assert!(news["last_seq"].as_u64().unwrap() > last);
    assert_eq!(news["events"][0]["seq"], last + 1);
    assert_eq!(control.get("/ledger?accepted=true").await, json!({"last_seq": 0, "entries": [], "folded": []}));
    let (status, body) = control.send(Method::GET, "/ledger?nonsense=1", "").await;
    assert_eq!(status, 400);
    assert!(body["error"].as_str().unwrap().contains("nonsense"));
}

#[tokio::test]
async fn faults_are_added_listed_and_removed() {
    let running = start_plain().await;
    export(running.handle());
    let control = Control::of(&running);
    let rule = json!({"channel": "wsapi", "operation": "GET /system", "kind": "httpStatus", "status": 500});
    let (status, added) = control.send(Method::POST, "/faults", &rule.to_string()).await;
    assert_eq!(status, 200);
    let rest = Rest::log_in(&running).await;
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 500);
    let listed = control.get("/faults").await;
    assert_eq!((&listed["rules"][0]["id"], &listed["rules"][0]["counters"]["struck"]), (&added["id"], &json!(1)));
    let one = format!("/faults/{}", added["id"]);
    assert_eq!(control.send(Method::DELETE, &one, "").await.0, 200);
    assert_eq!(control.send(Method::DELETE, &one, "").await.0, 404);
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 200);
    assert_eq!(control.send(Method::POST, "/faults", "{\"kind\":\"unheard\"}").await.0, 400);
    for (misspelt, named) in [
        (r#"{"kind":"hang","objct":"v1"}"#, "objct"),
        (r#"{"kind":"hang","trigger":{"cuont":1}}"#, "trigger.cuont"),
        (r#"{"kind":"hang","trigger":{"probability":7}}"#, "probability"),
    ] {
        let (status, body) = control.send(Method::POST, "/faults", misspelt).await;
        assert!(status == 400 && body["error"].as_str().unwrap().contains(named), "{misspelt}: {body}");
    }
    assert_eq!(exports(running.handle()), 1);
}

#[tokio::test]
async fn front_ends_and_sessions_are_switched() {
    let running = start_plain().await;
    let control = Control::of(&running);
    let rest = Rest::log_in(&running).await;
    assert_eq!(control.send(Method::POST, "/front-ends/wsapi/pause", "").await.0, 200);
    assert_eq!(control.send(Method::POST, "/front-ends/ssh/pause", "").await.0, 200);
    assert!(rest.try_send(Method::GET, "/system", None).await.is_err());
    assert_eq!(control.send(Method::POST, "/front-ends/wsapi/resume", "").await.0, 200);
    assert_eq!(control.send(Method::POST, "/front-ends/ssh/resume", "").await.0, 200);
    ssh(&running).await;
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 200);
    assert_eq!(control.send(Method::DELETE, "/sessions", "").await.1, json!({"ended": 1}));
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 403);
    assert_eq!(control.send(Method::POST, "/front-ends/iscsi/pause", "").await.0, 404);
    assert_eq!(control.send(Method::POST, "/front-ends/ssh/paint", "").await.0, 404);
}
