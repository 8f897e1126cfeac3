//! A look inside the running plugin: `curl --unix-socket /run/docker/plugins/hpe.sock http://plugin/health`.

use std::time::Duration;

use serde_json::{Value, json};

use crate::docker::operations::Running;

/// Where it is read, on the plugin's own socket.
pub const PATH: &str = "/health";

/// Version, time since the start, and what is being done right now.
#[must_use]
pub fn document(uptime: Duration, running: &[Running]) -> Value {
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
        "operations": operations,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn running_operations_are_shown_with_their_age() {
        let running = Running { operation: "Mount of volume db for x".into(), age: Duration::from_secs(7), waiting: 1 };
        let shown = document(Duration::from_secs(60), &[running]);
        assert_eq!(shown["operations"][0]["seconds"], 7);
        assert_eq!(shown["uptime_seconds"], 60);
    }
}
