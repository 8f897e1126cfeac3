//! Sessions: one login for many calls, a new one only when the array has forgotten the key.

use std::sync::Arc;
use std::time::Duration;

use super::scripted_array::{KEY, PASSWORD, Reply, ScriptedArray, Seen};
use crate::array::ArrayError;
use crate::array::wsapi::sessions::MOST_KEYS;

const LONG: Duration = Duration::from_secs(30);
const SHORT: Duration = Duration::from_secs(3);

fn name(text: &str) -> crate::volume::names::ArrayVolumeName {
    text.parse().unwrap()
}

#[tokio::test]
async fn one_login_serves_many_calls() {
    let array = ScriptedArray::start(|_, _| None).await;
    let client = array.client(LONG);
    for _ in 0..5 {
        client.remove_volume(&name("v")).await.unwrap();
    }
    assert_eq!((array.count("POST /credentials"), array.count("DELETE /volumes/v")), (1, 5));
    let expected = Some(format!("{KEY}0"));
    assert!(array.seen().iter().filter(|s| s.line().starts_with("DELETE")).all(|s| s.key == expected));
    let login: serde_json::Value = serde_json::from_str(&array.seen()[0].body).unwrap();
    assert_eq!(login, serde_json::json!({"user": "3paradm", "password": PASSWORD}));
}

#[tokio::test]
async fn calls_at_once_share_few_keys() {
    let array = ScriptedArray::start(|_, _| None).await;
    let client = Arc::new(array.client(LONG));
    let calls = (0..40).map(|n| {
        let client = Arc::clone(&client);
        async move { client.remove_volume(&name(&format!("v{n}"))).await }
    });
    for result in futures::future::join_all(calls).await {
        result.unwrap();
    }
    assert_eq!(array.count("DELETE /volumes"), 40);
    assert!(array.count("POST /credentials") <= MOST_KEYS);
}

#[tokio::test]
async fn an_expired_key_costs_one_login_and_one_repetition() {
    for expired in [Reply::error(403, 6), Reply::json(401, "")] {
        let array = ScriptedArray::start(move |seen: &Seen, before| {
            (seen.line().starts_with("DELETE /volumes") && before == 0).then(|| expired.clone())
        })
        .await;
        let client = array.client(LONG);
        client.remove_volume(&name("v")).await.unwrap();
        assert_eq!((array.count("POST /credentials"), array.count("DELETE /volumes/v")), (2, 2));
        let keys: Vec<_> = array.seen().into_iter().filter_map(|seen| seen.key).collect();
        assert_eq!(keys, [format!("{KEY}0"), format!("{KEY}1")]);
    }
}

#[tokio::test]
async fn a_key_that_is_refused_at_once_again_is_not_tried_a_third_time() {
    let array =
        ScriptedArray::start(|seen: &Seen, _| seen.line().starts_with("DELETE").then(|| Reply::error(403, 6))).await;
    let error = array.client(LONG).remove_volume(&name("v")).await.unwrap_err();
    assert!(matches!(error, ArrayError::Unreachable { .. }), "{error}");
    assert_eq!((array.count("POST /credentials"), array.count("DELETE /volumes/v")), (2, 2));
}

#[tokio::test]
async fn a_failed_login_sends_nothing_else() {
    type Kind = fn(&ArrayError) -> bool;
    let unreachable: Kind = |e| matches!(e, ArrayError::Unreachable { .. });
    let cases: [(Reply, Kind); 7] = [
        (Reply::error(403, 5), unreachable),
        (Reply::error(403, 13), unreachable),
        (Reply::error(503, 31), |e| matches!(e, ArrayError::Busy { .. })),
        (Reply::json(201, "garbage"), unreachable),
        (Reply::json(201, r#"{"key":"a\r\nb"}"#), unreachable),
        (Reply::Cut, unreachable),
        (Reply::Hang, unreachable),
    ];
    for (reply, kind) in cases {
        let script = reply.clone();
        let array =
            ScriptedArray::start(move |seen: &Seen, _| (seen.line() == "POST /credentials").then(|| script.clone()))
                .await;
        let error = array.client(SHORT).remove_volume(&name("v")).await.unwrap_err();
        assert!(kind(&error), "{reply:?}: {error:?}");
        assert_eq!(array.count("DELETE /volumes"), 0, "{reply:?}");
    }
}

#[tokio::test]
async fn keys_of_calls_that_hang_come_back() {
    let array =
        ScriptedArray::start(|seen: &Seen, _| (seen.line().starts_with("DELETE /volumes/hang")).then_some(Reply::Hang))
            .await;
    let client = Arc::new(array.client(Duration::from_secs(2)));
    let hanging: Vec<_> = (0..MOST_KEYS)
        .map(|n| {
            let client = Arc::clone(&client);
            tokio::spawn(async move { client.remove_volume(&name(&format!("hang{n}"))).await })
        })
        .collect();
    array.wait_for("DELETE /volumes/hang", MOST_KEYS).await;
    // All keys are in use: this call waits and sends nothing.
    let waiting = tokio::time::timeout(Duration::from_millis(100), client.remove_volume(&name("v"))).await;
    assert!(waiting.is_err());
    assert_eq!(array.count("DELETE /volumes/v"), 0);
    for call in hanging {
        assert!(call.await.unwrap().is_err_and(|e| e.is_unknown()));
    }
    // The keys came back: no further login is needed.
    client.remove_volume(&name("v")).await.unwrap();
    assert_eq!(array.count("POST /credentials"), MOST_KEYS);
}

#[tokio::test]
async fn logging_out_gives_every_idle_session_back() {
    let array = ScriptedArray::start(|_, _| None).await;
    let client = array.client(LONG);
    client.remove_volume(&name("v")).await.unwrap();
    client.log_out(LONG).await;
    let last = array.seen().pop().unwrap();
    assert_eq!(last.line(), format!("DELETE /credentials/{KEY}0"));
    client.log_out(LONG).await;
    assert_eq!(array.count("DELETE /credentials"), 1);
}

#[tokio::test]
async fn logging_out_of_an_array_that_hangs_ends_in_time() {
    let array =
        ScriptedArray::start(|seen: &Seen, _| seen.line().starts_with("DELETE /credentials").then_some(Reply::Hang))
            .await;
    let client = array.client(LONG);
    client.remove_volume(&name("v")).await.unwrap();
    tokio::time::timeout(LONG, client.log_out(SHORT)).await.unwrap();
}
