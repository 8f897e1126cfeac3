//! Help texts that `docker volume create -o help` answers. They travel in the `Err` of the answer, because Docker shows nothing
//! else of a Create.

use std::fmt::{self, Write as _};

use crate::config::BackendName;

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
  help                 This text. help=backends lists the backends and their
                       state.

  Examples
  docker volume create -d hpe --name db -o size=20 -o mountConflictDelay=40
  docker volume create -d hpe --name logs -o provisioning=full -o cpg=FC_r6
";

/// How far a backend has come since the plugin started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BackendState {
    /// The array has not answered yet.
    Initializing,
    /// Ready.
    Ok,
    /// Not usable: the array cannot be reached or refuses what `hpe.conf` says.
    Failed,
}

impl fmt::Display for BackendState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Initializing => "INITIALIZING",
            Self::Ok => "OK",
            Self::Failed => "FAILED",
        })
    }
}

/// Table of the backends and their state, laid out as by the earlier plugin.
pub fn backends_table<'b>(backends: impl IntoIterator<Item = (&'b BackendName, BackendState)>) -> String {
    let rule = "=".repeat(54);
    let mut table = format!("\n{rule}\nNAME{:42}STATUS\n{rule}\n", "");
    for (name, state) in backends {
        let _ = writeln!(table, "{:45}  {state}", name.as_str());
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
        let (a, b): (BackendName, BackendName) = ("DEFAULT".parse().unwrap(), "array2".parse().unwrap());
        let table = backends_table([(&a, BackendState::Ok), (&b, BackendState::Initializing)]);
        let lines: Vec<_> = table.lines().collect();
        assert_eq!(lines[0], "");
        assert_eq!(lines[1], "=".repeat(54));
        assert_eq!(lines[2], format!("NAME{}STATUS", " ".repeat(42)));
        assert_eq!(lines[4], format!("DEFAULT{}OK", " ".repeat(40)));
        assert_eq!(lines[5], format!("array2{}INITIALIZING", " ".repeat(41)));
    }
}
