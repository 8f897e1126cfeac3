//! Who a node is: its id, its machine and its boot.

use std::fmt;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

macro_rules! text_identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text as it is, without surrounding blanks.
            #[must_use]
            pub fn new(text: &str) -> Self {
                Self(text.trim().to_owned())
            }

            /// The text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_identity! {
    /// Id of a node in the cluster: the text of `/etc/hpedockerplugin/.node_id`.
    NodeId
}
text_identity! {
    /// Id of one boot of a node's kernel. References and mounts of another boot are gone.
    BootId
}
text_identity! {
    /// Which machine this is: see [`MachineId::of`].
    MachineId
}

impl MachineId {
    /// Fingerprints of `/etc/machine-id` and of the product UUID of the firmware, which a hypervisor changes even in a clone
    /// whose `/etc` was copied as it was. Neither is meant to leave the machine (machine-id(5)), so both are hashed with a
    /// constant of this program. Not every machine tells a product UUID, and only to root.
    #[must_use]
    pub fn of(machine_id: &str, product_uuid: Option<&str>) -> Self {
        let fingerprint = |kind: &str, text: &str| {
            let text = text.trim().to_ascii_lowercase();
            let digest = Sha256::digest(format!("hpe3par-docker-plugin {kind} {text}"));
            digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        let machine = fingerprint("machine-id", machine_id);
        match product_uuid {
            Some(uuid) => Self(format!("{machine}{SEPARATOR}{}", fingerprint("product uuid", uuid))),
            None => Self(machine),
        }
    }

    /// The two may be one machine: what both of them tell is the same.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let mut parts = self.0.split(SEPARATOR).zip(other.0.split(SEPARATOR));
        parts.all(|(mine, theirs)| mine == theirs)
    }

    /// Whichever of the two tells more; they may be one machine.
    #[must_use]
    pub fn or_fuller(&self, other: &Self) -> Self {
        if other.0.len() > self.0.len() { other.clone() } else { self.clone() }
    }
}

/// Between the fingerprints of a machine.
const SEPARATOR: char = '.';

impl BootId {
    /// A boot nobody knows: written for records of the earlier plugin, equal to no real boot.
    #[must_use]
    pub fn unknown() -> Self {
        Self::new("unknown")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_machine_is_known_by_what_it_tells_and_tells_no_original() {
        const MACHINE_ID: &str = "0123456789abcdef0123456789abcdef";
        let original = MachineId::of(MACHINE_ID, Some("4C4C4544-0042-3510-8056-C2C04F4B4D32\n"));
        assert!(!original.as_str().contains("0123456789") && original.as_str().len() == 33, "{original}");
        let unprivileged = MachineId::of(&format!("{MACHINE_ID}\n"), None);
        assert!(original.may_be(&unprivileged) && unprivileged.may_be(&original));
        assert_eq!(unprivileged.or_fuller(&original), original);
        let clone = MachineId::of(MACHINE_ID, Some("4c4c4544-0042-3510-8056-000000000001"));
        let reinstalled =
            MachineId::of("ffffffffffffffffffffffffffffffff", Some("4c4c4544-0042-3510-8056-c2c04f4b4d32"));
        assert!(!original.may_be(&clone) && !original.may_be(&reinstalled));
    }
}
