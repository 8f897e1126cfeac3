//! SendTargets (RFC 7143 appendix C): the targets on a portal. The send-targets group of a port is the port itself, so a portal
//! names what is reached through it and nothing else.

use super::target::Target;
use super::wire::text::Keys;
use crate::array::{PortPos, PortProtocol};

/// Answers `SendTargets`: all targets of the portal, or the one that is named or logged in to.
pub(super) fn send_targets(target: &Target, ports: &[PortPos], wish: &str, own: Option<PortPos>) -> Keys {
    let mut keys = Keys::default();
    target.emulator().with(|array, _| {
        for port in ports.iter().filter_map(|pos| array.port(*pos).ok()) {
            let PortProtocol::Iscsi { target: name, portal, tpgt, .. } = &port.protocol else { continue };
            let wanted = match wish {
                "All" => own.is_none(),
                "" => own == Some(port.pos),
                named => named.eq_ignore_ascii_case(name),
            };
            if wanted {
                keys.push("TargetName", name.as_str());
                keys.push("TargetAddress", format!("{portal},{tpgt}"));
            }
        }
    });
    keys
}
