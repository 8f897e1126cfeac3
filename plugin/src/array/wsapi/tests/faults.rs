//! What the client concludes from each fault, and that it sends nothing twice.

use std::time::Duration;

use super::scripted_array::{PASSWORD, Reply, ScriptedArray, Seen, settings};
use crate::array::settings::Trust;
use crate::array::wsapi::Wsapi;
use crate::array::{ArrayError, Export, ExportTarget, Lun};
use crate::volume::names::ArrayVolumeName;

/// Long enough never to pass in a test that does not want it to.
const LONG: Duration = Duration::from_secs(30);
/// Enough for a connection and a login on a busy machine, and short enough to wait for.
const SHORT: Duration = Duration::from_secs(3);

fn volume() -> ArrayVolumeName {
    "dcv-x".parse().unwrap()
}

fn export() -> Export {
    Export { volume: volume(), lun: Lun::try_from(5).unwrap(), to: ExportTarget::Host("worker1".parse().unwrap()) }
}

/// An array that does this to every removal of a VLUN.
async fn removing(reply: Reply) -> ScriptedArray {
    ScriptedArray::start(move |seen: &Seen, _| seen.line().starts_with("DELETE /vluns").then(|| reply.clone())).await
}

/// An array that answers so to a listing of VLUNs.
async fn listing(reply: Reply) -> ScriptedArray {
    ScriptedArray::start(move |seen: &Seen, _| seen.line().starts_with("GET /vluns").then(|| reply.clone())).await
}

#[tokio::test]
async fn a_removal_without_an_answer_is_unknown_and_sent_once() {
    for reply in [Reply::Hang, Reply::Cut, Reply::Bytes("HTTP/1.1 2".into()), Reply::Bytes("garbage\r\n\r\n".into())] {
        let array = removing(reply.clone()).await;
        let error = array.client(SHORT).unexport(&export()).await.unwrap_err();
        assert!(error.is_unknown(), "{reply:?}: {error}");
        assert_eq!(array.count("DELETE /vluns"), 1, "{reply:?}");
    }
}

#[tokio::test]
async fn a_listing_without_an_answer_is_unknown() {
    for reply in [Reply::Hang, Reply::Cut] {
        let array = listing(reply).await;
        let error = array.client(SHORT).exports_of(&volume()).await.unwrap_err();
        assert!(error.is_unknown(), "{error}");
    }
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/api/v1", free.local_addr().unwrap());
    drop(free);
    let client = Wsapi::new(&settings(&url, Trust::Anything), LONG).unwrap();
    let error = client.unexport(&export()).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_unreachable() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://{}/api/v1", silent.local_addr().unwrap());
    let client = Wsapi::new(&settings(&url, Trust::Anything), SHORT).unwrap();
    let error = client.unexport(&export()).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
}

#[tokio::test]
async fn each_refusal_has_its_kind_and_is_not_repeated() {
    type Kind = fn(&ArrayError) -> bool;
    let cases: [(Reply, Kind); 6] = [
        (Reply::error(503, 31), |e| matches!(e, ArrayError::Busy { .. })),
        (Reply::error(404, 19), ArrayError::is_not_found),
        (Reply::error(403, 13), |e| matches!(e, ArrayError::Refused { code: 13, .. })),
        (Reply::error(409, 97), |e| matches!(e, ArrayError::Refused { code: 97, .. })),
        (Reply::error(500, 1), ArrayError::is_unknown),
        (Reply::json(403, "<html>"), |e| matches!(e, ArrayError::Refused { code: 0, .. })),
    ];
    for (reply, kind) in cases {
        let array = removing(reply.clone()).await;
        let error = array.client(LONG).unexport(&export()).await.unwrap_err();
        assert!(kind(&error), "{reply:?}: {error:?}");
        assert_eq!((array.count("DELETE /vluns"), array.count("POST /credentials")), (1, 1), "{reply:?}");
    }
}

#[tokio::test]
async fn a_success_is_judged_by_its_status_whatever_its_body() {
    for body in ["", "garbage", r#"{"links":[]}"#] {
        let array = removing(Reply::json(200, body)).await;
        assert_eq!(array.client(LONG).unexport(&export()).await, Ok(()), "{body}");
    }
    let cut = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{".to_owned();
    let array = removing(Reply::Bytes(cut)).await;
    assert_eq!(array.client(LONG).unexport(&export()).await, Ok(()));
}

#[tokio::test]
async fn a_listing_that_cannot_be_read_is_never_empty() {
    let chunked =
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1b\r\n{\"total\":0,\"members\":[],\"\r\n".to_owned();
    for reply in [
        Reply::json(200, "garbage"),
        Reply::json(200, ""),
        Reply::json(200, r#"{"total":1,"members":[]}"#),
        Reply::Bytes(chunked),
    ] {
        let array = listing(reply.clone()).await;
        let result = array.client(LONG).exports_of(&volume()).await;
        assert!(result.is_err_and(|e| e.is_unknown()), "{reply:?}");
    }
    for reply in [Reply::error(404, 11), Reply::json(404, "<html>not found</html>")] {
        let array = listing(reply.clone()).await;
        assert!(array.client(LONG).exports_of(&volume()).await.is_err(), "{reply:?}");
    }
    for reply in [Reply::error(404, 19), Reply::json(200, r#"{"total":0,"members":[]}"#)] {
        let array = listing(reply.clone()).await;
        assert_eq!(array.client(LONG).exports_of(&volume()).await, Ok(vec![]), "{reply:?}");
    }
}

#[tokio::test]
async fn an_export_made_at_another_lun_is_unknown() {
    let array = ScriptedArray::start(|seen: &Seen, _| {
        (seen.line() == "POST /vluns")
            .then(|| Reply::Answer(201, Some("/api/v1/vluns/dcv-x,6,worker1".into()), String::new()))
    })
    .await;
    assert!(array.client(LONG).export(&export()).await.is_err_and(|e| e.is_unknown()));
    assert_eq!(array.count("POST /vluns"), 1);
}

#[tokio::test]
async fn a_lost_version_leaves_the_create_unsent() {
    let array = ScriptedArray::start(|seen: &Seen, _| (seen.line() == "GET /api").then_some(Reply::Cut)).await;
    let volume = crate::array::NewVolume {
        name: volume(),
        size_mib: 1024,
        cpg: "FC_r6".parse().unwrap(),
        snap_cpg: None,
        provisioning: crate::array::Provisioning::Thin,
        compression: None,
        comment: String::new(),
        one_host: false,
    };
    let error = array.client(LONG).create_volume(&volume).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    assert_eq!(array.count("POST /volumes"), 0);
    assert!(!error.to_string().contains(PASSWORD));
}
