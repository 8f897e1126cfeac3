//! Who holds a volume: a container of dockerd or a pod of kubelet, each with the mount ids it really sends.

use std::fmt;
use std::str::FromStr;

use cucumber::Parameter;
use sha2::{Digest as _, Sha256};

use crate::cluster::docker_client::Dialect;

/// A container or a pod, by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Parameter)]
#[param(name = "holder", regex = r"(?:container|pod) [a-z]+")]
pub enum Holder {
    /// Started by dockerd: its mount id is 64 hex digits, and `docker cp` uses the same one.
    Container(String),
    /// Started by kubelet through dory: its mount id is the pod's UID.
    Pod(String),
}

impl Holder {
    /// The mount id it sends.
    #[must_use]
    pub fn mount_id(&self) -> String {
        let digest = Sha256::digest(self.name().as_bytes());
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        match self {
            Self::Container(_) => hex,
            Self::Pod(_) => {
                let mut bytes = [0_u8; 16];
                bytes.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
                uuid::Builder::from_random_bytes(bytes).into_uuid().to_string()
            }
        }
    }

    /// How its requests are written.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Container(_) => Dialect::Dockerd,
            Self::Pod(_) => Dialect::Dory,
        }
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Container(name) | Self::Pod(name) => name,
        }
    }
}

impl FromStr for Holder {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            Some(("container", name)) => Ok(Self::Container(name.to_owned())),
            Some(("pod", name)) => Ok(Self::Pod(name.to_owned())),
            _ => Err(format!("'{text}' is neither a container nor a pod")),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Container(name) => write!(f, "container {name}"),
            Self::Pod(name) => write!(f, "pod {name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_send_hex_and_pods_send_a_uid() {
        let container: Holder = "container web".parse().unwrap();
        assert!(container.mount_id().len() == 64 && container.mount_id().bytes().all(|byte| byte.is_ascii_hexdigit()));
        let pod: Holder = "pod shop".parse().unwrap();
        assert!(uuid::Uuid::parse_str(&pod.mount_id()).is_ok());
        assert_eq!(pod.mount_id(), pod.mount_id());
    }
}
