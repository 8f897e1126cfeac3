use std::path::PathBuf;

use super::*;

/// A directory with an `hpe.conf` and the files it names.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a sound file of mode 0600 with these settings more; `AT` is this directory.
    fn conf(&self, more: &str) -> PathBuf {
        let text = format!(
            "[DEFAULT]\n\
             hpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver\n\
             host_etcd_ip_address = 127.0.0.1\n\
             hpe3par_username = 3paradm\nhpe3par_password = s3cret\n\
             san_ip = 127.0.0.1\nsan_login = 3paradm\nsan_password = s3cret\n\
             hpe3par_cpg = FC_r6\n\
             hpe3par_api_url = https://127.0.0.1:8080/api/v1\n\
             node_id_file = AT/node_id\nstate_dir = AT/state\nssh_hosts_key_file = AT/known_hosts\n{more}\n"
        );
        let path = self.path("hpe.conf");
        fs::write(&path, text.replace("AT/", &format!("{}/", self.0.path().display()))).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }

    /// Errors and warnings, without the name of the file.
    async fn findings(&self, more: &str) -> (Vec<String>, Vec<String>) {
        let path = self.conf(more);
        let file = path.display().to_string();
        let cut = |finding: String| finding.strip_prefix(&file).unwrap().to_owned();
        let (errors, warnings) = match load_checked(&path).await {
            Ok((_, warnings)) => (Vec::new(), warnings),
            Err(errors) => (errors.problems().to_vec(), errors.warnings().to_vec()),
        };
        (errors.iter().map(|e| cut(e.to_string())).collect(), warnings.iter().map(|w| cut(w.to_string())).collect())
    }

    fn knows_the_array(&self) {
        const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILagOJFgwaMNhBWQINinKOXmqS4Gh5NgxgriXwdOoINJ";
        fs::write(self.path("known_hosts"), format!("127.0.0.1 {KEY}\n")).unwrap();
    }
}

#[tokio::test]
async fn a_sound_site_has_nothing_to_say_and_nothing_is_made() {
    let site = Site::new();
    site.knows_the_array();
    assert_eq!(site.findings("").await, (Vec::new(), Vec::new()));
    assert!(!site.path("state").exists() && !site.path("node_id").exists());
}

#[tokio::test]
async fn every_file_that_is_missing_is_named_with_its_line() {
    let site = Site::new();
    let tls =
        "host_etcd_client_cert = AT/client.pem\nhost_etcd_client_key = AT/key.pem\nhost_etcd_ca_cert = AT/ca.pem\n";
    let (errors, _) = site.findings(tls).await;
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(
        errors[0].starts_with(":14: [DEFAULT] host_etcd_client_cert: ")
            && errors[0].contains("/client.pem cannot be read")
    );
    assert!(errors[2].starts_with(":16: [DEFAULT] host_etcd_ca_cert: "), "{errors:?}");
    let (errors, _) = site.findings("hpe3par_ca_cert = AT/array.pem").await;
    assert!(
        errors[0].starts_with(":14: [DEFAULT] hpe3par_ca_cert: ") && errors[0].contains("/array.pem"),
        "{errors:?}"
    );
    let key = "san_private_key = AT/id_rsa";
    let path = site.conf(key);
    let text = fs::read_to_string(&path).unwrap().replace("san_password = s3cret\n", "");
    fs::write(&path, text).unwrap();
    let (_, warnings) = load_checked(&path).await.unwrap();
    assert!(warnings.iter().any(|w| w.to_string().contains("/id_rsa cannot be read")), "{warnings:?}");
}

#[tokio::test]
async fn certificates_that_are_none_are_refused_as_at_the_start() {
    let site = Site::new();
    for file in ["client.pem", "key.pem", "ca.pem"] {
        fs::write(site.path(file), "no certificate").unwrap();
    }
    let (errors, _) = site.findings("hpe3par_ca_cert = AT/ca.pem").await;
    assert!(errors.len() == 1 && errors[0].contains("hpe3par_ca_cert"), "{errors:?}");
    let tls = "host_etcd_client_cert = AT/client.pem\nhost_etcd_client_key = AT/key.pem\n";
    let (errors, _) = site.findings(tls).await;
    assert!(errors.len() == 1 && errors[0].contains("host_etcd_client_cert"), "{errors:?}");
}

#[tokio::test]
async fn a_state_directory_or_node_id_that_cannot_be_used_is_an_error() {
    let site = Site::new();
    fs::write(site.path("state"), "a file").unwrap();
    fs::write(site.path("node_id"), "a b\n").unwrap();
    let (errors, _) = site.findings("").await;
    assert!(errors[0].starts_with(":11: [DEFAULT] node_id_file: ") && errors[0].contains("no usable id"), "{errors:?}");
    assert!(errors[1].starts_with(":12: [DEFAULT] state_dir: ") && errors[1].contains("is no directory"), "{errors:?}");
}

#[tokio::test]
async fn a_host_key_nobody_wrote_down_is_warned_of() {
    let site = Site::new();
    let (errors, warnings) = site.findings("").await;
    assert!(errors.is_empty(), "{errors:?}");
    assert!(
        warnings[0].contains("does not exist") && warnings[0].contains("ssh-keyscan -p 22 127.0.0.1"),
        "{warnings:?}"
    );
    site.knows_the_array();
    let (_, warnings) = site.findings("san_ssh_port = 2222").await;
    assert!(warnings[0].contains("names no key of 127.0.0.1"), "{warnings:?}");
    let (_, warnings) = site.findings("san_ssh_port = 2222\nstrict_ssh_host_key_policy = false").await;
    assert!(warnings.iter().all(|w| !w.contains("ssh-keyscan")), "{warnings:?}");
}

#[tokio::test]
async fn a_file_others_can_read_and_a_password_nobody_changed_are_warned_of() {
    let site = Site::new();
    site.knows_the_array();
    let path = site.conf("");
    let text = fs::read_to_string(&path).unwrap().replace("san_password = s3cret", "san_password = change me");
    fs::write(&path, text).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
    let (_, warnings) = load_checked(&path).await.unwrap();
    let text: Vec<String> = warnings.iter().map(ToString::to_string).collect();
    assert!(text.iter().any(|w| w.contains("its mode is 0644") && w.contains("chmod 600")), "{text:?}");
    assert!(text.iter().any(|w| w.contains("san_password: is still the placeholder")), "{text:?}");
}

#[tokio::test]
async fn one_array_under_two_names_is_warned_of() {
    let site = Site::new();
    site.knows_the_array();
    let second = "[b]\nhpedockerplugin_driver = hpedockerplugin.hpe.hpe_3par_iscsi.HPE3PARISCSIDriver\n\
         hpe3par_api_url = https://array.example.com:8080/api/v1\nhpe3par_username = a\nhpe3par_password = b\nsan_ip = 127.0.0.1\n\
         san_password = c\nhpe3par_cpg = FC_r6\n";
    let (_, warnings) = site.findings(second).await;
    assert!(
        warnings.len() == 1 && warnings[0].contains("[b] hpe3par_api_url: names the array array.example.com"),
        "{warnings:?}"
    );
}
