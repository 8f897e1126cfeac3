//! One reader per option value.

use std::time::Duration;

use serde_json::{Map, Value};

use super::error::quoted;
use super::{CreateOptions, OptionError, SizeGib};
use crate::array::{CpgName, Provisioning};
use crate::config::BackendName;

/// The value as the text it would have had on the command line; null is empty.
pub(super) fn text(option: &str, value: &Value) -> Result<String, OptionError> {
    match value {
        Value::Null => Ok(String::new()),
        Value::Bool(flag) => Ok(flag.to_string()),
        Value::Number(number) => Ok(whole(number).map_or_else(|| number.to_string(), |whole| whole.to_string())),
        Value::String(text) => Ok(text.clone()),
        Value::Array(_) | Value::Object(_) => Err(OptionError::NotScalar { option: quoted(option) }),
    }
}

/// The number as an integer, also when it is written like `30.0`, as some JSON writers do.
fn whole(number: &serde_json::Number) -> Option<i64> {
    number.as_i64().or_else(|| number.to_string().strip_suffix(".0")?.parse().ok())
}

/// Reads an option that falls back to its default when absent or empty.
pub(super) fn given<T>(
    opts: &Map<String, Value>,
    option: &str,
    read: impl FnOnce(&str) -> Result<T, OptionError>,
) -> Result<Option<T>, OptionError> {
    let Some(value) = opts.get(option) else {
        return Ok(None);
    };
    let text = text(option, value)?;
    if text.is_empty() { Ok(None) } else { read(&text).map(Some) }
}

pub(super) fn size(text: &str) -> Result<SizeGib, OptionError> {
    let gib = text.trim().parse().ok().and_then(SizeGib::new);
    gib.ok_or_else(|| OptionError::Size { value: quoted(text) })
}

pub(super) fn provisioning(text: &str) -> Result<Provisioning, OptionError> {
    match text {
        "thin" => Ok(Provisioning::Thin),
        "full" => Ok(Provisioning::Full),
        "dedup" => Ok(Provisioning::Dedup),
        _ => Err(OptionError::Provisioning { value: quoted(text) }),
    }
}

/// Unlike other options, an empty `compression` is an error, as in the earlier plugin.
pub(super) fn compression(value: &Value) -> Result<bool, OptionError> {
    match text("compression", value)?.to_ascii_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        _ => Err(OptionError::Compression),
    }
}

pub(super) fn cpg(option: &'static str, text: &str) -> Result<CpgName, OptionError> {
    text.parse().map_err(|error: crate::array::names::NameError| OptionError::Cpg {
        option,
        value: quoted(text),
        rule: error.rule,
    })
}

pub(super) fn fs_owner(text: &str) -> Result<(u32, u32), OptionError> {
    // The largest number means "leave as it is" to chown(2).
    let id = |id: &str| id.trim().parse::<u32>().ok().filter(|id| *id != u32::MAX);
    let owner = text.split_once(':').and_then(|(user, group)| Some((id(user)?, id(group)?)));
    owner.ok_or_else(|| OptionError::FsOwner { value: quoted(text) })
}

pub(super) fn fs_mode(text: &str) -> Result<u32, OptionError> {
    let digits = text.trim();
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OptionError::FsModeNumber { value: quoted(text) });
    }
    let mode = u32::from_str_radix(digits, 8).ok().filter(|mode| digits.starts_with('0') && *mode <= 0o7777);
    mode.ok_or_else(|| OptionError::FsModeOctal { value: quoted(text) })
}

pub(super) fn mount_conflict_delay(text: &str) -> Result<Duration, OptionError> {
    let digits = text.trim();
    let magnitude = digits.strip_prefix(['-', '+']).unwrap_or(digits);
    if magnitude.is_empty() || !magnitude.bytes().all(|b| b.is_ascii_digit()) {
        return Err(OptionError::MountConflictDelayNumber { value: quoted(text) });
    }
    let delay = digits.parse().ok().map(Duration::from_secs).filter(|delay| *delay <= CreateOptions::LONGEST_DELAY);
    delay.ok_or_else(|| OptionError::MountConflictDelayRange { value: quoted(text) })
}

pub(super) fn backend(text: &str) -> Result<BackendName, OptionError> {
    if text == BackendName::DEFAULT_FILE {
        return Err(OptionError::BackendReserved);
    }
    text.parse().map_err(|_| OptionError::NoSuchBackend { value: quoted(text) })
}
