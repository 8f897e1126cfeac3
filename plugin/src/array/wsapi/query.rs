//! Paths and `?query=` strings. Whatever is not a plain letter, digit or `-._~` is percent-encoded (guide 1.2 p. 72).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::array::operation::Operation;
use crate::array::vlun_names::vlun_address;
use crate::array::{ArrayError, Export};
use crate::node::Initiators;

const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// In a path, `:` and `,` are the array's own separators (`vv,5,host,0:2:1`).
const IN_PATH: &AsciiSet = &PLAIN.remove(b':').remove(b',');

/// `collection/name`.
pub(super) fn named(collection: &str, name: &str) -> String {
    format!("/{collection}/{}", utf8_percent_encode(name, PLAIN))
}

/// `collection?query="filter"`, the quotes being part of the value (guide 1.3.1 p. 21).
pub(super) fn filtered(collection: &str, filter: &str) -> String {
    format!("/{collection}?query={}", utf8_percent_encode(&format!("\"{filter}\""), PLAIN))
}

/// Filter for hosts that own any of the initiators; `None` when there is none to ask for.
pub(super) fn any_path(operation: &Operation, initiators: &Initiators) -> Result<Option<String>, ArrayError> {
    let mut parts = Vec::new();
    let mut wwns = Vec::new();
    for wwn in &initiators.wwpns {
        wwns.push(format!("wwn EQ {}", checked(operation, wwn)?));
    }
    if !wwns.is_empty() {
        parts.push(format!("FCPaths[{}]", wwns.join(" OR ")));
    }
    if let Some(iqn) = &initiators.iqn {
        parts.push(format!("iSCSIPaths[name EQ {}]", checked(operation, iqn)?));
    }
    Ok((!parts.is_empty()).then(|| parts.join(" OR ")))
}

/// An initiator name may not bring syntax of the filter with it.
fn checked<'a>(operation: &Operation, initiator: &'a str) -> Result<&'a str, ArrayError> {
    let fit = (1..=223).contains(&initiator.len())
        && initiator.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | ':' | '_'));
    if fit {
        Ok(initiator)
    } else {
        Err(operation.not_tried(format!("'{initiator}' is no initiator name; look at /etc/iscsi/initiatorname.iscsi")))
    }
}

/// Path of one VLUN template.
pub(super) fn vlun_path(export: &Export) -> String {
    format!("/vluns/{}", utf8_percent_encode(&vlun_address(export), IN_PATH))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::array::{ExportTarget, Lun};

    #[test]
    fn filters_are_quoted_and_encoded() {
        assert_eq!(filtered("vluns", "volumeName EQ a.b"), "/vluns?query=%22volumeName%20EQ%20a.b%22");
        assert_eq!(named("volumes", "a/b?c"), "/volumes/a%2Fb%3Fc");
    }

    #[test]
    fn initiators_make_one_filter() {
        let operation = Operation::read("hosts");
        let mut initiators = Initiators { iqn: Some("iqn.2000-01.lab:n1".into()), wwpns: vec![] };
        assert_eq!(any_path(&operation, &initiators), Ok(Some("iSCSIPaths[name EQ iqn.2000-01.lab:n1]".into())));
        initiators.wwpns = vec!["1000D89D676F3859".into(), "1000D89D676F3860".into()];
        initiators.iqn = None;
        assert_eq!(
            any_path(&operation, &initiators),
            Ok(Some("FCPaths[wwn EQ 1000D89D676F3859 OR wwn EQ 1000D89D676F3860]".into()))
        );
        assert_eq!(any_path(&operation, &Initiators::default()), Ok(None));
        initiators.wwpns = vec!["x] OR name EQ y".into()];
        assert!(any_path(&operation, &initiators).is_err());
    }

    #[test]
    fn every_kind_of_export_has_its_path() {
        let path = |to| vlun_path(&Export { volume: "dcv-x".parse().unwrap(), lun: Lun::try_from(5).unwrap(), to });
        let port = "0:2:1".parse().unwrap();
        let host = || "worker1".parse().unwrap();
        assert_eq!(path(ExportTarget::Host(host())), "/vluns/dcv-x,5,worker1");
        assert_eq!(path(ExportTarget::MatchedSet(host(), port)), "/vluns/dcv-x,5,worker1,0:2:1");
        assert_eq!(path(ExportTarget::Port(port)), "/vluns/dcv-x,5,,0:2:1");
        assert_eq!(path(ExportTarget::HostSet("hosts".into())), "/vluns/dcv-x,5,set:hosts");
    }
}
