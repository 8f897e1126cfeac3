//! Settings of `hpe.conf` in the words of each adapter.

use std::sync::Arc;
use std::time::Duration;

use super::passwords::SectionPassphrase;
use crate::array::settings::{ArraySettings, SshLogin, SshSettings, UnknownHostKey, WsapiSettings};
use crate::config::{BackendConfig, EtcdConfig, HostConfig, SshAuth};
use crate::fencing::Policy;
use crate::store::etcd::{ClientCertificate, EtcdSettings};

pub(super) fn etcd_settings(etcd: &EtcdConfig) -> EtcdSettings {
    EtcdSettings {
        endpoints: etcd.urls(),
        ca: etcd.tls.as_ref().and_then(|tls| tls.ca_cert.clone()),
        client: etcd
            .tls
            .as_ref()
            .map(|tls| ClientCertificate { certificate: tls.client_cert.clone(), key: tls.client_key.clone() }),
        timeout: etcd.timeout,
    }
}

pub(super) fn array_settings(
    section: &BackendConfig,
    host: &HostConfig,
    passphrase: &Arc<SectionPassphrase>,
) -> ArraySettings {
    let strict = host.strict_ssh_host_key_policy;
    let login = match &section.ssh.auth {
        SshAuth::Password(written) => SshLogin::Password(passphrase.password("san_password", written.clone())),
        SshAuth::PrivateKey(file) => SshLogin::PrivateKey(file.clone()),
    };
    ArraySettings {
        // Not the name of the section: two sections, and the sections of two nodes, may name one array differently, and its
        // LUN numbers must be counted in one place. Not its serial number either: that is known only once it has answered,
        // and a counter must not change its name in between.
        array_id: section.wsapi.url.host().to_owned(),
        wsapi: WsapiSettings {
            api_url: section.wsapi.url.as_str().to_owned(),
            user: section.wsapi.username.clone(),
            password: passphrase.password("hpe3par_password", section.wsapi.password.clone()),
            trust: section.wsapi.trust.clone(),
        },
        ssh: SshSettings {
            host: section.ssh.host.clone(),
            port: section.ssh.port,
            user: section.ssh.login.clone(),
            login,
            known_hosts: host.ssh_hosts_key_file.clone(),
            unknown_host_key: if strict { UnknownHostKey::Refuse } else { UnknownHostKey::LearnOnFirstUse },
            connect_timeout: section.ssh.connect_timeout,
            sessions: SshSettings::SESSIONS,
        },
        timeout: section.array_timeout,
        protocol: section.protocol,
        iscsi_ips: section.iscsi_portals.clone(),
    }
}

pub(super) fn policy(section: &BackendConfig, host: &HostConfig) -> Policy {
    Policy {
        conflict: section.mount_conflict_policy,
        conflict_delay: section.mount_conflict_delay.as_secs(),
        takeover_limit: usize::try_from(host.takeover_limit).unwrap_or(usize::MAX),
        takeover_window: host.takeover_window,
        fence_unknown_hosts: section.fence_unknown_hosts,
        settle_delay: section.fence_settle_delay,
        revoke_patience: section.array_timeout.max(Duration::from_secs(10)) * 2,
        burned_watch: section.array_timeout.max(Duration::from_secs(30)) * 4,
        ..Policy::default()
    }
}
