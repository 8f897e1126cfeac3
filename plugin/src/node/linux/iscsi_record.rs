//! The node record of open-iscsi: the one place where the account of a login can be set without showing it to others.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use secrecy::ExposeSecret as _;

use super::iscsi::Target;
use super::{Roots, sysfs};
use crate::node::Chap;

/// The LUNs are scanned by this plugin, one by one: a kernel that finds one by itself keeps it after it was taken away.
const SCAN_MANUALLY: (&str, &str) = ("node.session.scan", "manual");

/// Makes the record ready for a login: the LUNs are scanned by us, one by one, and the account is set or cleared.
///
/// # Errors
/// There is no record, or it cannot be written.
pub(super) fn prepare(roots: &Roots, target: &Target, chap: Option<&Chap>) -> io::Result<()> {
    let path = find(roots, target)?;
    let record = fs::read_to_string(&path)?;
    let mut settings = vec![SCAN_MANUALLY, ("node.session.initial_login_retry_max", "2")];
    match chap {
        Some(chap) => {
            let secret = chap.secret.expose_secret();
            if [chap.user.as_str(), secret].iter().any(|text| text.is_empty() || text.contains(char::is_control)) {
                return Err(io::Error::other("the CHAP account is empty or has control characters"));
            }
            settings.push(("node.session.auth.authmethod", "CHAP"));
            settings.push(("node.session.auth.username", &chap.user));
            settings.push(("node.session.auth.password", secret));
        }
        None => settings.push(("node.session.auth.authmethod", "None")),
    }
    let changed = with_settings(&record, &settings);
    if changed == record { Ok(()) } else { replace(roots, &path, &changed) }
}

/// `nodes/<iqn>/<address>,<port>,<tpgt>/default`, or that directory as a file in older forms.
fn find(roots: &Roots, target: &Target) -> io::Result<PathBuf> {
    let beginning = format!("{},{},", target.portal.ip(), target.portal.port());
    for nodes in [roots.etc.join("iscsi/nodes"), roots.var.join("lib/iscsi/nodes")] {
        let portals = nodes.join(&target.iqn);
        if let Some(name) = sysfs::names(&portals)?.into_iter().find(|name| name.starts_with(&beginning)) {
            let found = portals.join(name);
            return Ok(if found.is_dir() { found.join("default") } else { found });
        }
    }
    Err(io::Error::other("iscsiadm made no node record under /etc/iscsi/nodes or /var/lib/iscsi/nodes"))
}

/// The record with these settings changed or added; all other lines stay.
fn with_settings(record: &str, settings: &[(&str, &str)]) -> String {
    let key_of = |line: &str| line.split_once('=').map(|(key, _)| key.trim().to_owned());
    let mut lines: Vec<String> = record.lines().map(str::to_owned).collect();
    for (key, value) in settings {
        let line = format!("{key} = {value}");
        match lines.iter().position(|present| key_of(present).as_deref() == Some(*key)) {
            Some(at) => lines[at] = line,
            None => {
                let end = lines.iter().rposition(|present| present.starts_with("# END RECORD"));
                lines.insert(end.unwrap_or(lines.len()), line);
            }
        }
    }
    lines.join("\n") + "\n"
}

/// Writes beside the records, where iscsiadm does not look, and moves into place.
fn replace(roots: &Roots, path: &Path, record: &str) -> io::Result<()> {
    let beside = if path.starts_with(&roots.etc) { roots.etc.join("iscsi") } else { roots.var.join("lib/iscsi") };
    let unfinished = beside.join(format!(".hpe3par-record-{}", uuid::Uuid::new_v4()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    let moved =
        file.write_all(record.as_bytes()).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&unfinished, path));
    if moved.is_err() {
        let _ = fs::remove_file(&unfinished);
    }
    moved
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    const RECORD: &str =
        "# BEGIN RECORD 2.1.8\nnode.name = iqn.x\nnode.session.scan = auto\nnode.conn[0].port = 3260\n# END RECORD\n";

    #[test]
    fn settings_are_changed_in_place_or_added_before_the_end() {
        let changed =
            with_settings(RECORD, &[("node.session.scan", "manual"), ("node.session.auth.username", "a=b #c")]);
        assert_eq!(
            changed,
            "# BEGIN RECORD 2.1.8\nnode.name = iqn.x\nnode.session.scan = manual\nnode.conn[0].port = 3260\n\
             node.session.auth.username = a=b #c\n# END RECORD\n"
        );
        assert_eq!(with_settings(&changed, &[("node.session.scan", "manual")]), changed);
    }

    #[test]
    fn the_account_goes_into_the_record_which_only_root_can_read() {
        let dir = tempfile::tempdir().unwrap();
        let roots = Roots::below(dir.path());
        let record = roots.etc.join("iscsi/nodes/iqn.x/10.0.0.1,3260,-1/default");
        fs::create_dir_all(record.parent().unwrap()).unwrap();
        fs::write(&record, RECORD).unwrap();
        let target = Target { portal: "10.0.0.1:3260".parse().unwrap(), iqn: "iqn.x".into() };
        let chap = Chap { user: "node1".into(), secret: "0123456789ab".to_owned().into() };
        prepare(&roots, &target, Some(&chap)).unwrap();
        let written = fs::read_to_string(&record).unwrap();
        assert!(written.contains("node.session.auth.password = 0123456789ab\n"), "{written}");
        assert_eq!(fs::metadata(&record).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(sysfs::names(&roots.etc.join("iscsi")).unwrap(), ["nodes"], "nothing is left beside it");
        let broken = Chap { user: "node1".into(), secret: "abc\nnode.x = 1".to_owned().into() };
        assert!(prepare(&roots, &target, Some(&broken)).is_err());
        let other = Target { portal: "10.0.0.1:326".parse().unwrap(), iqn: "iqn.x".into() };
        assert!(prepare(&roots, &other, None).is_err(), "a port that only begins alike");
    }
}
