//! VLUNs over REST: listed, made, removed.

use serde_json::{Value, json};

use super::transport::Request;
use super::{Wsapi, query, wire};
use crate::array::operation::Operation;
use crate::array::vlun_names::{host_set_name, unnamed_host, vlun_address};
use crate::array::{ArrayError, Channel, Export, ExportTarget, HostName, Lun, VlunRow};
use crate::volume::names::ArrayVolumeName;

/// First build that filters VLUNs: 3.2.1 MU2 (observed).
const BUILD_WITH_VLUN_QUERY: u64 = 30_201_292;

impl Wsapi {
    /// All rows of a volume, templates and actives.
    pub(in crate::array) async fn exports_of(&self, volume: &ArrayVolumeName) -> Result<Vec<VlunRow>, ArrayError> {
        let operation = Operation::read(format!("VLUNs of volume {volume}")).over(Channel::Wsapi);
        let rows = self.vluns(&operation, &format!("volumeName EQ {volume}")).await?;
        rows.iter().filter(|row| row.volume_name == volume.as_str()).map(|row| vlun_row(&operation, row)).collect()
    }

    /// LUN numbers at which a host sees something.
    pub(in crate::array) async fn luns_of(&self, host: &HostName) -> Result<Vec<Lun>, ArrayError> {
        let operation = Operation::read(format!("VLUNs of host {host}"));
        let rows = self.vluns(&operation, &format!("hostname EQ {host}")).await?;
        let mut luns = rows
            .iter()
            .filter(|row| row.hostname.as_deref() == Some(host.as_str()))
            .map(|row| lun(&operation, row.lun))
            .collect::<Result<Vec<_>, _>>()?;
        luns.sort_unstable();
        luns.dedup();
        Ok(luns)
    }

    /// Makes a VLUN at exactly this LUN number (guide 1.3.1 p. 101).
    pub(in crate::array) async fn export(&self, export: &Export) -> Result<(), ArrayError> {
        let operation = Operation::change("exporting", format!("VLUN {}", vlun_address(export)));
        let request = Request::post("/vluns", body(&operation, export)?);
        let answer = self.transport.call(&operation, &request).await?;
        match answer.location.as_deref().and_then(lun_of_location) {
            Some(made) if made != export.lun.number() => Err(operation.unknown(format!(
                "the array says it made LUN {made} instead of {}; look at the volume's VLUNs",
                export.lun
            ))),
            _ => Ok(()),
        }
    }

    /// Removes one template and with it its active VLUNs (guide 1.3.1 p. 105).
    pub(in crate::array) async fn unexport(&self, export: &Export) -> Result<(), ArrayError> {
        let operation = Operation::change("removing", format!("VLUN {}", vlun_address(export))).over(Channel::Wsapi);
        if let ExportTarget::HostSet(set) = &export.to {
            host_set_name(&operation, set)?;
        }
        self.transport.call(&operation, &Request::delete(query::vlun_path(export))).await.map(|_| ())
    }

    async fn vluns(&self, operation: &Operation, filter: &str) -> Result<Vec<wire::Vlun>, ArrayError> {
        let filters = self.build().await? >= BUILD_WITH_VLUN_QUERY;
        let path = if filters { query::filtered("vluns", filter) } else { "/vluns".to_owned() };
        match self.transport.call(operation, &Request::get(path)).await {
            Ok(answer) => wire::list(operation, &answer),
            // Old releases answer so when nothing matches; only with a code that says the object is missing.
            Err(ArrayError::NotFound { .. }) => Ok(Vec::new()),
            Err(error) => Err(error),
        }
    }
}

fn body(operation: &Operation, export: &Export) -> Result<Value, ArrayError> {
    let mut body = json!({ "volumeName": export.volume.as_str(), "lun": export.lun.number() });
    match &export.to {
        ExportTarget::Host(host) => body["hostname"] = json!(host.as_str()),
        ExportTarget::MatchedSet(host, port) => {
            body["hostname"] = json!(host.as_str());
            body["portPos"] = json!(port);
        }
        ExportTarget::Port(port) => body["portPos"] = json!(port),
        ExportTarget::HostSet(set) => body["hostname"] = json!(format!("set:{}", host_set_name(operation, set)?)),
    }
    Ok(body)
}

/// `/api/v1/vluns/<vv>,<lun>,<host>…`
fn lun_of_location(location: &str) -> Option<u32> {
    location.rsplit_once("/vluns/")?.1.split(',').nth(1)?.parse().ok()
}

fn lun(operation: &Operation, number: u32) -> Result<Lun, ArrayError> {
    Lun::try_from(number).map_err(|error| operation.unknown(format!("a VLUN is not readable: {error}")))
}

/// A row by its type: 2 port presents, 3 host sees, 4 matched set, 5 host set (observed).
fn vlun_row(operation: &Operation, row: &wire::Vlun) -> Result<VlunRow, ArrayError> {
    let unreadable = |what: &str| operation.unknown(format!("VLUN at LUN {} of type {} {what}", row.lun, row.kind));
    let number = lun(operation, row.lun)?;
    let hostname = row.hostname.as_deref().filter(|name| !name.is_empty());
    let host = || -> Result<HostName, ArrayError> {
        hostname
            .ok_or_else(|| unreadable("names no host"))?
            .parse()
            .map_err(|_| unreadable("names a host with an illegal name"))
    };
    if row.active {
        let host = if hostname.is_some() { host()? } else { unnamed_host(operation)? };
        return Ok(VlunRow::Active { lun: number, host, port: row.port_pos });
    }
    let port = || row.port_pos.ok_or_else(|| unreadable("names no port"));
    let to = match (row.kind, hostname.and_then(|name| name.strip_prefix("set:"))) {
        (3 | 5, Some(set)) => ExportTarget::HostSet(set.to_owned()),
        (2, None) => ExportTarget::Port(port()?),
        (3, None) => ExportTarget::Host(host()?),
        (4, None) => ExportTarget::MatchedSet(host()?, port()?),
        (5, None) => ExportTarget::HostSet(hostname.ok_or_else(|| unreadable("names no host set"))?.to_owned()),
        _ => return Err(unreadable("is of no known kind")),
    };
    let volume = row.volume_name.parse().map_err(|_| unreadable("names an illegal volume"))?;
    Ok(VlunRow::Template(Export { volume, lun: number, to }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(json: &str) -> Result<VlunRow, ArrayError> {
        vlun_row(&Operation::read("VLUNs"), &serde_json::from_str(json).unwrap())
    }

    #[test]
    fn rows_as_captured_from_an_array() {
        let active = r#"{"lun":0,"volumeName":"test_volume","hostname":"SAP_ESX202","remoteName":"10000090FA13C172",
            "portPos":{"node":2,"slot":1,"cardPort":1},"type":3,"volumeWWN":"60002AC000000000000000760000B69E",
            "multipathing":1,"failedPathPol":1,"failedPathInterval":0,"active":true}"#;
        let Ok(VlunRow::Active { lun, host, port }) = row(active) else { panic!("not active") };
        assert_eq!((lun.number(), host.as_str(), port), (0, "SAP_ESX202", "2:1:1".parse().ok()));
        let template = r#"{"lun":7,"volumeName":"v","hostname":"h","type":3,"active":false}"#;
        assert_eq!(row(template).map(|r| r.host().map(ToString::to_string)), Ok(Some("h".into())));
    }

    #[test]
    fn every_type_of_template() {
        let to = |json: &str| match row(json) {
            Ok(VlunRow::Template(export)) => Some(export.to),
            _ => None,
        };
        let port = "0:2:1".parse().unwrap();
        assert_eq!(
            to(r#"{"lun":7,"volumeName":"v","portPos":{"node":0,"slot":2,"cardPort":1},"type":2,"active":false}"#),
            Some(ExportTarget::Port(port))
        );
        assert_eq!(
            to(
                r#"{"lun":7,"volumeName":"v","hostname":"h","portPos":{"node":0,"slot":2,"cardPort":1},"type":4,"active":false}"#
            ),
            Some(ExportTarget::MatchedSet("h".parse().unwrap(), port))
        );
        assert_eq!(
            to(r#"{"lun":7,"volumeName":"v","hostname":"set:hosts","type":5,"active":false}"#),
            Some(ExportTarget::HostSet("hosts".into()))
        );
    }

    #[test]
    fn a_row_that_makes_no_sense_is_an_error_and_not_left_out() {
        for json in [
            r#"{"lun":7,"volumeName":"v","type":3,"active":false}"#,
            r#"{"lun":7,"volumeName":"v","hostname":"h","type":4,"active":false}"#,
            r#"{"lun":7,"volumeName":"v","hostname":"h","type":9,"active":false}"#,
            r#"{"lun":99999,"volumeName":"v","hostname":"h","type":3,"active":true}"#,
        ] {
            assert!(row(json).is_err_and(|e| e.is_unknown()), "{json}");
        }
    }

    #[test]
    fn an_active_row_without_a_host_still_counts() {
        assert!(matches!(row(r#"{"lun":7,"volumeName":"v","type":2,"active":true}"#), Ok(VlunRow::Active { .. })));
    }

    #[test]
    fn locations_name_the_lun() {
        assert_eq!(lun_of_location("/api/v1/vluns/test_vv02,252,mysystem,2:2:4"), Some(252));
        assert_eq!(lun_of_location("/api/v1/vluns/"), None);
    }
}
