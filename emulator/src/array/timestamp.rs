//! Points in time as the WSAPI prints them: seconds since 1970 and ISO 8601.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Seconds since 1970-01-01 00:00 UTC; prints as ISO 8601 with the zone of the array, which is UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// Year, month and day of the civil calendar (days counted from 0000-03-01, eras of 400 years).
    fn date(self) -> (u64, u64, u64) {
        let days = self.0 / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * of_year + 2) / 153;
        let day = of_year - (153 * shifted + 2) / 5 + 1;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        (year_of_era + era * 400 + u64::from(month <= 2), month, day)
    }

    /// Year, month, day, hour, minute and second.
    pub(crate) fn parts(self) -> [u64; 6] {
        let ((year, month, day), (hour, minute, second)) = (self.date(), self.time());
        [year, month, day, hour, minute, second]
    }

    /// The form of task rows: `2014-02-06 13:07:03 UTC`.
    #[must_use]
    pub fn with_zone_name(self) -> String {
        let (year, month, day) = self.date();
        let (h, m, s) = self.time();
        format!("{year:04}-{month:02}-{day:02} {h:02}:{m:02}:{s:02} UTC")
    }

    /// Hour, minute and second of the day.
    fn time(self) -> (u64, u64, u64) {
        (self.0 / 3600 % 24, self.0 / 60 % 60, self.0 % 60)
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = self.date();
        let (h, m, s) = self.time();
        write!(f, "{year:04}-{month:02}-{day:02}T{h:02}:{m:02}:{s:02}+00:00")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_dates() {
        assert_eq!(Timestamp(0).to_string(), "1970-01-01T00:00:00+00:00");
        assert_eq!(Timestamp(1_417_769_140).to_string(), "2014-12-05T08:45:40+00:00");
        assert_eq!(Timestamp(1_709_164_800).to_string(), "2024-02-29T00:00:00+00:00");
        assert_eq!(Timestamp(1_767_225_600).with_zone_name(), "2026-01-01 00:00:00 UTC");
    }
}
