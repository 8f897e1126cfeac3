//! Logs to stderr, as text for people or as JSON for collectors.

use std::io;

use clap::ValueEnum;
use thiserror::Error;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::EnvFilter;

/// How a log line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
pub enum LogFormat {
    /// One readable line per event.
    #[default]
    Text,
    /// One JSON object per event.
    Json,
}

/// Why logging could not be set up.
#[derive(Debug, Clone, Error, PartialEq, Eq)]
pub enum LoggingError {
    /// `RUST_LOG` is no filter.
    #[error("'{filter}' is no log filter: {reason}; use a level such as info, or target=level pairs")]
    Filter {
        /// The text.
        filter: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Logging was set up before.
    #[error("logging is set up already")]
    Twice,
}

/// How much is logged, by `hpe.conf`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogLevels {
    /// Everywhere (`logging`).
    pub all: LevelFilter,
    /// Requests to arrays and their answers are logged as well (`hpe3par_debug`).
    pub array_requests: bool,
}

impl LogLevels {
    fn filter(self) -> String {
        let array = concat!(env!("CARGO_CRATE_NAME"), "::array=debug");
        if self.array_requests { format!("{},{array}", self.all) } else { self.all.to_string() }
    }
}

/// Starts logging. `RUST_LOG` wins over `levels`, which are those of `hpe.conf`.
///
/// # Errors
/// See [`LoggingError`].
pub fn start(format: LogFormat, levels: LogLevels) -> Result<(), LoggingError> {
    let filter = std::env::var("RUST_LOG").ok().filter(|filter| !filter.trim().is_empty());
    let filter = filter.unwrap_or_else(|| levels.filter());
    let parsed = EnvFilter::try_new(&filter)
        .map_err(|error| LoggingError::Filter { filter: filter.clone(), reason: error.to_string() })?;
    // A line that cannot be written (a full disk, a closed pipe) is lost: told of on the same stderr, that would be a panic.
    let lines = tracing_subscriber::fmt().with_env_filter(parsed).with_writer(io::stderr).log_internal_errors(false);
    let started = match format {
        LogFormat::Text => lines.with_ansi(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|_| LoggingError::Twice)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_to_arrays_are_logged_whatever_the_level_is() {
        let levels = LogLevels { all: LevelFilter::WARN, array_requests: false };
        assert_eq!(levels.filter(), "warn");
        let debug = LogLevels { array_requests: true, ..levels }.filter();
        assert_eq!(debug, "warn,hpe3par_docker_plugin::array=debug");
        assert!(EnvFilter::try_new(debug).is_ok());
    }
}
