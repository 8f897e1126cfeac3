//! Broken files and the exact messages.

use super::*;

fn errors(text: &str) -> Vec<String> {
    parse(text).unwrap_err().lines().map(str::to_owned).collect()
}

#[test]
fn an_empty_file_lacks_its_default_section() {
    assert_eq!(
        errors(""),
        [
            "hpe.conf: the section [DEFAULT] is missing. It holds the settings of the node: write [DEFAULT] in a line of its own before them."
        ]
    );
}

#[test]
fn an_empty_section_lacks_each_required_key() {
    assert_eq!(
        errors("# nothing\n[DEFAULT]\n"),
        [
            "hpe.conf:2: [DEFAULT] hpedockerplugin_driver: is not set. Set it to \
             hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver or hpedockerplugin.hpe.hpe_3par_fc.HPE3PARFCDriver.",
            "hpe.conf:2: [DEFAULT] hpe3par_api_url: is not set. Give the address of the array's REST interface, like \
             https://192.0.2.10:8080/api/v1.",
            "hpe.conf:2: [DEFAULT] hpe3par_username: is not set. Name the array account for the REST interface.",
            "hpe.conf:2: [DEFAULT] hpe3par_password: is not set. Give the password of hpe3par_username.",
            "hpe.conf:2: [DEFAULT] san_ip: is not set. Give the address of the array's command line (SSH), usually that of \
             hpe3par_api_url.",
            "hpe.conf:2: [DEFAULT] san_password: is not set. Give the password of san_login, or a key in san_private_key.",
            "hpe.conf:2: [DEFAULT] hpe3par_cpg: is not set. Name at least one CPG of the array.",
        ]
    );
}

#[test]
fn all_bad_values_are_reported_at_their_lines() {
    let text = with(
        "logging = loud\nhost_etcd_ip_address = a,b:1\netcd_timeout = 0\nmount_deadline = 2 min\nhpe3par_debug = perhaps\n\
         san_ssh_port = 70000\nmount_conflict_policy = fight\nmount_conflict_delay = -1\nfilesystem = ntfs\nmount_prefix = data\n\
         ssh_hosts_key_file = known_hosts\nhpe3par_snapcpg = FC r6\nhpe3par_pinned_cert_sha256 = abc\ntakeover_limit = 0",
    );
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:10: [DEFAULT] logging: 'loud' is no log level. Use DEBUG, INFO, WARNING or ERROR.",
            "hpe.conf:11: [DEFAULT] host_etcd_ip_address: 'a' has no port. In a list of etcd hosts write each as host:port.",
            "hpe.conf:12: [DEFAULT] etcd_timeout: '0' is not a whole number of seconds from 1 to 60.",
            "hpe.conf:13: [DEFAULT] mount_deadline: '2 min' is not a whole number of seconds from 1 to 118.",
            "hpe.conf:14: [DEFAULT] hpe3par_debug: 'perhaps' is neither true nor false.",
            "hpe.conf:15: [DEFAULT] san_ssh_port: '70000' is not a port, 1 to 65535.",
            "hpe.conf:16: [DEFAULT] mount_conflict_policy: 'fight' is no policy. Use steal, steal-if-dead or refuse.",
            "hpe.conf:17: [DEFAULT] mount_conflict_delay: '-1' is not a whole number of seconds from 0 to 86400.",
            "hpe.conf:18: [DEFAULT] filesystem: 'ntfs' is no filesystem this plugin makes. Use ext4 or xfs.",
            "hpe.conf:19: [DEFAULT] mount_prefix: 'data' is no mount prefix: write an absolute path below '/', without '..'.",
            "hpe.conf:20: [DEFAULT] ssh_hosts_key_file: 'known_hosts' is not an absolute path. Begin it with '/'.",
            "hpe.conf:21: [DEFAULT] hpe3par_snapcpg: 'FC r6' is no CPG name: 1 to 31 characters of A-Z a-z 0-9 . _ -, not \
             beginning with -.",
            "hpe.conf:22: [DEFAULT] hpe3par_pinned_cert_sha256: 'abc' is no SHA-256 fingerprint, 64 hex digits. 'openssl x509 \
             -noout -fingerprint -sha256' prints it.",
            "hpe.conf:23: [DEFAULT] takeover_limit: '0' is not a whole number from 1 to 1000.",
        ]
    );
}

#[test]
fn file_persona_is_refused_without_further_errors() {
    let text = with("[DEFAULT_FILE]\nhpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_file.HPE3PARFileDriver\n");
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:11: [DEFAULT_FILE] hpedockerplugin_driver: File Persona is not supported yet. Remove this section, or run \
          the earlier plugin for it."
        ]
    );
}

#[test]
fn a_block_backend_cannot_take_the_section_of_file_persona() {
    let text = with(&format!("[DEFAULT_FILE]\n{BACKEND}"));
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:11: [DEFAULT_FILE] hpedockerplugin_driver: the section DEFAULT_FILE is reserved for File Persona. Give this \
          backend another name."
        ]
    );
}

#[test]
fn an_unknown_driver_is_shown_with_the_known_ones() {
    let text =
        with("").replace("hpe_3par_iscsi.HPE3PARISCSIDriver", "hpe_lefthand_rest_proxy.HPELeftHandRESTProxyDriver");
    assert_eq!(
        errors(&text),
        ["hpe.conf:2: [DEFAULT] hpedockerplugin_driver: Bad driver name specified in hpe.conf: \
          'hpedockerplugin.hpe.hpe_lefthand_rest_proxy.HPELeftHandRESTProxy...'. Set it to \
          hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver or hpedockerplugin.hpe.hpe_3par_fc.HPE3PARFCDriver."]
    );
}

#[test]
fn iscsi_targets_are_addresses() {
    let text = with("iscsi_ip_address = array").replace("192.0.2.31", "192.0.2.31,array:x");
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:9: [DEFAULT] hpe3par_iscsi_ips: 'array:x' is no address of an iSCSI target. Write ip or ip:port.",
            "hpe.conf:10: [DEFAULT] iscsi_ip_address: 'array' is no address of an iSCSI target. Write ip or ip:port.",
        ]
    );
}

#[test]
fn contradictory_security_settings_are_refused() {
    let text = with("insecure = yes\nhpe3par_ca_cert = /ca.pem\nhost_etcd_client_cert = /c.pem");
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:10: [DEFAULT] insecure: is set together with hpe3par_pinned_cert_sha256 or hpe3par_ca_cert. Decide for one \
             of them.",
            "hpe.conf:12: [DEFAULT] host_etcd_client_cert: needs host_etcd_client_key too. Set both, or neither for etcd without \
             TLS.",
        ]
    );
}

#[test]
fn lines_and_references_that_make_no_sense_are_reported_together_with_bad_values() {
    let text = with("san_login = $nobody\nhpe3par_iscsi_ips\n\n  10.0.0.1\n[a/b]\n[backend_defaults]\n[x")
        .replace("3pardata", "pa$ss");
    assert_eq!(
        errors(&text),
        [
            "hpe.conf:5: [DEFAULT] hpe3par_password: a '$' in the value refers to no key. Write a dollar sign that is meant as \
             such as '$$'.",
            "hpe.conf:7: [DEFAULT] san_password: a '$' in the value refers to no key. Write a dollar sign that is meant as such \
             as '$$'.",
            "hpe.conf:10: [DEFAULT] san_login: $nobody refers to no key. Write a dollar sign that is meant as such as '$$'.",
            "hpe.conf:11: [DEFAULT] the line is neither '[section]', 'key = value', nor a comment beginning with '#' or ';'.",
            "hpe.conf:13: [DEFAULT] the line is indented but there is no value above that it could continue. Begin it in the \
             first column; a blank line ends a value.",
            "hpe.conf:14: [a/b] the name of the section is refused: a section name is not empty and has no '/', control \
             characters or blanks around it.",
            "hpe.conf:15: [backend_defaults] defaults for all backends are not supported. Write the keys into each section.",
            "hpe.conf:16: a section header must end with ']' and have nothing after it.",
        ]
    );
}

#[test]
fn mistakes_in_a_replication_device_are_reported_at_its_line() {
    let text = with(
        "replication_device = backend_id:target,\n  replication_mode:sometimes,\n  cpg_map:FC_r6,\n  sync_period:10,\n  san_ip:a b,\n  \
         san_ip:c,\n  hpe3par_password:p,q,\n",
    );
    let place = "hpe.conf:10: [DEFAULT] replication_device:";
    assert_eq!(
        errors(&text),
        [
            format!("{place} san_ip: is given twice."),
            format!(
                "{place} must be key:value pairs separated by commas; one piece has no ':'. A value cannot hold a comma."
            ),
            format!("{place} sync_period: '10' is refused: 'sync_period' must be between 300 and 31622400 seconds."),
            format!("{place} cpg_map: 'FC_r6' is no pair of CPGs. Write source:target."),
            format!("{place} san_ip: 'a b' is neither a host name nor an address."),
            format!(
                "{place} replication_mode: Unknown replication mode 'sometimes' specified. Valid values are 'synchronous | \
                 asynchronous | streaming'."
            ),
        ]
    );
    let modes = [
        ("synchronous,sync_period:900", "replication_mode: 'sync_period' can be defined only for"),
        (
            "streaming,quorum_witness_ip:192.0.2.9",
            "quorum_witness_ip: For Peer Persistence, replication mode must be synchronous.",
        ),
    ];
    for (mode, expected) in modes {
        let text = with(&format!("replication_device = backend_id:t,cpg_map:a:b,replication_mode:{mode}"));
        assert!(errors(&text)[0].starts_with(&format!("{place} {expected}")), "{:?}", errors(&text));
    }
    assert_eq!(errors(&with("replication_device = san_ip:a")).len(), 3);
}

#[test]
fn an_inherited_mistake_is_reported_once() {
    let text = with(&format!("array_timeout = soon\n[a]\n{BACKEND}[b]\n{BACKEND}"));
    assert_eq!(
        errors(&text),
        ["hpe.conf:10: [DEFAULT] array_timeout: 'soon' is not a whole number of seconds from 1 to 600."]
    );
}

#[test]
fn files_that_cannot_be_read_are_errors() {
    let dir = tempfile::tempdir().unwrap();
    let load = |bytes: &[u8]| {
        let path = dir.path().join("hpe.conf");
        std::fs::write(&path, bytes).unwrap();
        let text = PluginConfig::load(&path).unwrap_err().to_string();
        text.strip_prefix(&path.display().to_string()).unwrap().to_owned()
    };
    assert_eq!(load(b"[DEFAULT]\n\xff"), ":2: holds bytes that are not UTF-8. Save the file as UTF-8.");
    assert_eq!(load(&vec![b'#'; 1024 * 1024 + 1]), ": has more than 1 MiB and is no hpe.conf.");
    let missing = PluginConfig::load(dir.path().join("none")).unwrap_err().to_string();
    assert!(missing.contains("/none: cannot be read: No such file"), "{missing}");
}
