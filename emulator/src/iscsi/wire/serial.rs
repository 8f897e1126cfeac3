//! Arithmetic of sequence numbers: 32 bits that wrap (RFC 1982, RFC 7143 s. 4.2.2).

/// Whether `a` comes before `b`.
#[must_use]
pub const fn before(a: u32, b: u32) -> bool {
    a != b && b.wrapping_sub(a) < 0x8000_0000
}

/// Whether `number` is in the window from `first` to `last`, both included. A window whose end lies before its start is empty.
#[must_use]
pub const fn in_window(number: u32, first: u32, last: u32) -> bool {
    !before(number, first) && !before(last, number)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_closed_window_holds_nothing() {
        assert!(!in_window(5, 5, 4));
        assert!(in_window(u32::MAX, u32::MAX, 3) && in_window(0, u32::MAX, 3) && !in_window(4, u32::MAX, 3));
    }

    proptest! {
        #[test]
        fn order_holds_across_the_wrap(start: u32, step in 1u32..0x7FFF_FFFF) {
            let later = start.wrapping_add(step);
            prop_assert!(before(start, later) && !before(later, start));
            prop_assert!(in_window(later, start, later));
        }
    }
}
