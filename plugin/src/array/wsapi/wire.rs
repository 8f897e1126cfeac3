//! The JSON of the REST interface, as far as this plugin reads it.
//!
//! Member names and numbers as in the WSAPI developer's guide 1.3.1 and in answers captured from arrays with 3.2.2 and 3.3.1.

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::answer::Answer;
use crate::array::operation::Operation;
use crate::array::{ArrayError, PortPosition};

/// Answer to the login.
#[derive(Deserialize)]
pub(super) struct Credentials {
    pub(super) key: String,
}

/// `GET /api`.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    /// `MmmNNbbb`, such as 30301460 for 3.3.1.460.
    pub(super) build: u64,
}

/// A list of objects. Long ones come in chunks and can break off.
#[derive(Debug, Deserialize)]
struct Collection<T> {
    total: Option<u64>,
    members: Option<Vec<T>>,
}

/// `GET /volumes/<name>`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Volume {
    pub(super) name: String,
    pub(super) wwn: String,
    #[serde(rename = "sizeMiB")]
    pub(super) size_mib: u64,
    #[serde(default)]
    pub(super) comment: String,
}

/// `GET /cpgs/<name>`, and a member of `GET /cpgs`.
#[derive(Debug, Deserialize)]
pub(super) struct Cpg {
    #[serde(default)]
    pub(super) name: Option<String>,
    #[serde(default)]
    pub(super) domain: Option<String>,
}

/// `GET /hosts/<name>`.
#[derive(Debug, Deserialize)]
pub(super) struct Host {
    /// Missing for initiators that are logged in but belong to no host.
    pub(super) name: Option<String>,
    pub(super) domain: Option<String>,
    #[serde(rename = "FCPaths", default)]
    pub(super) fc_paths: Vec<FcPath>,
    #[serde(rename = "iSCSIPaths", default)]
    pub(super) iscsi_paths: Vec<IscsiPath>,
}

/// One path of a host; a WWN comes once per port it is logged in at.
#[derive(Debug, Deserialize)]
pub(super) struct FcPath {
    pub(super) wwn: String,
}

/// One path of a host.
#[derive(Debug, Deserialize)]
pub(super) struct IscsiPath {
    pub(super) name: String,
}

/// A row of `GET /vluns`: a template or an active VLUN.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Vlun {
    pub(super) lun: u32,
    pub(super) volume_name: String,
    pub(super) hostname: Option<String>,
    pub(super) port_pos: Option<PortPosition>,
    #[serde(rename = "type")]
    pub(super) kind: u32,
    pub(super) active: bool,
}

/// `GET /ports`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Port {
    pub(super) port_pos: PortPosition,
    pub(super) mode: Option<u32>,
    pub(super) link_state: Option<u32>,
    #[serde(rename = "type")]
    pub(super) kind: Option<u32>,
    pub(super) protocol: Option<u32>,
    #[serde(rename = "portWWN")]
    pub(super) port_wwn: Option<String>,
    #[serde(rename = "IPAddr")]
    pub(super) ip_addr: Option<String>,
    #[serde(rename = "iSCSIName")]
    pub(super) iscsi_name: Option<String>,
    #[serde(rename = "iSCSIPortInfo")]
    pub(super) iscsi_info: Option<IscsiPortInfo>,
}

/// iSCSI side of a port.
#[derive(Debug, Deserialize)]
pub(super) struct IscsiPortInfo {
    #[serde(rename = "IPAddr")]
    pub(super) ip_addr: Option<String>,
    #[serde(rename = "iSCSIName")]
    pub(super) iscsi_name: Option<String>,
    /// 1 when further addresses hang on VLANs.
    pub(super) vlan: Option<u32>,
}

/// `GET /ports/<n:s:p>/iSCSIVlans/`.
#[derive(Debug, Deserialize)]
pub(super) struct IscsiVlans {
    #[serde(rename = "iSCSIVlans", alias = "iSCSIvlans", alias = "members", default)]
    pub(super) vlans: Vec<IscsiVlan>,
}

/// One VLAN of an iSCSI port.
#[derive(Debug, Deserialize)]
pub(super) struct IscsiVlan {
    #[serde(rename = "IPAddr")]
    pub(super) ip_addr: Option<String>,
}

/// Reads the object of a successful answer. A body that cannot be read is never taken for "nothing there".
pub(super) fn object<T: DeserializeOwned>(operation: &Operation, answer: &Answer) -> Result<T, ArrayError> {
    let Some(body) = &answer.body else {
        return Err(operation.unknown("the answer broke off"));
    };
    serde_json::from_slice(body).map_err(|error| operation.unknown(format!("the answer is not readable: {error}")))
}

/// Reads the list of a successful answer and makes sure that it is whole.
pub(super) fn list<T: DeserializeOwned>(operation: &Operation, answer: &Answer) -> Result<Vec<T>, ArrayError> {
    let Collection { total, members }: Collection<T> = object(operation, answer)?;
    match (total, members) {
        (Some(0), None) => Ok(Vec::new()),
        (Some(total), Some(members)) if members.len() as u64 != total => {
            Err(operation.unknown(format!("the list is not whole: {} of {total} members", members.len())))
        }
        (_, Some(members)) => Ok(members),
        (_, None) => Err(operation.unknown("the answer is no list")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn vluns(body: &str) -> Result<usize, ArrayError> {
        let answer = Answer { status: reqwest::StatusCode::OK, location: None, body: Some(body.into()) };
        list::<Vlun>(&Operation::read("VLUNs"), &answer).map(|rows| rows.len())
    }

    #[test]
    fn an_incomplete_list_is_never_an_empty_one() {
        assert_eq!(vluns(r#"{"total":0,"members":[]}"#), Ok(0));
        assert_eq!(vluns(r#"{"total":0}"#), Ok(0));
        for broken in [
            "",
            "{}",
            r#"{"total":1,"members":[]}"#,
            r#"{"total":1}"#,
            r#"{"total":1,"members":[{"lun":1}]}"#,
            r#"{"total":0,"members":["#,
            r#"{"success":false,"message":{"code":101,"desc":"cursor"}}"#,
        ] {
            assert!(vluns(broken).is_err_and(|e| e.is_unknown()), "{broken}");
        }
    }
}
