//! Files that load: values, defaults, warnings, and what must never show.

use std::time::Duration;

use proptest::prelude::*;
use secrecy::ExposeSecret as _;

use super::*;
use crate::array::settings::{Protocol, Trust};
use crate::fencing::ConflictPolicy;
use crate::node::Filesystem;

const EXAMPLE: &str = include_str!("../../../hpe.conf.example");
const DOCUMENTATION: &str = include_str!("../../../../docs/hpe.conf.md");

#[test]
fn the_example_loads_and_only_its_passwords_are_to_be_changed() {
    let (config, warnings) = parse(EXAMPLE).unwrap();
    assert!(warnings.len() == 4 && warnings.iter().all(|w| w.contains("placeholder of the example")), "{warnings:?}");
    assert_eq!(config.host.etcd.urls()[2], "https://192.0.2.23:2379");
    let default = config.default_backend().unwrap();
    assert_eq!(default.protocol, Protocol::Iscsi);
    assert_eq!(default.cpgs.iter().map(|cpg| cpg.as_str()).collect::<Vec<_>>(), ["FC_r6", "SSD_r6"]);
    assert_eq!(default.iscsi_portals[1].to_string(), "192.0.2.32:3260");
    let second = &config.backends["array2"];
    assert_eq!(second.protocol, Protocol::Fc);
    assert_eq!(second.wsapi.url.as_str(), "https://192.0.2.11:8080/api/v1");
    assert_eq!(second.mount_conflict_policy, ConflictPolicy::StealIfDead);
    assert_eq!(second.mount_conflict_delay, Duration::from_secs(30));
}

/// Switching the commented keys on one by one proves that they are spelt right and have a legal value.
#[test]
fn every_key_the_example_only_mentions_is_legal() {
    for line in EXAMPLE.lines().filter(|line| line.starts_with('#') && !line.starts_with("# ") && line.contains(" = "))
    {
        let text = EXAMPLE.replacen(&format!("\n{line}\n"), &format!("\n{}\n", &line[1..]), 1);
        let text = if line.contains("replication_device") { text.replace("\n#      ", "\n  ") } else { text };
        let warnings = match parse(&text) {
            Ok((_, warnings)) => warnings,
            Err(errors) => panic!("{line}: {errors}"),
        };
        let harmless = warnings.iter().all(|w| w.contains("san_private_key") || w.contains("placeholder"));
        assert!(harmless, "{line}: {warnings:?}");
    }
}

#[test]
fn the_documentation_and_the_example_name_every_key() {
    for key in &keys::KEYS {
        let row = DOCUMENTATION.lines().find(|line| line.starts_with(&format!("| `{}` |", key.name)));
        let row = row.unwrap_or_else(|| panic!("docs/hpe.conf.md lacks {}", key.name));
        assert!(
            key.default.is_empty() || row.contains(&format!("`{}`", key.default)),
            "default of {}: {row}",
            key.name
        );
        let ignored = matches!(key.scope, keys::Scope::Ignored(_));
        assert!(ignored || EXAMPLE.contains(&format!("{} = ", key.name)), "the example lacks {}", key.name);
    }
    for key in replication::KEYS {
        assert!(DOCUMENTATION.contains(&format!("| `{key}` |")), "docs/hpe.conf.md lacks {key} of replication_device");
    }
}

#[test]
fn chap_is_said_to_be_missing_wherever_it_is_asked_for() {
    let asked = "hpe3par_iscsi_chap_enabled = True\nuse_chap_auth = True\nchap_username = a\nchap_password = swordfish";
    let (_, warnings) = parse(&with(asked)).unwrap();
    assert!(warnings.len() == 4 && warnings.iter().all(|w| w.contains("not supported yet")), "{warnings:?}");
    assert!(!warnings.concat().contains("swordfish"));
}

#[test]
fn the_least_file_has_the_documented_defaults() {
    let (config, warnings) = parse(&with("")).unwrap();
    assert!(warnings.is_empty(), "{warnings:?}");
    let host = &config.host;
    assert_eq!(host.etcd.urls(), ["http://0.0.0.0:2379"]);
    assert_eq!(host.etcd.timeout, Duration::from_secs(3));
    assert_eq!(host.logging, LogLevel::Warning);
    assert_eq!(host.mount_prefix.to_string(), "/opt/hpe/data/hpedocker-");
    assert!(host.strict_ssh_host_key_policy);
    assert_eq!(host.ssh_hosts_key_file, Path::new("/root/.ssh/ssh_known_hosts"));
    assert_eq!(host.node_id_file, Path::new("/etc/hpedockerplugin/.node_id"));
    assert_eq!(host.state_dir, Path::new("/var/lib/hpe3par-docker-plugin"));
    assert_eq!((host.mount_deadline.as_secs(), host.unmount_deadline.as_secs()), (110, 55));
    assert_eq!((host.takeover_limit, host.takeover_window.as_secs()), (3, 600));
    let backend = default_backend(&with(""));
    assert_eq!(backend.mount_conflict_policy, ConflictPolicy::Steal);
    assert_eq!(backend.mount_conflict_delay.as_secs(), 30);
    assert!(backend.one_host && !backend.fence_unknown_hosts && !backend.debug);
    assert_eq!(backend.filesystem, Filesystem::Ext4);
    assert_eq!(backend.array_timeout.as_secs(), 30);
    assert_eq!(backend.wsapi.trust, Trust::System);
    assert_eq!(
        (backend.ssh.login.as_str(), backend.ssh.port, backend.ssh.connect_timeout.as_secs()),
        ("admin", 22, 30)
    );
    assert_eq!(backend.snap_cpgs, backend.cpgs);
    assert!(backend.replication.is_none());
}

#[test]
fn without_iscsi_targets_every_ready_port_may_be_used() {
    let text = with("").replace("hpe3par_iscsi_ips = 192.0.2.31\n", "");
    assert!(default_backend(&text).iscsi_portals.is_empty());
    let both = default_backend(&with("iscsi_ip_address = 192.0.2.33\niscsi_port = 3261"));
    let portals: Vec<_> = both.iscsi_portals.iter().map(ToString::to_string).collect();
    assert_eq!(portals, ["192.0.2.31:3260", "192.0.2.33:3261"]);
}

#[test]
fn own_settings_go_before_those_of_default_and_other_keys_are_not_inherited() {
    let text = with(&format!(
        "mount_conflict_delay = 10\nmount_conflict_policy = refuse\nhpe3par_debug = on\nhpe3par_ca_cert = /ca.pem\n[a]\n{BACKEND}\
         mount_conflict_delay = 0\nfilesystem = xfs\n"
    ));
    let config = config(&text);
    let own = &config.backends["a"];
    assert_eq!(own.mount_conflict_delay, Duration::ZERO);
    assert_eq!(own.mount_conflict_policy, ConflictPolicy::Refuse);
    assert_eq!(own.filesystem, Filesystem::Xfs);
    assert_eq!(own.wsapi.trust, Trust::CaFile("/ca.pem".into()));
    assert!(!own.debug);
    assert_eq!(config.default_backend().unwrap().mount_conflict_delay.as_secs(), 10);
}

#[test]
fn default_may_hold_node_settings_only() {
    let config = config(&format!("[DEFAULT]\nlogging = INFO\nmount_conflict_delay = 5\n[DEFAULT_BLOCK]\n{BACKEND}"));
    assert_eq!(config.backends.len(), 1);
    let backend = config.default_backend().unwrap();
    assert_eq!((backend.name.as_str(), backend.mount_conflict_delay.as_secs()), ("DEFAULT_BLOCK", 5));
}

#[test]
fn deprecated_names_count_and_are_named() {
    let (config, warnings) = parse(&with("hp3par_snapcpg = old").replace("hpe3par_cpg", "hp3par_cpg")).unwrap();
    assert_eq!(config.default_backend().unwrap().cpgs[0].as_str(), "FC_r6");
    assert_eq!(config.default_backend().unwrap().snap_cpgs[0].as_str(), "old");
    assert_eq!(
        warnings,
        [
            "hpe.conf:8: [DEFAULT] hp3par_cpg: is the deprecated name of hpe3par_cpg; rename it.",
            "hpe.conf:10: [DEFAULT] hp3par_snapcpg: is the deprecated name of hpe3par_snapcpg; rename it.",
        ]
    );
}

#[test]
fn odd_keys_are_warned_of_with_their_place() {
    let text = with(&format!(
        "mount_conflict_dealy = 5\nfrobnicate = 1\nuse_multipath = True\nsan_ip = 192.0.2.11\nbackend_id = x\n[a]\n{BACKEND}logging = INFO\n\
         strict_ssh_host_key_policy = False\nhpe3par_server_ip_pool = 192.0.2.7:255.0.0.0\n"
    ));
    let (config, warnings) = parse(&text).unwrap();
    assert_eq!(config.default_backend().unwrap().ssh.host, "192.0.2.11");
    assert_eq!(
        warnings,
        [
            "hpe.conf:6: [DEFAULT] san_ip: has no effect: it is set again in line 13, which counts.",
            "hpe.conf:10: [DEFAULT] mount_conflict_dealy: is no known key and has no effect. Did you mean mount_conflict_delay?",
            "hpe.conf:11: [DEFAULT] frobnicate: is no known key and has no effect. Remove it, or see the list of keys in \
             docs/hpe.conf.md.",
            "hpe.conf:12: [DEFAULT] use_multipath: has no effect: multipath is always used.",
            "hpe.conf:14: [DEFAULT] backend_id: is no key of a section; it belongs into the value of replication_device.",
            "hpe.conf:24: [a] logging: has no effect here: it is read from [DEFAULT] only.",
            "hpe.conf:25: [a] strict_ssh_host_key_policy: has no effect here: it is read from [DEFAULT] only.",
            "hpe.conf:26: [a] hpe3par_server_ip_pool: has no effect: File Persona is not supported yet.",
        ]
    );
}

#[test]
fn unsafe_settings_are_warned_of() {
    let text = with("insecure = True\nstrict_ssh_host_key_policy = False").replace("https", "http");
    let (config, warnings) = parse(&text).unwrap();
    assert_eq!(config.default_backend().unwrap().wsapi.trust, Trust::Anything);
    assert!(!config.host.strict_ssh_host_key_policy);
    let lines: Vec<_> =
        warnings.iter().map(|warning| warning.split(": ").take(3).collect::<Vec<_>>().join(": ")).collect();
    assert!(lines[0].starts_with("hpe.conf:3: [DEFAULT] hpe3par_api_url: is not https"), "{lines:?}");
    assert!(
        lines[1].starts_with("hpe.conf:10: [DEFAULT] insecure: the certificate of the array is NOT verified"),
        "{lines:?}"
    );
    assert!(lines[2].starts_with("hpe.conf:11: [DEFAULT] strict_ssh_host_key_policy: is false"), "{lines:?}");
}

#[test]
fn a_replication_device_of_several_lines_is_kept() {
    let text = with(
        "replication_device = backend_id:CSSOS-SSA04,\n  replication_mode:asynchronous,\n  cpg_map:FC_r6:FC_r6 SSD_r6:SSD2,\n  \
         snap_cpg_map:FC_r6:S,\n  sync_period:300,\n  hpe3par_api_url:https://192.0.2.12:8080/api/v1,\n  hpe3par_password:s:w,\n  \
         san_ip:192.0.2.12,\n  hpe3par_iscsi_ips:192.0.2.41;192.0.2.42:3261\n",
    );
    let target = default_backend(&text).replication.unwrap();
    assert_eq!(target.backend_id, "CSSOS-SSA04");
    assert_eq!(target.mode, ReplicationMode::Asynchronous(Duration::from_secs(300)));
    assert_eq!(target.cpg_map[1].1.as_str(), "SSD2");
    assert_eq!(target.snap_cpg_map.len(), 1);
    assert_eq!(target.password.unwrap().expose_secret(), "s:w");
    assert_eq!(target.iscsi_portals[1].to_string(), "192.0.2.42:3261");
    assert!(target.username.is_none() && target.san_login.is_none() && target.quorum_witness.is_none());
}

#[test]
fn a_private_key_serves_when_there_is_no_password() {
    let text = with("san_private_key = /root/.ssh/key");
    assert!(matches!(default_backend(&text).ssh.auth, SshAuth::Password(_)));
    let without = text.replace("san_password = 3pardata\n", "");
    assert!(matches!(default_backend(&without).ssh.auth, SshAuth::PrivateKey(path) if path.ends_with("key")));
}

#[test]
fn passwords_keep_every_character() {
    for password in ["p#a;ss", r"ss\word", r"#;\\%", "a b", "100%", "it's", "a=b:c", "[x]"] {
        let backend = default_backend(&with("").replace("3pardata", password));
        assert_eq!(backend.wsapi.password.expose_secret(), password);
    }
    assert_eq!(default_backend(&with("").replace("3pardata", "pa$$w")).wsapi.password.expose_secret(), "pa$w");
}

#[test]
fn no_password_ever_shows() {
    let text =
        with("replication_device = backend_id:t,cpg_map:a:b,replication_mode:synchronous,san_password:swordfish")
            .replace("3pardata", "swordfish");
    let (config, warnings) = PluginConfig::parse(&text, "hpe.conf").unwrap();
    assert!(!format!("{config:?} {warnings:?}").contains("swordfish"));
    let broken = text.replace("swordfish", "sword$fish").replace("san_ip = ", "san_ip = ?");
    let errors = PluginConfig::parse(&broken, "hpe.conf").unwrap_err();
    assert!(!format!("{errors:?} {errors}").contains("fish"), "{errors}");
}

/// Lines that are mostly like those of real files.
fn any_file() -> impl Strategy<Value = String> {
    let key = proptest::sample::select(keys::KEYS.iter().map(|key| key.name).collect::<Vec<_>>());
    let value = prop_oneof!["[ -~]{0,20}", "[0-9.:,/$]{0,20}", Just("true".to_owned()), any::<String>()];
    let line = prop_oneof![
        6 => (key, value).prop_map(|(key, value)| format!("{key} = {value}")),
        1 => Just("[DEFAULT]".to_owned()),
        1 => "\\[[ -~]{0,9}\\]?",
        1 => any::<String>(),
    ];
    let base = prop_oneof![Just(String::new()), Just(with(""))];
    (base, proptest::collection::vec(line, 0..12)).prop_map(|(base, lines)| base + &lines.join("\n"))
}

proptest! {
    #[test]
    fn no_file_panics_and_every_finding_is_one_line_with_the_file(text in any_file()) {
        match PluginConfig::parse(&text, "hpe.conf") {
            Ok((config, warnings)) => {
                prop_assert!(config.backends.values().all(|backend| !backend.cpgs.is_empty() && !backend.snap_cpgs.is_empty()));
                prop_assert!(!config.backends.is_empty());
                prop_assert!(warnings.iter().map(ToString::to_string).all(|w| w.starts_with("hpe.conf:") && !w.contains('\n')));
            }
            Err(errors) => {
                prop_assert!(!errors.problems().is_empty());
                prop_assert!(errors.to_string().lines().all(|line| line.starts_with("hpe.conf:")));
            }
        }
    }
}
