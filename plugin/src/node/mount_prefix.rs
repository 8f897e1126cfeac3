//! Where volumes are mounted on a node.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use thiserror::Error;

/// What the directory of a mounted volume begins with: an absolute path, to which the name of the device is appended without
/// anything in between. To get directories of their own, end it with `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MountPrefix(String);

impl MountPrefix {
    /// The directory for a device, such as `dm-uuid-mpath-360002ac…`: the last part of its stable name.
    #[must_use]
    pub fn directory(&self, device_name: &str) -> PathBuf {
        PathBuf::from(format!("{}{device_name}", self.0))
    }

    /// Whether a directory can have been made by [`Self::directory`].
    #[must_use]
    pub fn covers(&self, directory: &Path) -> bool {
        directory
            .to_str()
            .and_then(|directory| directory.strip_prefix(&self.0))
            .is_some_and(|name| !name.is_empty() && !name.contains('/'))
    }
}

impl Default for MountPrefix {
    /// `/opt/hpe/data/hpedocker-`
    fn default() -> Self {
        Self("/opt/hpe/data/hpedocker-".to_owned())
    }
}

/// A text that is no mount prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("write an absolute path below '/', without '..'")]
pub struct MountPrefixError;

impl FromStr for MountPrefix {
    type Err = MountPrefixError;

    fn from_str(text: &str) -> Result<Self, MountPrefixError> {
        let has_parent_steps = Path::new(text).components().any(|part| part == std::path::Component::ParentDir);
        if text.starts_with('/') && text != "/" && !has_parent_steps {
            Ok(Self(text.to_owned()))
        } else {
            Err(MountPrefixError)
        }
    }
}

impl fmt::Display for MountPrefix {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_prefix_is_put_before_the_device_name() {
        let default = MountPrefix::default();
        assert_eq!(
            default.directory("dm-uuid-mpath-360002ac0"),
            Path::new("/opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac0")
        );
        assert!(default.covers(Path::new("/opt/hpe/data/hpedocker-dm-uuid-mpath-360002ac0")));
        assert!(!default.covers(Path::new("/opt/hpe/data/other")));
        assert!(!default.covers(Path::new("/opt/hpe/data/hpedocker-x/y")));
        let own: MountPrefix = "/var/lib/kubelet/plugins/hpe.com/3par/mounts/".parse().unwrap();
        assert_eq!(own.directory("sda"), Path::new("/var/lib/kubelet/plugins/hpe.com/3par/mounts/sda"));
        assert!("/".parse::<MountPrefix>().is_err() && "data/".parse::<MountPrefix>().is_err());
        assert!("/opt/../etc/".parse::<MountPrefix>().is_err());
    }
}
