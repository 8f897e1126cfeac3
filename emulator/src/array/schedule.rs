//! Schedules: command lines that run by themselves at times of day, such as snapshots every hour.
//!
//! The array keeps them and knows when each is due; the command line runs them ([`Array::due_schedules`]). Times are those of cron:
//! minute, hour, day of the month, month, day of the week; or `@hourly` and its kin.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use super::Array;
use super::timestamp::Timestamp;

/// Most schedules.
pub const SCHEDULES_MAX: usize = 200;
/// Longest name of a schedule; the docker plugin holds itself to the same.
const NAME_MAX: usize = 31;
/// Days after which a time that never comes, such as 30 February, is given up.
const DAYS_AHEAD: u64 = 9 * 366;

/// Schedules by name.
pub(crate) type Schedules = BTreeMap<String, Schedule>;

/// Why a schedule was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The times cannot be read. Clients look for exactly these words, with `@monthly` twice.
    #[error(
        "The schedule format is <minute> <hour> <dom> <month> <dow> or by @hourly @daily @monthly @weekly @monthly @yearly: {0}"
    )]
    Times(String),
    /// The name is empty, too long or holds a blank.
    #[error("Invalid schedule name: {0}")]
    Name(String),
    /// There is one of this name.
    #[error("Error: schedule {0} already exists")]
    Exists(String),
    /// There is none of this name.
    #[error("Error: schedule {0} does not exist")]
    Unknown(String),
    /// There are as many as there can be.
    #[error("Error: there are {SCHEDULES_MAX} schedules already")]
    TooMany,
}

/// When a schedule runs: a bit for each minute, hour, day, month and day of the week.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Times {
    text: String,
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
}

impl Times {
    /// Reads the five fields, or a word such as `@daily`.
    ///
    /// # Errors
    /// When it is neither.
    pub fn read(text: &str) -> Result<Self, ScheduleError> {
        let refused = || ScheduleError::Times(text.to_owned());
        let fields = match text.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            fields => fields,
        };
        let fields: Vec<&str> = fields.split_whitespace().collect();
        let [minutes, hours, days, months, weekdays] = fields[..] else { return Err(refused()) };
        let read = |field: &str, lowest, highest| bits(field, lowest, highest).ok_or_else(refused);
        let weekdays = read(weekdays, 0, 7)?;
        Ok(Self {
            text: text.trim().to_owned(),
            minutes: read(minutes, 0, 59)?,
            hours: read(hours, 0, 23)?,
            days: read(days, 1, 31)?,
            months: read(months, 1, 12)?,
            // Sunday is 0 and 7.
            weekdays: (weekdays | (weekdays >> 7)) & 0x7f,
        })
    }

    /// The first time after `after`, to the minute; `None` when it never comes.
    #[must_use]
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        let first_minute = after.0 / 60 + 1;
        let first_day = first_minute / 1440;
        (first_day..first_day + DAYS_AHEAD).find_map(|day| {
            let [_, month, day_of_month, ..] = Timestamp(day * 86_400).parts();
            // 1 January 1970 was a Thursday.
            let weekday = (day + 4) % 7;
            if !has(self.months, month) || !has(self.days, day_of_month) || !has(self.weekdays, weekday) {
                return None;
            }
            let from = if day == first_day { first_minute % 1440 } else { 0 };
            (from..1440)
                .find(|minute| has(self.hours, minute / 60) && has(self.minutes, minute % 60))
                .map(|minute| Timestamp((day * 1440 + minute) * 60))
        })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn has(bits: u64, number: u64) -> bool {
    (bits >> number) & 1 == 1
}

/// The numbers of a field: `*`, `5`, `1-5`, `*/15`, `0-30/10`, and several with commas.
fn bits(field: &str, lowest: u32, highest: u32) -> Option<u64> {
    let mut all = 0;
    for part in field.split(',') {
        let (range, step) = match part.split_once('/') {
            Some((range, step)) => (range, step.parse::<u32>().ok().filter(|step| *step > 0)?),
            None => (part, 1),
        };
        let (from, to) = match range.split_once('-') {
            _ if range == "*" => (lowest, highest),
            Some((from, to)) => (from.parse().ok()?, to.parse().ok()?),
            None => {
                let only: u32 = range.parse().ok()?;
                (only, if part.contains('/') { highest } else { only })
            }
        };
        if from < lowest || to > highest || from > to {
            return None;
        }
        let mut number = from;
        while number <= to {
            all |= 1_u64 << number;
            number = number.checked_add(step)?;
        }
    }
    Some(all)
}

/// A schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Schedule {
    /// Name.
    pub name: String,
    /// Command line to run.
    pub task: String,
    /// When it runs.
    pub times: Times,
    /// Whether it runs at all.
    pub active: bool,
    /// Account that made it.
    pub user: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it runs next; absent when that never comes.
    pub next: Option<Timestamp>,
    /// How often it ran.
    pub runs: u64,
}

/// A change of a schedule; what is absent stays.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScheduleChange {
    /// Name to give it.
    pub new_name: Option<String>,
    /// Times to give it.
    pub times: Option<Times>,
    /// Whether it runs.
    pub active: Option<bool>,
}

fn checked_name(name: &str) -> Result<String, ScheduleError> {
    let good = !name.is_empty() && name.chars().count() <= NAME_MAX && !name.contains(char::is_whitespace);
    if good { Ok(name.to_owned()) } else { Err(ScheduleError::Name(name.to_owned())) }
}

impl Array {
    /// Makes a schedule.
    ///
    /// # Errors
    /// A bad name, or one that is taken; too many schedules.
    pub fn create_schedule(
        &mut self,
        now: Duration,
        user: &str,
        name: &str,
        task: &str,
        times: Times,
    ) -> Result<(), ScheduleError> {
        self.advance(now);
        let name = checked_name(name)?;
        if self.schedules.contains_key(&name) {
            return Err(ScheduleError::Exists(name));
        }
        if self.schedules.len() >= SCHEDULES_MAX {
            return Err(ScheduleError::TooMany);
        }
        let created = self.timestamp(self.now);
        let next = times.next_after(created);
        let (task, user) = (task.to_owned(), user.to_owned());
        let schedule = Schedule { name: name.clone(), task, times, active: true, user, created, next, runs: 0 };
        self.schedules.insert(name, schedule);
        Ok(())
    }

    /// Changes a schedule.
    ///
    /// # Errors
    /// An unknown schedule; a new name that is bad or taken.
    pub fn modify_schedule(&mut self, now: Duration, name: &str, change: &ScheduleChange) -> Result<(), ScheduleError> {
        self.advance(now);
        let unknown = || ScheduleError::Unknown(name.to_owned());
        let mut schedule = self.schedules.get(name).ok_or_else(unknown)?.clone();
        if let Some(new_name) = &change.new_name {
            schedule.name = checked_name(new_name)?;
            if schedule.name != name && self.schedules.contains_key(&schedule.name) {
                return Err(ScheduleError::Exists(schedule.name));
            }
        }
        if let Some(times) = &change.times {
            schedule.times = times.clone();
        }
        schedule.active = change.active.unwrap_or(schedule.active);
        // What was missed while it was suspended is not made up for.
        schedule.next = schedule.times.next_after(self.timestamp(self.now));
        self.schedules.remove(name);
        self.schedules.insert(schedule.name.clone(), schedule);
        Ok(())
    }

    /// Removes a schedule.
    ///
    /// # Errors
    /// An unknown schedule.
    pub fn remove_schedule(&mut self, now: Duration, name: &str) -> Result<(), ScheduleError> {
        self.advance(now);
        self.schedules.remove(name).map(drop).ok_or_else(|| ScheduleError::Unknown(name.to_owned()))
    }

    /// The schedules by name.
    pub fn schedules(&self) -> impl Iterator<Item = &Schedule> {
        self.schedules.values()
    }

    /// The schedules whose time has come; each runs once for all the times that have passed.
    pub(crate) fn due_schedules(&mut self, now: Duration) -> Vec<Schedule> {
        self.advance(now);
        let clock = self.timestamp(self.now);
        let mut due = Vec::new();
        for schedule in self.schedules.values_mut() {
            if schedule.active && schedule.next.is_some_and(|next| next <= clock) {
                schedule.next = schedule.times.next_after(clock);
                schedule.runs += 1;
                due.push(schedule.clone());
            }
        }
        due
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::array::ArrayConfig;

    /// Thursday, 1 January 2026, 00:00:00.
    const START: u64 = 1_767_225_600;

    fn next(times: &str, after: u64) -> Option<String> {
        Times::read(times).unwrap().next_after(Timestamp(START + after)).map(Timestamp::with_zone_name)
    }

    #[test]
    fn times_come_as_cron_has_them() {
        assert_eq!(next("0 * * * *", 0).as_deref(), Some("2026-01-01 01:00:00 UTC"));
        assert_eq!(next("*/15 * * * *", 61).as_deref(), Some("2026-01-01 00:15:00 UTC"));
        assert_eq!(next("@daily", 1).as_deref(), Some("2026-01-02 00:00:00 UTC"));
        assert_eq!(next("30 4 1,15 * *", 86_400).as_deref(), Some("2026-01-15 04:30:00 UTC"));
        assert_eq!(next("0 0 * * 7", 0).as_deref(), Some("2026-01-04 00:00:00 UTC"), "Sunday");
        assert_eq!(next("0 0 29 2 *", 0).as_deref(), Some("2028-02-29 00:00:00 UTC"));
        assert_eq!(next("0 0 30 2 *", 0), None);
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for text in [
            "",
            "* * * *",
            "60 * * * *",
            "* 24 * * *",
            "* * 0 * *",
            "5-1 * * * *",
            "*/0 * * * *",
            "@never",
            "a b c d e",
        ] {
            assert!(Times::read(text).unwrap_err().to_string().starts_with("The schedule format is"), "{text}");
        }
    }

    #[test]
    fn a_schedule_is_due_once_for_all_the_times_that_passed() {
        let mut array = Array::new(ArrayConfig::default());
        let at = Duration::from_secs;
        array.create_schedule(at(0), "u", "s", "showvv", Times::read("@hourly").unwrap()).unwrap();
        assert_eq!(array.due_schedules(at(3599)).len(), 0);
        assert_eq!(array.due_schedules(at(3 * 3600)).len(), 1);
        assert_eq!(array.due_schedules(at(3 * 3600 + 1)).len(), 0);
        let suspend = ScheduleChange { active: Some(false), ..ScheduleChange::default() };
        array.modify_schedule(at(3 * 3600 + 2), "s", &suspend).unwrap();
        assert_eq!(array.due_schedules(at(9 * 3600)).len(), 0);
        assert_eq!(array.remove_schedule(at(9 * 3600), "x"), Err(ScheduleError::Unknown("x".to_owned())));
        array.remove_schedule(at(9 * 3600), "s").unwrap();
        assert_eq!(array.schedules().count(), 0);
    }

    proptest! {
        #[test]
        fn no_text_breaks_the_reading(text in "[0-9*/,@a-z -]{0,20}", after in 0_u64..100_000_000) {
            if let Ok(times) = Times::read(&text) {
                let next = times.next_after(Timestamp(START + after));
                prop_assert!(next.is_none_or(|next| next.0 > START + after && next.0 % 60 == 0));
            }
        }
    }
}
