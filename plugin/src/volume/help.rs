//! Help texts that `docker volume create -o help` answers. They travel in the `Err` of the answer, because Docker shows nothing
//! else of a Create.

use std::fmt::{self, Write as _};

/// Help on the options of `docker volume create`.
pub const USAGE: &str = "
===============================================================================
HPE 3PAR volume plugin for Docker: options of docker volume create
===============================================================================

  docker volume create -d hpe --name NAME [-o OPTION=VALUE]...

  NAME has at least two characters: letters, digits, '_' and '-', beginning with
  a letter or digit. Creating a volume that exists already changes nothing.

  size=N               Size in GiB, 1 to 65536. Default 100.
  provisioning=TYPE    thin, full or dedup. Default thin.
  compression=FLAG     true or false. Needs 16 GiB or more, and thin or dedup.
  cpg=NAME             CPG for the volume. Default: first of hpe3par_cpg.
  snapcpg=NAME         CPG for snapshot space. Default: first of
                       hpe3par_snapcpg, else of hpe3par_cpg.
  fsOwner=UID:GID      Numeric owner of the root directory, set at every mount.
  fsMode=0NNN          Octal mode of the root directory, set at every mount.
  mountConflictDelay=N Seconds a mount waits for another node that has the
                       volume mounted before it takes the volume over; 0 takes
                       it at once. Default: mount_conflict_delay of hpe.conf,
                       else 30.
  backend=NAME         Section of hpe.conf. Default: DEFAULT.
  manager=TEXT         Accepted and ignored.
  help                 This text. help=backends lists the backends, their state,
                       and why one cannot be used.

  Examples
  docker volume create -d hpe --name db -o size=20 -o mountConflictDelay=40
  docker volume create -d hpe --name logs -o provisioning=full -o cpg=FC_r6
";

/// Whether volumes can be made on a backend now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// They can.
    Ok,
    /// Not now; the reason in one line.
    Failed(String),
}

impl fmt::Display for BackendState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ok => f.write_str("OK"),
            Self::Failed(reason) => write!(f, "FAILED: {reason}"),
        }
    }
}

/// Table of the backends and their state, laid out as by the earlier plugin, which gave no reasons.
#[must_use]
pub fn backends_table(backends: &[(String, BackendState)]) -> String {
    let rule = "=".repeat(54);
    let mut table = format!("\n{rule}\nNAME{:42}STATUS\n{rule}\n", "");
    for (name, state) in backends {
        let _ = writeln!(table, "{name:45}  {state}");
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::volume::options::{CreateOptions, CreateRequest, SizeGib};

    #[test]
    fn the_usage_text_is_true_and_fits_a_terminal() {
        assert!(USAGE.contains(&format!("1 to {}", SizeGib::MAX)));
        assert!(USAGE.contains(&format!("Default {}.", SizeGib::DEFAULT.gib())));
        assert!(USAGE.lines().all(|line| line.len() <= 80 && !line.ends_with(' ')));
        for example in USAGE
            .lines()
            .filter(|line| line.contains("--name ") && line.contains("-o size") || line.contains("-o prov"))
        {
            let opts = example
                .split("-o ")
                .skip(1)
                .filter_map(|o| o.trim().split_once('='))
                .map(|(k, v)| (k.to_owned(), v.into()));
            let opts = serde_json::Value::Object(opts.collect());
            assert!(matches!(CreateOptions::parse(Some(&opts)), Ok(CreateRequest::Volume(_))), "{example}");
        }
    }

    #[test]
    fn the_table_has_one_line_per_backend() {
        let states =
            [("DEFAULT".to_owned(), BackendState::Ok), ("array2".to_owned(), BackendState::Failed("away".to_owned()))];
        let table = backends_table(&states);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "");
        assert_eq!(lines[1], "=".repeat(54));
        assert_eq!(lines[2], format!("NAME{}STATUS", " ".repeat(42)));
        assert_eq!(lines[4], format!("DEFAULT{}OK", " ".repeat(40)));
        assert_eq!(lines[5], format!("array2{}FAILED: away", " ".repeat(41)));
    }
}
