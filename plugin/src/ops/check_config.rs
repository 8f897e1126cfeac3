//! `check-config`: what the plugin understood of `hpe.conf`, for the person who wrote it. Shows no secret.

use std::fmt::{self, Write as _};
use std::path::Path;

use crate::array::settings::Trust;
use crate::assembly;
use crate::config::{BackendConfig, ConfigErrors, ConfigWarning, HostConfig, PluginConfig, SshAuth};

/// What a look at a file came to.
#[derive(Debug)]
pub struct Report {
    /// Several lines for people.
    pub text: String,
    /// The plugin would start with this file.
    pub usable: bool,
    /// What was understood, if it is usable.
    pub config: Option<PluginConfig>,
}

/// Reads a file, and looks at what it names, and reports what is in it: a summary, or everything that is wrong, each with
/// its line; and the warnings in any case.
pub async fn report(path: &Path) -> Report {
    let mut text = String::new();
    let loaded = assembly::load_checked(path).await;
    // Writing to a String cannot fail.
    let _ = match &loaded {
        Ok((config, warnings)) => write_summary(path, config, warnings, &mut text),
        Err(errors) => write_problems(path, errors, &mut text),
    };
    Report { text, usable: loaded.is_ok(), config: loaded.ok().map(|(config, _)| config) }
}

fn write_problems(path: &Path, errors: &ConfigErrors, out: &mut String) -> fmt::Result {
    write_warnings(errors.warnings(), out)?;
    for problem in errors.problems() {
        writeln!(out, "error: {problem}")?;
    }
    let (problems, warnings) = (count(errors.problems().len(), "error"), count(errors.warnings().len(), "warning"));
    writeln!(out, "{} cannot be used: {problems}, {warnings}.", path.display())
}

fn write_summary(path: &Path, config: &PluginConfig, warnings: &[ConfigWarning], out: &mut String) -> fmt::Result {
    write_node(out, &config.host)?;
    for backend in config.backends.values() {
        write_backend(out, backend)?;
    }
    write_warnings(warnings, out)?;
    let (backends, warnings) = (count(config.backends.len(), "backend"), count(warnings.len(), "warning"));
    writeln!(out, "{} can be used: {backends}, {warnings}.", path.display())
}

fn write_warnings(warnings: &[ConfigWarning], out: &mut String) -> fmt::Result {
    warnings.iter().try_for_each(|warning| writeln!(out, "warning: {warning}"))
}

fn write_node(out: &mut String, host: &HostConfig) -> fmt::Result {
    writeln!(out, "This node")?;
    line(
        out,
        "metadata store",
        format_args!("{}, each call within {} s", host.etcd.urls().join(", "), host.etcd.timeout.as_secs()),
    )?;
    line(out, "mount points", format_args!("{}<device>", host.mount_prefix))?;
    line(out, "node id", host.node_id_file.display())?;
    line(out, "local memory", host.state_dir.display())?;
    line(
        out,
        "deadlines",
        format_args!("Mount {} s, Unmount {} s", host.mount_deadline.as_secs(), host.unmount_deadline.as_secs()),
    )?;
    line(
        out,
        "takeovers",
        format_args!("at most {} of one volume in {} s", host.takeover_limit, host.takeover_window.as_secs()),
    )?;
    let unknown_keys = if host.strict_ssh_host_key_policy { "refused" } else { "learned at first use" };
    line(out, "ssh host keys", format_args!("{}, unknown ones are {unknown_keys}", host.ssh_hosts_key_file.display()))?;
    line(out, "log level", host.logging.filter())
}

fn write_backend(out: &mut String, backend: &BackendConfig) -> fmt::Result {
    writeln!(out, "Backend {}", backend.name)?;
    let trust = match &backend.wsapi.trust {
        _ if !backend.wsapi.url.is_encrypted() => "NOT encrypted".to_owned(),
        Trust::System => "certificate checked against the system's authorities".to_owned(),
        Trust::CaFile(file) => format!("certificate checked against {}", file.display()),
        Trust::Pinned(pin) => format!("certificate pinned to {pin}"),
        Trust::Anything => "certificate NOT checked".to_owned(),
    };
    line(out, "array", format_args!("{} as {}, {trust}", backend.wsapi.url, backend.wsapi.username))?;
    let proof = match &backend.ssh.auth {
        SshAuth::Password(_) => "by password".to_owned(),
        SshAuth::PrivateKey(file) => format!("by key {}", file.display()),
    };
    line(out, "command line", format_args!("{}@{}:{} {proof}", backend.ssh.login, backend.ssh.host, backend.ssh.port))?;
    let portals = joined(&backend.iscsi_portals);
    let portals = if portals.is_empty() { String::new() } else { format!(" through {portals}") };
    line(out, "data path", format_args!("{}{portals}", backend.protocol))?;
    line(out, "CPGs", format_args!("{}; snapshots in {}", joined(&backend.cpgs), joined(&backend.snap_cpgs)))?;
    line(
        out,
        "conflicts",
        format_args!("{} after {} s", backend.mount_conflict_policy, backend.mount_conflict_delay.as_secs()),
    )?;
    if backend.fence_unknown_hosts {
        line(out, "unknown hosts", "their exports are removed in a takeover")?;
    }
    if backend.one_host {
        line(out, "second layer", "the array refuses exports to a second host")?;
    }
    Ok(())
}

fn line(out: &mut String, what: &str, value: impl fmt::Display) -> fmt::Result {
    writeln!(out, "  {what:<15} {value}")
}

fn joined<T: fmt::Display>(items: &[T]) -> String {
    items.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

fn count(number: usize, what: &str) -> String {
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "[DEFAULT]\n\
        hpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver\n\
        host_etcd_ip_address = 192.0.2.5\n\
        hpe3par_api_url = https://192.0.2.10:8080/api/v1\n\
        hpe3par_username = 3paradm\n\
        hpe3par_password = s3cret-one\n\
        san_ip = 192.0.2.10\n\
        san_login = 3paradm\n\
        san_password = s3cret-two\n\
        hpe3par_cpg = FC_r6\n\
        hpe3par_iscsi_ips = 192.0.2.21\n\
        node_id_file = STATE/node_id\n\
        state_dir = STATE/state\n";

    /// The report on a file in a directory of its own, where `STATE` is a directory that can be used.
    async fn report_of(text: &str) -> Report {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("hpe.conf");
        let at = dir.path().display().to_string();
        std::fs::write(&path, text.replace("STATE", &at)).unwrap();
        std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
        report(&path).await
    }

    #[tokio::test]
    async fn a_usable_file_is_summed_up_without_secrets() {
        let report = report_of(GOOD).await;
        assert!(report.usable, "{}", report.text);
        for expected in
            ["http://192.0.2.5:2379", "https://192.0.2.10:8080/api/v1", "Backend DEFAULT", "FC_r6", "steal after 30 s"]
        {
            assert!(report.text.contains(expected), "{expected}: {}", report.text);
        }
        assert!(!report.text.contains("s3cret"), "{}", report.text);
    }

    #[tokio::test]
    async fn errors_and_warnings_name_file_and_line() {
        let broken = report_of(&GOOD.replace("hpe3par_cpg = FC_r6", "hpe3par_cpg = *bad*")).await;
        assert!(!broken.usable);
        assert!(broken.text.contains("hpe.conf:10: [DEFAULT] hpe3par_cpg:"), "{}", broken.text);
        let odd = report_of(&format!("{GOOD}no_such_key = 1\n")).await;
        assert!(odd.usable && odd.text.contains("warning: ") && odd.text.contains("hpe.conf:14:"), "{}", odd.text);
        let missing = report(Path::new("/nonexistent/hpe.conf")).await;
        assert!(!missing.usable && missing.text.contains("cannot be read"), "{}", missing.text);
    }

    #[tokio::test]
    async fn warnings_are_shown_beside_errors_because_they_may_explain_them() {
        let misspelt = report_of(&GOOD.replace("hpe3par_cpg = ", "hpe3par_cgp = ")).await;
        assert!(!misspelt.usable);
        for expected in
            ["error: ", "hpe3par_cpg: is not set", "warning: ", "Did you mean hpe3par_cpg?", "1 error, 1 warning"]
        {
            assert!(misspelt.text.contains(expected), "{expected}: {}", misspelt.text);
        }
    }
}
