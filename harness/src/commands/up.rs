//! `hpe3par-lab up`: a site to play with.

use anyhow::Result;
use clap::Args;
use hpe3par_harness::cluster::lab::{Lab, LabOptions};
use serde_json::{Value, json};

use super::{asked_to_end, spinner};

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Worker nodes, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 3, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// A line for every worker's hpe.conf, such as mount_conflict_delay=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or_else(|| format!("'{text}' is no KEY=VALUE"))?;
    Ok((key.trim().to_owned(), value.trim().to_owned()))
}

impl Up {
    pub(crate) async fn run(self) -> Result<bool> {
        let bar = spinner("starting etcd, the array and the workers");
        let password = "3pardata".to_owned();
        let options = LabOptions {
            workers: usize::from(self.workers),
            settings: self.settings,
            password,
            ..LabOptions::default()
        };
        let lab = Lab::start(options).await?;
        bar.finish_and_clear();
        println!("{}", ready_line(&lab));
        eprintln!("{}", by_hand(&lab));
        asked_to_end().await?;
        lab.shut_down().await;
        Ok(true)
    }
}

/// All addresses of a lab, as one JSON object.
fn ready_line(lab: &Lab) -> Value {
    let workers: Vec<Value> = lab
        .workers()
        .map(|worker| {
            json!({"name": worker.name(), "node_id": worker.id().to_string(), "host": worker.name(), "socket": worker.socket()})
        })
        .collect();
    json!({
        "event": "ready",
        "etcd": lab.etcd().endpoint(),
        "wsapi": lab.array().wsapi_url(),
        "ssh": lab.array().ssh_addr().to_string(),
        "control": lab.array().control_addr().to_string(),
        "user": "3paradm",
        "tls_certificate": lab.array().ca_pem(),
        "ssh_host_key": lab.array().ssh_host_key(),
        "workers": workers,
    })
}

/// What to type at a running lab.
pub(crate) fn by_hand(lab: &Lab) -> String {
    let sockets: Vec<_> = lab.workers().map(|worker| (worker.name().to_owned(), worker.socket())).collect();
    let mut lines = vec!["The sockets of the workers' plugins:".to_owned()];
    lines.extend(sockets.iter().map(|(name, socket)| format!("  {name}  {}", socket.display())));
    if let Some((_, socket)) = sockets.first() {
        let call = |what: &str, body: &str| {
            format!("  curl -s --unix-socket {} http://plugin/VolumeDriver.{what} -d '{body}'", socket.display())
        };
        lines.push("By hand (the same on another worker's socket takes the volume over):".to_owned());
        lines.push(call("Create", r#"{"Name":"db","Opts":{"size":"1","mountConflictDelay":"5"}}"#));
        lines.push(call(
            "Mount",
            r#"{"Name":"db","ID":"1111111111111111111111111111111111111111111111111111111111111111"}"#,
        ));
        lines.push(call("Get", r#"{"Name":"db"}"#));
        lines.push(call(
            "Unmount",
            r#"{"Name":"db","ID":"1111111111111111111111111111111111111111111111111111111111111111"}"#,
        ));
    }
    let array = lab.array();
    lines.push("The array, and what it saw:".to_owned());
    lines.push(format!("  ssh -p {} 3paradm@{} showvlun -t", array.ssh_addr().port(), array.ssh_addr().ip()));
    lines.push(format!("  curl -s http://{}/ledger   (also /state, /events, /faults)", array.control_addr()));
    lines.push(format!("  ETCDCTL_API=3 etcdctl --endpoints {} get --prefix /volumes", lab.etcd().endpoint()));
    lines.push("Ctrl-C ends everything.".to_owned());
    lines.join("\n")
}
