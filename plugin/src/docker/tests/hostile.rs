//! Requests nobody should send: each is answered with one clear line, none has an effect, the plugin lives on.

use super::client::{Answered, plugin};

const CREATE: &str = "/VolumeDriver.Create";
const MOUNT: &str = "/VolumeDriver.Mount";
const GET: &str = "/VolumeDriver.Get";

/// Path, body, and a piece of the text that is expected.
fn bodies() -> Vec<(&'static str, Vec<u8>, &'static str)> {
    let mut cases: Vec<(&'static str, Vec<u8>, &'static str)> = [
        (CREATE, "", "empty body"),
        ("/VolumeDriver.Remove", "", "empty body"),
        (MOUNT, "", "empty body"),
        ("/VolumeDriver.Unmount", "", "empty body"),
        ("/VolumeDriver.Path", "", "empty body"),
        (GET, " \n", "empty body"),
        (CREATE, "hello", "not understood"),
        (CREATE, "<xml/>", "not understood"),
        (CREATE, "{\"Name\":\"db\"", "not understood"),
        (CREATE, "{\"Name\":\"db\"} trailing", "not understood"),
        (CREATE, "null", "not understood"),
        (CREATE, "[]", "not understood"),
        (CREATE, "[{\"Name\":\"db\"}]", "not understood"),
        (CREATE, "\"db\"", "not understood"),
        (CREATE, "7", "not understood"),
        (CREATE, "{}", "no Name"),
        (CREATE, r#"{"Name":null}"#, "no Name"),
        (CREATE, r#"{"Name":""}"#, "no Name"),
        (CREATE, r#"{"name":"db"}"#, "no Name"),
        (CREATE, r#"{"Name":7}"#, "must be text, not a number"),
        (CREATE, r#"{"Name":["db"]}"#, "must be text, not a list"),
        (CREATE, r#"{"Name":{"a":1}}"#, "must be text, not an object"),
        (CREATE, r#"{"Name":true}"#, "must be text, not true or false"),
        (CREATE, r#"{"Name":"../../etc/passwd"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"a/b"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":".."}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"größe"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"数据卷"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"db\u0000x"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"db\nErr"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"x; rm -rf /"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"$(reboot)"}"#, "Invalid volume name"),
        (CREATE, r#"{"Name":"db","Name":"other"}"#, "duplicate field"),
        (CREATE, r#"{"Name":"db","Opts":{"size":"1","size":"2"}}"#, "given twice"),
        (CREATE, r#"{"Name":"db","Opts":[1]}"#, "not understood"),
        (CREATE, r#"{"Name":"db","Opts":"size=1"}"#, "not understood"),
        (CREATE, r#"{"Name":"db","Opts":{"nonsense":"1"}}"#, "nonsense"),
        (CREATE, r#"{"Name":"db","Opts":{"size":{"a":1}}}"#, "size"),
        (CREATE, r#"{"Name":"db","Opts":{"size":-5}}"#, "size"),
        (CREATE, r#"{"Name":"db","Opts":{"size":1e400}}"#, "not understood"),
        (MOUNT, r#"{"Name":"db"}"#, "no ID"),
        (MOUNT, r#"{"Name":"db","ID":null}"#, "no ID"),
        (MOUNT, r#"{"Name":"db","ID":""}"#, "ID of the request"),
        (MOUNT, r#"{"Name":"db","ID":5}"#, "must be text, not a number"),
        (MOUNT, r#"{"Name":"db","ID":"a\u0000b"}"#, "ID of the request"),
        (MOUNT, r#"{"Name":"../db","ID":"1"}"#, "invalid volume or snapshot name"),
        ("/VolumeDriver.Unmount", r#"{"Name":"db"}"#, "no ID"),
        ("/VolumeDriver.Remove", r#"{"Name":"a/../b"}"#, "invalid volume or snapshot name"),
        (GET, r#"{"Name":"a/b/c"}"#, "invalid volume or snapshot name"),
        ("/VolumeDriver.Path", r#"{"Name":"\u0007"}"#, "invalid volume or snapshot name"),
        ("/", "{}", "no call of the volume plugin protocol"),
        ("/VolumeDriver.create", "{}", "no call of the volume plugin protocol"),
        ("/VolumeDriver.Create/", "{}", "no call of the volume plugin protocol"),
        ("/VolumeDriver.Format", "{}", "no call of the volume plugin protocol"),
        ("/%2e%2e/VolumeDriver.Create", "{}", "no call of the volume plugin protocol"),
    ]
    .into_iter()
    .map(|(path, body, expected)| (path, body.as_bytes().to_vec(), expected))
    .collect();
    cases.push((CREATE, b"{\"Name\":\"\xff\xfe\"}".to_vec(), "not understood"));
    cases.push((CREATE, b"\xef\xbb\xbf{\"Name\":\"db\"}".to_vec(), "not understood"));
    cases.push((CREATE, vec![0; 4096], "not understood"));
    cases.push((CREATE, [vec![b'['; 200_000]].concat(), "not understood"));
    cases.push((
        CREATE,
        format!("{{\"Name\":\"db\",\"Opts\":{{\"size\":{}", "[".repeat(100_000)).into_bytes(),
        "not understood",
    ));
    cases.push((CREATE, format!("{{\"Name\":\"{}\"}}", "a".repeat(256)).into_bytes(), "256 bytes"));
    cases.push((GET, format!("{{\"Name\":\"{}\"}}", "ä".repeat(200)).into_bytes(), "invalid volume"));
    cases.push((
        MOUNT,
        format!("{{\"Name\":\"db\",\"ID\":\"{}\"}}", "f".repeat(300)).into_bytes(),
        "ID of the request",
    ));
    cases.push((CREATE, vec![b'x'; (1 << 20) + 1], "larger than 1048576 bytes"));
    cases.push((MOUNT, vec![b'{'; 5 << 20], "larger than 1048576 bytes"));
    cases
}

/// Whole requests that are odd below the body.
fn requests() -> Vec<(&'static [u8], &'static str)> {
    vec![
        (b"GET /VolumeDriver.Create HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "called by POST, not by GET"),
        (b"PUT /VolumeDriver.Mount HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}", "not by PUT"),
        (b"DELETE /VolumeDriver.Remove HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "not by DELETE"),
        (b"FROB /VolumeDriver.Remove HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "not by FROB"),
        (
            b"POST /VolumeDriver.Create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\n{\"N\r\n2\r\n\"}\r\n0\r\n\r\n",
            "not understood",
        ),
        (
            b"POST /VolumeDriver.Create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n",
            "could not be read",
        ),
        (b"POST /VolumeDriver.Mount HTTP/1.0\r\n\r\n", "empty body"),
        (
            b"POST /VolumeDriver.Mount HTTP/1.1\r\nHost: x\r\nContent-Type: text/plain\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
            "empty body",
        ),
    ]
}

fn check(answer: &Answered, expected: &str, shown: &str) {
    assert!(answer.head.starts_with("HTTP/1.1 200") || answer.head.starts_with("HTTP/1.0 200"), "{shown}: {answer:?}");
    let error = answer.err();
    assert!(error.contains(expected), "{shown}: {error}");
    assert!(!error.is_empty() && !error.contains(['\n', '\r', '\0']) && error.len() < 5000, "{shown}: {error}");
}

#[tokio::test]
async fn each_is_refused_in_one_line_without_effect() {
    let plugin = plugin().await;
    let (bodies, requests) = (bodies(), requests());
    assert!(bodies.len() + requests.len() >= 50);
    for (path, body, expected) in bodies {
        let shown = format!("{path} {}", String::from_utf8_lossy(&body[..body.len().min(80)]));
        check(&plugin.post(path, body).await, expected, &shown);
    }
    for (request, expected) in requests {
        check(&plugin.send(request).await, expected, &String::from_utf8_lossy(request));
    }
    assert_eq!(plugin.driver.changes(), Vec::<String>::new(), "an effect");
    assert_eq!(plugin.post(CREATE, r#"{"Name":"alive"}"#).await.err(), "");
}

#[tokio::test]
async fn names_at_the_bounds_are_accepted() {
    let plugin = plugin().await;
    let longest = "a".repeat(255);
    assert_eq!(plugin.post(CREATE, format!("{{\"Name\":\"{longest}\"}}")).await.err(), "");
    assert_eq!(plugin.post(GET, r#"{"Name":"größe.alt"}"#).await.body, r#"{"Err":""}"#, "an old name may be odd");
    let chunked = b"POST /VolumeDriver.Create HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n7\r\n{\"Name\"\r\n6\r\n:\"ch\"}\r\n0\r\n\r\n";
    assert_eq!(plugin.send(chunked).await.err(), "");
    let deep = format!("{{\"Name\":\"deep\",\"Unknown\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(plugin.post(CREATE, deep).await.err(), "", "unknown fields are skipped, however deep");
}
