//! What a host lacks.

use super::fake_host::FakeHost;
use crate::array::settings::Protocol;
use crate::node::Filesystem;

#[test]
fn only_what_the_protocol_and_the_filesystem_need_is_missed() {
    let host = FakeHost::new();
    let missing = |protocol, filesystem| -> Vec<&str> {
        host.node().missing_tools(protocol, filesystem).iter().map(|missing| missing.tool).collect()
    };
    host.tool("multipathd", "exit 0");
    assert_eq!(missing(Protocol::Iscsi, Filesystem::Ext4), ["iscsiadm", "mkfs.ext4"]);
    host.tool("mkfs.xfs", "exit 0");
    assert_eq!(missing(Protocol::Fc, Filesystem::Xfs), [""; 0]);
}
