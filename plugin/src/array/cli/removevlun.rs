//! What the array's words about `removevlun` mean.
//!
//! The exit status alone says little: errors with exit status 0 are known of this command line (observed).

use super::exec::Output;
use crate::array::ArrayError;
use crate::array::operation::Operation;

/// What it prints when it does its work (observed).
const AT_WORK: &str = "issuing removevlun";
/// Parts of lines that say the export, or what it hangs on, is not there.
const ABSENT: [&str; 4] = ["no matching", "not found", "does not exist", "no vlun"];
/// Parts of lines that say no.
const NO: [&str; 5] = ["error", "invalid", "usage:", "denied", "failed"];

/// The template was removed; else why not.
///
/// # Errors
/// Not found, refused, or unknown where the words fit nothing.
pub(super) fn judge(operation: &Operation, output: &Output) -> Result<(), ArrayError> {
    let text = output.text.trim();
    let lower = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|word| lower.contains(word));
    match output.exit {
        _ if lower.contains(AT_WORK) && says(&NO) => {
            Err(operation.unknown(format!("the array began and then failed: {text}")))
        }
        _ if says(&ABSENT) => Err(operation.not_found()),
        _ if says(&NO) => Err(operation.refused(0, text)),
        Some(0) if text.is_empty() || lower.contains(AT_WORK) => Ok(()),
        Some(0) => Err(operation.unknown(format!("the array answered with unknown words: {text}"))),
        Some(status) => Err(operation.refused(0, format!("{text} (exit status {status})"))),
        None => Err(operation.unknown(format!("the command ended without an exit status: {text}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(text: &str, exit: Option<u32>) -> Result<(), ArrayError> {
        judge(&Operation::change("removing", "VLUN v,1,h"), &Output { text: text.into(), exit })
    }

    #[test]
    fn success_needs_the_words_or_silence_and_exit_status_0() {
        assert_eq!(judged("", Some(0)), Ok(()));
        assert_eq!(judged("Issuing removevlun v 1 h\r\n", Some(0)), Ok(()));
        assert!(judged("", None).is_err_and(|e| e.is_unknown()));
        assert!(judged("Issuing removevlun v 1 h", None).is_err_and(|e| e.is_unknown()));
        assert!(judged("select q=quit y=yes n=no: ", Some(0)).is_err_and(|e| e.is_unknown()));
    }

    #[test]
    fn an_error_with_exit_status_0_is_an_error() {
        assert!(matches!(judged("Error: volume is busy", Some(0)), Err(ArrayError::Refused { .. })));
        assert!(matches!(judged("Invalid vv name: v", Some(0)), Err(ArrayError::Refused { .. })));
        assert!(matches!(judged("", Some(1)), Err(ArrayError::Refused { .. })));
    }

    #[test]
    fn a_failure_after_the_beginning_is_unknown() {
        assert!(judged("Issuing removevlun v 1 h\nError: timed out", Some(0)).is_err_and(|e| e.is_unknown()));
    }

    #[test]
    fn what_is_not_there() {
        for text in ["no matching vluns", "VLUN not found", "Error: host h does not exist"] {
            for exit in [Some(0), Some(1)] {
                assert!(judged(text, exit).is_err_and(|e| e.is_not_found()), "{text}");
            }
        }
    }
}
