//! How VLUNs and the hosts in them are named, alike over both channels.

use super::operation::Operation;
use super::{ArrayError, Export, ExportTarget, HostName};

/// Stands for the host of an active VLUN whose initiator belongs to no host object. It is no node's host, so such a row counts as a stranger's.
const UNNAMED: &str = "unnamed-initiator";

/// The host of an active VLUN that names none.
pub(super) fn unnamed_host(operation: &Operation) -> Result<HostName, ArrayError> {
    UNNAMED.parse().map_err(|error| operation.unknown(format!("a VLUN is not readable: {error}")))
}

/// Checks the name of a host set before it goes into a request: like `name31`, as host sets made by newer releases are.
pub(super) fn host_set_name<'a>(operation: &Operation, set: &'a str) -> Result<&'a str, ArrayError> {
    match set.parse::<HostName>() {
        Ok(_) => Ok(set),
        Err(error) => Err(operation.not_tried(format!("host set: {error}"))),
    }
}

/// `vv,lun,host`, `vv,lun,host,n:s:p`, `vv,lun,,n:s:p` or `vv,lun,set:hosts` (WSAPI developer's guide 1.3.1 p. 102, 105).
pub(super) fn vlun_address(export: &Export) -> String {
    let Export { volume, lun, to } = export;
    match to {
        ExportTarget::Host(host) => format!("{volume},{lun},{host}"),
        ExportTarget::MatchedSet(host, port) => format!("{volume},{lun},{host},{port}"),
        ExportTarget::Port(port) => format!("{volume},{lun},,{port}"),
        ExportTarget::HostSet(set) => format!("{volume},{lun},set:{set}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn host_sets_have_names_like_hosts() {
        let operation = Operation::read("VLUNs");
        assert_eq!(host_set_name(&operation, "hosts"), Ok("hosts"));
        assert!(host_set_name(&operation, "a;b").is_err() && host_set_name(&operation, "-f").is_err());
        assert!(unnamed_host(&operation).is_ok());
    }
}
