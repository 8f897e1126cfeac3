//! What dockerd gets back: always HTTP 200 with JSON, never an empty body.
//!
//! dockerd reads `{"Err": ""}` as success, a text in `Err` as the failure to show, and an empty body as `EOF`. Shapes
//! and order of fields are those of the earlier plugin.

use std::path::Path;

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

use super::driver::VolumeView;
use crate::volume::mount::Mounted;

/// Content type of the volume plugin protocol.
pub(super) const CONTENT_TYPE: &str = "application/vnd.docker.plugins.v1.2+json";

/// One answer.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    body: Value,
    /// `Err` holds a text that was asked for.
    is_help: bool,
}

impl Reply {
    fn of(body: Value) -> Self {
        Self { body, is_help: false }
    }

    /// The list of protocols this plugin speaks.
    pub(super) fn activated() -> Self {
        Self::of(json!({"Implements": ["VolumeDriver"]}))
    }

    /// Volumes are known on every node of the cluster.
    pub(super) fn capabilities() -> Self {
        Self::of(json!({"Capabilities": {"Scope": "global"}}))
    }

    /// Done, nothing to say.
    pub(super) fn done() -> Self {
        Self::of(json!({"Err": ""}))
    }

    /// A failure. The text becomes one line and is never empty: an empty `Err` means success.
    pub(super) fn failed(text: &str) -> Self {
        Self::of(json!({"Err": one_line(text)}))
    }

    /// A help text, lines and all. It travels in `Err`, because Docker shows nothing else of a Create.
    pub(super) fn help(text: &str) -> Self {
        Self { body: json!({"Err": text}), is_help: true }
    }

    /// A failed Path carries an empty mount point too, as the earlier plugin's did.
    pub(super) fn no_path(text: &str) -> Self {
        Self::of(json!({"Err": one_line(text), "Mountpoint": ""}))
    }

    /// Where a volume is mounted; empty when it is not.
    pub(super) fn path(mountpoint: Option<&Path>) -> Self {
        Self::of(json!({"Err": "", "Mountpoint": shown(mountpoint)}))
    }

    /// A successful Mount. A mount point dockerd would misread is a failure: it joins an empty or relative one to
    /// the plugin's own root and gives the container that directory in place of the volume.
    pub(super) fn mounted(name: &str, mounted: &Mounted) -> Self {
        match mounted.mountpoint.to_str() {
            Some(dir) if mounted.mountpoint.is_absolute() => Self::of(
                json!({"Err": "", "Name": name, "Mountpoint": dir, "Devicename": shown(Some(&mounted.device))}),
            ),
            _ => Self::failed(&format!(
                "volume {name} is mounted at {:?}, which is no absolute UTF-8 path; set mount_prefix to one",
                mounted.mountpoint
            )),
        }
    }

    /// One volume. For "no such volume" the earlier plugin answers without `Volume` and without an error, and dockerd
    /// makes "no such volume" of exactly that; a text in `Err` would be shown as a failure of the plugin.
    pub(super) fn volume(view: Option<VolumeView>) -> Self {
        match view {
            None => Self::done(),
            Some(view) => Self::of(json!({"Err": "", "Volume": {
                "Name": view.name,
                "Mountpoint": shown(view.mountpoint.as_deref()),
                "Devicename": shown(view.device.as_deref()),
                "Status": view.status,
            }})),
        }
    }

    /// All volumes; without `Volumes` when there is none, as the earlier plugin answers.
    pub(super) fn volumes(views: &[VolumeView]) -> Self {
        if views.is_empty() {
            return Self::done();
        }
        let volumes: Vec<Value> = views.iter().map(listed).collect();
        Self::of(json!({"Err": "", "Volumes": volumes}))
    }

    /// Any other document, for people.
    pub(super) fn document(value: Value) -> Self {
        Self::of(value)
    }

    /// The failure it carries, if it is one.
    pub(super) fn error(&self) -> Option<&str> {
        self.body.get("Err").and_then(Value::as_str).filter(|text| !text.is_empty() && !self.is_help)
    }
}

impl IntoResponse for Reply {
    fn into_response(self) -> Response {
        (StatusCode::OK, [(header::CONTENT_TYPE, CONTENT_TYPE)], self.body.to_string()).into_response()
    }
}

/// List shows no `Status`: filling it would cost a request per volume.
fn listed(view: &VolumeView) -> Value {
    json!({
        "Name": view.name,
        "Devicename": shown(view.device.as_deref()),
        "size": view.size_gib,
        "Mountpoint": shown(view.mountpoint.as_deref()),
        "Status": Map::new(),
    })
}

fn shown(path: Option<&Path>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}

/// Line breaks and control characters become single blanks; the length is bounded.
fn one_line(text: &str) -> String {
    const LONGEST: usize = 4096;
    let line = text
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    match line.char_indices().nth(LONGEST) {
        _ if line.is_empty() => "the plugin failed without saying why; its log may tell more".to_owned(),
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(reply: &Reply) -> String {
        reply.body.to_string()
    }

    #[test]
    fn shapes_are_those_of_the_earlier_plugin() {
        let mounted = Mounted { mountpoint: "/opt/hpe/data/x".into(), device: "/dev/dm-4".into() };
        assert_eq!(
            text(&Reply::mounted("v", &mounted)),
            r#"{"Err":"","Name":"v","Mountpoint":"/opt/hpe/data/x","Devicename":"/dev/dm-4"}"#
        );
        assert_eq!(text(&Reply::volume(None)), r#"{"Err":""}"#);
        assert_eq!(text(&Reply::volumes(&[])), r#"{"Err":""}"#);
        assert_eq!(text(&Reply::path(None)), r#"{"Err":"","Mountpoint":""}"#);
        assert_eq!(text(&Reply::no_path("No Mount Point")), r#"{"Err":"No Mount Point","Mountpoint":""}"#);
        let view = VolumeView { name: "v".into(), mountpoint: None, device: None, size_gib: 5, status: Map::new() };
        assert_eq!(
            text(&Reply::volumes(std::slice::from_ref(&view))),
            r#"{"Err":"","Volumes":[{"Name":"v","Devicename":"","size":5,"Mountpoint":"","Status":{}}]}"#
        );
        assert_eq!(
            text(&Reply::volume(Some(view))),
            r#"{"Err":"","Volume":{"Name":"v","Mountpoint":"","Devicename":"","Status":{}}}"#
        );
    }

    #[test]
    fn a_mount_without_a_usable_directory_is_a_failure() {
        for dir in ["", "opt/hpe/data/x"] {
            let mounted = Mounted { mountpoint: dir.into(), device: "/dev/dm-4".into() };
            assert!(Reply::mounted("v", &mounted).error().is_some(), "{dir:?}");
        }
    }

    #[test]
    fn a_help_text_keeps_its_lines_and_is_no_failure() {
        let help = Reply::help("\n  size=N\n");
        assert_eq!((text(&help).as_str(), help.error()), (r#"{"Err":"\n  size=N\n"}"#, None));
    }

    #[test]
    fn a_failure_is_one_line_and_never_empty() {
        assert_eq!(Reply::failed("a\n  b\0c\td").error(), Some("a b c d"));
        assert!(Reply::failed(" \n ").error().is_some());
        assert!(Reply::failed(&"ä".repeat(10_000)).error().unwrap().len() < 10_000);
    }
}
