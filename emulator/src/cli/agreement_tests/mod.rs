//! Twins: the same requests go to one array through the command line and to another through REST. After each request both arrays
//! must have answered alike, and each front end must show the same of either array.

mod step;

use axum::{Router, body::Body, http::Request};
use proptest::prelude::*;
use serde_json::{Value, json};
use tower::ServiceExt as _;

use self::step::step;
use super::{
    commands::{Circumstances, Outcome, run},
    table::Style,
    who::Who,
    words::split,
};
use crate::{
    Emulator,
    array::{ArrayConfig, RemovalAnomaly},
    wsapi,
};

/// An array with both front ends.
struct Twin {
    emulator: Emulator,
    service: Router,
    key: String,
}

impl Twin {
    fn new() -> Self {
        let emulator = Emulator::with_clock(ArrayConfig::default(), || std::time::Duration::ZERO);
        let key = emulator.with(|array, now| array.open_session(now, "3paradm", "3pardata")).unwrap();
        Self { service: wsapi::service(emulator.clone(), 8080), emulator, key: key.as_str().to_owned() }
    }

    fn command(&self, line: &str) -> Outcome {
        let style = Style { csv: true, no_header_and_total: true };
        let who = Who::default();
        run(&self.emulator, &split(line).unwrap(), &Circumstances { style, anomaly: RemovalAnomaly::None, who: &who })
    }

    fn listing(&self, line: &str) -> Vec<Vec<String>> {
        let Outcome::Done(text) = self.command(line) else { panic!("{line}") };
        let rows = text.lines().filter(|line| line.contains(','));
        let mut rows: Vec<Vec<String>> = rows.map(|row| row.split(',').map(str::to_owned).collect()).collect();
        rows.sort();
        rows
    }

    async fn request(&self, method: &str, path: &str, body: &Value) -> (u16, Value) {
        let text = if body.is_null() { String::new() } else { body.to_string() };
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1{path}"))
            .header("X-HP3PAR-WSAPI-SessionKey", &self.key)
            .body(Body::from(text))
            .unwrap();
        let response = self.service.clone().oneshot(request).await.unwrap();
        let status = response.status().as_u16();
        let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
        (status, serde_json::from_slice(&body).unwrap_or(Value::Null))
    }

    async fn members(&self, path: &str) -> Vec<Value> {
        let (_, body) = self.request("GET", path, &Value::Null).await;
        body["members"].as_array().cloned().unwrap_or_default()
    }

    /// Volumes, hosts with paths, members of sets and templates as the command line shows them.
    fn by_command_line(&self) -> Vec<Vec<Vec<String>>> {
        vec![
            self.listing("showvv -showcols Id,Name,VSize_MB,VV_WWN,CopyOf,Rd,Comment"),
            self.listing("showhost -d"),
            self.listing("showhostset"),
            self.listing("showvvset"),
            self.listing("showvlun -t -showcols Lun,VVName,HostName,Port,Type"),
        ]
    }

    /// The same as REST shows it, in the words of the command line.
    async fn by_rest(&self) -> Vec<Vec<Vec<String>>> {
        let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let or = |value: &Value, absent: &str| if value.is_null() { absent.to_owned() } else { text(value) };
        let volumes = self.members("/volumes").await.into_iter().map(|row| {
            let read_only = if row["readOnly"] == json!(true) { "RO" } else { "RW" }.to_owned();
            let mut cells: Vec<_> = ["id", "name", "sizeMiB", "wwn"].iter().map(|member| text(&row[*member])).collect();
            cells.extend([or(&row["copyOf"], "---"), read_only, or(&row["comment"], "-")]);
            cells
        });
        let mut hosts = Vec::new();
        for row in self.members("/hosts").await {
            let persona = if row["persona"] == json!(8) { "VMware" } else { "Generic-ALUA" };
            let start = [text(&row["id"]), text(&row["name"]), persona.to_owned()];
            let paths = row["iSCSIPaths"].as_array().cloned().unwrap_or_default();
            let mut names: Vec<_> = paths.iter().map(|path| text(&path["name"])).collect();
            if names.is_empty() {
                names.push("--".to_owned());
            }
            hosts.extend(names.into_iter().map(|name| {
                start.iter().cloned().chain([name, "---".to_owned(), "n/a".to_owned()]).collect::<Vec<_>>()
            }));
        }
        let mut sets = [Vec::new(), Vec::new()];
        for (rows, path) in sets.iter_mut().zip(["/hostsets", "/volumesets"]) {
            for row in self.members(path).await {
                let members = row["setmembers"].as_array().cloned().unwrap_or_default();
                let mut names: Vec<_> = members.iter().map(&text).collect();
                if names.is_empty() {
                    names.push("--".to_owned());
                }
                for (index, name) in names.into_iter().enumerate() {
                    let (id, set) =
                        if index == 0 { (text(&row["id"]), text(&row["name"])) } else { Default::default() };
                    rows.push(vec![id, set, name]);
                }
            }
        }
        let vluns = self.members("/vluns").await.into_iter().filter(|row| row["active"] == json!(false)).map(|row| {
            let port = &row["portPos"];
            let port = match port.is_null() {
                true => "---".to_owned(),
                false => format!("{}:{}:{}", port["node"], port["slot"], port["cardPort"]),
            };
            let kind = match row["type"].as_u64() {
                Some(2) => "port",
                Some(3) => "host",
                Some(4) => "matched set",
                _ => "host set",
            };
            let start = [text(&row["lun"]), text(&row["volumeName"]), or(&row["hostname"], "---")];
            start.into_iter().chain([port, kind.to_owned()]).collect::<Vec<_>>()
        });
        let [host_sets, volume_sets] = sets;
        let mut all = vec![volumes.collect::<Vec<_>>(), hosts, host_sets, volume_sets, vluns.collect()];
        all.iter_mut().for_each(|rows| rows.sort());
        all
    }
}

#[tokio::test]
async fn a_difference_is_seen() {
    for (line, part) in [
        ("createvv -tpvv FC_r6 v0 256", 0),
        ("createhost -iscsi h0 iqn.1994-05.com.example:p0", 1),
        ("createhostset s0", 2),
        ("createvvset s0", 3),
    ] {
        let (changed, other) = (Twin::new(), Twin::new());
        assert!(matches!(changed.command(line), Outcome::Done(_)));
        assert_ne!(changed.by_command_line()[part], other.by_rest().await[part], "{line}");
        assert_eq!(changed.by_command_line(), changed.by_rest().await, "{line}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn both_front_ends_do_and_show_the_same(steps in prop::collection::vec(step(), 1..40)) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let (commanded, requested) = (Twin::new(), Twin::new());
            for step in &steps {
                let outcome = commanded.command(&step.command());
                let (method, path, body) = step.request();
                let (status, answer) = requested.request(method, &path, &body).await;
                let done = matches!(outcome, Outcome::Done(_));
                prop_assert_eq!(done, status < 400, "{}: {:?}, {} {} {}", step.command(), outcome, method, path, answer);
                let shown = commanded.by_command_line();
                prop_assert_eq!(&shown, &commanded.by_rest().await, "one array, after {}", step.command());
                prop_assert_eq!(&shown, &requested.by_rest().await, "twins, after {}", step.command());
                prop_assert_eq!(&shown, &requested.by_command_line(), "twins, after {}", step.command());
            }
            Ok(())
        })?;
    }
}
