//! Hosts over REST.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::transport::Request;
use super::{Wsapi, query, wire};
use crate::array::operation::Operation;
use crate::array::settings::Protocol;
use crate::array::{ArrayError, HostName, HostOnArray};
use crate::node::Initiators;

/// Persona "Generic-ALUA" in WSAPI's numbering (observed).
const GENERIC_ALUA: u32 = 2;
/// `pathOperation`: add (guide 1.3.1 p. 76).
const ADD_PATHS: u32 = 1;

impl Wsapi {
    /// Hosts that own any of these initiators of `protocol`. A host that this node has for the other transport, say to boot
    /// from, does not matter to this backend.
    pub(in crate::array) async fn hosts_with(
        &self,
        initiators: &Initiators,
        protocol: Protocol,
    ) -> Result<Vec<HostOnArray>, ArrayError> {
        let operation = Operation::read("hosts with this node's initiators");
        let initiators = &of_protocol(initiators, protocol);
        let Some(filter) = query::any_path(&operation, initiators)? else {
            return Err(none_of(&operation, protocol));
        };
        let answer = match self.transport.call(&operation, &Request::get(query::filtered("hosts", &filter))).await {
            Ok(answer) => answer,
            Err(ArrayError::NotFound { .. }) => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        wire::list::<wire::Host>(&operation, &answer)?
            .iter()
            .filter(|host| host.name.is_some() && owns_any(host, initiators))
            .map(|host| host_on_array(&operation, host, initiators.iqn.as_deref()))
            .collect()
    }

    /// Reads a host.
    pub(in crate::array) async fn host(&self, name: &HostName) -> Result<Option<HostOnArray>, ArrayError> {
        let operation = Operation::read(format!("host {name}"));
        match self.transport.call(&operation, &Request::get(query::named("hosts", name.as_str()))).await {
            Ok(answer) => host_on_array(&operation, &wire::object(&operation, &answer)?, None).map(Some),
            Err(ArrayError::NotFound { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Makes a host with the initiators of `protocol`.
    pub(in crate::array) async fn create_host(&self, host: &HostOnArray, protocol: Protocol) -> Result<(), ArrayError> {
        let operation = Operation::change("making", format!("host {}", host.name));
        let mut body = paths(&host.initiators, protocol).ok_or_else(|| none_of(&operation, protocol))?;
        body["name"] = json!(host.name.as_str());
        body["persona"] = json!(GENERIC_ALUA);
        if let Some(domain) = &host.domain {
            body["domain"] = json!(domain);
        }
        self.transport.call(&operation, &Request::post("/hosts", body)).await.map(|_| ())
    }

    /// Adds the initiators of `protocol` to a host. Nothing is sent if there is none: those of the other transport are no
    /// business of this backend.
    pub(in crate::array) async fn add_initiators(
        &self,
        host: &HostName,
        initiators: &Initiators,
        protocol: Protocol,
    ) -> Result<(), ArrayError> {
        let operation = Operation::change("adding initiators to", format!("host {host}"));
        let Some(mut body) = paths(initiators, protocol) else { return Ok(()) };
        body["pathOperation"] = json!(ADD_PATHS);
        self.transport.call(&operation, &Request::put(query::named("hosts", host.as_str()), body)).await.map(|_| ())
    }
}

/// The initiators of one transport.
fn of_protocol(initiators: &Initiators, protocol: Protocol) -> Initiators {
    match protocol {
        Protocol::Iscsi => Initiators { iqn: initiators.iqn.clone(), wwpns: Vec::new() },
        Protocol::Fc => Initiators { iqn: None, wwpns: initiators.wwpns.clone() },
    }
}

fn none_of(operation: &Operation, protocol: Protocol) -> ArrayError {
    operation.not_tried(match protocol {
        Protocol::Iscsi => "this node has no iSCSI initiator name; look at /etc/iscsi/initiatorname.iscsi",
        Protocol::Fc => "this node has no online FC port; look at /sys/class/fc_host",
    })
}

/// Members of one kind of paths, if there is any: both in one request are refused (guide 1.3.1 p. 76, code 44).
fn paths(initiators: &Initiators, protocol: Protocol) -> Option<Value> {
    match protocol {
        Protocol::Iscsi => initiators.iqn.as_ref().map(|iqn| json!({ "iSCSINames": [iqn] })),
        Protocol::Fc => (!initiators.wwpns.is_empty()).then(|| json!({ "FCWWNs": initiators.wwpns })),
    }
}

/// WWNs without colons and in one case, iSCSI names in one case: how the array compares them (observed).
fn same_form(initiator: &str, wwn: bool) -> String {
    initiator.chars().filter(|c| !(wwn && *c == ':')).map(|c| c.to_ascii_uppercase()).collect()
}

fn owns_any(host: &wire::Host, initiators: &Initiators) -> bool {
    let wwns: BTreeSet<String> = initiators.wwpns.iter().map(|w| same_form(w, true)).collect();
    let iqn = initiators.iqn.as_deref().map(|iqn| same_form(iqn, false));
    host.fc_paths.iter().any(|path| wwns.contains(&same_form(&path.wwn, true)))
        || host.iscsi_paths.iter().any(|path| Some(same_form(&path.name, false)) == iqn)
}

/// Of several iSCSI names the one asked for is the host's, else the first; the others are listed beside it.
fn host_on_array(operation: &Operation, host: &wire::Host, asked: Option<&str>) -> Result<HostOnArray, ArrayError> {
    let name = host.name.as_deref().ok_or_else(|| operation.unknown("a host without a name"))?;
    let name = name.parse().map_err(|error| operation.unknown(format!("a host is not readable: {error}")))?;
    let asked = asked.map(|iqn| same_form(iqn, false));
    let iqn = host
        .iscsi_paths
        .iter()
        .find(|path| Some(same_form(&path.name, false)) == asked)
        .or(host.iscsi_paths.first())
        .map(|path| path.name.clone());
    let further: BTreeSet<&String> =
        host.iscsi_paths.iter().map(|path| &path.name).filter(|name| Some(*name) != iqn.as_ref()).collect();
    let further_iqns = further.into_iter().cloned().collect();
    let wwpns: BTreeSet<String> = host.fc_paths.iter().map(|path| same_form(&path.wwn, true)).collect();
    Ok(HostOnArray {
        name,
        domain: host.domain.clone(),
        initiators: Initiators { iqn, wwpns: wwpns.into_iter().collect() },
        further_iqns,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(json: &str) -> wire::Host {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn a_wwn_is_listed_once_however_often_it_is_logged_in() {
        let host = host(
            r#"{"id":215,"name":"sample-host","FCPaths":[
                {"wwn":"1000D89D676F3859","portPos":{"node":2,"slot":1,"cardPort":1},"hostSpeed":0},
                {"wwn":"1000d89d676f3859","hostSpeed":0}],
               "iSCSIPaths":[{"name":"iqn.a","IPAddr":"0.0.0.0"},{"name":"iqn.B"}],"persona":1}"#,
        );
        let operation = Operation::read("host");
        let seen = host_on_array(&operation, &host, Some("iqn.b")).unwrap();
        assert_eq!(seen.initiators.wwpns, ["1000D89D676F3859"]);
        assert_eq!(seen.initiators.iqn.as_deref(), Some("iqn.B"));
        assert_eq!(seen.further_iqns, ["iqn.a"]);
        let mine = Initiators { iqn: None, wwpns: vec!["10:00:d8:9d:67:6f:38:59".into()] };
        assert!(owns_any(&host, &mine));
        assert!(!owns_any(&host, &Initiators { iqn: Some("iqn.c".into()), wwpns: vec![] }));
    }

    #[test]
    fn a_host_gets_one_kind_of_paths() {
        let both = Initiators { iqn: Some("iqn.a".into()), wwpns: vec!["1000D89D676F3859".into()] };
        assert_eq!(paths(&both, Protocol::Iscsi), Some(json!({"iSCSINames": ["iqn.a"]})));
        assert_eq!(paths(&both, Protocol::Fc), Some(json!({"FCWWNs": ["1000D89D676F3859"]})));
        for protocol in [Protocol::Fc, Protocol::Iscsi] {
            assert_eq!(paths(&Initiators::default(), protocol), None);
            assert!(paths(&of_protocol(&both, protocol), protocol).is_some());
        }
    }
}
