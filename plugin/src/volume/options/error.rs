//! Refusals of `docker volume create` options, in the words of the earlier plugin where it had any.

use std::fmt::Write as _;

use super::{CreateOptions, SizeGib};
use crate::config::spelling::nearest;

/// Why the options of a Create were refused. The text is the `Err` of the answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OptionError {
    /// `Opts` is neither an object nor null.
    #[error("Invalid input received: Opts must be an object of option names and values.")]
    NotAnObject,
    /// Options of the earlier plugin that are not carried out yet.
    #[error("Invalid input received: {} not supported yet. Please check help for usage.", unsupported(options))]
    NotSupportedYet {
        /// Option and what it is for.
        options: Vec<(&'static str, &'static str)>,
    },
    /// Options nobody knows, or that do not go with the operation.
    #[error(
        "Invalid input received: Invalid option(s) [{options}] specified for operation {operation}. Please check help for \
         usage.{hint}"
    )]
    Unknown {
        /// The options, sorted and quoted.
        options: String,
        /// What was asked for.
        operation: &'static str,
        /// What may have been meant, or nothing.
        hint: String,
    },
    /// A value that is a list or an object.
    #[error("Invalid input received: the value of option '{option}' must be text, a number, true or false.")]
    NotScalar {
        /// The option.
        option: String,
    },
    /// `size` is no number of GiB that a volume can have.
    #[error(
        "Please enter the valid integer value for size parameter: '{value}' is not a whole number of GiB from 1 to {max}.",
        max = SizeGib::MAX
    )]
    Size {
        /// What was given.
        value: String,
    },
    /// Unknown `provisioning`.
    #[error(
        "Invalid input received: Must specify a valid provisioning type ['thin', 'full', 'dedup'], value '{value}' is invalid."
    )]
    Provisioning {
        /// What was given.
        value: String,
    },
    /// `compression` is neither true nor false.
    #[error(
        "create volume failed, error is: passed compression parameter does not have a valid value. Valid values are: ['true', \
         'false']"
    )]
    Compression,
    /// Compression of a volume the array cannot compress.
    #[error(
        "Invalid input received: To create compression enabled volume, size of the volume should be at least 16GB. Fully \
         provisioned volume cannot be compressed. Please re-enter requested volume size or provisioning type."
    )]
    NotCompressible,
    /// `cpg` or `snapcpg` is nothing the array could have.
    #[error("Invalid value '{value}' specified for {option}. Please specify a CPG name: {rule}.")]
    Cpg {
        /// The option.
        option: &'static str,
        /// What was given.
        value: String,
        /// The rule for names.
        rule: &'static str,
    },
    /// `fsOwner` is not `uid:gid`.
    #[error(
        "Invalid value '{value}' specified for fsOwner. Please specify a correct value. Expected uid:gid, both numbers."
    )]
    FsOwner {
        /// What was given.
        value: String,
    },
    /// `fsMode` is no number.
    #[error("Invalid value '{value}' specified for fsMode. Please specify an integer value.")]
    FsModeNumber {
        /// What was given.
        value: String,
    },
    /// `fsMode` is not octal with a leading 0.
    #[error(
        "Invalid value '{value}' specified for fsMode. Please specify an octal value. Expected 0 to 07777, beginning with 0."
    )]
    FsModeOctal {
        /// What was given.
        value: String,
    },
    /// `mountConflictDelay` is no number. The missing blank is the earlier plugin's.
    #[error("Invalid value '{value}' specified for mountConflictDelay. Pleasespecify an integer value.")]
    MountConflictDelayNumber {
        /// What was given.
        value: String,
    },
    /// `mountConflictDelay` is out of bounds.
    #[error(
        "Invalid value '{value}' specified for mountConflictDelay. Please specify 0 to {} seconds.",
        CreateOptions::LONGEST_DELAY.as_secs()
    )]
    MountConflictDelayRange {
        /// What was given.
        value: String,
    },
    /// The section reserved for File Persona.
    #[error("Backend DEFAULT_FILE is reserved for File Persona. Cannot specify it for Block operations")]
    BackendReserved,
    /// No section can have that name.
    #[error("Backend: {value} not present in config.")]
    NoSuchBackend {
        /// What was given.
        value: String,
    },
}

impl OptionError {
    /// The refusal of unknown options; `None` if there are none.
    pub(super) fn unknown<'o>(
        unknown: impl Iterator<Item = &'o str>,
        operation: &'static str,
        known: &'static [&str],
    ) -> Option<Self> {
        let mut unknown: Vec<_> = unknown.collect();
        unknown.sort_unstable();
        if unknown.is_empty() {
            return None;
        }
        let mut hint = String::new();
        for option in &unknown {
            if let Some(meant) = nearest(option, known.iter().copied()) {
                let _ = write!(hint, " Did you mean '{meant}' instead of '{}'?", quoted(option));
            }
        }
        let options = unknown.iter().map(|option| format!("'{}'", quoted(option))).collect::<Vec<_>>().join(", ");
        Some(Self::Unknown { options, operation, hint })
    }
}

/// A text of the caller as it may stand in an error line: at most 64 characters, control characters escaped.
pub(super) fn quoted(text: &str) -> String {
    let mut line = String::new();
    for c in text.chars().take(64) {
        if c.is_control() {
            line.extend(c.escape_default());
        } else {
            line.push(c);
        }
    }
    if text.chars().count() > 64 {
        line.push_str("...");
    }
    line
}

fn unsupported(options: &[(&str, &str)]) -> String {
    let names: Vec<_> = options.iter().map(|(option, purpose)| format!("'{option}' ({purpose})")).collect();
    match names.as_slice() {
        [one] => format!("Option {one} is"),
        many => format!("Options {} are", many.join(", ")),
    }
}
