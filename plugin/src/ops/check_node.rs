//! `check-config`, second part: whether this host has what the configuration needs. Nothing of it keeps the plugin from
//! starting; it keeps volumes from being mounted.

use std::collections::BTreeSet;

use crate::config::PluginConfig;
use crate::node::linux::LinuxNode;

/// What this host lacks, one line each, for the person who installs the plugin.
#[must_use]
pub fn shortcomings(config: &PluginConfig, node: &LinuxNode) -> Vec<String> {
    let mut lines = BTreeSet::new();
    for backend in config.backends.values() {
        for missing in node.missing_tools(backend.protocol, backend.filesystem) {
            lines.insert(format!(
                "{} is not installed; it is needed for {} (Debian, Ubuntu: apt-get install {})",
                missing.tool, missing.needed_for, missing.package
            ));
        }
    }
    if !rustix::process::geteuid().is_root() {
        lines.insert("this user is not root; 'serve' has to run as root to attach and mount volumes".to_owned());
    }
    lines.into_iter().collect()
}
