//! The words of the feature files. Each step is one call of the [`Stage`](super::stage::Stage); the doing is there.

mod array;
mod cluster;
mod configuration;
mod containers;
mod outcomes;
mod requests;
mod states;
mod volumes;

use std::convert::Infallible;
use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use cucumber::Parameter;

/// A worker by name.
#[derive(Debug, Clone, PartialEq, Eq, Parameter)]
#[param(name = "worker", regex = r"worker\d+")]
struct Worker(String);

impl FromStr for Worker {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self(text.to_owned()))
    }
}

impl std::ops::Deref for Worker {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Why a step failed, with its causes in one line.
struct Failed(anyhow::Error);

impl<E: Into<anyhow::Error>> From<E> for Failed {
    fn from(error: E) -> Self {
        Self(error.into())
    }
}

impl fmt::Display for Failed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#}", self.0)
    }
}

/// What a step ends in.
type Done = Result<(), Failed>;

fn seconds(number: u64) -> Duration {
    Duration::from_secs(number)
}

/// A step that holds, or fails with these words.
fn require(holds: bool, otherwise: impl FnOnce() -> String) -> Done {
    if holds { Ok(()) } else { Err(Failed(anyhow::anyhow!(otherwise()))) }
}
