//! The REST interface over real sockets: TLS, raw requests, faults, and the management network going away.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

mod support;

use std::time::{Duration, Instant};

use hpe3par_emulator::{
    Emulator,
    array::Channel,
    faults::{FaultKind, FaultRule, Trigger},
    server::TlsMode,
};
use reqwest::Method;
use serde_json::{Value, json};
use support::{DEADLINE, Rest, export, exports, https_client, start, start_plain};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

#[tokio::test]
async fn a_client_that_trusts_the_authority_reaches_the_array() {
    let running = start().await;
    assert!(running.wsapi_url().starts_with("https://127.0.0.1:") && running.wsapi_url().ends_with("/api/v1"));
    let rest = Rest::log_in(&running).await;
    assert_eq!(rest.get("/system").await["name"], "emulated3par");
    running.shutdown().await;
}

#[tokio::test]
async fn the_certificate_is_good_for_localhost_and_for_nobody_elses_authority() {
    let running = start().await;
    let port = running.wsapi_addr().port();
    let client = https_client(&running);
    assert_eq!(client.get(format!("https://localhost:{port}/api")).send().await.unwrap().status(), 200);
    let stranger = start().await;
    assert!(https_client(&stranger).get(format!("https://127.0.0.1:{port}/api")).send().await.is_err());
}

#[tokio::test]
async fn a_certificate_from_files_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let (certificate, key) = (folder.path().join("chain.pem"), folder.path().join("key.pem"));
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    std::fs::write(&certificate, made.cert.pem()).unwrap();
    std::fs::write(&key, made.signing_key.serialize_pem()).unwrap();
    let running = Emulator::builder().tls(TlsMode::Files { certificate, key }).start().await.unwrap();
    assert_eq!(running.certificate_pem().unwrap().replace("\r\n", "\n"), made.cert.pem().replace("\r\n", "\n"));
    assert_eq!(Rest::log_in(&running).await.get("/system").await["name"], "emulated3par");
}

#[tokio::test]
async fn starting_is_quick() {
    let start_of_test = Instant::now();
    let running = start().await;
    let took = start_of_test.elapsed();
    running.shutdown().await;
    // 50 ms is the aim; the bound leaves room for a machine that is busy with other tests.
    assert!(took < Duration::from_secs(1), "{took:?}");
}

/// Sends a raw request and returns the whole answer.
async fn raw(running: &hpe3par_emulator::server::RunningEmulator, request: &str) -> String {
    let mut stream = TcpStream::connect(running.wsapi_addr()).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tokio::time::timeout(DEADLINE, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    answer
}

#[tokio::test]
async fn odd_request_lines_are_understood() {
    let running = start_plain().await;
    export(running.handle());
    let key = Rest::log_in(&running).await.key;
    for target in [
        "/api/v1/vluns?query=\"volumeName EQ v1\"",
        "/api/v1/vluns/?query=\"volumeName==v1\"",
        "/api/v1//vluns?query=%22volumeName%20EQ%20v1%22",
        "//api/v1/vluns?query=volumeName%20EQ%20v1",
    ] {
        let head = format!("GET {target} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-HP3PAR-WSAPI-SessionKey: {key}");
        let answer = raw(&running, &format!("{head}\r\n\r\n")).await;
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("\"total\":1"), "{target}: {answer}");
    }
}

#[tokio::test]
async fn whole_collections_are_chunked_and_single_objects_are_not() {
    let running = start_plain().await;
    export(running.handle());
    let key = Rest::log_in(&running).await.key;
    for (path, chunked) in [("volumes", true), ("vluns", true), ("volumes/v1", false), ("vluns/v1,7,h1", false)] {
        let head =
            format!("GET /api/v1/{path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-HP3PAR-WSAPI-SessionKey: {key}");
        let answer = raw(&running, &format!("{head}\r\n\r\n")).await;
        assert_eq!(answer.contains("transfer-encoding: chunked"), chunked, "{path}: {answer}");
        assert_eq!(answer.contains("content-length:"), !chunked, "{path}: {answer}");
    }
}

#[tokio::test]
async fn nonsense_on_the_wire_does_not_hurt() {
    let running = start_plain().await;
    for nonsense in ["\r\n\r\n", "GET\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n"] {
        let mut stream = TcpStream::connect(running.wsapi_addr()).await.unwrap();
        stream.write_all(nonsense.as_bytes()).await.unwrap();
        stream.shutdown().await.unwrap();
        let mut answer = Vec::new();
        // Whether it is answered with 400 or the connection just ends is the array's choice.
        let _ = tokio::time::timeout(DEADLINE, stream.read_to_end(&mut answer)).await.unwrap();
    }
    assert_eq!(https_client(&running).get(running.wsapi_url().replace("/v1", "")).send().await.unwrap().status(), 200);
}

fn rule(operation: &str, fault: FaultKind) -> FaultRule {
    FaultRule::new(Some(Channel::Wsapi), operation, fault)
}

#[tokio::test]
async fn errors_and_statuses_can_be_injected() {
    let running = start_plain().await;
    let rest = Rest::log_in(&running).await;
    running.handle().with_faults(|plan| {
        let busy = FaultKind::Error { code: 31, status: 503, desc: "busy".to_owned() };
        plan.add(rule("GET /system", busy).on(Trigger::nth(2)));
        plan.add(rule("GET /cpgs", FaultKind::HttpStatus { status: 502 }))
    });
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 200);
    let refused = rest.send(Method::GET, "/system", None).await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.json::<Value>().await.unwrap(), json!({"code": 31, "desc": "busy"}));
    assert_eq!(rest.send(Method::GET, "/system", None).await.status(), 200);
    assert_eq!(rest.send(Method::GET, "/cpgs", None).await.status(), 502);
}

#[tokio::test]
async fn an_answer_lost_after_the_effect_is_a_broken_connection() {
    let running = start().await;
    export(running.handle());
    let rest = Rest::log_in(&running).await;
    let lost = rule("DELETE /vluns/*", FaultKind::Reset).after_effect();
    running.handle().with_faults(|plan| plan.add(lost));
    assert!(rest.try_send(Method::DELETE, "/vluns/v1,7,h1", None).await.is_err());
    assert_eq!(exports(running.handle()), 0);
}

#[tokio::test]
async fn a_hanging_request_has_no_effect_and_ends_with_its_client() {
    let running = start_plain().await;
    export(running.handle());
    let rest = Rest::log_in(&running).await;
    running.handle().with_faults(|plan| plan.add(rule("DELETE /vluns/*", FaultKind::Hang)));
    let request = rest.try_send(Method::DELETE, "/vluns/v1,7,h1", None);
    assert!(tokio::time::timeout(Duration::from_millis(300), request).await.is_err());
    assert_eq!(exports(running.handle()), 1);
}

#[tokio::test]
async fn a_late_effect_comes_although_the_client_has_given_up() {
    for fault in [FaultKind::ApplyLater { delay_ms: 300 }, FaultKind::Delay { delay_ms: 300 }] {
        let running = start_plain().await;
        export(running.handle());
        let rest = Rest::log_in(&running).await;
        running.handle().with_faults(|plan| plan.add(rule("DELETE /vluns/*", fault)));
        let request = rest.try_send(Method::DELETE, "/vluns/v1,7,h1", None);
        assert!(tokio::time::timeout(Duration::from_millis(50), request).await.is_err());
        assert_eq!(exports(running.handle()), 1);
        let mut seen = 0;
        while exports(running.handle()) > 0 {
            seen = tokio::time::timeout(DEADLINE, running.handle().event_after(seen)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn a_truncated_answer_ends_early() {
    let running = start().await;
    export(running.handle());
    let rest = Rest::log_in(&running).await;
    for path in ["/vluns", "/vluns/v1,7,h1"] {
        let cut = rule("GET /vluns*", FaultKind::Truncate { bytes: 20 }).on(Trigger::first(1));
        running.handle().with_faults(|plan| plan.add(cut));
        let mut answer = rest.send(Method::GET, path, None).await;
        let mut got = Vec::new();
        let end = loop {
            match answer.chunk().await {
                Ok(Some(piece)) => got.extend_from_slice(&piece),
                Ok(None) => break Ok(()),
                Err(error) => break Err(error),
            }
        };
        assert!(end.is_err(), "{path}: the end must not look regular");
        assert_eq!(got, b"{\"total\":1,\"members\"", "{path}");
    }
}

#[tokio::test]
async fn removals_can_lie() {
    let running = start_plain().await;
    export(running.handle());
    let rest = Rest::log_in(&running).await;
    running
        .handle()
        .with_faults(|plan| plan.add(rule("DELETE /vluns/*", FaultKind::LyingRemoval).on(Trigger::first(1))));
    assert_eq!(rest.send(Method::DELETE, "/vluns/v1,7,h1", None).await.status(), 200);
    assert_eq!(rest.get("/vluns").await["total"], 1);
    assert_eq!(rest.send(Method::DELETE, "/vluns/v1,7,h1", None).await.status(), 200);
    assert_eq!(rest.get("/vluns").await["total"], 0);
}

#[tokio::test]
async fn the_management_network_can_be_cut_and_mended() {
    let running = start().await;
    let rest = Rest::log_in(&running).await;
    running.pause_wsapi().await.unwrap();
    assert!(rest.try_send(Method::GET, "/system", None).await.is_err());
    running.resume_wsapi().await.unwrap();
    // The session outlives the cut.
    assert_eq!(rest.get("/system").await["name"], "emulated3par");
    running.shutdown().await;
    assert!(rest.try_send(Method::GET, "/system", None).await.is_err());
}
