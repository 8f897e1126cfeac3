//! Whole files: a complete one, broken ones with their exact messages, and what must never show.

mod broken;
mod whole;

use super::*;

/// The least that a backend needs, without section header.
const BACKEND: &str = "\
hpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver
hpe3par_api_url = https://192.0.2.10:8080/api/v1
hpe3par_username = 3paradm
hpe3par_password = 3pardata
san_ip = 192.0.2.10
san_password = 3pardata
hpe3par_cpg = FC_r6
hpe3par_iscsi_ips = 192.0.2.31
";

fn parse(text: &str) -> Result<(PluginConfig, Vec<String>), String> {
    let outcome = PluginConfig::parse(text, "hpe.conf");
    let shown = |warnings: Vec<ConfigWarning>| warnings.iter().map(ToString::to_string).collect();
    outcome.map(|(config, warnings)| (config, shown(warnings))).map_err(|errors| errors.to_string())
}

/// A file whose `[DEFAULT]` has [`BACKEND`] and these lines, which begin in line 10.
fn with(lines: &str) -> String {
    format!("[DEFAULT]\n{BACKEND}{lines}\n")
}

fn config(text: &str) -> PluginConfig {
    parse(text).unwrap().0
}

fn default_backend(text: &str) -> BackendConfig {
    config(text).default_backend().unwrap().clone()
}
