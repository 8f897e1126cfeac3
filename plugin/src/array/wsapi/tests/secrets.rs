//! Neither password nor session key is printed, logged or put into an error.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::scripted_array::{KEY, PASSWORD, Reply, ScriptedArray, Seen};
use crate::array::settings::Trust;

#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn secrets_stay_secret() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).finish();
    let _scope = tracing::subscriber::set_default(subscriber);
    let array = ScriptedArray::start(|seen: &Seen, before| match (seen.method.as_str(), before) {
        ("DELETE", 0) => Some(Reply::Cut),
        ("DELETE", 1) => Some(Reply::error(403, 13)),
        _ => None,
    })
    .await;
    let client = array.client(Duration::from_secs(30));
    let mut said = format!("{:?}", array.settings(Trust::System));
    for _ in 0..3 {
        if let Err(error) = client.remove_volume(&"v".parse().unwrap()).await {
            said.push_str(&format!("{error} {error:?}"));
        }
    }
    said.push_str(&format!("{client:?}"));
    client.log_out(Duration::from_secs(30)).await;
    said.push_str(&String::from_utf8_lossy(&log.0.lock().unwrap()));
    assert!(said.contains("to the array"), "the log was not taken: {said}");
    assert!(!said.contains(PASSWORD) && !said.contains(KEY), "{said}");
}
