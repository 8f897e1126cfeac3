//! `hpe3par-lab up`: a site to play with.

use std::io::Write as _;

use anyhow::{Context as _, Result};
use clap::Args;
use hpe3par_harness::cluster::configuration::check_settings;
use hpe3par_harness::cluster::lab::{Lab, LabOptions};
use serde_json::{Value, json};

use super::by_hand::ByHand;
use super::signals::Signals;
use super::{print, spinner};

/// Password of the array of a site to play with; the same as that of the array alone.
pub(crate) const PASSWORD: &str = "3pardata";

/// Keys of `hpe.conf` that lead to what the lab starts.
const LABS_OWN: [&str; 14] = [
    "host_etcd_ip_address",
    "host_etcd_port_number",
    "hpe3par_api_url",
    "hpe3par_username",
    "hpe3par_password",
    "hpe3par_ca_cert",
    "san_ip",
    "san_ssh_port",
    "san_login",
    "san_password",
    "ssh_hosts_key_file",
    "node_id_file",
    "state_dir",
    "mount_prefix",
];

#[derive(Debug, Args)]
pub(crate) struct Up {
    /// Worker nodes, 1 to 64
    #[arg(long, value_name = "N", default_value_t = 3, allow_negative_numbers = true, value_parser = clap::value_parser!(u8).range(1..=64))]
    workers: u8,
    /// A line for every worker's hpe.conf, such as mount_conflict_delay=5; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = setting)]
    settings: Vec<(String, String)>,
}

fn setting(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("this is no KEY=VALUE, such as mount_conflict_delay=5".to_owned())?;
    let setting = (key.trim().to_owned(), value.trim().to_owned());
    if LABS_OWN.contains(&setting.0.as_str()) {
        return Err(format!("{} is the lab's own: it leads to the etcd, array and folders that it starts", setting.0));
    }
    check_settings(std::slice::from_ref(&setting)).map_err(|error| format!("{error:#}"))?;
    Ok(setting)
}

impl Up {
    pub(crate) async fn run(self, signals: &Signals) -> Result<bool> {
        check_settings(&self.settings).context("--set")?;
        let bar = spinner("starting etcd, the array and the workers");
        let options = LabOptions {
            workers: usize::from(self.workers),
            settings: self.settings,
            password: PASSWORD.to_owned(),
            ..LabOptions::default()
        };
        let lab = Lab::start(options).await?;
        bar.finish_and_clear();
        let by_hand = ByHand::at(&lab, PASSWORD)?;
        print(&ready_line(&lab).to_string())?;
        // A closed stderr is no reason to end the site.
        let _ = writeln!(std::io::stderr(), "{by_hand}");
        signals.good_end().await;
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
        "user": hpe3par_harness::cluster::configuration::ARRAY_USER,
        "password": PASSWORD,
        "tls_certificate": lab.array().ca_pem(),
        "ssh_host_key": lab.array().ssh_host_key(),
        "workers": workers,
    })
}
