//! A look inside the running plugin: `curl --unix-socket /run/docker/plugins/hpe.sock http://plugin/health`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::docker::driver::NodeView;
use crate::docker::operations::Running;

/// Where it is read, on the plugin's own socket.
pub const PATH: &str = "/health";

/// Version, time since the start, how this node stands in the cluster, and what is being done right now.
#[must_use]
pub fn document(uptime: Duration, view: &NodeView, running: &[Running]) -> Value {
    let operations: Vec<Value> = running
        .iter()
        .map(|one| {
            json!({
                "operation": one.operation,
                "seconds": one.age.as_secs(),
                "waiting": one.waiting,
            })
        })
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "uptime_seconds": uptime.as_secs(),
        "node": view.node,
        "takes_volumes": view.takes_no_volumes.is_none(),
        "takes_no_volumes_because": view.takes_no_volumes,
        "metadata_store": match view.store_answers {
            None => "not asked yet",
            Some(true) => "answers",
            Some(false) => "away",
        },
        "mounted": view.mounted,
        "quarantined": view.quarantined,
        "operations": operations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_operations_and_the_standing_are_shown() {
        let running = Running { operation: "Mount of volume db for x".into(), age: Duration::from_secs(7), waiting: 1 };
        let view = NodeView {
            takes_no_volumes: Some("another machine has this node id".into()),
            store_answers: Some(false),
            ..NodeView::default()
        };
        let shown = document(Duration::from_secs(60), &view, &[running]);
        assert_eq!((&shown["takes_volumes"], &shown["metadata_store"]), (&json!(false), &json!("away")));
        assert_eq!(shown["operations"][0]["seconds"], 7);
        assert_eq!(shown["uptime_seconds"], 60);
    }
}
