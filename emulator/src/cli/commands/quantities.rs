//! Sizes and times as operands: `512`, `10g`, `1T`; `12h`, `3d`.

/// A size in MiB: a number without letter, with `m`, `g` or `t` in either case.
///
/// # Errors
/// A sentence for anything else, or a size beyond all bounds.
pub(super) fn size_mib(text: &str) -> Result<i64, String> {
    let invalid = || format!("Invalid size: {text}");
    let (digits, factor) = match text.char_indices().last() {
        Some((at, letter)) if letter.is_ascii_alphabetic() => {
            let factor = match letter.to_ascii_lowercase() {
                'm' => 1,
                'g' => 1024,
                't' => 1024 * 1024,
                _ => return Err(format!("The suffix, {letter}, for size is invalid.")),
            };
            (&text[..at], factor)
        }
        _ => (text, 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    digits.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(invalid)
}

/// A time in hours: a number with `h` or `d` in either case, hours without letter.
///
/// # Errors
/// A sentence for anything else.
pub(super) fn hours(text: &str) -> Result<i64, String> {
    let invalid = || format!("Invalid time: {text}");
    let (digits, factor) = match text.strip_suffix(['d', 'D']) {
        Some(days) => (days, 24),
        None => (text.strip_suffix(['h', 'H']).unwrap_or(text), 1),
    };
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(invalid());
    }
    digits.parse::<i64>().ok().and_then(|number| number.checked_mul(factor)).ok_or_else(invalid)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn sizes_have_letters() {
        assert_eq!(size_mib("512"), Ok(512));
        assert_eq!(size_mib("10g"), Ok(10_240));
        assert_eq!(size_mib("2T"), Ok(2_097_152));
        assert_eq!(size_mib("7m"), Ok(7));
        assert_eq!(size_mib("7x").unwrap_err(), "The suffix, x, for size is invalid.");
        assert_eq!(size_mib("-7").unwrap_err(), "Invalid size: -7");
        assert_eq!(size_mib("9223372036854775807t").unwrap_err(), "Invalid size: 9223372036854775807t");
    }

    #[test]
    fn times_are_hours_or_days() {
        assert_eq!((hours("12h"), hours("2D"), hours("5")), (Ok(12), Ok(48), Ok(5)));
        assert_eq!(hours("1w").unwrap_err(), "Invalid time: 1w");
    }

    proptest! {
        #[test]
        fn any_text_is_taken(text in "\\PC{0,12}") {
            let _ = (size_mib(&text), hours(&text));
        }
    }
}
