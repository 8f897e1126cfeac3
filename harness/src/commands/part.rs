//! `hpe3par-lab part`: one process of a soak. Not for people.

use std::path::PathBuf;

use anyhow::Result;
use clap::{Args, Subcommand};
use hpe3par_harness::soak::{array_process, machine};

use super::signals::Signals;

#[derive(Debug, Args)]
pub(crate) struct Part {
    #[command(subcommand)]
    role: Role,
}

#[derive(Debug, Subcommand)]
enum Role {
    /// The array
    Array {
        /// What it is started with
        plan: PathBuf,
    },
    /// One worker node
    Machine {
        /// What it is started with
        plan: PathBuf,
    },
}

impl Part {
    pub(crate) async fn run(self, signals: &Signals) -> Result<bool> {
        match self.role {
            Role::Array { plan } => array_process::run(&plan, signals.good_end()).await?,
            Role::Machine { plan } => machine::run(&plan, signals.good_end()).await?,
        }
        Ok(true)
    }
}
