//! Who a node is: its id, its machine and its boot.

use std::fmt;

use serde::{Deserialize, Serialize};

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
    /// Id of the machine (`/etc/machine-id`): differs between a machine and its clone if the clone was made properly.
    MachineId
}

impl BootId {
    /// A boot nobody knows: written for records of the earlier plugin, equal to no real boot.
    #[must_use]
    pub fn unknown() -> Self {
        Self::new("unknown")
    }
}
